"""Take what the link laid down: read, check by whom it is, keep, acknowledge. Nothing is carried out here.

An order is kept when head office's pinned key has signed its exact text, this store is named and its form is right;
whether it may be carried out (time, officers, the store's own settings) is decided then and there, once, and told. What
head office has not signed is no order: it is removed, counted and put on record, and told to nobody.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from agent.direction.clock import hear_time, is_over, note_signed
from agent.direction.facts import AFTER, last_taken
from agent.direction.judging import judge
from agent.direction.models import DirectionRow, OrderRow
from agent.direction.telling import tell
from agent.link import trust as pinned
from agent.link.order_files import DELIVERY, NEWS
from agent.link.signed import signed_by_office, signing_officers
from agent.link.trust import Trust
from agent.reporting import want_inventory
from config.errors import ClocheError, UsageError
from config.log import get_logger
from config.orders import OrderBody, read_order

if TYPE_CHECKING:
    from agent.wiring import Agent

TELL_REFUSED: Final = 600.0
RETELL_SECONDS: Final = 60.0
HIGHEST: Final = 10**16

log = get_logger("direction")


def take(agent: Agent) -> int:
    """Take everything that lies there; how many orders are new.

    Raises:
        ClocheError: the disk refused to keep something; it is still there for the next time.
    """
    trust = pinned.load(agent.home)
    if trust is None:
        return 0
    box = agent.orders
    fresh = refused = 0
    with box.taking:
        names = box.names()
        if NEWS in names:
            news = box.read(NEWS) or {}
            hear_time(agent, trust, news.get("time"))
            wants = news.get("wants")
            if isinstance(wants, list) and "inventory" in wants:
                want_inventory(agent, agent.steady().seconds)
            box.drop(NEWS)
        for name in names:
            if name == NEWS:
                continue
            delivery = box.read(name) if DELIVERY.fullmatch(name) else None
            outcome = _take(agent, trust, delivery) if delivery is not None else False
            if outcome is None:
                break  # it waits for head office's time, and what came after it with it
            box.drop(name)
            fresh += outcome is True
            refused += outcome is False
        box.publish(agent, last_taken(agent))
    if refused:
        box.refused += refused
        _tell_refused(agent)
    return fresh


def _take(agent: Agent, trust: Trust, delivery: dict[str, Any]) -> bool | str | None:
    """True for a new order, '' for one that is known, False for what is none, None for one that has to wait."""
    number, body, signatures = delivery.get("number"), delivery.get("body"), delivery.get("signatures")
    if not isinstance(number, int) or isinstance(number, bool) or not isinstance(body, str):
        return False
    if not 1 <= number < HIGHEST or not isinstance(signatures, list):
        return False
    if not signed_by_office(trust.order_key, body, signatures):
        return False
    try:
        order = read_order(body)
    except UsageError as error:
        # signed, and not to be understood: head office speaks a later language
        log.warning("an order is not understood", why=str(error))
        agent.audit.append("direction.not_understood", "cloche", ok=False, delivery=number)
        _remember(agent, number)
        return ""
    if not order.names(trust.store):
        log.warning("an order for another store came here", order=order.id)
        return False
    note_signed(agent, order.issued_at)
    if _known_again(agent, order, number):
        return ""
    over = is_over(agent, order.expires_at)
    if over is None:
        return None
    officers = signing_officers(trust.officers, body, signatures)
    reason, state = ("", "received") if not over else (agent.text("direction.expired"), "expired")
    if state == "received":
        try:
            judge(agent, trust, order, [officer.person for officer in officers])
        except ClocheError as error:
            reason, state = str(error), "refused"
    vouching = [[officer.person, officer.name, officer.it] for officer in officers]
    _keep(agent, order, OrderRow(
        id=order.id, delivery=number, kind=order.kind, body=body, officers=json.dumps(vouching, ensure_ascii=False),
        received_at=agent.now(), state=state, begun_at=None, ended_at=agent.now() if state != "received" else None,
        reason=agent.mask(reason), answer="{}", told="",
    ))  # fmt: skip
    tell(agent, order.id)
    return True


def _known_again(agent: Agent, order: OrderBody, number: int) -> bool:
    """Whether the order was taken before: it is not carried out again. Head office is answered, if need be under a new
    number, at most once a minute for each order: whoever replays orders must not fill the outbox."""
    seconds, retold = agent.steady().seconds, agent.orders.retold
    with agent.inventory.sessions.begin() as session:
        row = session.get(OrderRow, order.id)
        if row is None:
            return False
        session.merge(DirectionRow(key=AFTER, value=str(number)))
        if seconds - retold.get(order.id, -RETELL_SECONDS) < RETELL_SECONDS:
            return True
        retold[order.id] = seconds
        row.delivery, row.told = number, ""
    tell(agent, order.id)
    return True


def _keep(agent: Agent, order: OrderBody, row: OrderRow) -> None:
    """In the database, then on record with who ordered it. Cut between the two, it lacks on record only its arrival."""
    state, reason, number = row.state, row.reason, row.delivery
    with agent.inventory.sessions.begin() as session:
        session.add(row)
        session.merge(DirectionRow(key=AFTER, value=str(number)))
    agent.audit.append(
        "direction.received", agent.mask(order.by.name), ok=state == "received", order=order.id, kind=order.kind,
        state=state, reason=reason, why=agent.mask(order.reason), case=order.case or "",
    )  # fmt: skip


def _remember(agent: Agent, number: int) -> None:
    with agent.inventory.sessions.begin() as session:
        session.merge(DirectionRow(key=AFTER, value=str(number)))


def _tell_refused(agent: Agent) -> None:
    """On record, but not more often than every ten minutes: whoever makes files up must not fill the record."""
    box, seconds = agent.orders, agent.steady().seconds
    if box.refused_told is None or seconds - box.refused_told >= TELL_REFUSED:
        box.refused_told = seconds
        log.warning("what lay among the orders is none of head office's", files=box.refused)
        with suppress(ClocheError):
            agent.audit.append("direction.forged", "cloche", ok=False, files=box.refused)
