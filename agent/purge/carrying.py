"""The way of a purge: asked → approved by two people → 24 hours in which anybody may say no → carried out → certified.

Only what lies in the vault goes. What may be an original, or what the police may need, goes on the lawyer's word
alone, which is asked for like an approval: for exactly this set, with the statement that was put to him.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from agent.approvals import count_officers, require, standing
from agent.cleaning.state import evidence_paths
from agent.incident.course import Course
from agent.incident.moments import zone_of
from agent.incident.records import Kind
from agent.incident.store import incidents
from agent.purge.records import WAIT, Hold, Item, Purge, digest_of
from agent.purge.store import Purges
from config.errors import ClocheError, RefusedError, UsageError
from config.log import get_logger
from config.officers import Officer
from containment.quarantine import Entry

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("purge")
CRIMES: Final[frozenset[Kind]] = frozenset({"intrusion", "ransomware", "insider", "sold_online"})
"""Kinds in which the police may need what was touched, until the incident is closed."""


class Holds:
    """Why only the lawyer may let entries go: what is known once, asked for many."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._evidence = evidence_paths(agent)
        self._crimes = {
            incident.id
            for incident in incidents(agent).all()
            if incident.kind in CRIMES and incident.phase not in ("closed", "dismissed")
        }

    def of(self, entry: Entry) -> Hold | None:
        """The reason; None where two people's word is enough for a stray copy."""
        if entry.forced:
            return "original"
        item = self._agent.inventory.item_at(entry.path)
        if item is not None and item.kind == "sqlite":
            return "database"
        if any((entry.incident, name) in self._evidence for name in entry.names):
            return "evidence"
        return "police" if entry.incident in self._crimes else None


def ask(
    agent: Agent, entries: Sequence[Entry], actor: str, *, reason: str, originals: bool = False, statement: str = ""
) -> Purge:
    """Ask for these entries to be destroyed; the same set asked for again is the same request.

    Args:
        agent: all parts.
        entries: of the vault.
        actor: account that asks; its own word counts where it may approve.
        reason: why, for those who approve.
        originals: the set holds what only the lawyer may let go.
        statement: what is put to the lawyer.

    Raises:
        UsageError: nothing to destroy, or the statement to the lawyer or its reason is missing.
        RefusedError: something is not in the vault, needs the lawyer's word, or is part of another request.
    """
    if not entries:
        raise UsageError(agent.text("purge.nothing"))
    if originals and not (reason.strip() and statement.strip()):
        raise UsageError(agent.text("purge.needs_statement"))
    outside = [entry for entry in entries if entry.state != "vaulted"]
    if outside:
        raise RefusedError(agent.text("purge.not_in_vault", names=_named(agent, outside), count=len(outside)))
    found = Holds(agent)
    holds = {entry.id: found.of(entry) for entry in entries}
    held = [entry for entry in entries if holds[entry.id]]
    if held and not originals:
        why = agent.text(f"purge.hold_{holds[held[0].id]}")
        raise RefusedError(agent.text("purge.needs_lawyer", names=_named(agent, held), count=len(held), why=why))
    items = tuple(_item(agent, entry, holds[entry.id]) for entry in sorted(entries, key=lambda entry: entry.id))
    words, said = agent.mask(reason.strip()) or agent.text("purge.no_reason"), agent.mask(statement.strip())
    digest = digest_of(items, originals=originals, reason=words, statement=said)
    wanted = {item.id for item in items}
    for other in Purges(agent).all("asked", "waiting", "carrying"):
        if other.digest == digest:
            return other
        if wanted & {item.id for item in other.items}:
            raise RefusedError(agent.text("purge.asked_already", id=other.id))
    now = agent.now()
    purge = Purge(
        id="", state="asked", digest=digest, originals=originals, reason=words, statement=said, items=items,
        by=agent.mask(actor), asked_at=now,
    )  # fmt: skip
    made = Purges(agent).add(purge, now.astimezone(zone_of(agent.settings.store.timezone)))
    note(agent, made, "asked", actor, files=len(items), why=words, originals=originals)
    return made


def approve_or_ask(agent: Agent, purge: Purge, actor: str) -> Purge:
    """Go on to the waiting time if everybody who must has approved; else ask those whose word is missing.

    Raises:
        RefusedError: who still has to say yes. The request stands.
    """
    if purge.state != "asked":
        return purge
    about = agent.text("purge.about", id=purge.id, count=len(purge.items), reason=purge.reason)
    missing = []
    for act, subject in (
        ("purge", purge.subject),
        *((("originals", purge.originals_subject),) if purge.originals else ()),
    ):
        words = about if act == "purge" else f"{about} {agent.text('purge.about_originals', statement=purge.statement)}"
        try:
            require(agent, act, subject, purge.digest, words, actor)
        except RefusedError as error:
            missing.append(str(error))
    if missing:
        raise RefusedError(agent.text("purge.waits_for_people", id=purge.id, missing=" ".join(missing)))
    return _approved(agent, purge)


