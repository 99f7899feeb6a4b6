"""Turn records into pages: templates, words in the reader's language, times in head office's zone.

Everything is escaped (Jinja2 autoescape); what stores sent was stripped of control characters when it came in.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from central.moments import now
from central.pages.navigation import links_for
from config.text import LANGUAGES, Language, Text, load_packs

TEMPLATES: Final = Path(__file__).parent / "templates"
STATIC: Final = Path(__file__).parent / "static"
WARM_PAUSE: Final = 0.02
"""Seconds."""
LANGUAGE_COOKIE: Final = "cloche-lang"
LABELS: Final = ("hq", "hq_pages", "hq_incident", "incident", "law", "assess")
"""Text packs in which words of closed lists (`kind_insider`) are looked up, in this order."""


def choose_language(request: Request) -> Language:
    """`?lang=`, else the cookie it left, else what the browser prefers, else Chinese."""
    for wish in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if wish in LANGUAGES:
            return wish
    preferred = request.headers.get("accept-language", "").split(",")[0].strip().lower()
    return "en" if preferred.startswith("en") else "zh-CN"


class Pages:
    """Renders templates."""

    def __init__(self, timezone: ZoneInfo, office_name: str) -> None:
        self._timezone = timezone
        self._office_name = office_name
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._ahead: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self._is_warm = False

    def prepare(self, work: Callable[[], object]) -> None:
        """Have something made ready that a page needs and that is kept from then on (see `warm`)."""
        self._ahead.append(work)

    def warm(self) -> int:
        """Compile all templates and do what was asked of `prepare`: 0.7 s altogether, which the first reader of each
        page would wait for otherwise (up to 0.07 s a template). Pauses between, for others work meanwhile.

        Returns:
            how many templates there are.
        """
        for name in _templates():
            time.sleep(WARM_PAUSE)
            self._environment.get_template(name)
        for work in self._ahead:
            work()
        return len(_templates())

    def _begin_to_warm(self) -> None:
        """With the first page that is shown: whoever logs in is busy for longer than this takes."""
        with self._lock:
            if self._is_warm:
                return
            self._is_warm = True
        threading.Thread(target=self.warm, name="hq-pages", daemon=True).start()

    def render(self, request: Request, template: str, values: dict[str, Any], *, status: int = 200) -> Response:
        """A page. A chosen language is remembered in a cookie.

        A page that answers 200 has an ETag over what a reader sees of it, and one who has it already gets 304:
        `static/live.js` asks again and again.
        """
        if not self._is_warm:
            self._begin_to_warm()
        language = choose_language(request)
        text = Text(language)
        page = self._environment.get_template(template).render(
            t=partial(_say, text),
            say=text,
            label=partial(label, language),
            local=self._local,
            ago=partial(ago, text),
            when=partial(self._when, text),
            number=_number,
            size=_size,
            language=language,
            office=self._office_name,
            path=request.url.path,
            here=partial(_here, request),
            asset=asset,
            links=links_for(values.get("viewer"), request.url.path),
            this_moment=now(),
            **values,
        )
        etag = _etag_of(page)
        if status == 200 and request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        response = HTMLResponse(page, status_code=status, headers={"ETag": etag} if status == 200 else None)
        if request.query_params.get("lang") == language:
            response.set_cookie(
                LANGUAGE_COOKIE, language, max_age=31_536_000, secure=True, httponly=True, samesite="strict"
            )
        return response

    def _local(self, moment: datetime | None, *, seconds: bool = False) -> str:
        form = "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
        return moment.astimezone(self._timezone).strftime(form) if moment else "—"

    def _when(self, text: Text, moment: datetime | None) -> Markup:
        """How long ago, with the exact time for who points at it, prints it or reads it by program."""
        if moment is None:
            return Markup("{}").format(text("hq.never"))
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            moment.isoformat(timespec="seconds"), self._local(moment, seconds=True), ago(text, moment)
        )


@cache
def _templates() -> tuple[str, ...]:
    return tuple(sorted(path.name for path in TEMPLATES.glob("*.html")))


@cache
def asset(name: str) -> str:
    """The address of a static file, which changes with its content: an upgrade is seen at once."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def _etag_of(page: str) -> str:
    shown = page.partition("</main>")[0]  # below stands when the page was made
    return f'"{hashlib.sha256(shown.encode()).hexdigest()[:32]}"'


def _here(request: Request, language: str) -> str:
    """This page once more, in a language ('' for the one it is in)."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    query = urlencode([*kept, ("lang", language)] if language else kept)
    return f"{request.url.path}?{query}" if query else request.url.path


def _say(text: Text, key: str, **values: object) -> str:
    return text(f"hq.{key}", **values)


def label(language: Language, group: str, word: str) -> str:
    """A word of a closed list in the reader's language; a word we don't know stays as it is."""
    packs = load_packs()
    versions = next((packs[key] for key in (f"{pack}.{group}_{word}" for pack in LABELS) if key in packs), None)
    return versions[language] if versions else word


def ago(text: Text, moment: datetime | None) -> str:
    """How long ago, in one unit."""
    if moment is None:
        return text("hq.never")
    seconds = max(0, int((now() - moment).total_seconds()))
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return text(f"hq.ago_{unit}", count=seconds // length)
    return text("hq.ago_now")


def _number(value: int) -> str:
    return f"{value:,}"


def _size(value: int) -> str:
    amount = float(value)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
