"""指令下达: orders to roles, each with an owner, a due time, an acknowledgement, and somebody else when none comes.

Every kind of incident has its orders as data (`config/data/plan/orders.toml`), given when a phase is entered. An order
whose owner does not answer is repeated, then goes to the substitute as well, then to whoever leads the response; an
order that is late goes to the leaders again. Each of these happens once, in order, also when the daemon was down in
between: what was missed is done late and says so.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from agent.incident.course import Course
from agent.incident.jumps import counted
from agent.incident.order_models import OrderRow
from agent.incident.records import Incident, Kind, Phase
from agent.incident.store import incidents
from agent.messages.records import Answer
from config.errors import ClocheError, UsageError
from config.log import describe, get_logger
from config.packs import read_pack
from config.schema import Person, Role

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("orders")
End = Literal["done", "cancelled"]
LEADERS: Final[tuple[Role, ...]] = ("response_lead", "security_lead", "security_deputy")
_GIVING: Final = threading.Lock()
"""The keeper and whoever enters a phase must not give the same order twice."""
LATE: Final = timedelta(minutes=10)
"""A reminder sent this much after its time says that it is late."""


class Template(BaseModel):
    """An order of the plan. `minutes` until it is due, `answer` until an acknowledgement is expected."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: str
    phase: Phase
    kinds: tuple[Kind, ...] = ()
    role: Role
    minutes: int = Field(gt=0)
    chinese: str = Field(alias="zh-CN")
    english: str = Field(alias="en")
    command: str = ""


@cache
def load_templates() -> tuple[Template, ...]:
    """Every order of the plan, in the order in which they are given."""
    return tuple(Template.model_validate(order) for order in read_pack("plan", "orders.toml")["orders"])


@dataclass(frozen=True, kw_only=True)
class Order:
    """One order. `owner` is '' where nobody holds the role. Times are aware; `id` is `<incident>/<number>`.

    `issued_count` is the count of seconds that nobody can set (`agent.incident.jumps`) when it was given.
    """

    incident: str
    number: int
    phase: str
    template: str
    role: Role
    owner: str
    what: str
    command: str
    issued_by: str
    issued_at: datetime
    issued_count: float
    due_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    acknowledged_how: str
    ended_at: datetime | None
    ended_by: str
    ended_how: str
    note: str
    stage: int

    @property
    def id(self) -> str:
        """As people name it."""
        return f"{self.incident}/{self.number}"

    @property
    def is_open(self) -> bool:
        """Neither done nor cancelled."""
        return self.ended_at is None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An order to be given. `minutes` from now; `what` in the store's language; `owner` '' is who holds the role."""

    role: Role
    what: str
    minutes: float
    owner: str = ""
    command: str = ""
    template: str = ""


def orders_of(agent: Agent, incident_id: str) -> list[Order]:
    """All orders of an incident, in the order they were given."""
    with agent.inventory.reading() as session:
        rows = session.scalars(select(OrderRow).where(OrderRow.incident == incident_id).order_by(OrderRow.number))
        return [as_order(row) for row in rows]


def give_order(agent: Agent, incident_id: str, actor: str, wanted: Wanted) -> Order:
    """Give one order, record it, and tell its owner.

    Raises:
        UsageError: no such incident, it is ended, nothing is ordered, or the owner named is nobody.
    """
    incident = incidents(agent).get(incident_id)
    if incident.phase in ("closed", "dismissed"):
        raise UsageError(agent.text("incident.ended", id=incident.id))
    if not wanted.what.strip():
        raise UsageError(agent.text("orders.nothing"))
    if wanted.owner and agent.people.named(wanted.owner) is None:
        raise UsageError(agent.text("orders.no_such_person", name=agent.mask(wanted.owner)))
    holders = agent.people.holding([wanted.role])
    owner = wanted.owner or (holders[0].name if holders else "")
    now = agent.now()
    count = counted(agent, now)
    with agent.inventory.sessions.begin() as session:
        row = OrderRow(
            incident=incident.id, number=1 + _last(session, incident.id), phase=incident.phase,
            template=wanted.template, role=wanted.role, owner=owner, what=agent.mask(wanted.what.strip()),
            command=wanted.command, issued_by=agent.mask(actor), issued_at=now, issued_count=count,
            due_at=now + timedelta(minutes=wanted.minutes), acknowledged_at=None, acknowledged_by="",
            acknowledged_how="", ended_at=None, ended_by="", ended_how="", note="", stage=0,
        )  # fmt: skip
        session.add(row)
        session.flush()
        order = as_order(row)
    Course(agent, incident.id, agent.mask(actor)).record(
        "orders.given", order=order.id, role=order.role, owner=owner, what=order.what,
        due=order.due_at.isoformat(timespec="minutes"),
    )  # fmt: skip
    _tell(agent, order, [agent.people.named(owner)], "orders.subject", "orders.text")
    return order


