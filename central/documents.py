"""What a report may hold, checked as it comes in: unknown fields are ignored, too long texts cut, lists bounded.

A store is authentic here but not trusted: its texts are shown escaped, control characters (and the ones that
turn the writing direction) replaced, and nothing in a document makes head office act.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from central.wire import MAX_NUMBER, Kind

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
CLOSED: Final = frozenset({"closed", "dismissed"})


def plain(text: str, keep: str = "") -> str:
    """Without characters that drive a terminal or turn the writing: each becomes U+FFFD, those in `keep` stay."""
    if text.isprintable():  # the usual case, 20 times faster; false for every category below
        return text
    return "".join(
        "\ufffd" if unicodedata.category(sign) in {"Cc", "Cf", "Cs"} and sign not in keep else sign for sign in text
    )


def _cut(limit: int, keep: str = "") -> BeforeValidator:
    return BeforeValidator(lambda value: plain(value[:limit], keep) if isinstance(value, str) else value)


def _aware(value: datetime) -> datetime:
    """Times without a zone are UTC; ones no clock can mean are refused by pydantic's caller."""
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    if not EARLIEST <= moment <= datetime.now(UTC) + timedelta(days=366 * 20):
        raise ValueError("not a time of our days")
    return moment


Word = Annotated[str, _cut(80)]
Line = Annotated[str, _cut(400)]
Prose = Annotated[str, _cut(4000, "\n")]
Count = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
When = Annotated[datetime, AfterValidator(_aware)]


class Part(BaseModel):
    """Base of what comes from outside."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Previous(Part):
    """The last kept report before this one."""

    number: Annotated[int, Field(ge=1, le=MAX_NUMBER)]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Envelope(Part):
    """What is around every document."""

    schema_: Literal["cloche.report/1"] = Field(alias="schema")
    kind: Kind
    number: Annotated[int, Field(ge=1, le=MAX_NUMBER)]
    previous: Previous | None = None
    written_at: When
    document: dict[str, Any]


class Coverage(Part):
    """How much of what was listed could be read."""

    listed: Count = 0
    read: Count = 0
    partial: Count = 0
    unread: Count = 0
    skipped: Count = 0
    bytes: Count = 0


class Group(Part):
    """Items of one kind and level."""

    kind: Word
    level: Annotated[int, Field(ge=1, le=4)]
    items: Count
    persons: Count
    sealed: Count = 0


class Location(Part):
    """One of the worst places, its path masked on the store."""

    path: Line
    kind: Word
    level: Annotated[int, Field(ge=1, le=4)]
    persons: Count
    state: Word
    entities: Annotated[tuple[Word, ...], Field(max_length=64)] = ()


class Cause(Part):
    """Why some items could not be read, and how many."""

    reason: Word
    items: Count


class Inventory(Part):
    """Counts of what lies where."""

    scanned_at: When | None = None
    persons: Count = 0
    places: Count = 0
    sealed: Count = 0
    exposed: Count = 0
    coverage: Coverage = Coverage()
    causes: Annotated[tuple[Cause, ...], Field(max_length=64)] = ()
    groups: Annotated[tuple[Group, ...], Field(max_length=256)] = ()
    worst: Annotated[tuple[Location, ...], Field(max_length=500)] = ()
    omitted: Count = 0


class Audit(Part):
    """Head of the store's record."""

    entries: Count
    head: Annotated[str, Field(pattern=r"^[0-9a-f]{64,128}$")]


class Health(Part):
    """How the agent is."""

    version: Word = ""
    tier: Word = ""
    mode: Word = ""
    response: Word = ""
    keys_ready: bool = False
    waiting: Count = 0
    refused: Count = 0
    link_fault: Line = ""
    last_scan_at: When | None = None
    scan_clean: bool | None = None
    disk_free: Count = 0
    disk_total: Count = 0
    open_alerts: Annotated[tuple[Word, ...], Field(max_length=1000)] | None = None
    audit: Audit | None = None


class Alert(Part):
    """A behaviour that was seen."""

    id: Word
    at: When
    kind: Word
    severity: Word = ""
    text: Prose = ""
    program: Line = ""
    user: Word = ""
    action: Word = ""
    stop_ms: float | None = None
    open: bool = True


class Step(Part):
    """Who did what, when."""

    at: When
    act: Word
    actor: Line = ""
    ok: bool = True
    detail: Line = ""


class Missing(Part):
    """A field of a form that nobody has filled in: its identifier, and what is missing in the store's words."""

    field: Word
    text: Line = ""


class Draft(Part):
    """The newest draft of a report; `files` are names of papers."""

    version: Count = 0
    made_at: When | None = None
    missing: Count = 0
    files: Annotated[tuple[Line, ...], Field(max_length=20)] = ()


class Handed(Part):
    """Something that was handed in to an authority."""

    at: When
    by: Word = ""
    to: Line = ""
    channel: Line = ""
    receipt: Line = ""
    version: Count = 0


class Owed(Part):
    """A legal entity's side of a duty."""

    name: Line = ""
    code: Word = ""
    province: Word = ""
    office: Line = ""
    office_verified: bool = False
    missing: Annotated[tuple[Missing, ...], Field(max_length=64)] = ()
    draft: Draft | None = None
    submissions: Annotated[tuple[Handed, ...], Field(max_length=64)] = ()


