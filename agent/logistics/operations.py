"""`logistics.show|need|assign|done|check|custody|sheet`. What people type is masked before it is put on record."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from agent.incident.moments import parse_moment, zone_of
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.logistics.answers import read_answers
from agent.logistics.recording import beside, put
from agent.logistics.records import NEED_KINDS, REPLIES, STAGES, Handover, Logistics, Need
from agent.logistics.state import chains_of, key_of, logistics_of
from agent.operation import Answer, Request
from agent.vendors.approval import number_of, text_of
from config.errors import ExitCode, RefusedError, UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent

HELPERS: Final[tuple[Role, ...]] = get_args(Role)
"""Everybody with a role lends a hand; what each did stands on the timeline with the name of the account."""
MOST: Final = 10_000
_PERSONAL: Final = re.compile(r"(?:\+?86)?[\s-]*1[3-9](?:[\s-]*\d){9}|\d{17}[\dXx]")
"""A mobile or an id card: of no device."""


def show(agent: Agent, request: Request) -> Answer:
    """`cloche.incident.logistics/1`: where things stand."""
    request.may(*HELPERS)
    incident = incidents(agent).get(text_of(request, "id", needed=True))
    return _answer(agent, incident)


def need(agent: Agent, request: Request) -> Answer:
    """Ask for something or somebody. Arguments: `what`, `kind`, `quantity`, `stage`, `where`."""
    incident = _begin(agent, request)
    kind, stage = text_of(request, "kind") or "material", text_of(request, "stage") or "scene"
    if kind not in NEED_KINDS or stage not in STAGES:
        raise UsageError(f"--kind is one of {', '.join(NEED_KINDS)}, --stage one of {', '.join(STAGES)}")
    number = len(logistics_of(agent, incident.id).needs) + 1
    what, where = (agent.mask(text_of(request, name, needed=name == "what", longest=400)) for name in ("what", "where"))
    put(
        agent, incident, request.caller.user, "need", need=number, kind=kind, what=what,
        quantity=number_of(request, "quantity", 1, MOST), stage=stage, where=where,
    )  # fmt: skip
    return _answer(agent, incident)


def assign(agent: Agent, request: Request) -> Answer:
    """Say who brings it, or who comes. Arguments: `need`, `to`, `due`; a person of the settings is told.

    Raises:
        UsageError: no such need.
        RefusedError: it has come already.
    """
    incident = _begin(agent, request)
    wanted = _need(agent, incident, request)
    to, due = (agent.mask(text_of(request, name, needed=name == "to", longest=200)) for name in ("to", "due"))
    put(agent, incident, request.caller.user, "assign", need=wanted.number, what=wanted.what, to=to, due=due)
    person = agent.people.named(text_of(request, "to"))
    if person is not None:
        from agent.messages import tell

        tell(
            agent, [person.name], agent.text("logistics.assign_subject", id=incident.id),
            agent.text(
                "logistics.assign_text", id=incident.id, what=wanted.what, quantity=wanted.quantity, where=wanted.where,
                due=due or agent.text("logistics.at_once"), need=wanted.number,
            ),
            purpose="order", incident=incident.id,
        )  # fmt: skip
    return _answer(agent, incident)


def done(agent: Agent, request: Request) -> Answer:
    """It has come. Arguments: `need`, `note`."""
    incident = _begin(agent, request)
    wanted = _need(agent, incident, request)
    note = agent.mask(text_of(request, "note"))
    put(agent, incident, request.caller.user, "done", need=wanted.number, what=wanted.what, note=note)
    return _answer(agent, incident)


def check(agent: Agent, request: Request) -> Answer:
    """Answer lines of the checklist: one (`line`, `reply`, `note`, `at`), or all that `text` holds (a filled sheet).

    Exit code 3 where a part of the text could not be read; it is named by its line.

    Raises:
        UsageError: no line of that code, or a reply that is none.
    """
    incident = _begin(agent, request)
    state = logistics_of(agent, incident.id)
    lines = {line.code: line for line in state.lines}
    now, zone = agent.now(), zone_of(agent.settings.store.timezone)
    text = str(request.arguments.get("text") or "")
    if text:
        read = read_answers(text, frozenset(lines))
        # the sheet came with the answers so far: what nobody touched is no new answer
        known = {(code, entry.reply, "", "") for code, entry in state.checked.items()}
        answers = [given for given in read.answers if given not in known]
        refused = [f"{number}" for number in read.refused]
    else:
        code, reply = text_of(request, "line", needed=True).upper(), text_of(request, "reply") or "yes"
        if code not in lines:
            raise UsageError(agent.text("logistics.no_line", line=agent.mask(code)))
        if reply not in REPLIES:
            raise UsageError(f"reply: one of {', '.join(REPLIES)}")
        answers, refused = [(code, reply, text_of(request, "at"), text_of(request, "note"))], []
    for code, reply, at, note in answers:
        moment = parse_moment(at, "--at", now, zone) if at else now
        put(
            agent, incident, request.caller.user, f"check_{reply}", line=code,
            what=lines[code].text(agent.text.language), at=moment.isoformat(), note=agent.mask(note[:1000]),
        )  # fmt: skip
    answer = _answer(agent, incident)
    document = {**answer.document, "answered": len(answers), "refused": refused}
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if refused else ExitCode.DONE)


def custody(agent: Agent, request: Request) -> Answer:
    """Record that an item changed hands; with `document` write the custody form instead.

    Arguments: `item`, `serial`, `giver`, `taker`, `given_at`, `where`, `condition`, `seal`, `gap`.

    Raises:
        RefusedError: the giver is not who had it, or the seal is another one, and no `gap` says why.
        UsageError: something is not said, or a time that cannot be.
    """
    if request.arguments.get("document"):
        return _custody_form(agent, request)
    incident = _begin(agent, request, custody=True)
    now, zone = agent.now(), zone_of(agent.settings.store.timezone)
    texts = {
        name: agent.mask(text_of(request, name, needed=name in ("item", "giver", "taker"), longest=400))
        for name in ("item", "giver", "taker", "where", "condition", "seal", "gap")
    }
    serial = text_of(request, "serial", longest=100)  # of a device: masking would take what tells it from another
    if _PERSONAL.fullmatch(serial):
        raise UsageError(agent.text("logistics.serial_of_person"))
    given = text_of(request, "given_at")
    moment = parse_moment(given, "--at", now, zone) if given else now
    made = Handover(**texts, serial=serial, given_at=moment, at=now, by=agent.mask(request.caller.user))
    before = [
        hand
        for chain in logistics_of(agent, incident.id).chains
        for hand in chain.handovers
        if key_of(chain.item, chain.serial) == key_of(made.item, made.serial)
    ]
    for problem in chains_of([*before, made])[0].problems:
        if problem in ("gap", "seal_changed", "backwards") and problem not in (
            chains_of(before)[0].problems if before else ()
        ):
            raise RefusedError(
                agent.text(f"logistics.refuse_{problem}", item=made.item, holder=before[-1].taker, seal=before[-1].seal)
            )
    put(
        agent, incident, request.caller.user, "custody", **texts, serial=serial, given_at=moment.isoformat(),
    )  # fmt: skip
    return _answer(agent, incident)


def sheet(agent: Agent, request: Request) -> Answer:
    """The checklist as one page for a phone; it comes in the document as `html`. Argument: `language`."""
    from agent.logistics.sheet import build_sheet

    request.may(*HELPERS)
    incident = incidents(agent).get(text_of(request, "id", needed=True))
    html = build_sheet(agent, incident, logistics_of(agent, incident.id), text_of(request, "language"))
    return Answer(document={"schema": "cloche.incident.sheet/1", "id": incident.id, "html": html})


def _custody_form(agent: Agent, request: Request) -> Answer:
    from agent.logistics.forms import write_custody_form

    request.may(*HELPERS)
    incident = incidents(agent).get(text_of(request, "id", needed=True))
    written = write_custody_form(agent, incident, logistics_of(agent, incident.id))
    answer = _answer(agent, incident)
    return Answer(document={**answer.document, "documents": [str(path) for path in written]})


def _begin(agent: Agent, request: Request, *, custody: bool = False) -> Incident:
    request.may(*HELPERS)
    incident = incidents(agent).get(text_of(request, "id", needed=True))
    beside(agent, incident, custody=custody)
    return incident


def _need(agent: Agent, incident: Incident, request: Request) -> Need:
    number = number_of(request, "need", 0, MOST)
    found = next((item for item in logistics_of(agent, incident.id).needs if item.number == number), None)
    if found is None:
        raise UsageError(agent.text("logistics.no_need", need=number, id=incident.id))
    if found.state == "done":
        raise RefusedError(agent.text("logistics.need_done", need=number, what=found.what))
    return found


def _answer(agent: Agent, incident: Incident) -> Answer:
    return Answer(document=document_of(agent, incident, logistics_of(agent, incident.id)))


def document_of(agent: Agent, incident: Incident, state: Logistics) -> dict[str, Any]:
    """As JSON; the checklist in the store's language."""
    return {
        "schema": "cloche.incident.logistics/1", "id": incident.id, "phase": incident.phase,
        "needs": [_plain(asdict(item)) for item in state.needs],
        "lines": [
            {
                "code": line.code, "stage": line.stage, "photo": line.photo, "text": line.text(agent.text.language),
                "reply": state.checked[line.code].reply if line.code in state.checked else None,
                "at": state.checked[line.code].at.isoformat() if line.code in state.checked else None,
                "by": state.checked[line.code].by if line.code in state.checked else "",
                "note": state.checked[line.code].note if line.code in state.checked else "",
            }
            for line in state.lines
        ],
        "photos": [_plain(asdict(photo)) for photo in state.photos],
        "custody": [
            {
                "item": chain.item, "serial": chain.serial, "holder": chain.holder, "problems": list(chain.problems),
                "handovers": [_plain(asdict(hand)) for hand in chain.handovers],
            }
            for chain in state.chains
        ],
        "open_needs": len(state.open_needs), "open_lines": len(state.open_lines),
    }  # fmt: skip


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: cast("Any", value).isoformat() if isinstance(value, datetime) else value for name, value in values.items()
    }