def issue_for_phase(agent: Agent, incident_id: str, phase: Phase, actor: str) -> list[Order]:
    """Give the plan's orders of a phase for this kind of incident; one that was given already is not given again."""
    with _GIVING:
        return _issue(agent, incidents(agent).get(incident_id), phase, actor)


def give_missing(agent: Agent, _now: datetime) -> None:
    """The keeper's duty: whatever of the plan's orders a crash or a full disk kept from being given."""
    for incident in incidents(agent).all():
        if incident.phase in ("responding", "cleaning", "reviewing"):
            with _GIVING:
                _issue(agent, incident, incident.phase, "cloche")


def _issue(agent: Agent, incident: Incident, phase: Phase, actor: str) -> list[Order]:
    given = {order.template for order in orders_of(agent, incident.id)}
    issued = []
    for template in load_templates():
        if template.phase == phase and template.id not in given and (
            not template.kinds or incident.kind in template.kinds
        ):  # fmt: skip
            what = template.chinese if agent.text.language == "zh-CN" else template.english
            issued.append(
                give_order(
                    agent, incident.id, actor,
                    Wanted(
                        role=template.role, what=what, minutes=template.minutes, template=template.id,
                        command=template.command.replace("ID", incident.id),
                    ),
                )
            )  # fmt: skip
    return issued


def acknowledge(agent: Agent, order_id: str, by: str, how: str) -> Order:
    """Somebody has the order. `by` is a person's name or an account; `how`: account, code, link or phone.

    Raises:
        UsageError: no such order, or it is ended.
    """
    order = _open_order(agent, order_id)
    if order.acknowledged_at is None:
        _change(agent, order, acknowledged_at=agent.now(), acknowledged_by=agent.mask(by), acknowledged_how=how)
        Course(agent, order.incident, agent.mask(by)).record("orders.acknowledged", order=order.id, how=how)
    return find_order(agent, order.id)


def end_order(agent: Agent, order_id: str, by: str, how: End, note: str) -> Order:
    """Done, or cancelled with a reason.

    Raises:
        UsageError: no such order, it is ended already, or it is cancelled without a reason.
    """
    order = _open_order(agent, order_id)
    if how == "cancelled" and not note.strip():
        raise UsageError(agent.text("incident.reason_needed"))
    if order.acknowledged_at is None and how == "done":
        order = acknowledge(agent, order_id, by, "account")
    _change(agent, order, ended_at=agent.now(), ended_by=agent.mask(by), ended_how=how, note=agent.mask(note))
    Course(agent, order.incident, agent.mask(by)).record(f"orders.{how}", order=order.id, reason_given=agent.mask(note))
    return find_order(agent, order.id)


def cancel_all(agent: Agent, incident_id: str, by: str, note: str) -> int:
    """Nothing of a dismissed incident is to be done any more; how many orders were open."""
    left = [order for order in orders_of(agent, incident_id) if order.is_open]
    for order in left:
        end_order(agent, order.id, by, "cancelled", note)
    return len(left)


def find_order(agent: Agent, order_id: str) -> Order:
    """The order of this id; the incident's part may be a beginning of it.

    Raises:
        UsageError: there is none.
    """
    incident_id, _, number = order_id.rpartition("/")
    if incident_id and number.isdecimal():
        incident = incidents(agent).get(incident_id)
        for order in orders_of(agent, incident.id):
            if order.number == int(number):
                return order
    raise UsageError(agent.text("orders.unknown", id=agent.mask(order_id)))


# reminders


