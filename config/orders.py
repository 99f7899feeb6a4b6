"""Orders of head office to stores: the closed list of kinds, what each may say, and who must have signed it.

Both sides read an order with this one schema: head office before it signs, a store before it does anything. The
exact text travels and is what the signatures are over (`docs/wire-v1.md`); this is only its meaning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from config.direction import KINDS, OrderKind
from config.errors import UsageError
from config.forms import IN_SETTINGS, FieldName
from config.officers import OfficerPolicy
from config.overlay import check_overlay
from config.schema import Person, Role
from config.section import Section

SCHEMA: Final = "cloche.order/1"
MAX_ORDER: Final = 262_144
"""Bytes of an order's text."""
MOST_STORES: Final = 5_000
"""Stores that one order may name; more are `all`."""
SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=30)
ALONE_MINUTES: Final = 240
"""Longest isolation of one store that head office orders without officers; the kernel ends it (docs/decisions/0016)."""
ALONE_A_DAY: Final = 480
"""Minutes of such isolations that a store takes within 24 hours."""
__all__ = ["KINDS", "OrderKind"]
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)

IncidentKind = Literal[
    "intrusion", "ransomware", "staff_mistake", "insider", "lost_device", "vendor", "sold_online", "other",
]  # fmt: skip
Phase = Literal["reported", "directed", "responding", "cleaning", "reviewing", "closed"]


def _printable(text: str) -> str:
    """Text without characters that drive a terminal; line breaks may stay.

    Raises:
        ValueError: there is one.
    """
    if not all(letter.isprintable() or letter == "\n" for letter in text):
        raise ValueError("has control characters")
    return text


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None or moment < EARLIEST or moment.year > 2200:
        raise ValueError("is no time with a zone of our days")
    return moment


Line = Annotated[str, Field(max_length=400), AfterValidator(_printable)]
Said = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_printable)]
Prose = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_printable)]
Moment = Annotated[datetime, AfterValidator(_aware)]
IncidentId = Annotated[str, Field(pattern=r"^([A-Za-z0-9-]{1,80})?$")]
PlaceId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Places = Annotated[tuple[PlaceId, ...], Field(max_length=2000)]
"""Places as an inventory report names them (`Location.id`): no path ever comes from head office."""
FilledText = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_printable)]
MOST_FIELDS: Final = 20
"""With `FilledText` at four bytes a character they fit into an order."""
EntityType = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,39}$")]


class Report(Section):
    """疑似上报 in the name of head office; contains nothing."""

    kind: IncidentKind
    summary: Prose
    discovered_at: Moment | None = None
    occurred_at: Moment | None = None
    place: Line = ""
    types: Annotated[tuple[EntityType, ...], Field(max_length=64)] = ()


class Declare(Report):
    """启动应急预案. `incident` names a report of the store that is declared now; '' makes a new one.

    `scope` '' is the store's own choice: what open alerts touched, else all strays. `places` go with `named`.
    """

    incident: IncidentId = ""
    scope: Literal["", "named", "alerts", "strays", "all"] = ""
    places: Places = ()

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.scope == "named") != bool(self.places):
            raise ValueError("scope `named` and places go together")
        return self


class OfIncident(Section):
    """Something inside an incident: by its id, or, where that is '', the store's incident of the order's case."""

    incident: IncidentId = ""


class Dismiss(OfIncident):
    """误报: undo everything."""

    reason: Said


class Direct(OfIncident):
    """An order to a role, or a person of that role, inside an incident."""

    role: Role
    text: Prose
    minutes: Annotated[int, Field(ge=1, le=129_600)]
    person: Annotated[str, Field(max_length=80), AfterValidator(_printable)] = ""


class Note(OfIncident):
    """A remark for the timeline."""

    text: Prose


class Advance(OfIncident):
    """On to a phase ('' the next one); `override` says why unmet conditions are passed over."""

    to: Phase | Literal[""] = ""
    override: Annotated[str, Field(max_length=4000), AfterValidator(_printable)] = ""
    reason: Line = ""


class Grade(OfIncident):
    """The lawyer grades up."""

    level: Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,40}$")] = ""
    law: Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,40}$")] = ""
    loss_cny: Annotated[int, Field(ge=0, le=10**13)] = 0
    reason: Said


class Submit(OfIncident):
    """Something was handed in to an authority."""

    duty: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9_./-]+$")]
    at: Moment | None = None
    channel: Line = ""
    receipt: Line = ""
    to: Line = ""
    entity: Line = ""


