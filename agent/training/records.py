"""The nouns of training. Staff are persons too: what names them has no repr and leaves the database masked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from config.text import Language

EVERYONE: Final = "everyone"
Result = Literal["passed", "failed", "attended"]
RESULTS: Final[tuple[Result, ...]] = ("passed", "failed", "attended")
How = Literal["paper", "class", "account"]
HOWS: Final[tuple[How, ...]] = ("paper", "class", "account")
"""An acknowledgement was signed on paper, given in class, or made under one's own account on this server."""


@dataclass(frozen=True, kw_only=True)
class Staff:
    """Somebody on the list of staff. `role` is an identifier of the pack or of `config.schema.Role`.

    `title` is what the list of people called it. `since` is the day they began here, `added` the day they came on the
    list: a newcomer's time runs from the later one, so that nobody is years late on the day the register begins.
    """

    number: str
    name: str = field(repr=False)
    role: str
    title: str
    store: str
    phone: str = field(default="", repr=False)
    since: date
    added: date
    left: date | None = None

    @property
    def begins(self) -> date:
        """From when the days of a newcomer count."""
        return max(self.since, self.added)


@dataclass(frozen=True, kw_only=True)
class Course:
    """What is taught. `pass_score` None: being there is enough. `outline` by language."""

    id: str
    roles: tuple[str, ...]
    interval_months: int
    within_days: int
    minutes: int
    pass_score: int | None
    title: Mapping[Language, str]
    outline: Mapping[Language, tuple[str, ...]]
    own: bool = False


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is signed. A new version is signed again by everybody whom it concerns."""

    id: str
    version: str
    date: date
    roles: tuple[str, ...]
    within_days: int
    title: Mapping[Language, str]
    text: Mapping[Language, str]
    own: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what is signed: id, version and every text, each led by its length."""
        parts = [self.id, self.version]
        for language in sorted(self.text):
            parts += [language, self.title[language], self.text[language]]
        encoded = [part.encode() for part in parts]
        return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in encoded)).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Session:
    """One person in one course on one day. `score` 0 to 100. `trainer` is masked; `by` is who put it on record."""

    number: str
    course: str
    on: date
    trainer: str
    result: Result
    score: int | None
    by: str


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """Somebody acknowledged one version of a policy; `digest` is of the text they were shown."""

    number: str
    policy: str
    version: str
    digest: str
    on: date
    how: How
    by: str


@dataclass(frozen=True, kw_only=True)
class Due:
    """What somebody still owes, or will: a course, or a policy to acknowledge. `last` is when it was last done."""

    staff: Staff
    kind: Literal["course", "policy"]
    id: str
    due: date
    last: date | None = None

    def days_left(self, today: date) -> int:
        """Days until it is due; negative once it is overdue."""
        return (self.due - today).days
