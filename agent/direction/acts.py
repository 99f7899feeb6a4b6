"""What each kind of order does here: an explicit list. Each calls what a person at the store would call.

An act gives an answer for head office (masked, small), with `already` where there was nothing left to do: orders that
come late, or twice by different people, meet a store that has acted alone meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, cast

from agent.direction import policy
from agent.direction.cases import bind, incident_of, meant
from agent.direction.clock import right_now
from agent.direction.drills import play_or_plan
from agent.direction.ordered import Ordered
from agent.direction.personal import ack, approve, fill
from agent.direction.places import paths_of
from agent.direction.purging import ask_with_officers
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.isolation.state import Isolations
from agent.link import trust as pinned
from config.errors import ClocheError, RefusedError, UsageError
from config.orders import (
    Advance,
    Declare,
    Direct,
    Dismiss,
    Drill,
    Grade,
    IsolateOn,
    Note,
    Officers,
    OrderKind,
    Pack,
    People,
    Policy,
    Purge,
    Release,
    Report,
    Rescan,
    Seal,
    Submit,
)  # fmt: skip

Act = Callable[[Ordered], dict[str, Any]]
PHASES: Final = ("reported", "directed", "responding", "cleaning", "reviewing", "closed")


def report(one: Ordered) -> dict[str, Any]:
    """疑似上报."""
    known = incident_of(one.agent, one.order.case) or _made_before(one)
    if known is not None:
        bind(one.agent, one.order.case, known.id, one.order.id, one.actor)
        return {"already": True, **_shown(known)}
    form = cast("Report", one.form)
    document = one.call("incident.report", _said(form)).document
    bind(one.agent, one.order.case, document["id"], one.order.id, one.actor)
    return _told(one, document["id"])


def declare(one: Ordered) -> dict[str, Any]:
    """启动应急预案: contains at once. What is declared already stays as it is."""
    form = cast("Declare", one.form)
    agent, case = one.agent, one.order.case
    known = meant(agent, form.incident, case) if form.incident else incident_of(agent, case)
    known = known or _made_before(one)
    if known is not None and (known.declared_at is not None or known.phase in ("closed", "dismissed")):
        bind(agent, case, known.id, one.order.id, one.actor)
        if known.phase in ("closed", "dismissed"):
            raise RefusedError(agent.text("direction.is_over", id=known.id))
        return {"already": True, **_shown(known)}
    arguments = {
        **_said(form), "scope": form.scope, "paths": paths_of(agent, form.places),
        "incident": known.id if known is not None else "",
    }  # fmt: skip
    document = one.call("incident.declare", arguments).document
    bind(agent, case, document["id"], one.order.id, one.actor)
    return _told(one, document["id"])


def dismiss(one: Ordered) -> dict[str, Any]:
    """误报."""
    form = cast("Dismiss", one.form)
    incident = meant(one.agent, form.incident, one.order.case)
    if incident.phase == "dismissed":
        return {"already": True, **_shown(incident)}
    one.call("incident.dismiss", {"id": incident.id, "reason": form.reason})
    return _shown(incidents(one.agent).get(incident.id))


def direct(one: Ordered) -> dict[str, Any]:
    """An order to a role inside the incident."""
    form = cast("Direct", one.form)
    incident = meant(one.agent, form.incident, one.order.case)
    document = one.call(
        "incident.order",
        {"id": incident.id, "role": form.role, "what": form.text, "minutes": form.minutes, "owner": form.person},
    ).document
    return {"incident": incident.id, "order": str(document.get("id", ""))}


def note(one: Ordered) -> dict[str, Any]:
    """A remark on the timeline."""
    form = cast("Note", one.form)
    incident = meant(one.agent, form.incident, one.order.case)
    one.call("incident.note", {"id": incident.id, "text": form.text})
    return {"incident": incident.id}


def advance(one: Ordered) -> dict[str, Any]:
    """On to a phase. `''` is the one after the phase in which the order finds the incident."""
    form = cast("Advance", one.form)
    incident = meant(one.agent, form.incident, one.order.case)
    if form.to and incident.phase in PHASES and PHASES.index(incident.phase) >= PHASES.index(form.to):
        return {"already": True, **_shown(incident)}
    if one.resumed and not form.to:
        raise ClocheError(one.agent.text("direction.interrupted"))
    one.call(
        "incident.advance",
        {"id": incident.id, "to": form.to, "override": form.override, "reason": form.reason or one.order.reason},
    )
    return _shown(incidents(one.agent).get(incident.id))


def grade(one: Ordered) -> dict[str, Any]:
    """The lawyer grades up."""
    form = cast("Grade", one.form)
    incident = meant(one.agent, form.incident, one.order.case)
    one.call(
        "incident.grade",
        {"id": incident.id, "level": form.level, "law": form.law, "loss_cny": form.loss_cny, "reason": form.reason},
    )
    return _shown(incidents(one.agent).get(incident.id))


def submit(one: Ordered) -> dict[str, Any]:
    """Something was handed in to an authority."""
    form = cast("Submit", one.form)
    incident = meant(one.agent, form.incident, one.order.case)
    one.call(
        "incident.submit",
        {
            "id": incident.id, "duty": form.duty, "channel": form.channel, "receipt": form.receipt, "to": form.to,
            "entity": form.entity, "at": form.at.isoformat() if form.at else "",
        },
    )  # fmt: skip
    return {"incident": incident.id, "duty": form.duty}


def isolate_on(one: Ordered) -> dict[str, Any]:
    """Cut the machine off, for so many minutes at most."""
    form = cast("IsolateOn", one.form)
    incident = incident_of(one.agent, one.order.case)
    arguments = {
        "minutes": form.minutes, "keep": True, "reason": one.order.reason,
        "incident": form.incident or (incident.id if incident else ""),
    }  # fmt: skip
    document = one.call("isolate.on", arguments).document
    return {"isolated": True, "kept": len(document.get("kept", ())), "unknown": len(document.get("unknown", ()))}


def isolate_off(one: Ordered) -> dict[str, Any]:
    """Let everything through again."""
    current = Isolations(one.agent.journal).current()
    if current is None or not current.without_ended(one.agent.now()).cuts:
        return {"already": True, "isolated": False}
    one.call("isolate.off", {})
    return {"isolated": False}


def rescan(one: Ordered) -> dict[str, Any]:
    """Scan now."""
    form = cast("Rescan", one.form)
    document = one.call("scan", {"scheduled": True, "full": form.full}).document
    coverage = document.get("coverage", {})
    return {"read": coverage.get("read", 0), "unread": coverage.get("unread", 0), "listed": coverage.get("listed", 0)}


def change_policy(one: Ordered) -> dict[str, Any]:
    """Settings over the store's own."""
    return policy.set_settings(one.agent, cast("Policy", one.form).settings)


