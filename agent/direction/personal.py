"""Orders that are somebody's own word or work: an approval, what a report lacks, an answer to an order.

Head office vouches for who gave it; what that person may do here, this store's own list and rules say, as for anybody
who sits at it. A word counts once a person, for exactly the version that they saw.
"""

from __future__ import annotations

from typing import Any, cast, get_args

from agent.approvals import approve as give_word
from agent.approvals import standing
from agent.direction.cases import meant
from agent.direction.ordered import Ordered
from agent.incident.duties import facts_of
from agent.incident.orders import acknowledge, end_order, find_order
from agent.operation import Request
from config.errors import UsageError
from config.orders import Ack, Approve, Fill
from config.schema import Role


def approve(one: Ordered) -> dict[str, Any]:
    """The person's word for one version. What destroys is never approved so (`config.orders.APPROVED_BY_ORDER`).

    Raises:
        UsageError: nothing of this name waits about this incident.
        RefusedError: it was changed since, this person's word does not count for it, or nobody's does by an order.
    """
    form, agent = cast("Approve", one.form), one.agent
    incident, person = meant(agent, form.incident, one.order.case), one.person
    if form.approval.rpartition(":")[2] != incident.id:
        raise UsageError(agent.text("direction.not_about", what=form.approval, id=incident.id))
    before = standing(agent, form.approval, form.digest)
    found = give_word(agent, form.approval, person, "order", form.digest)
    already = before is not None and any(word.person == person.name for word in before.given)
    return {
        "incident": incident.id, "approval": form.approval, "given": len(found.given), "missing": found.missing,
        **({"already": True} if already else {}),
    }  # fmt: skip


def fill(one: Ordered) -> dict[str, Any]:
    """Fields of the reports, by hand. A field that says so already is left as it is.

    The keeper writes the drafts anew: a declaration that comes behind this order does not wait for documents.

    Raises:
        RefusedError: the person's roles do not let them write reports here.
        ClocheError: the disk refused it; what was written before stays and is not written twice.
    """
    form, agent = cast("Fill", one.form), one.agent
    incident = meant(agent, form.incident, one.order.case)
    known, filled = facts_of(agent, incident.id), 0
    for name, words in form.fields.items():
        if known.get(name) != agent.mask(words.strip()):
            one.call("incident.fill", {"id": incident.id, "field": name, "text": words})
            filled += 1
    return {"incident": incident.id, "filled": filled, **({} if filled else {"already": True})}


def ack(one: Ordered) -> dict[str, Any]:
    """An order inside the incident is answered or done, by this person.

    Raises:
        UsageError: no such order in this incident, or it has ended otherwise.
        RefusedError: the person holds no role here.
    """
    form, agent = cast("Ack", one.form), one.agent
    incident, person = meant(agent, form.incident, one.order.case), one.person
    Request(arguments={}, caller=one.caller).may(*cast("tuple[Role, ...]", get_args(Role)))
    found = find_order(agent, form.order)
    if found.incident != incident.id:
        raise UsageError(agent.text("direction.not_about", what=form.order, id=incident.id))
    if found.ended_how == "done" or (found.is_open and found.acknowledged_at is not None and not form.done):
        return {"incident": incident.id, "order": found.id, "already": True}
    found = acknowledge(agent, found.id, person.name, "office")
    if form.done:
        found = end_order(agent, found.id, person.name, "done", form.note)
    return {"incident": incident.id, "order": found.id, "done": not found.is_open}