class IsolateOn(OfIncident):
    """Cut the store off from the network but for what its own settings keep."""

    minutes: Annotated[int, Field(ge=1, le=43_200)] = 60


class IsolateOff(Section):
    """Let everything through again."""


class Rescan(Section):
    """Scan now; `full` reads again what has not changed."""

    full: bool = False


class Policy(Section):
    """Settings over the store's own file (`config.overlay.ALLOWED`); None gives one back to the file."""

    settings: Annotated[dict[str, Any], Field(min_length=1, max_length=40)]

    @model_validator(mode="after")
    def _allowed(self) -> Self:
        try:
            check_overlay(self.settings)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return self


class Pack(Section):
    """A data pack in place of the shipped one: `path` under `config/data`, its text, its SHA-256, a rising version."""

    path: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}(/[a-z0-9_-]{1,40}){0,2}\.toml$")]
    version: Annotated[int, Field(ge=1, le=2**31)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    content: Annotated[str, Field(max_length=200_000)]
    """'' takes the pack away again: the shipped one holds."""


class Drill(Section):
    """应急演练: at a time, else now. `scenario` '' is the store's first."""

    scenario: Annotated[str, Field(pattern=r"^[a-z0-9_]{0,40}$")] = ""
    at: Moment | None = None
    live: bool = False


class People(Section):
    """Everybody with a role at this store: replaces the list. A version that is not newer than the known one is old."""

    version: Annotated[int, Field(ge=1, le=2**53)]
    people: Annotated[tuple[Person, ...], Field(max_length=500)]


class Officers(Section):
    """A new policy, signed by two officers of the one before."""

    policy: OfficerPolicy


class OfItems(OfIncident):
    """Items in the quarantine, by their ids there; none means all of the incident."""

    items: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,80}$")], ...], Field(max_length=2000)] = ()


class Release(OfItems):
    """Give them back, bit for bit."""


class Purge(OfItems):
    """Destroy them, 24 h after the store took the order, unless somebody there says no."""

    reason: Said
    originals: bool = False
    statement: Annotated[str, Field(max_length=2000), AfterValidator(_printable)] = ""


class Seal(Section):
    """Encrypt in place: the named places, or, with none, what the store's policy would seal by itself."""

    places: Places = ()


class Approve(OfIncident):
    """The word of who gives the order, for exactly one version of what waits at the store (docs/decisions/0014)."""

    approval: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,60}:[A-Za-z0-9-]{1,80}$")]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the version that they saw."""


class Fill(OfIncident):
    """What a report still lacks, in people's words. `duty` says for which; a field is filled for all that ask it."""

    fields: Annotated[dict[FieldName, FilledText], Field(min_length=1, max_length=MOST_FIELDS)]
    duty: Annotated[str, Field(max_length=120, pattern=r"^[A-Za-z0-9_./-]*$")] = ""

    @model_validator(mode="after")
    def _not_in_settings(self) -> Self:
        if named := IN_SETTINGS.intersection(self.fields):
            raise ValueError(f"{', '.join(sorted(named))}: only in the store's settings")
        return self


class Ack(OfIncident):
    """An order inside the incident (`<incident>/<number>`) is answered, or done, by who gives this."""

    order: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,80}/[0-9]{1,6}$")]
    done: bool = False
    note: Line = ""


PARAMS: Final[dict[OrderKind, type[Section]]] = {
    "report": Report, "declare": Declare, "dismiss": Dismiss, "direct": Direct, "note": Note, "advance": Advance,
    "grade": Grade, "submit": Submit, "isolate_on": IsolateOn, "isolate_off": IsolateOff, "rescan": Rescan,
    "policy": Policy, "pack": Pack, "drill": Drill, "people": People, "officers": Officers, "release": Release,
    "purge": Purge, "seal": Seal, "approve": Approve, "fill": Fill, "ack": Ack,
}  # fmt: skip
OF_INCIDENT: Final[frozenset[OrderKind]] = frozenset(
    kind for kind, form in PARAMS.items() if issubclass(form, OfIncident)
)
TWO_OFFICERS: Final[frozenset[OrderKind]] = frozenset({"release", "purge", "isolate_off", "officers", "dismiss"})
"""Kinds that always need two officers. Besides: `isolate_on` of more than one store, or for longer than
`ALONE_MINUTES`; `policy` that loosens; `pack` outside `HARMLESS`."""
HARMLESS: Final = ("authority/", "calendar/", "drill/", "law/", "logistics/", "notice/", "text/", "training/")
"""Packs that change what people read and by when, not what is found or who is asked."""
NOT_IT: Final[frozenset[OrderKind]] = frozenset({"purge"})
"""Kinds for which one of the officers is not from IT."""