def change_pack(one: Ordered) -> dict[str, Any]:
    """A data pack in place of the shipped one."""
    return policy.set_pack(one.agent, cast("Pack", one.form))


def change_people(one: Ordered) -> dict[str, Any]:
    """The list of people."""
    trust = pinned.load(one.agent.home)
    signed = trust is not None and not trust.officers.lacks([one.person for one in one.officers], not_it=False)
    return policy.set_people(one.agent, cast("People", one.form), signed=signed)


def change_officers(one: Ordered) -> dict[str, Any]:
    """A new policy of officers: two of the old one have signed it (`agent.direction.judging`)."""
    wanted = cast("Officers", one.form).policy
    trust = pinned.load(one.agent.home)
    if trust is None:
        raise RefusedError(one.agent.text("direction.no_officers"))
    if wanted == trust.officers:
        return {"already": True, "version": wanted.version}
    if wanted.version <= trust.officers.version:
        raise RefusedError(one.agent.text("direction.officers_old", version=trust.officers.version))
    if not wanted.can_sign:
        raise RefusedError(one.agent.text("direction.officers_few"))
    pinned.save(one.agent.home, replace(trust, officers=wanted))
    return {"version": wanted.version, "officers": len(wanted.officers)}


def drill(one: Ordered) -> dict[str, Any]:
    """应急演练: now, or at a time."""
    return play_or_plan(one, cast("Drill", one.form), right_now(one.agent))


