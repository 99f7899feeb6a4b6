"""Courses and policies: the product's pack, and over it what the chain brought itself.

A chain's own file is TOML in the form of `config/data/training/courses.toml` (tables `courses` and `policies`). All of
it is checked before any of it counts, and every fault is named with its entry and key.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final, get_args

from agent.training.records import EVERYONE, Course, Policy
from config.errors import UsageError
from config.packs import read_pack
from config.schema import Role
from config.text import LANGUAGES, Language, Text

ID: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
PLAN_ROLES: Final[tuple[Role, ...]] = get_args(Role)
LONGEST_TEXT: Final = 20_000
MOST_MONTHS: Final = 120


@dataclass(frozen=True, kw_only=True)
class Basis:
    """The rule behind the training duty, and whether its wording was seen in a source."""

    source: str
    date: str
    verified: bool


@cache
def pack() -> dict[str, Any]:
    """The product's pack."""
    return read_pack("training", "courses.toml")


def basis() -> Basis:
    """What the pack says it rests on."""
    entry = pack()["basis"]
    return Basis(source=entry["source"], date=entry["date"], verified=bool(entry["verified"]))


def known_roles() -> frozenset[str]:
    """Every role that staff may have."""
    return frozenset((*pack()["roles"], *PLAN_ROLES))


def role_name(role: str, text: Text) -> str:
    """A role in words; one that no pack knows as it is."""
    if role == EVERYONE:
        return text("training.everyone")
    if role in pack()["roles"]:
        return str(pack()["roles"][role][text.language])
    return text(f"incident.role_{role}") if role in PLAN_ROLES else role


@cache
def _titles() -> dict[str, str]:
    """What lists of people write → role."""
    found: dict[str, str] = {}
    for role, names in pack()["aliases"].items():
        found |= {_plain(name): role for name in names}
    for role, entry in pack()["roles"].items():
        found |= {_plain(name): role for name in (*entry["aliases"], *(entry[language] for language in LANGUAGES))}
    for role in PLAN_ROLES:
        found |= {_plain(Text(language)(f"incident.role_{role}")): role for language in LANGUAGES}
    return found | {_plain(role): role for role in known_roles()}


def role_of(title: str) -> str | None:
    """The role that a job title means, None for a title that nobody told us about."""
    return _titles().get(_plain(title))


def _plain(text: str) -> str:
    return re.sub(r"[\s_\-]+", "", text).casefold()


def built_in() -> tuple[tuple[Course, ...], tuple[Policy, ...]]:
    """What the program ships."""
    return _read_all(pack(), "courses.toml", own=False)


