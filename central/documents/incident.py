"""An incident as a store tells it, every name in it masked on the store."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from central.documents.parts import Count, Line, Part, Prose, Timed, When, Word


class Step(Timed, frozen=True, kw_only=True):
    """Who did what, when."""

    at: When
    act: Word
    actor: Line = ""
    ok: bool = True
    detail: Line = ""


class Missing(Part, frozen=True, kw_only=True):
    """A field of a form that nobody has filled in: its identifier, and what is missing in the store's words."""

    field: Word
    text: Line = ""


class Draft(Timed, frozen=True, kw_only=True):
    """The newest draft of a report; `files` are names of papers."""

    version: Count = 0
    made_at: When | None = None
    missing: Count = 0
    files: Annotated[tuple[Line, ...], Meta(max_length=20)] = ()


class Handed(Timed, frozen=True, kw_only=True):
    """Something that was handed in to an authority."""

    at: When
    by: Word = ""
    to: Line = ""
    channel: Line = ""
    receipt: Line = ""
    version: Count = 0


class Owed(Part, frozen=True, kw_only=True):
    """A legal entity's side of a duty."""

    name: Line = ""
    code: Word = ""
    province: Word = ""
    office: Line = ""
    office_verified: bool = False
    missing: Annotated[tuple[Missing, ...], Meta(max_length=64)] = ()
    draft: Draft | None = None
    submissions: Annotated[tuple[Handed, ...], Meta(max_length=64)] = ()


class Clock(Timed, frozen=True, kw_only=True):
    """A duty with its time. `key` is `<regime>/<duty>`; without a deadline it counts up from `start`."""

    key: Word = ""
    title: Line
    regime: Line = ""
    authority: Line = ""
    channel: Line = ""
    note: Line = ""
    state: Word = ""
    counts_up: bool = False
    start: When | None = None
    deadline: When | None = None
    submitted_at: When | None = None
    verified: bool = False
    source: Line = ""
    date: Word = ""
    entities: Annotated[tuple[Owed, ...], Meta(max_length=20)] = ()


class Task(Timed, frozen=True, kw_only=True):
    """An order to a role inside an incident; `state` is open, acknowledged, late, done or cancelled."""

    id: Word
    role: Word = ""
    person: Word = ""
    text: Line = ""
    by: Word = ""
    issued_at: When | None = None
    due: When | None = None
    state: Word = ""
    acknowledged_at: When | None = None
    acknowledged_by: Word = ""
    ended_at: When | None = None
    ended_by: Word = ""
    note: Line = ""


class Role(Part, frozen=True, kw_only=True):
    """What the plan asks of people in this phase."""

    roles: Annotated[tuple[Word, ...], Meta(max_length=20)] = ()
    texts: Annotated[dict[Word, Line], Meta(max_length=4)] = field(default_factory=dict)


class Unmet(Part, frozen=True, kw_only=True):
    """What stands between an incident and a phase; `key` and `values` fill the text `incident.unmet_<key>`."""

    key: Word
    text: Line = ""
    values: Annotated[dict[Word, int | Line], Meta(max_length=8)] = field(default_factory=dict)


class Following(Part, frozen=True, kw_only=True):
    """A phase that may follow."""

    phase: Word
    back: bool = False
    unmet: Annotated[tuple[Unmet, ...], Meta(max_length=40)] = ()


class Given(Timed, frozen=True, kw_only=True):
    """A person's word."""

    person: Word
    how: Word = ""
    at: When | None = None


class Approval(Timed, frozen=True, kw_only=True):
    """What people are asked to approve. `missing` is '' when it is enough, `people` or `not_it`."""

    id: Word
    digest: Word = ""
    act: Word = ""
    what: Line = ""
    needed: Count = 0
    not_it: bool = False
    roles: Annotated[tuple[Word, ...], Meta(max_length=20)] = ()
    asked_by: Word = ""
    asked_at: When | None = None
    missing: Word = ""
    given: Annotated[tuple[Given, ...], Meta(max_length=20)] = ()


class Counted(Timed, frozen=True, kw_only=True):
    """Persons counted once each; `current`: of the files as they are now."""

    persons: Count = 0
    customers: Count = 0
    staff: Count = 0
    suppliers: Count = 0
    sensitive: Count = 0
    virtual: Count = 0
    reachable: Count = 0
    unreadable: Count = 0
    files: Count = 0
    types: Annotated[dict[Word, Count], Meta(max_length=64)] = field(default_factory=dict)
    current: bool = False
    at: When | None = None