def stages_of(order: Order, answer_minutes: float) -> list[tuple[datetime, str]]:
    """When which reminder of an order is due, in order: repeat, substitute, leader, late."""
    answer = timedelta(minutes=answer_minutes)
    return [
        (order.issued_at + answer, "repeat"),
        (order.issued_at + 2 * answer, "substitute"),
        (order.issued_at + 3 * answer, "leader"),
        (max(order.due_at, order.issued_at + 3 * answer), "late"),
    ]


def remind(agent: Agent, now: datetime) -> None:
    """The keeper's duty: whatever is due of every open order, each stage once and in order.

    A clock that is set back delays nothing: an order is as old as the wall clock or the count of seconds makes it.
    """
    count = counted(agent, now)
    open_incidents = [item.id for item in incidents(agent).all() if item.phase not in ("closed", "dismissed")]
    for incident_id in open_incidents:
        for order in orders_of(agent, incident_id):
            if order.is_open:
                aged = order.issued_at + timedelta(seconds=count - order.issued_count)
                _remind_one(agent, order, max(now, aged))


def _remind_one(agent: Agent, order: Order, now: datetime) -> None:
    for number, (at, stage) in enumerate(stages_of(order, agent.settings.respond.answer_minutes), 1):
        if number <= order.stage or at > now:
            continue
        _change(agent, order, stage=number)
        if stage != "late" and order.acknowledged_at is not None:
            continue
        owner = agent.people.named(order.owner)
        people: list[Person | None]
        match stage:
            case "repeat":
                people = [owner] if owner else list(agent.people.holding(LEADERS))
            case "substitute":
                substitute = agent.people.substitute_of(owner) if owner else None
                people = [substitute] if substitute else list(agent.people.holding([order.role]))
            case _:
                people = [owner, *agent.people.holding(LEADERS)]
        late = now - at > LATE
        Course(agent, order.incident, "cloche").record(
            "orders.reminded", order=order.id, stage=stage, late=late,
            people=sorted({person.name for person in people if person}),
        )  # fmt: skip
        _tell(agent, order, people, f"orders.subject_{stage}", "orders.text")


def _tell(agent: Agent, order: Order, people: Sequence[Person | None], subject: str, text: str) -> None:
    """Send the order, with a code to answer with; whoever cannot be reached does not keep the others from it."""
    from agent.incident.moments import zone_of
    from agent.messages import tell_with_code

    due = order.due_at.astimezone(zone_of(agent.settings.store.timezone)).strftime("%Y-%m-%d %H:%M")
    for person in {person.name: person for person in people if person is not None}.values():
        try:
            tell_with_code(
                agent, person,
                agent.text(subject, store=agent.settings.store.name, order=order.id),
                agent.text(
                    text, order=order.id, what=order.what, due=due, role=agent.text(f"incident.role_{order.role}"),
                    by=order.issued_by,
                ),
                purpose="order", about=order.id, incident=order.incident,
            )  # fmt: skip
        except ClocheError as error:
            log.warning("somebody could not be told of an order", order=order.id, why=describe(error))


def answered(agent: Agent, answer: Answer) -> None:
    """An acknowledgement that came by a code or a link; what no longer counts is logged and changes nothing."""
    try:
        if answer.about.startswith("drill:"):
            from agent.drill.asking import answered as drill_answered

            drill_answered(agent, answer)
            return
        acknowledge(agent, answer.about, answer.person, answer.how)
    except ClocheError as error:
        log.warning("an acknowledgement was not taken", why=describe(error))


def _last(session: Session, incident_id: str) -> int:
    return session.scalar(select(func.max(OrderRow.number)).where(OrderRow.incident == incident_id)) or 0


def _open_order(agent: Agent, order_id: str) -> Order:
    order = find_order(agent, order_id)
    if not order.is_open:
        raise UsageError(agent.text("orders.is_ended", id=order.id))
    return order


def _change(agent: Agent, order: Order, **values: object) -> None:
    with agent.inventory.sessions.begin() as session:
        row = session.scalars(
            select(OrderRow).where(OrderRow.incident == order.incident, OrderRow.number == order.number)
        ).one()
        for name, value in values.items():
            setattr(row, name, value)


def as_order(row: OrderRow) -> Order:
    """The record of a row."""
    return Order(**{name: getattr(row, name) for name in Order.__dataclass_fields__})