def approve_by_officers(agent: Agent, purge: Purge, actor: str, officers: Sequence[Officer]) -> Purge:
    """Count officers of head office, whose signatures this store has verified; the waiting time begins as ever.

    What is held for the lawyer needs the lawyer's own word at this store besides: it is asked for.

    Raises:
        RefusedError: whose word is missing still. The request stands.
    """
    if purge.state != "asked":
        return purge
    about = agent.text("purge.about", id=purge.id, count=len(purge.items), reason=purge.reason)
    with suppress(RefusedError):
        require(agent, "purge", purge.subject, purge.digest, about, actor)
    count_officers(agent, purge.subject, purge.digest, officers)
    return approve_or_ask(agent, purge, actor)


def cancel(agent: Agent, purge: Purge, actor: str, reason: str) -> Purge:
    """The veto: nothing of it is destroyed. Anybody with a role may; it can be asked for anew.

    Raises:
        UsageError: it is over, or is being carried out.
    """
    if purge.state not in ("asked", "waiting"):
        raise UsageError(agent.text("purge.not_open", id=purge.id, state=agent.text(f"purge.state_{purge.state}")))
    words = agent.mask(reason)
    ended = Purges(agent).change(
        purge.id, state="cancelled", ended_at=agent.now(), ended_by=agent.mask(actor), outcome={"why": words}
    )
    note(agent, ended, "cancelled", actor, files=len(purge.items), why=words)
    return ended


def carry_out(agent: Agent, purge: Purge, actor: str) -> Purge:
    """Destroy what is due, tell inventory, watch and incidents, and write the certificate.

    What was given back meanwhile, or what only the lawyer may let go by now, is left and named. May be cut anywhere
    and called again.

    Raises:
        RefusedError: it is not approved, or its time has not come.
        ClocheError: the journal or the certificate could not be written; called again, it goes on.
    """
    now = agent.now()
    if purge.state == "waiting" and (purge.due_at is None or purge.due_at > now):
        raise RefusedError(agent.text("purge.too_early", id=purge.id))
    if purge.state not in ("waiting", "carrying") or not _still_approved(agent, purge):
        raise RefusedError(agent.text("purge.not_open", id=purge.id, state=agent.text(f"purge.state_{purge.state}")))
    with agent.exclusive:
        if purge.state == "waiting":
            purge = Purges(agent).change(purge.id, state="carrying", outcome=_chosen(agent, purge))
        chosen = set(purge.outcome["chosen"])
        present = {entry.id: entry for entry in agent.quarantine.entries()}
        inside = [present[i.id] for i in purge.items if i.id in chosen and i.id in present]
        done = agent.quarantine.purge([entry for entry in inside if entry.step in ("vaulted", "purging")])
        failed = {refusal.id: str(refusal.cause) for refusal in done.refused}
        back = {entry.id: "released" for entry in inside if entry.state == "released"}
        left = {**purge.outcome["left"], **back, **failed}
        destroyed = [item.id for item in purge.items if item.id in chosen and item.id not in left]
        keys = sorted({*purge.outcome.get("keys", ()), *done.keys, *_keys_gone(agent, purge, destroyed)})
        _tell(agent, purge, destroyed)
    outcome = {"chosen": sorted(chosen), "destroyed": destroyed, "left": left, "keys": keys}
    purge = Purges(agent).change(purge.id, outcome=outcome)
    if failed:  # a failing disk: `purging` stands in the journal, and this is tried again
        note(agent, purge, "failed", actor, ok=False, reason=agent.text("purge.disk_failed", count=len(failed)))
        return purge
    from agent.purge.certificate import write_certificate

    ended = replace(purge, state="done", ended_at=now, ended_by=agent.mask(actor))
    papers = write_certificate(agent, ended)
    ended = Purges(agent).change(
        purge.id, state="done", ended_at=now, ended_by=ended.ended_by,
        outcome={**outcome, "papers": [str(path) for path in papers]},
    )  # fmt: skip
    note(
        agent, ended, "done", actor, files=len(destroyed), left=len(left), keys=keys,
        sealed_sha256=[item.sealed_sha256 for item in ended.items if item.id in destroyed][:100],
        certificate=[path.name for path in papers],
    )  # fmt: skip
    return ended


