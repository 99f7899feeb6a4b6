"""Where customers' information lies: the counts each time, and of the places only what head office does not have.

A section (`agent.reporting.places`) counts as told when the report that carried it was acknowledged; one that was
replaced before it was sent, or that head office refused, does not. `section_digests` names what head office is to
have after this report, so that a difference is noticed there and everything is asked for again. A picture that does
not fit into one report goes in several, each after the one before it arrived, since only the newest of them waits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from agent.inventory.records import Run
from agent.link.outbox import MOST_BODY
from agent.reporting.places import Picture, draw, moment_of
from agent.reporting.state import said_of

if TYPE_CHECKING:
    from agent.wiring import Agent

STATE: Final = "sections.json"
ROOM: Final = MOST_BODY - (512 << 10)
"""Bytes of sections in one report; the rest is for the counts, the digests and what JSON adds."""
WANTED_EVERY: Final = 60.0
"""Seconds between two whole pictures, however often head office asks."""


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """A report that is not acknowledged yet: what it told, and of which moment."""

    number: int
    sections: dict[str, str | None]
    counts: str
    moment: str


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What head office has. `moment` is set when it has all of that moment."""

    store: str = ""
    sections: dict[str, str] = field(default_factory=dict)
    counts: str = ""
    moment: str = ""
    sent: _Sent | None = None


def report_inventory(agent: Agent, *, whole: bool = False) -> int:
    """Put what changed of the picture of what lies where; the report's number, 0 where nothing changed.

    Args:
        agent: all parts.
        whole: tell everything, whatever was told before.

    Raises:
        ClocheError: the disk refused it, or the inventory cannot be read.
    """
    with agent.reporting.lock:
        told = _settled(agent, _read(agent))
        if whole or agent.reporting.whole:
            told = _Told(store=told.store)
        moment = moment_of(agent)
        if moment == (told.moment if told.sent is None else told.sent.moment):
            agent.reporting.more = False
            return 0
        picture = draw(agent)
        base, digests = _counts(agent, picture), picture.digests()
        counts = said_of(base)
        certain = _certain(told)
        parcel, more = _parcel(picture, digests, certain)
        agent.reporting.more = more
        until = "" if more else moment
        if told.sent is None and not parcel and told.counts == counts:
            _write(agent, replace(told, moment=until))
            return 0
        if told.sent is not None and _says(told.sent, parcel, counts):
            _write(agent, replace(told, sent=replace(told.sent, moment=until)))
            return 0
        document = _document(base, picture, parcel, certain)
        _write(agent, certain)  # what waits is replaced now: it must never count as told
        number = agent.outbox.put("inventory", document)
        sent = _Sent(number=number, sections=parcel, counts=counts, moment=until)
        _write(agent, replace(certain, sent=sent))
        agent.reporting.whole = False
        return number


def continue_inventory(agent: Agent) -> int:
    """Put the next part of a picture whose last part has arrived; the report's number, 0 for nothing.

    Raises:
        ClocheError: as `report_inventory`.
    """
    state = agent.reporting
    if not (state.more or state.whole):
        return 0
    sent = _read(agent).sent
    if sent is not None and not state.whole and agent.outbox.link_state().acknowledged < sent.number:
        return 0
    return report_inventory(agent)


def want_inventory(agent: Agent, at: float) -> bool:
    """Head office lacks something: everything is told again at the next turn, at most once a minute.

    Args:
        agent: all parts.
        at: the monotonic clock.
    """
    state = agent.reporting
    if state.wanted_at is not None and at - state.wanted_at < WANTED_EVERY:
        return False
    state.wanted_at, state.whole = at, True
    return True


def inventory_document(agent: Agent) -> dict[str, Any]:
    """The whole picture: counts by kind and level, all places that are told, coverage with its causes."""
    picture = draw(agent)
    whole: dict[str, str | None] = dict(picture.digests())
    return _document(_counts(agent, picture), picture, whole, _Told())