class Notified(Part, frozen=True, kw_only=True):
    """How many customers were told. `state` is '', draft, sending, sent or decided_not."""

    state: Word = ""
    version: Count = 0
    reason: Line = ""
    waits: Word = ""
    listed: Count = 0
    sent: Count = 0
    handed: Count = 0
    failed: Count = 0
    lost: Count = 0
    uncertain: Count = 0


class ByLaw(Part, frozen=True, kw_only=True):
    """A grade by law: by persons, loss or hand; `exact` False: by persons that are "at most" so far."""

    id: Word
    by: Word = ""
    exact: bool = False
    verified: bool = False


class Cut(Timed, frozen=True, kw_only=True):
    """What is cut from the network by order."""

    everything: bool = False
    clients: Count = 0
    since: When | None = None
    until: When | None = None
    by: Word = ""
    incident: Word = ""


class Conclusion(Part, frozen=True, kw_only=True):
    """What people concluded about the cause."""

    manner: Line = ""
    cause: Line = ""
    by: Word = ""


class Party(Part, frozen=True, kw_only=True):
    """A legal entity that an incident concerns; persons "at most"."""

    name: Line = ""
    code: Word = ""
    province: Word = ""
    files: Count = 0
    persons: Count = 0


class Paper(Part, frozen=True, kw_only=True):
    """A document written for people on the store; it stays there."""

    name: Line
    size: Count = 0
    sha256: Word = ""


class Affected(Part, frozen=True, kw_only=True):
    """One item that an incident touches, its name masked on the store."""

    name: Line
    persons: Count = 0
    state: Word = ""


class Deed(Part, frozen=True, kw_only=True):
    """What one user or session did to the affected files."""

    user: Line = ""
    program: Line = ""
    command: Line = ""
    client: Line = ""
    first: float | None = None
    last: float | None = None
    files: Count = 0
    persons: Count = 0
    refused: Count = 0
    suspect: bool = False

    @property
    def seconds(self) -> float | None:
        """How long it went on."""
        return None if self.first is None or self.last is None else max(0.0, self.last - self.first)


class Incident(Timed, frozen=True, kw_only=True):
    """An incident as the store knows it."""

    id: Word
    kind: Word
    phase: Word
    machine: bool = False
    summary: Prose = ""
    place: Line = ""
    types: Annotated[tuple[Word, ...], Meta(max_length=64)] = ()
    by: Line = ""
    discovered_at: When
    occurred_at: When | None = None
    declared_at: When | None = None
    closed_at: When | None = None
    files: Count = 0
    persons: Count = 0
    left_files: Count | None = None
    left_persons: Count | None = None
    left_seconds: float | None = None
    complete: bool = True
    who: Annotated[tuple[Deed, ...], Meta(max_length=500)] = ()
    items: Annotated[tuple[Affected, ...], Meta(max_length=500)] = ()
    steps: Annotated[tuple[Step, ...], Meta(max_length=2000)] = ()
    clocks: Annotated[tuple[Clock, ...], Meta(max_length=64)] = ()
    documents: Annotated[tuple[Paper, ...], Meta(max_length=200)] = ()
    language: Word = "zh-CN"
    case: Word | None = None
    level: Word = ""
    law_grade: Word = ""
    grade: ByLaw | None = None
    sensitive: Count | None = None
    virtual: Count | None = None
    counted_at: When | None = None
    reported_at: When | None = None
    handling_ended_at: When | None = None
    merged_into: Word | None = None
    persons_complete: bool = False
    count: Counted | None = None
    entity: Line = ""
    entities: Annotated[tuple[Party, ...], Meta(max_length=20)] = ()
    states: Annotated[dict[Word, Count], Meta(max_length=20)] = field(default_factory=dict)
    orders: Annotated[tuple[Task, ...], Meta(max_length=300)] = ()
    tasks: Annotated[tuple[Role, ...], Meta(max_length=40)] = ()
    next: Annotated[tuple[Following, ...], Meta(max_length=8)] = ()
    approvals: Annotated[tuple[Approval, ...], Meta(max_length=40)] = ()
    notified: Notified | None = None
    isolation: Cut | None = None
    conclusion: Conclusion | None = None
    untold: Annotated[tuple[Word, ...], Meta(max_length=20)] = ()
