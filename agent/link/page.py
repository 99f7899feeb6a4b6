"""The page behind the QR code: 疑似上报 without login, and the links of orders and approvals. What it says, not how.

It can be used to put something in and to read nothing: no data of the store is within reach of this process. No script,
no cookie, nothing from elsewhere. What somebody wrote is shown back to them escaped, only where a field is missing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from agent.link.desk import Desk
from agent.link.letters import FULL
from agent.link.limits import Limits
from config.log import describe, get_logger
from config.messaging import PageSettings
from config.text import LANGUAGES, Language, Text

MAX_BODY: Final = 16_384
FIELDS: Final = {"what": 4000, "kind": 40, "when": 60, "place": 200, "name": 60, "contact": 120}
KINDS: Final = ("intrusion", "ransomware", "staff_mistake", "insider", "lost_device", "vendor", "sold_online", "other")
OTHER: Final[dict[Language, Language]] = {"zh-CN": "en", "en": "zh-CN"}
LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
STEPS: Final = ("step_power", "step_files", "step_photo", "step_stop", "step_quiet")
PARTS: Final = (
    "fault", "lead", "receipt", "words", "steps", "phone", "form", "kinds", "button", "action", "foot", "other",
)  # fmt: skip

log = get_logger("link")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request. `address` is the other end of the connection."""

    method: str
    path: str
    query: str = ""
    address: str
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, kw_only=True)
class Page:
    """One answer."""

    status: int
    body: bytes = field(default=b"", repr=False)


@cache
def template() -> Template:
    """The one template."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_read("page.html"))


@cache
def style() -> str:
    """The style, the same for every page."""
    return _read("page.css").strip()


@cache
def headers() -> dict[str, str]:
    """What every answer carries. The style is allowed by its digest, everything else is forbidden."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


