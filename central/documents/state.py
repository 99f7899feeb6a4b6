"""How a store is: its agent, its alerts, its record, its people, vendors and assessments, and what it did of orders."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from central.documents.parts import Count, Line, Part, Prose, Timed, When, Word

Score = Annotated[float, Meta(ge=0, le=100)]


class Audit(Part, frozen=True, kw_only=True):
    """Head of the store's record."""

    entries: Count
    head: Annotated[str, Meta(pattern=r"^[0-9a-f]{64,128}$")]


class StandingDuty(Timed, frozen=True, kw_only=True):
    """A duty that no incident starts. `reached` None: only people can tell; `due` None: nothing, or it is not known."""

    key: Word
    reached: bool | None = None
    due: When | None = None
    done_at: When | None = None


class Health(Timed, frozen=True, kw_only=True):
    """How the agent is."""

    version: Word = ""
    tier: Word = ""
    mode: Word = ""
    response: Word = ""
    keys_ready: bool = False
    waiting: Count = 0
    waiting_bytes: Count = 0
    scan_paused: bool = False
    refused: Count = 0
    link_fault: Line = ""
    last_scan_at: When | None = None
    scan_clean: bool | None = None
    disk_free: Count = 0
    disk_total: Count = 0
    open_alerts: Annotated[tuple[Word, ...], Meta(max_length=1000)] | None = None
    audit: Audit | None = None
    standing: Annotated[tuple[StandingDuty, ...], Meta(max_length=60)] = ()


class Alert(Timed, frozen=True, kw_only=True):
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


class Event(Timed, frozen=True, kw_only=True):
    """Something that happened: an access, a start, a change of settings."""

    at: When
    kind: Word
    severity: Word = ""
    text: Prose = ""
    user: Word = ""
    program: Line = ""
    place: Line = ""
    count: Count = 1


class Events(Part, frozen=True, kw_only=True):
    """Events since the last report of them."""

    events: Annotated[tuple[Event, ...], Meta(max_length=500)]


class OrderState(Timed, frozen=True, kw_only=True):
    """What became of an order, by the number of its delivery to this store."""

    order: Word
    delivery: Count
    state: Literal["received", "done", "refused", "failed", "expired"]
    reason: Line = ""
    at: When | None = None
    answer: dict[str, Any] | None = None


class Risk(Part, frozen=True, kw_only=True):
    """One of the plan's risks."""

    id: Word
    score: Score | None = None


class Measure(Part, frozen=True, kw_only=True):
    """One of the plan's measures, and why it stands as it does."""

    id: Word
    score: Score | None = None
    state: Word = ""
    why: Line = ""


class Assessment(Timed, frozen=True, kw_only=True):
    """A regular assessment."""

    at: When
    score: Score | None = None
    risks: Annotated[tuple[Risk, ...], Meta(max_length=64)] = ()
    measures: Annotated[tuple[Measure, ...], Meta(max_length=256)] = ()


class Drill(Timed, frozen=True, kw_only=True):
    """A drill on invented customers."""

    id: Word
    scenario: Word
    at: When
    ended_at: When | None = None
    ok: bool = False
    score: Score | None = None
    detect_seconds: float | None = None
    contain_seconds: float | None = None
    report_seconds: float | None = None
    text: Prose = ""


class Course(Part, frozen=True, kw_only=True):
    """A course of the training register."""

    id: Word
    title: Line = ""
    done: Count = 0
    due: Count = 0
    overdue: Count = 0


class Training(Part, frozen=True, kw_only=True):
    """How far training is; never who."""

    staff: Count = 0
    due: Count = 0
    overdue: Count = 0
    done: Count = 0
    courses: Annotated[tuple[Course, ...], Meta(max_length=200)] = ()


class Vendor(Timed, frozen=True, kw_only=True):
    """A supplier that customers' data is shared with."""

    id: Word
    name: Line
    state: Word = ""
    shared: Count = 0
    persons: Count = 0
    contract_until: When | None = None
    canaries: Count = 0
    window_open: bool = False


class Vendors(Part, frozen=True, kw_only=True):
    """The register of vendors."""

    vendors: Annotated[tuple[Vendor, ...], Meta(max_length=500)] = ()


class PaperSent(Part, frozen=True, kw_only=True):
    """A paper of an incident, masked on the store. `content` is base64, at most 2 MB once decoded."""

    incident: Word
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    title: Line = ""
    media: Literal[
        "image/svg+xml",
        "text/html",
        "application/pdf",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ]
    language: Word = ""
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    content: Annotated[str, Meta(max_length=2_796_208)]


class Persons(Part, frozen=True, kw_only=True):
    """Fingerprints of an incident's affected persons, sealed to head office's key for them, and a sketch."""

    incident: Word
    part: Count
    parts: Annotated[int, Meta(ge=1, le=100_000)]
    count: Count
    sensitive: Count = 0
    key: Word = ""
    round: Count = 0
    sealed: str | None = None
    sketch: str | None = None