def look_after(agent: Agent, now: datetime) -> None:
    """A duty of the keeper: what was approved meanwhile begins to wait, and what has waited long enough is done.

    Raises:
        ClocheError: one could not be carried out; the others were tried.
    """
    trouble: ClocheError | None = None
    for purge in reversed(Purges(agent).all("asked", "waiting", "carrying")):
        try:
            if purge.state == "asked" and _still_approved(agent, purge):
                _approved(agent, purge)
            elif purge.state == "carrying" or (purge.state == "waiting" and purge.due_at and purge.due_at <= now):
                carry_out(agent, purge, "cloche")
        except ClocheError as error:
            trouble = error
    if trouble is not None:
        raise trouble


def note(agent: Agent, purge: Purge, act: str, actor: str, *, ok: bool = True, **details: Any) -> None:
    """On the timeline of each incident whose files these are, and in the record of every act."""
    known = {incident.id for incident in incidents(agent).all()}
    mine = [incident for incident in purge.incidents if incident in known]
    for incident in mine:
        Course(agent, incident, agent.mask(actor)).record(f"purge.{act}", ok=ok, purge=purge.id, **details)
    if not mine:
        agent.audit.append(f"purge.{act}", agent.mask(actor), ok=ok, purge=purge.id, **details)


def _approved(agent: Agent, purge: Purge) -> Purge:
    now = agent.now()
    waiting = Purges(agent).change(purge.id, state="waiting", approved_at=now, due_at=now + WAIT)
    note(agent, waiting, "approved", "cloche", files=len(purge.items), hours=round(WAIT.total_seconds() / 3600))
    with suppress(ClocheError):  # who cannot be reached is no reason to wait for ever: it stands on record and in lists
        from agent.messages import tell

        known = {incident.id for incident in incidents(agent).all()}
        tell(
            agent, ("store_manager", "response_lead", "legal"), agent.text("purge.veto_subject", id=purge.id),
            agent.text("purge.veto_text", id=purge.id, count=len(purge.items), reason=purge.reason),
            purpose="order", incident=next((name for name in purge.incidents if name in known), None),
        )  # fmt: skip
    return waiting


def _still_approved(agent: Agent, purge: Purge) -> bool:
    """Everybody's word for exactly this set stands, of people who still have their roles."""
    subjects = [purge.subject, *([purge.originals_subject] if purge.originals else [])]
    found = [standing(agent, subject, purge.digest) for subject in subjects]
    return all(one is not None and not one.missing for one in found)


def _chosen(agent: Agent, purge: Purge) -> dict[str, Any]:
    """What goes now, and what is left with its cause: given back, changed, or held for the lawyer by now."""
    present, holds = {entry.id: entry for entry in agent.quarantine.entries()}, Holds(agent)
    left: dict[str, str] = {}
    for item in purge.items:
        entry = present.get(item.id)
        if entry is None or entry.state != "vaulted":
            left[item.id] = "released" if entry is None or entry.state == "released" else "vanished"
        elif entry.digest != item.sealed_sha256:
            left[item.id] = "changed"
        elif not purge.originals and holds.of(entry):
            left[item.id] = "held"
    return {"chosen": [item.id for item in purge.items if item.id not in left], "left": left}


def _keys_gone(agent: Agent, purge: Purge, destroyed: Iterable[str]) -> set[str]:
    """Incidents of destroyed files that have no key any more (a cut came between the key and this line)."""
    gone = set(destroyed)
    concerned = {item.incident for item in purge.items if item.id in gone}
    return {incident for incident in concerned if not agent.quarantine.keys.path(incident).exists()}


def _tell(agent: Agent, purge: Purge, destroyed: Sequence[str]) -> None:
    gone = set(destroyed)
    keys = []
    for entry in agent.quarantine.entries():
        if entry.id in gone:
            for name in entry.names:
                known = agent.inventory.item_at(name)
                # something new may lie at the old place by now: that is not what was destroyed
                if known is not None and known.state == "vault":
                    agent.inventory.set_state(name, "gone")
                    keys.append(known.key)
    with suppress(ClocheError):
        agent.watch.unmark([key for key in keys if key])
    store = incidents(agent)
    for known_incident in store.all():
        if known_incident.id in purge.incidents:
            items = store.get(known_incident.id).items
            store.set_items(
                known_incident.id, [replace(item, state="purged") for item in items if item.vault_id in gone]
            )


def _item(agent: Agent, entry: Entry, hold: Hold | None) -> Item:
    return Item(
        id=entry.id, incident=entry.incident, name=agent.mask(os.fsdecode(entry.path)), size=entry.size,
        sealed_sha256=entry.digest, hold=hold or "",
        added_at=datetime.fromtimestamp(entry.added_at, UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _named(agent: Agent, entries: Sequence[Entry]) -> str:
    shown = [agent.mask(os.fsdecode(entry.path)) for entry in entries[:3]]
    return ", ".join(shown) + (" …" if len(entries) > 3 else "")