IN_PERSON: Final[frozenset[OrderKind]] = frozenset({"approve", "fill", "ack"})
"""Kinds that are a person's own word or work: a store knows them by name from its own list, with the roles there."""
APPROVED_BY_ORDER: Final[frozenset[str]] = frozenset({"notice", "persons", "report"})
"""Acts for which a word by an order counts. What destroys (`purge`, `originals`) takes officers' signatures, and what
opens a store to a vendor takes people who can be asked there."""


class By(BaseModel):
    """Who gave an order at head office."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    person: Annotated[str, Field(max_length=40), AfterValidator(_printable)]
    name: Annotated[str, Field(max_length=80), AfterValidator(_printable)]


class OrderBody(BaseModel):
    """What an order says. Unknown fields are ignored, as everywhere on the wire; those of `params` are refused."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    schema_: Literal["cloche.order/1"] = Field(alias="schema")
    id: Annotated[str, Field(pattern=r"^o-[0-9a-z]{8,40}$")]
    kind: OrderKind
    stores: (
        Literal["all"]
        | Annotated[
            tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")], ...],
            Field(min_length=1, max_length=MOST_STORES),
        ]
    )
    params: dict[str, Any]
    case: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")] | None = None
    issued_at: Moment
    expires_at: Moment
    by: By
    reason: Said

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if not SHORTEST <= self.expires_at - self.issued_at <= LONGEST:
            raise ValueError("lasts less than a minute or more than 30 days")
        return self

    def names(self, store: str) -> bool:
        """Whether this store is meant."""
        return self.stores == "all" or store in self.stores

    @property
    def is_mass(self) -> bool:
        """For more than one store."""
        return self.stores == "all" or len(self.stores) > 1

    @property
    def form(self) -> Section:
        """The checked parameters.

        Raises:
            UsageError: they are none of this kind.
        """
        return read_params(self.kind, self.params)


def read_params(kind: str, params: Mapping[str, Any]) -> Section:
    """The parameters of an order of this kind.

    Raises:
        UsageError: no such kind; an unknown, missing or wrong parameter, each named; no value is quoted.
    """
    if kind not in PARAMS:
        raise UsageError(f"{kind[:40]!r} is none of {', '.join(KINDS)}")
    try:
        # by way of JSON, as both sides read it: what does not survive the journey is refused here
        return PARAMS[kind].model_validate_json(json.dumps(dict(params), default=_plain))
    except ValidationError as error:
        raise UsageError(f"{kind}: {faults_of(error)}") from None


def read_order(text: str) -> OrderBody:
    """An order from its exact text.

    Raises:
        UsageError: it is none, or over its bound; the message names fields, never values.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_ORDER:
        raise UsageError(f"an order of more than {MAX_ORDER} bytes")
    try:
        return OrderBody.model_validate_json(text)
    except ValidationError as error:
        raise UsageError(f"order: {faults_of(error)}") from None


def officers_needed(kind: OrderKind, *, mass: bool, params: Mapping[str, Any], loosens: bool) -> int:
    """How many officers have to sign: 0 or 2.

    Args:
        kind: of the order.
        mass: for more than one store.
        params: checked.
        loosens: of a `policy`: whether a setting becomes weaker.
    """
    if kind in TWO_OFFICERS:
        return 2
    if kind == "isolate_on":
        return 2 if mass or params.get("minutes", 60) > ALONE_MINUTES else 0
    if kind == "pack":
        return 0 if str(params.get("path", "")).startswith(HARMLESS) else 2
    return 2 if kind == "policy" and loosens else 0


def faults_of(error: ValidationError) -> str:
    """What is wrong with something, by field and without a value."""
    found = []
    for fault in error.errors(include_input=False, include_url=False):
        where = ".".join(str(part) for part in fault["loc"]) or "it"
        found.append(f"{where[:80]}: {fault['msg'].removeprefix('Value error, ')[:300]}")
    return "; ".join(found[:8])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    raise UsageError(f"a parameter of type {type(value).__name__} cannot be sent")