def release(one: Ordered) -> dict[str, Any]:
    """Give back, bit for bit."""
    form = cast("Release", one.form)
    wanted = _entries(one, form)
    if not wanted:
        return {"already": True, "released": 0}
    document = one.call("quarantine.release", {"ids": wanted}).document
    left = len(document["refused"])
    return {"released": len(document["entries"]), "left": left}


def purge(one: Ordered) -> dict[str, Any]:
    """Destroy, after 24 h in which anybody at the store may say no."""
    form = cast("Purge", one.form)
    wanted = _entries(one, form)
    return ask_with_officers(one, wanted, form)


def seal(one: Ordered) -> dict[str, Any]:
    """Encrypt in place."""
    form = cast("Seal", one.form)
    arguments: dict[str, Any] = {"by_policy": True}
    if form.places:
        arguments = {"paths": paths_of(one.agent, form.places)}
    document = one.call("protect", arguments).document
    return {"sealed": len(document.get("sealed", ())), "refused": len(document.get("refused", ()))}


ACTS: Final[dict[OrderKind, Act]] = {
    "report": report, "declare": declare, "dismiss": dismiss, "direct": direct, "note": note, "advance": advance,
    "grade": grade, "submit": submit, "isolate_on": isolate_on, "isolate_off": isolate_off, "rescan": rescan,
    "policy": change_policy, "pack": change_pack, "people": change_people, "officers": change_officers,
    "drill": drill, "release": release, "purge": purge, "seal": seal, "approve": approve, "fill": fill, "ack": ack,
}  # fmt: skip


def _said(form: Report) -> dict[str, Any]:
    return {
        "kind": form.kind, "summary": form.summary, "place": form.place, "types": list(form.types),
        "discovered_at": form.discovered_at.isoformat() if form.discovered_at else "",
        "occurred_at": form.occurred_at.isoformat() if form.occurred_at else "",
    }  # fmt: skip


def _made_before(one: Ordered) -> Incident | None:
    """The incident that this very order made before it was cut off."""
    if not one.resumed:
        return None
    agent, form = one.agent, cast("Report", one.form)
    for known in incidents(agent).all():
        at = known.reported_at or known.declared_at
        if known.by == agent.mask(one.actor) and known.summary == agent.mask(form.summary) and at is not None:
            return incidents(agent).get(known.id)
    return None


def _entries(one: Ordered, form: Release | Purge) -> list[str]:
    """Ids of what the order means and what still lies in the quarantine.

    Raises:
        UsageError: something named is none of the incident's.
    """
    incident = meant(one.agent, form.incident, one.order.case)
    listed = {item.vault_id for item in incidents(one.agent).get(incident.id).items}
    mine = [entry for entry in one.agent.quarantine.entries() if entry.incident == incident.id or entry.id in listed]
    lying = [entry.id for entry in mine if entry.state in ("fenced", "vaulted")]
    if not form.items:
        return lying
    known = {entry.id for entry in mine}
    if strange := [item for item in form.items if item not in known]:
        raise UsageError(one.agent.text("direction.not_of_incident", count=len(strange), id=incident.id))
    return [item for item in form.items if item in lying]


def _told(one: Ordered, incident_id: str) -> dict[str, Any]:
    return _shown(incidents(one.agent).get(incident_id))


def _shown(incident: Incident) -> dict[str, Any]:
    """What head office is answered; the incident itself is reported as always."""
    return {
        "incident": incident.id, "phase": incident.phase, "files": incident.files, "persons": incident.persons,
        "whole": incident.complete,
    }  # fmt: skip
