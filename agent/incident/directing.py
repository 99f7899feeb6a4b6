"""Direct an incident: orders, acknowledgements, notes, phases, grades, merging and splitting, the timeline's check."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, cast, get_args

from agent.audit.verify import Head
from agent.incident import life, merging
from agent.incident.course import Course
from agent.incident.declare import tell_head_office
from agent.incident.levels import grade_by_hand
from agent.incident.operations import ENDERS, LONGEST_TEXT, READERS, text_of
from agent.incident.orders import End, Wanted, acknowledge, end_order, find_order, give_order, orders_of
from agent.incident.records import Phase
from agent.incident.store import incidents
from agent.incident.view import full, order_document
from agent.messages.codes import redeem
from agent.operation import Answer, Request
from config.errors import ExitCode, UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent

DIRECTORS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "response_lead", "legal", "privacy_officer", "area_manager",
)  # fmt: skip
GRADERS: Final[tuple[Role, ...]] = ("legal", "privacy_officer", "security_lead")
LONGEST_MINUTES: Final = 60 * 24 * 90


def order(agent: Agent, request: Request) -> Answer:
    """Give an order to a role or a person; `cloche.order/1`.

    Raises:
        UsageError: a role that is none, minutes that cannot be, nothing ordered, nobody of that name.
    """
    request.may(*DIRECTORS)
    role = text_of(request, "role")
    if role not in get_args(Role):
        raise UsageError(f"--role: {role!r} is none of {', '.join(get_args(Role))}")
    minutes = request.arguments.get("minutes")
    if not isinstance(minutes, int | float) or not 0 < minutes <= LONGEST_MINUTES:
        raise UsageError(f"--minutes: a number from 1 to {LONGEST_MINUTES}")
    wanted = Wanted(
        role=cast("Role", role), what=text_of(request, "what")[:LONGEST_TEXT], minutes=minutes,
        owner=text_of(request, "owner"),
    )  # fmt: skip
    given = give_order(agent, text_of(request, "id"), request.caller.user, wanted)
    return Answer(document={"schema": "cloche.order/1", **order_document(agent, given)})


def orders(agent: Agent, request: Request) -> Answer:
    """`cloche.orders/1`: every order of an incident."""
    request.may(*READERS)
    incident = incidents(agent).get(text_of(request, "id"))
    rows = [order_document(agent, item) for item in orders_of(agent, incident.id)]
    return Answer(document={"schema": "cloche.orders/1", "incident": incident.id, "orders": rows})


def ack(agent: Agent, request: Request) -> Answer:
    """Acknowledge an order, as oneself, by a code, or for somebody who said so on the phone; `end` ends it too.

    Raises:
        RefusedError: a wrong code, or a caller without a role.
    """
    found = find_order(agent, text_of(request, "order"))
    by, code, end = text_of(request, "by"), text_of(request, "code"), text_of(request, "end")
    how = "account"
    if code:
        how = redeem(agent, by, found.id, code).how
    else:
        request.may(*READERS)
        person = agent.people.of_account(request.caller.user)
        if by and (person is None or by != person.name):
            if agent.people.named(by) is None:
                raise UsageError(agent.text("orders.no_such_person", name=agent.mask(by)))
            how = "phone"
        else:
            by = person.name if person else request.caller.user
    if end:
        if end not in get_args(End):
            raise UsageError(f"end: {end!r} is none of {', '.join(get_args(End))}")
        note = text_of(request, "note")[:LONGEST_TEXT]
        if found.acknowledged_at is None and end == "done":
            acknowledge(agent, found.id, by, how)
        found = end_order(agent, found.id, by, cast("End", end), note)
    else:
        found = acknowledge(agent, found.id, by, how)
    return Answer(document={"schema": "cloche.order/1", **order_document(agent, found)})


def note(agent: Agent, request: Request) -> Answer:
    """Put a remark on the timeline, masked.

    Raises:
        UsageError: nothing is said, or the incident is none.
    """
    request.may(*READERS)
    words = text_of(request, "text").strip()[:LONGEST_TEXT]
    if not words:
        raise UsageError(agent.text("incident.note_empty"))
    incident = incidents(agent).get(text_of(request, "id"))
    Course(agent, incident.id, request.caller.user).record("note", text=agent.mask(words))
    return _shown(agent, incident.id)


def advance(agent: Agent, request: Request) -> Answer:
    """Move an incident on, or back; what is unmet is named and nothing changes (exit 4).

    Raises:
        UsageError: no such phase, or no way there.
        RefusedError: conditions are unmet, or the caller may not override.
    """
    request.may(*ENDERS, "legal")
    to = text_of(request, "to")
    if to and to not in get_args(Phase):
        raise UsageError(f"--to: {to!r} is none of {', '.join(get_args(Phase))}")
    move = life.Move(
        to=cast("Phase", to) if to else None, override=text_of(request, "override")[:LONGEST_TEXT],
        reason=text_of(request, "reason")[:LONGEST_TEXT],
    )  # fmt: skip
    incident = life.advance(agent, text_of(request, "id"), request.caller.user, move)
    return _shown(agent, incident.id)


def grade(agent: Agent, request: Request) -> Answer:
    """The lawyer grades up by hand."""
    request.may(*GRADERS)
    loss = request.arguments.get("loss_cny") or 0
    if not isinstance(loss, int) or loss < 0:
        raise UsageError("--loss: a whole number of yuan")
    incident = grade_by_hand(
        agent, text_of(request, "id"), request.caller.user, text_of(request, "reason")[:LONGEST_TEXT],
        level=text_of(request, "level"), law=text_of(request, "law"), loss_cny=loss,
    )  # fmt: skip
    return _told(agent, request, incident.id)


def merge(agent: Agent, request: Request) -> Answer:
    """Two incidents are one."""
    request.may(*ENDERS)
    into, other = (incidents(agent).get(text_of(request, name)).id for name in ("id", "other"))
    merging.merge(agent, into, other, request.caller.user, text_of(request, "reason")[:LONGEST_TEXT])
    return _told(agent, request, into, other)


def split(agent: Agent, request: Request) -> Answer:
    """One incident is two; the document is the new one."""
    request.may(*ENDERS)
    paths = tuple(os.path.normpath(os.fsencode(str(path))) for path in request.arguments.get("paths") or ())
    reason = text_of(request, "reason")[:LONGEST_TEXT]
    old = incidents(agent).get(text_of(request, "id")).id
    incident = merging.split(agent, old, paths, request.caller.user, reason)
    return _told(agent, request, incident.id, old)


def verify(agent: Agent, request: Request) -> Answer:
    """`cloche.incident.verify/1`: is the timeline whole; with `seq` and `hash`, does it hold what was printed.

    Raises:
        UsageError: a head that is none.
    """
    request.may(*READERS)
    incident = incidents(agent).get(text_of(request, "id"))
    state = agent.timelines.verify(incident.id, agent.keyring.public_key)
    fault, line = state.fault, state.line
    printed = text_of(request, "head")
    if printed and not fault:
        fault = _against(agent, incident.id, printed)
    head: Head = agent.timelines.head(incident.id)
    document = {
        "schema": "cloche.incident.verify/1", "id": incident.id, "ok": not fault, "entries": state.entries,
        "line": line, "fault": fault, "head": head.document(),
    }  # fmt: skip
    return Answer(document=document, exit_code=ExitCode.DONE if not fault else ExitCode.FAILED)


def _against(agent: Agent, incident_id: str, printed: str) -> str:
    """'' if the timeline holds the entry of a printed head (`<entry>:<hash>`, the hash may be cut to 16 digits)."""
    number, _, wanted = printed.partition(":")
    if not number.isdecimal() or len(wanted) < 16:
        raise UsageError(agent.text("incident.head_format"))
    hashes = agent.timelines.hashes(incident_id)
    place = int(number)
    if not 1 <= place <= len(hashes):
        return agent.text("incident.head_cut", entry=place, entries=len(hashes))
    return "" if hashes[place - 1].startswith(wanted.lower()) else agent.text("incident.head_differs", entry=place)


def _told(agent: Agent, request: Request, *incident_ids: str) -> Answer:
    """The first of these incidents, after head office was told how each stands."""
    for incident_id in incident_ids:
        tell_head_office(Course(agent, incident_id, request.caller.user))
    return _shown(agent, incident_ids[0])


def _shown(agent: Agent, incident_id: str) -> Answer:
    return Answer(document=full(agent, incidents(agent).get(incident_id), agent.now()))