class Clock(Part):
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
    entities: Annotated[tuple[Owed, ...], Field(max_length=20)] = ()


class Task(Part):
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


class Role(Part):
    """What the plan asks of people in this phase."""

    roles: Annotated[tuple[Word, ...], Field(max_length=20)] = ()
    texts: Annotated[dict[Word, Line], Field(max_length=4)] = {}


class Unmet(Part):
    """What stands between an incident and a phase; `key` and `values` fill the text `incident.unmet_<key>`."""

    key: Word
    text: Line = ""
    values: Annotated[dict[Word, int | Line], Field(max_length=8)] = {}


class Following(Part):
    """A phase that may follow."""

    phase: Word
    back: bool = False
    unmet: Annotated[tuple[Unmet, ...], Field(max_length=40)] = ()


class Given(Part):
    """A person's word."""

    person: Word
    how: Word = ""
    at: When | None = None


class Approval(Part):
    """What people are asked to approve. `missing` is '' when it is enough, `people` or `not_it`."""

    id: Word
    digest: Word = ""
    act: Word = ""
    what: Line = ""
    needed: Count = 0
    not_it: bool = False
    roles: Annotated[tuple[Word, ...], Field(max_length=20)] = ()
    asked_by: Word = ""
    asked_at: When | None = None
    missing: Word = ""
    given: Annotated[tuple[Given, ...], Field(max_length=20)] = ()


class Counted(Part):
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
    types: Annotated[dict[Word, Count], Field(max_length=64)] = {}
    current: bool = False
    at: When | None = None


class Notified(Part):
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


class ByLaw(Part):
    """A grade by law: by persons, loss or hand; `exact` False: by persons that are "at most" so far."""

    id: Word
    by: Word = ""
    exact: bool = False
    verified: bool = False


class Cut(Part):
    """What is cut from the network by order."""

    everything: bool = False
    clients: Count = 0
    since: When | None = None
    until: When | None = None
    by: Word = ""
    incident: Word = ""


class Conclusion(Part):
    """What people concluded about the cause."""

    manner: Line = ""
    cause: Line = ""
    by: Word = ""


class Party(Part):
    """A legal entity that an incident concerns; persons "at most"."""

    name: Line = ""
    code: Word = ""
    province: Word = ""
    files: Count = 0
    persons: Count = 0


class Paper(Part):
    """A document written for people on the store; it stays there."""

    name: Line
    size: Count = 0
    sha256: Word = ""


class Affected(Part):
    """One item that an incident touches, its name masked on the store."""

    name: Line
    persons: Count = 0
    state: Word = ""


class Deed(Part):
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


class Incident(Part):
    """An incident as the store knows it."""

    id: Word
    kind: Word
    phase: Word
    machine: bool = False
    summary: Prose = ""
    place: Line = ""
    types: Annotated[tuple[Word, ...], Field(max_length=64)] = ()
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
    who: Annotated[tuple[Deed, ...], Field(max_length=500)] = ()
    items: Annotated[tuple[Affected, ...], Field(max_length=500)] = ()
    steps: Annotated[tuple[Step, ...], Field(max_length=2000)] = ()
    clocks: Annotated[tuple[Clock, ...], Field(max_length=64)] = ()
    documents: Annotated[tuple[Paper, ...], Field(max_length=200)] = ()
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
    entities: Annotated[tuple[Party, ...], Field(max_length=20)] = ()
    states: Annotated[dict[Word, Count], Field(max_length=20)] = {}
    orders: Annotated[tuple[Task, ...], Field(max_length=300)] = ()
    tasks: Annotated[tuple[Role, ...], Field(max_length=40)] = ()
    next: Annotated[tuple[Following, ...], Field(max_length=8)] = ()
    approvals: Annotated[tuple[Approval, ...], Field(max_length=40)] = ()
    notified: Notified | None = None
    isolation: Cut | None = None
    conclusion: Conclusion | None = None
    untold: Annotated[tuple[Word, ...], Field(max_length=20)] = ()


Document = Inventory | Health | Alert | Incident | Audit
_MODELS: Final[dict[Kind, type[Document]]] = {
    "inventory": Inventory, "health": Health, "alert": Alert, "incident": Incident, "audit": Audit,
}  # fmt: skip


class DocumentError(ValueError):
    """A body that is no report; says which field is wrong, never what it held."""


def read_report(body: bytes) -> tuple[Envelope, Document]:
    """Envelope and document of a report's raw bytes.

    Raises:
        DocumentError: naming the fields that do not fit.
    """
    try:
        envelope = Envelope.model_validate_json(body)
        model = _MODELS.get(envelope.kind)
        if model is None:
            raise DocumentError("kind")
        return envelope, model.model_validate(envelope.document)
    except ValidationError as error:
        fields = sorted({".".join(str(part) for part in fault["loc"]) for fault in error.errors()})
        raise DocumentError(", ".join(fields[:8]) or "body") from None
    except RecursionError as error:
        raise DocumentError("body") from error
