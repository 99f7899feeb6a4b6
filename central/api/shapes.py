"""What the API answers: one model a thing, its fields named as in the documents of stores (docs/wire-v1.md).

All of it is masked on the store; nothing here is a customer's value. Times are UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class StoreShape(BaseModel):
    """A store and the figures of its tile."""

    id: str
    name: str
    entity: str | None
    region: str | None
    urgency: str = Field(description="incident, alert, fault, exposed, silent, unscanned or fine")
    silent: bool = Field(description="not heard from for over an hour")
    enrolled_at: datetime | None
    revoked_at: datetime | None
    heard_at: datetime | None
    scanned_at: datetime | None
    version: str
    tier: str
    mode: str
    persons: int
    places: int
    sealed: int
    exposed: int
    unread: int
    listed: int
    score: int | None
    open_alerts: int
    open_incidents: int
    faults: int


class PlaceShape(BaseModel):
    """A place with customer information, its path masked on the store."""

    id: str
    path: str
    label: str
    kind: str
    level: int
    persons: int
    state: str
    entities: list[str]


class AlertShape(BaseModel):
    """A behaviour that was seen."""

    store: str
    id: str
    at: datetime
    open: bool
    kind: str
    severity: str
    text: str
    program: str
    user: str
    action: str


class EventShape(BaseModel):
    """Something that happened on a store."""

    store: str
    at: datetime
    report: int
    kind: str
    severity: str
    text: str
    user: str
    program: str
    place: str
    count: int


class IncidentShape(BaseModel):
    """An incident in short."""

    store: str
    id: str
    case: str | None
    kind: str
    phase: str
    open: bool
    discovered_at: datetime
    deadline_at: datetime | None = Field(description="the nearest clock that still runs")
    files: int
    persons: int


class IncidentWhole(IncidentShape):
    """An incident with everything that the store told."""

    document: dict[str, Any]


class CaseShape(BaseModel):
    """One leak at one or many stores."""

    id: str
    kind: str
    summary: str
    made_at: datetime
    by: str
    closed_at: datetime | None
    incidents: int = Field(description="of them, those that this token may see")


class ClockShape(BaseModel):
    """A duty of law with its time."""

    store: str
    incident: str
    discovered_at: datetime
    title: str
    regime: str
    state: str
    deadline: datetime | None


class DeliveryShape(BaseModel):
    """An order on its way to one store."""

    store: str
    number: int
    state: str = Field(description="waiting, told, received, done, refused, failed or expired")
    made_at: datetime
    told_at: datetime | None
    acknowledged_at: datetime | None
    reason: str


class OrderShape(BaseModel):
    """An order as somebody gave it."""

    id: str
    kind: str
    case: str | None
    by: str
    reason: str
    made_at: datetime
    expires_at: datetime
    sent_at: datetime | None
    withdrawn_at: datetime | None
    officers_needed: int
    officers_signed: int


class OrderWhole(OrderShape):
    """An order with its deliveries to stores that this token may see, at most 10,000 of them."""

    params: dict[str, Any]
    deliveries: list[DeliveryShape]


class DrillShape(BaseModel):
    """A drill as a store played it."""

    store: str
    id: str
    at: datetime
    document: dict[str, Any]


class AssessmentShape(BaseModel):
    """A store's last assessment."""

    store: str
    score: int | None
    written_at: datetime
    document: dict[str, Any]


class PersonShape(BaseModel):
    """Somebody with a role; contacts only for a token with the right `people`."""

    id: str
    name: str
    roles: list[RoleShape]
    left_at: datetime | None
    confirmed_at: datetime | None
    mail: str | None = None
    mobile: str | None = None


class RoleShape(BaseModel):
    """A role held somewhere."""

    role: str
    scope: str = Field(description="all, entity, region or store")
    scope_id: str


class ActShape(BaseModel):
    """An entry of the record; `digest` chains it to the one before."""

    id: int
    at: datetime
    actor: str
    act: str
    store: str | None
    detail: str
    digest: str


class SummaryShape(BaseModel):
    """The figures of the first page, over the stores that this token may see."""

    stores: int
    silent: int
    persons: int
    places: int
    sealed: int
    exposed: int
    unread: int
    open_alerts: int
    open_incidents: int
    urgency: dict[str, int] = Field(description="stores by the most urgent thing about them")
    next_deadline_at: datetime | None
    oldest_unacknowledged_at: datetime | None


class PersonsShape(BaseModel):
    """Affected persons of a case, each counted once across its stores."""

    case: str
    incidents: int
    exact: bool
    persons: int
    sensitive: int
    error: float = Field(description="relative standard error of `persons` where it is not exact")
    missing: list[str] = Field(description="stores whose part has not arrived")


class OrderWish(BaseModel):
    """An order to give. What it may hold is said by its kind (docs/wire-v1.md)."""

    kind: str = Field(max_length=30)
    stores: list[str] | str = Field(description='identifiers of stores, or "all"')
    params: dict[str, Any] = {}
    reason: str = Field(min_length=1, max_length=400)
    case: str | None = Field(default=None, max_length=40)
    hours: int = Field(default=24, ge=1, le=720, description="how long a store that is away may take it")