def _counts(agent: Agent, picture: Picture) -> dict[str, Any]:
    run = agent.inventory.last_run()
    return {
        "scanned_at": run.ended_at.isoformat() if run and run.ended_at else None,
        "persons": run.persons if run else 0,
        "places": picture.places,
        "sealed": picture.sealed,
        "exposed": picture.exposed,
        "coverage": _coverage(run),
        "causes": picture.causes,
        "groups": picture.groups,
        "omitted": picture.omitted,
    }


def _document(base: dict[str, Any], picture: Picture, parcel: dict[str, str | None], told: _Told) -> dict[str, Any]:
    after = told.sections | {name: digest for name, digest in parcel.items() if digest is not None}
    gone = {name for name, digest in parcel.items() if digest is None}
    return {
        **base,
        "sections": {name: picture.sections[name] for name, digest in sorted(parcel.items()) if digest is not None},
        "section_digests": {name: after[name] for name in sorted(after) if name not in gone},
    }


def _parcel(picture: Picture, digests: dict[str, str], told: _Told) -> tuple[dict[str, str | None], bool]:
    """Sections to tell now, None for one that is gone; and whether more wait."""
    parcel: dict[str, str | None] = {name: None for name in sorted(told.sections) if name not in digests}
    size = 0
    for name, digest in sorted(digests.items()):
        if told.sections.get(name) == digest:
            continue
        cost = len(json.dumps(picture.sections[name], ensure_ascii=False).encode("utf-8", "backslashreplace"))
        if size + cost > ROOM and size:
            return parcel, True
        size += cost
        parcel[name] = digest
    return parcel, False


def _certain(told: _Told) -> _Told:
    """Without what is under way: whether head office has it or what was before it is not known."""
    if told.sent is None:
        return told
    sections = {name: digest for name, digest in told.sections.items() if name not in told.sent.sections}
    return _Told(store=told.store, sections=sections)


def _says(sent: _Sent, parcel: dict[str, str | None], counts: str) -> bool:
    """The report under way says all this already."""
    said = {name: digest for name, digest in sent.sections.items() if digest is not None}
    return sent.counts == counts and said == parcel


def _settled(agent: Agent, told: _Told) -> _Told:
    """What was sent and acknowledged counts as told; what was refused does not."""
    store = agent.outbox.enrolled_as()
    if told.store != store:
        return _Told(store=store)  # another head office knows nothing of us
    sent, link = told.sent, agent.outbox.link_state()
    if sent is None or link.acknowledged < sent.number:
        return told
    if any(number == sent.number for number, _status in link.refused):
        return replace(told, sent=None)
    sections = dict(told.sections)
    for name, digest in sent.sections.items():
        if digest is None:
            sections.pop(name, None)
        else:
            sections[name] = digest
    return _Told(store=told.store, sections=sections, counts=sent.counts, moment=sent.moment)


def _read(agent: Agent) -> _Told:
    """The state file; a damaged one counts as nothing told: everything is told again."""
    try:
        values = json.loads(agent.outbox.own_file(STATE) or b"{}")
        sent = values.get("sent")
        return _Told(
            store=str(values["store"]), sections={str(name): str(said) for name, said in values["sections"].items()},
            counts=str(values["counts"]), moment=str(values["moment"]),
            sent=None if sent is None else _Sent(
                number=int(sent["number"]), counts=str(sent["counts"]), moment=str(sent["moment"]),
                sections={str(name): None if said is None else str(said) for name, said in sent["sections"].items()},
            ),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        return _Told()


def _write(agent: Agent, told: _Told) -> None:
    sent = told.sent
    values = {
        "store": told.store, "sections": told.sections, "counts": told.counts, "moment": told.moment,
        "sent": None if sent is None else {
            "number": sent.number, "sections": sent.sections, "counts": sent.counts, "moment": sent.moment,
        },
    }  # fmt: skip
    agent.outbox.keep(STATE, json.dumps(values).encode())


def _coverage(run: Run | None) -> dict[str, int]:
    if run is None:
        return {}
    coverage = run.coverage
    return {
        "listed": coverage.listed, "read": coverage.read, "partial": coverage.partial, "unread": coverage.unread,
        "skipped": coverage.skipped, "bytes": coverage.bytes,
    }  # fmt: skip