class Counter:
    """Answers requests. `desk` is where forms and words are left for the daemon."""

    def __init__(
        self,
        desk: Desk,
        about: dict[str, Any],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        limits: Limits | None = None,
    ) -> None:
        """Serve what `Desk.page` said."""
        self._desk, self._now = desk, now
        settings: PageSettings = about["page"]
        self._phone = settings.emergency_phone
        self._store = str(about.get("store", ""))
        self._zone = ZoneInfo(str(about.get("timezone", "UTC")))
        self._language: Language = "en" if about.get("language") == "en" else "zh-CN"
        self._limits = limits or Limits(settings.per_address, settings.per_hour)
        self._tries = Limits(30, 600)
        self._used: set[str] = set()

    def answer(self, asked: Asked) -> Page:
        """The answer to a request; whatever goes wrong, it tells nothing."""
        language = self._language_of(asked.query)
        try:
            if asked.path == "/":
                return self._report(asked, language)
            kind, _, token = asked.path.removeprefix("/").partition("/")
            if kind in ("a", "ok") and token:
                return self._word(asked, kind, token, language)
            return self._plain(404, "gone", language)
        except Exception as error:  # noqa: BLE001  the boundary to strangers
            log.error("the page failed", error=describe(error))
            return self._plain(503, "busy", language)

    def refuse(self, status: int, query: str = "") -> Page:
        """The answer to what is no request that this page takes."""
        return self._plain(status, "busy" if status in (429, 503) else "bad", self._language_of(query))

    def _report(self, asked: Asked, language: Language) -> Page:
        if asked.method == "GET":
            return self._form(200, language, self._empty())
        given = read_form(asked.body)
        if given is None:
            return self._plain(400, "bad", language)
        if not given["what"].strip():
            return self._form(422, language, given, "page.fault_what")
        if self._desk.waiting() > FULL or not self._limits.take(asked.address):
            return self._plain(429, "busy", language)
        receipt = "R" + "".join(secrets.choice(LETTERS) for _ in range(8))
        try:
            self._desk.write(
                f"{receipt}.json",
                {"schema": "cloche.form/1", "receipt": receipt, "at": self._now().isoformat(), **given},
            )
        except OSError as error:
            log.error("a report could not be kept", error=describe(error))
            return self._plain(503, "busy", language)
        text = Text(language)
        return self._render(
            200, language, title=text("page.thanks"), lead=text("page.thanks_lead"), receipt=receipt,
            steps=[text(f"page.{step}") for step in STEPS], phone=self._phone, foot=text("page.foot"),
        )  # fmt: skip

    def _word(self, asked: Asked, kind: str, token: str, language: Language) -> Page:
        if not self._tries.take(asked.address):
            return self._plain(429, "busy", language)
        found = self._find(kind, token)
        if found is None:
            return self._plain(404, "gone", language)
        text, name = Text(language), "ack" if kind == "a" else "ok"
        if asked.method == "GET":
            words = [str(found.get("subject", "")), *str(found.get("text", "")).splitlines()]
            lead = text("page.ok_lead") if kind == "ok" else ""
            return self._render(
                200, language, title=text(f"page.{name}_title"), lead=lead, words=words,
                button=text(f"page.{name}_button"), action=asked.path, phone=self._phone,
            )  # fmt: skip
        receipt = "R" + "".join(secrets.choice(LETTERS) for _ in range(8))
        try:
            self._desk.write(
                f"{receipt}.json", {"schema": "cloche.word/1", "token": token, "at": self._now().isoformat()}
            )
        except OSError as error:
            log.error("a word could not be kept", error=describe(error))
            return self._plain(503, "busy", language)
        self._used.add(str(found["digest"]))
        return self._render(200, language, title=text(f"page.{name}_done_title"), lead=text("page.ack_done"))

    def _find(self, kind: str, token: str) -> dict[str, str] | None:
        """The open link of this token. Every digest is compared, and in constant time."""
        digest = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
        found = None
        for entry in self._desk.tokens():
            if hmac.compare_digest(str(entry.get("digest", "")), digest) and entry.get("kind") == kind:
                found = entry
        if found is None or digest in self._used:
            return None
        return found if datetime.fromisoformat(str(found["expires"])) > self._now() else None

    def _empty(self) -> dict[str, str]:
        when = self._now().astimezone(self._zone).strftime("%Y-%m-%dT%H:%M")
        return {"what": "", "kind": "other", "when": when, "place": self._store, "name": "", "contact": ""}

    def _form(self, status: int, language: Language, given: dict[str, str], fault: str = "") -> Page:
        text = Text(language)
        return self._render(
            status, language, title=text("page.title"), lead=text("page.lead"), form=given, phone=self._phone,
            kinds=[(kind, text(f"incident.kind_{kind}")) for kind in KINDS], fault=text(fault) if fault else "",
            action=f"/?l={language}", other=f"/?l={OTHER[language]}", foot=text("page.foot"),
        )  # fmt: skip

    def _plain(self, status: int, name: str, language: Language) -> Page:
        text = Text(language)
        return self._render(
            status, language, title=text(f"page.{name}_title"), lead=text(f"page.{name}"), phone=self._phone
        )

    def _render(self, status: int, language: Language, **values: Any) -> Page:
        text = Text(language)
        nothing: dict[str, Any] = dict.fromkeys(
            (
                "fault",
                "lead",
                "receipt",
                "words",
                "steps",
                "phone",
                "form",
                "kinds",
                "button",
                "action",
                "foot",
                "other",
            ),
            "",
        )
        page = template().render(
            nothing | values | {
                "language": language, "store": self._store, "style": Markup(style()),  # noqa: S704  our own file
                "say": lambda key, **given: text(f"page.{key}", **given),
            }
        )  # fmt: skip
        return Page(status=status, body=page.encode("utf-8", "replace"))

    def _language_of(self, query: str) -> Language:
        wanted = parse_qs(query[:200]).get("l", [""])[0]
        return next((language for language in LANGUAGES if language == wanted), self._language)


def read_form(body: bytes) -> dict[str, str] | None:
    """The fields of a form, bounded, absent ones empty; None where it is no form."""
    try:
        found = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="replace", max_num_fields=16)
    except (UnicodeDecodeError, ValueError):
        return None
    if not found or not set(found) <= set(FIELDS):
        return None
    given = {name: "".join(found.get(name, [""])[:1])[:most] for name, most in FIELDS.items()}
    given["kind"] = given["kind"] if given["kind"] in KINDS else "other"
    return given


def _read(name: str) -> str:
    return files("agent.link").joinpath("templates", name).read_text(encoding="utf-8")