def read_own(text: str, name: str) -> tuple[tuple[Course, ...], tuple[Policy, ...]]:
    """A chain's own file.

    Raises:
        UsageError: it is no TOML, or an entry of it is wrong; every fault is named.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name}: not valid TOML: {error}") from error
    return _read_all(document, name, own=True)


def merged(
    own: tuple[Sequence[Course], Sequence[Policy]],
) -> tuple[dict[str, Course], dict[str, Policy]]:
    """Everything by id; the chain's own stands over the product's."""
    courses, policies = built_in()
    return (
        {course.id: course for course in (*courses, *own[0])},
        {policy.id: policy for policy in (*policies, *own[1])},
    )


def concerns(roles: Sequence[str], role: str) -> bool:
    """Whether something for `roles` is for somebody with `role`."""
    return EVERYONE in roles or role in roles


def _read_all(document: Mapping[str, Any], name: str, *, own: bool) -> tuple[tuple[Course, ...], tuple[Policy, ...]]:
    faults: list[str] = []
    if own and (strange := sorted(set(document) - {"courses", "policies"})):
        faults.append(f"unknown tables {', '.join(strange)}")
    found: dict[str, list[Any]] = {"courses": [], "policies": []}
    readers: dict[str, Callable[[_Entry], Any]] = {"courses": _course, "policies": _policy}
    for table, reader in readers.items():
        entries = document.get(table, [])
        if not isinstance(entries, list):
            faults.append(f"{table}: is no list of tables")
            continue
        seen: set[str] = set()
        for number, values in enumerate(entries, 1):
            entry = _Entry(values if isinstance(values, dict) else {}, f"{table}[{number}]", faults, own)
            record = reader(entry)
            if record.id in seen:
                faults.append(f"{entry.where}.id: {record.id} is there twice")
            seen.add(record.id)
            found[table].append(record)
    if own and not any(found.values()):
        faults.append("holds no courses and no policies")
    if faults:
        raise UsageError(f"{name}: {'; '.join(faults)}")
    return tuple(found["courses"]), tuple(found["policies"])


def _course(entry: _Entry) -> Course:
    outline = entry.values.get("outline")
    outlines = outline if isinstance(outline, dict) else {}
    score = entry.values.get("pass_score")
    return Course(
        id=entry.id(), roles=entry.roles(), interval_months=entry.number("interval_months", 1, MOST_MONTHS),
        within_days=entry.number("within_days", 0, 3660), minutes=entry.number("minutes", 1, 6000),
        pass_score=None if score is None else entry.number("pass_score", 0, 100),
        title={language: entry.text(entry.values.get(language), language) for language in LANGUAGES},
        outline={
            language: tuple(
                entry.text(line, f"outline.{language}") for line in entry.lines(outlines.get(language), language)
            )
            for language in LANGUAGES
        },
        own=entry.own,
    )  # fmt: skip


def _policy(entry: _Entry) -> Policy:
    versions: dict[Language, Mapping[str, Any]] = {}
    for language in LANGUAGES:
        value = entry.values.get(language)
        versions[language] = value if isinstance(value, dict) else {}
    return Policy(
        id=entry.id(), version=entry.text(entry.values.get("version"), "version"), date=entry.day("date"),
        roles=entry.roles(), within_days=entry.number("within_days", 0, 3660),
        title={name: entry.text(value.get("title"), f"{name}.title") for name, value in versions.items()},
        text={name: entry.text(value.get("text"), f"{name}.text") for name, value in versions.items()},
        own=entry.own,
    )  # fmt: skip


@dataclass(frozen=True)
class _Entry:
    """Reads the keys of one table; what is wrong goes into `faults` and a value that fits stands in."""

    values: Mapping[str, Any]
    where: str
    faults: list[str]
    own: bool

    def wrong(self, key: str, why: str) -> None:
        self.faults.append(f"{self.where}.{key}: {why}")

    def id(self) -> str:
        value = self.values.get("id")
        if not isinstance(value, str) or not ID.fullmatch(value):
            self.wrong("id", "must be small letters, digits and hyphens, led by a letter")
            return ""
        return value

    def text(self, value: object, key: str) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_TEXT:
            self.wrong(key, f"must be text, {LONGEST_TEXT} characters at most")
            return ""
        return value.strip()

    def lines(self, value: object, language: str) -> Sequence[object]:
        if not isinstance(value, list) or not value:
            self.wrong(f"outline.{language}", "must be a list of lines")
            return ()
        return value

    def number(self, key: str, lowest: int, highest: int) -> int:
        value = self.values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            self.wrong(key, f"must be a whole number from {lowest} to {highest}")
            return lowest
        return value

    def day(self, key: str) -> date:
        value = self.values.get(key)
        try:
            return value if type(value) is date else date.fromisoformat(str(value))
        except ValueError:
            self.wrong(key, "must be a day, YYYY-MM-DD")
            return date.min

    def roles(self) -> tuple[str, ...]:
        value = self.values.get("roles")
        given = value if isinstance(value, list) else []
        unknown = [str(role) for role in given if role != EVERYONE and role not in known_roles()]
        if not given or unknown:
            self.wrong("roles", f"unknown {', '.join(unknown)}" if unknown else "must be a list of roles")
        return tuple(str(role) for role in given)


def as_document(entry: Course | Policy) -> str:
    """JSON to keep; `from_document` reads it."""
    if isinstance(entry, Course):
        values: dict[str, Any] = {
            "id": entry.id, "roles": entry.roles, "interval_months": entry.interval_months,
            "within_days": entry.within_days, "minutes": entry.minutes, "pass_score": entry.pass_score,
            "outline": entry.outline,
            **{str(name): title for name, title in entry.title.items()},
        }  # fmt: skip
    else:
        versions = {str(name): {"title": entry.title[name], "text": entry.text[name]} for name in entry.text}
        values = {
            "id": entry.id, "version": entry.version, "date": entry.date.isoformat(), "roles": entry.roles,
            "within_days": entry.within_days, **versions,
        }  # fmt: skip
    return json.dumps(values, ensure_ascii=False)


def from_document(kind: str, document: str) -> Course | Policy:
    """What `as_document` wrote.

    Raises:
        UsageError: this program no longer takes it (a role that is gone); the entry and key are named.
    """
    table = "courses" if kind == "course" else "policies"
    courses, policies = _read_all({table: [json.loads(document)]}, "inventory.db", own=True)
    return (courses or policies)[0]
