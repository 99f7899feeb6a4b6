"""The nouns of an investigation. Everything is masked before it gets here; times are aware."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from agent.incident.wording import Wording
from config.text import Text

HypothesisState = Literal["supported", "possible", "not_supported", "confirmed", "rejected"]
"""`supported`: traces point to it; `possible`: it cannot be ruled out; the last two are what people say."""
Source = Literal["events", "evidence", "none"]
LISTED_ACTORS: Final = 100


@dataclass(frozen=True, kw_only=True)
class Said:
    """Something in words: the text `investigation.<key>` with values, so that both languages can say it."""

    key: str
    values: dict[str, Any] = field(default_factory=dict)

    def words(self, wording: Wording) -> str:
        """In a language, times in its zone."""
        values = {
            name: wording.moment(value) if isinstance(value, datetime) else value for name, value in self.values.items()
        }
        return wording.text(f"investigation.{self.key}", **values)


@dataclass(frozen=True, kw_only=True)
class ProgramUse:
    """What an actor did by one program. `files` are distinct ones that it was not refused, `persons` at most."""

    program: str
    command: str
    first: datetime
    last: datetime
    files: int
    persons: int
    events: int
    refused: int
    changed: int


@dataclass(frozen=True, kw_only=True)
class Actor:
    """An account at a terminal: a Samba client by its address, a local account by its session.

    Which person sat there is for people to find out: `person` is whom somebody (`confirmed_by`) recorded, '' until
    then. `changed` counts events that changed, moved or removed files; `size` is in bytes of what was read.
    """

    id: str
    user: str
    client: str
    session: str
    sessions: int
    first: datetime
    last: datetime
    files: int
    persons: int
    size: int
    events: int
    refused: int
    changed: int
    suspect: bool
    programs: tuple[ProgramUse, ...] = ()
    person: str = ""
    confirmed_by: str = ""

    @property
    def is_client(self) -> bool:
        """It came over the network, through Samba."""
        return bool(self.client)

    @property
    def where(self) -> str:
        """The terminal."""
        return self.client or self.session


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """A bound that was broken, and what was done at once. `stopped_ms` as in `agent.watch.api.Crossing`."""

    at: datetime
    actor: str
    rule: str
    files: int
    persons: int
    outcome: str
    stopped_ms: float | None


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Accesses of the affected files within one step of the picture's time."""

    start: datetime
    got: int
    refused: int


@dataclass(frozen=True, kw_only=True)
class Link:
    """An edge of the graph: `files` distinct ones that went this way."""

    source: str
    target: str
    files: int


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Actor → program → file: the busiest of each, and how many more there are."""

    actors: tuple[tuple[str, str], ...] = ()
    programs: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()
    more_actors: int = 0
    more_programs: int = 0
    more_files: int = 0


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What the incident reaches, and how far back and how well that can be seen.

    `since` and `until` bound the search; `files` are affected, `traced` have events, `read` were got by somebody,
    `left` by suspects. `earliest` is the first trace of a suspect on these files at all, `watched_since` the oldest
    event of this watch, `known_since` the first scan that knew the last of these files: before that nothing was seen.
    """

    since: datetime
    until: datetime
    files: int
    traced: int
    read: int
    persons: int
    counted: bool
    types: tuple[str, ...]
    left_files: int
    left_persons: int
    left_size: int
    suspects: int
    earliest: datetime | None
    watched_since: datetime | None
    known_since: datetime | None
    gaps: int
    gap_times: tuple[datetime, ...]
    attributed: bool
    source: Source

    @property
    def blind_until(self) -> datetime | None:
        """Until then nobody watched these files; None: they were watched all the time that was searched."""
        starts = [moment for moment in (self.watched_since, self.known_since) if moment is not None]
        if not starts:
            return self.until
        return max(starts) if max(starts) > self.since else None


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """What may have happened. `words` is what a person wrote; one of the program's own is said by its id."""

    id: str
    state: HypothesisState
    judged: HypothesisState
    evidence: tuple[Said, ...] = ()
    words: str = ""
    by: str = ""
    reason: str = ""
    at: datetime | None = None

    def title(self, text: Text) -> str:
        """In a language."""
        return self.words or text(f"investigation.h_{self.id}")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is not known yet, and the answer once there is one."""

    id: str
    asked: Said | None = None
    words: str = ""
    answer: str = ""
    by: str = ""
    at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Nobody has answered."""
        return not self.answer

    def title(self, wording: Wording) -> str:
        """In a language."""
        return self.asked.words(wording) if self.asked else self.words


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """What people say that happened: never the program's word."""

    manner: str
    cause: str
    by: str
    at: datetime
    hypothesis: str = ""


@dataclass(frozen=True, kw_only=True)
class Investigation:
    """All of it, as it stands at `at`. `manner` is what the traces show, `conclusion` what people concluded."""

    incident: str
    at: datetime
    scope: Scope
    manner: tuple[Said, ...]
    actors: tuple[Actor, ...]
    more_actors: int
    more_events: int
    crossings: tuple[Crossed, ...]
    bins: tuple[Bin, ...]
    bin_seconds: float
    graph: Graph
    bundles: int
    hypotheses: tuple[Hypothesis, ...]
    questions: tuple[Question, ...]
    conclusion: Conclusion | None

    @property
    def open_questions(self) -> tuple[Question, ...]:
        """Those without an answer."""
        return tuple(question for question in self.questions if question.is_open)
