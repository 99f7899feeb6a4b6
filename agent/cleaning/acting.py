"""What becomes of affected items: decided by a person, carried out with a proof, and put on the incident's timeline."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, select

from agent.aftermath import give_back
from agent.cleaning.models import DecisionRow, RiskRow
from agent.cleaning.records import DECISIONS, Decision
from agent.incident.course import Course
from agent.incident.records import Affected, Incident
from agent.incident.store import incidents
from agent.purge.carrying import approve_or_ask, ask
from agent.purge.store import Purges
from agent.sealing.recording import note_back
from config.errors import ClocheError, RefusedError, UsageError
from containment.fence import settle
from containment.metadata import apply
from containment.quarantine import Entry, Terms
from containment.restoring import DiffersError, Manner, copied, restore, sweep
from containment.sealed import is_sealed, read_core, unseal
from containment.vault import file_sha256
from scanners.identity import Identities

if TYPE_CHECKING:
    from datetime import datetime

    from agent.purge.records import Purge
    from agent.wiring import Agent
    from containment.keys import Unlocker

OPEN_PHASES: Final = ("responding", "cleaning", "reviewing")
FINAL: Final[tuple[Decision, ...]] = ("release", "restore", "purge")
"""What cannot be decided otherwise once it was carried out."""
PLAIN_MODE: Final = 0o640
NAMES: Final = 50


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A copy that the caller opened: `source` is its descriptor, `reason` says where it is from.

    `differs` says why another content than recorded is right (an older backup), '' if it must be the same; with
    `replace` what lies at the place now goes into the vault first; `unlocker` opens a sealed copy.
    """

    source: int
    reason: str
    differs: str = ""
    replace: bool = False
    unlocker: Unlocker | None = field(default=None, repr=False)


class Cleaning:
    """What one person does about the affected items of one incident. Each act is recorded as it is done.

    Args:
        agent: all parts.
        incident: being handled; others are refused by each act.
        actor: account that acts.
    """

    def __init__(self, agent: Agent, incident: Incident, actor: str) -> None:
        self._agent = agent
        self._incident = incident
        self._actor = actor
        self._by = agent.mask(actor)
        self._course = Course(agent, incident.id, self._by)

    def decide(self, items: Sequence[Affected], decision: Decision, reason: str) -> None:
        """Write down what becomes of items; a later word replaces an earlier one that is not carried out.

        `evidence` is done at once, for what is in the vault (its copy is checked); `leave` is, with its reason.

        Raises:
            UsageError: no such decision, no reason, nothing named, or the incident is not being handled.
            RefusedError: evidence that is not in the vault, or something that was carried out already.
        """
        text = self._agent.text
        if decision not in DECISIONS:
            raise UsageError(text("cleaning.no_decision", decision=decision, all=", ".join(DECISIONS)))
        if not reason.strip():
            raise UsageError(text("cleaning.needs_reason"))
        self._handled()
        if not items:
            raise UsageError(text("cleaning.nothing"))
        held = entries_of(self._agent, self._incident, items)
        if decision == "evidence":
            proofs = {item.path: self._kept(item, held.get(item.path)) for item in items}
        else:
            proofs = {path: {"vault_id": entry.id} for path, entry in held.items()}
        words = self._agent.mask(reason.strip())
        self._write(items, decision, words, proofs)
        self._course.record(
            "cleaning.decided", files=len(items), decision=self._agent.text(f"cleaning.as_{decision}"), why=words,
            names=[item.name for item in items][:NAMES],
        )  # fmt: skip

    def release(self, items: Sequence[Affected], reason: str, unlocker: Unlocker | None) -> list[tuple[Affected, str]]:
        """Give items back bit for bit and prove it by reading each again; what could not go back, with its cause.

        Raises:
            UsageError: nothing named, no reason, or the incident is not being handled.
            RefusedError: one is not in quarantine, or a key is missing: nothing was released.
        """
        agent = self._agent
        self.decide(items, "release", reason)
        of_entry: dict[str, Affected] = {}
        found: list[Entry] = []
        held = entries_of(agent, self._incident, items)
        for item in items:
            entry = held.get(item.path)
            if entry is None or entry.state not in ("fenced", "vaulted"):
                raise RefusedError(agent.text("cleaning.not_in_quarantine", name=item.name))
            of_entry[entry.id] = item
            found.append(entry)
        if agent.quarantine.lacks_key(found, unlocker):
            raise RefusedError(agent.text("quarantine.no_key", count=len(found)))
        released = give_back(agent, found, unlocker, actor=self._actor)
        left = [(of_entry[refusal.id], str(refusal.cause)) for refusal in released.refused if refusal.id in of_entry]
        back = []
        for entry in released.entries:
            item = of_entry[entry.id]
            if entry.sha256 and _digest_at(entry.path) != entry.sha256:
                left.append((item, "changed"))
                continue
            self._finish(item, {"vault_id": entry.id, "sha256": "equal", "sealed_sha256": entry.digest})
            back.append(item)
        self._mark(back, "released")
        self._course.record(
            "clean.released", files=len(back), left=len(left), names=[item.name for item in back][:NAMES]
        )
        return left

    def restore(self, item: Affected, copy: Copy) -> dict[str, Any]:
        """Restore one item from a backup or a sealed copy (known by its beginning); the proof.

        Raises:
            UsageError: no reason, or the incident is not being handled.
            RefusedError: the copy differs and nobody has said why; something lies at its place; no key fits.
            ClocheError: the copy is damaged, or a disk failed.
        """
        agent, path = self._agent, item.path
        self.decide([item], "restore", copy.reason)
        entry = entries_of(agent, self._incident, [item]).get(path)
        sealed = is_sealed(copy.source)
        write = self._unsealed(copy) if sealed else copied(copy.source, _manner(agent, item, entry))
        if os.path.lexists(path):
            if not copy.replace:
                raise RefusedError(agent.text("cleaning.exists", name=item.name))
            self._put_away(item)
        expected = (entry.sha256 or None) if entry is not None else None
        try:
            restored = restore(agent.journal, path, write, expected=expected, differs=bool(copy.differs.strip()))
        except DiffersError as error:
            key = "cleaning.differs" if str(error) == "differs" else "cleaning.no_digest"
            raise RefusedError(agent.text(key, name=item.name)) from error
        except FileExistsError as error:
            raise RefusedError(agent.text("cleaning.exists", name=item.name)) from error
        except OSError as error:
            raise ClocheError(agent.text("cleaning.disk", name=item.name, why=error.strerror or "")) from error
        note_back(agent, path, Identities())
        watched = agent.inventory.watch_list(agent.settings.watch.decoys)
        with suppress(ClocheError):  # a guard that went away is told all of it again
            agent.watch.mark([known for known in watched if known.path == path])
            agent.watch.allow([item.key] if item.key else [])
        proof: dict[str, Any] = {
            "from": "sealed" if sealed else "backup", "sha256": _said(restored.equal), "size": restored.size,
            "differs_because": agent.mask(copy.differs.strip()),
        }  # fmt: skip
        self._finish(item, proof)
        self._mark([item], "restored")
        self._course.record("clean.restored", name=item.name, **proof)
        return proof

    def purge(self, items: Sequence[Affected], *, reason: str, originals: bool, statement: str) -> Purge:
        """Decide on a purge and ask for it; its approvals and its waiting time are `agent.purge`'s.

        Raises:
            RefusedError: who still has to approve (the request stands), or it cannot be asked for.
        """
        agent = self._agent
        self._handled()
        held = entries_of(agent, self._incident, items)
        entries = list({entry.id: entry for entry in held.values()}.values())
        if len(held) != len(items):
            raise RefusedError(agent.text("cleaning.not_in_quarantine", name=items[0].name))
        made = ask(agent, entries, self._actor, reason=reason, originals=originals, statement=statement)
        self.decide(items, "purge", reason)
        return approve_or_ask(agent, made, self._actor)

    def accept_risk(self, *, risk: str, owner: str, until: date | None) -> None:
        """Write down a residual risk, whose it is and when it is looked at again; '' as `risk`: none remains.

        Raises:
            UsageError: nobody of that name, no day, or one that has passed.
        """
        agent = self._agent
        self._handled()
        if not owner.strip() or (agent.people.everybody and agent.people.named(owner) is None):
            raise UsageError(agent.text("cleaning.no_owner", name=agent.mask(owner)))
        now = agent.now()
        if risk.strip() and (until is None or until < now.date()):
            raise UsageError(agent.text("cleaning.needs_day"))
        words, whose = agent.mask(risk.strip()), agent.mask(owner)
        with agent.inventory.sessions.begin() as session:
            session.add(RiskRow(incident=self._incident.id, risk=words, owner=whose, until=until, by=self._by, at=now))
        self._course.record(
            "cleaning.risk" if words else "cleaning.no_risk", risk=words, owner=whose,
            until=until.isoformat() if until else "",
        )  # fmt: skip

    def _handled(self) -> None:
        if self._incident.phase not in OPEN_PHASES:
            phase = self._agent.text(f"incident.phase_{self._incident.phase}")
            raise UsageError(self._agent.text("cleaning.not_handled", id=self._incident.id, phase=phase))

    def _kept(self, item: Affected, entry: Entry | None) -> dict[str, Any]:
        """The proof that an item is kept: its copy in the vault is whole."""
        if entry is None or entry.state != "vaulted":
            raise RefusedError(self._agent.text("cleaning.not_in_vault", name=item.name))
        (check,) = self._agent.quarantine.verify([entry])
        if check.result != "intact":
            raise RefusedError(self._agent.text("cleaning.damaged", name=item.name))
        return {"vault_id": entry.id, "sealed_sha256": entry.digest}

    def _unsealed(self, copy: Copy) -> Callable[[int], str]:
        """A `write` that opens a sealed copy of this store, with everything that belongs to the file."""
        agent = self._agent
        core = read_core(copy.source)
        if core.signer != agent.keyring.public_key:
            raise RefusedError(agent.text("cleaning.foreign"))
        outer = agent.quarantine.keys.find(core.outer_key_id) if core.outer_key_id else None
        key = copy.unlocker or agent.keyring.held(core.outer_key_id or self._incident.id)
        if key is None:
            raise RefusedError(agent.text("quarantine.no_key", count=1))

        def write(target: int) -> str:
            metadata = unseal(copy.source, target, key, outer)
            apply(target, metadata)
            return metadata.sha256.hex()

        return write

    def _put_away(self, item: Affected) -> None:
        """What lies at an item's place goes into the vault, without a note: the restored file takes its name."""
        terms = Terms(notice="", settled=True, forced=True)
        taken = self._agent.quarantine.add([settle(item.path)], self._incident.id, terms)
        if taken.refused or os.path.lexists(item.path):
            raise RefusedError(self._agent.text("cleaning.exists", name=item.name))

    def _write(
        self, items: Sequence[Affected], decision: Decision, words: str, proofs: Mapping[bytes, dict[str, Any]]
    ) -> None:
        """All of them or none, in one transaction."""
        agent, now = self._agent, self._agent.now()
        with agent.inventory.sessions.begin() as session:
            rows = {
                row.path: row
                for row in session.scalars(select(DecisionRow).where(DecisionRow.incident == self._incident.id))
            }
            for item in items:
                row = rows.get(item.path)
                if row is not None and row.done_at is not None and row.decision in FINAL:
                    raise RefusedError(agent.text("cleaning.done_already", name=item.name))
                if row is None:
                    row = rows[item.path] = DecisionRow(incident=self._incident.id, path=item.path)
                    session.add(row)
                row.decision, row.by, row.at, row.reason = decision, self._by, now, words
                row.done_at = now if decision in ("evidence", "leave") else None
                row.proof = json.dumps(proofs.get(item.path, {}), ensure_ascii=False)

    def _finish(self, item: Affected, proof: dict[str, Any]) -> None:
        with self._agent.inventory.sessions.begin() as session:
            row = session.scalars(self._row(item)).one()
            row.done_at, row.proof = self._agent.now(), json.dumps(proof, ensure_ascii=False)

    def _row(self, item: Affected) -> Select[DecisionRow]:
        return select(DecisionRow).where(DecisionRow.incident == self._incident.id, DecisionRow.path == item.path)

    def _mark(self, items: Sequence[Affected], state: str) -> None:
        incidents(self._agent).set_items(self._incident.id, [replace(item, state=state) for item in items])


def note_purged(agent: Agent, now: datetime) -> None:
    """A duty of the keeper: a decided purge that was carried out is done; what a cut restore left is removed.

    Raises:
        ClocheError: the journal cannot be written.
    """
    with agent.exclusive:
        try:
            sweep(agent.journal)
        except OSError as error:
            raise ClocheError(f"the journal cannot be written: {error.strerror}") from error
    gone: dict[str, str] = {}
    for one in Purges(agent).all("done"):
        gone |= dict.fromkeys(one.outcome.get("destroyed", ()), one.id)
    if not gone:
        return
    with agent.inventory.sessions.begin() as session:
        for row in session.scalars(
            select(DecisionRow).where(DecisionRow.decision == "purge", DecisionRow.done_at.is_(None))
        ):
            entry_id = json.loads(row.proof).get("vault_id", "")
            if entry_id in gone:
                row.done_at = now
                row.proof = json.dumps({"vault_id": entry_id, "purge": gone[entry_id]})


def entries_of(agent: Agent, incident: Incident, items: Sequence[Affected]) -> dict[bytes, Entry]:
    """The entry of the quarantine that holds each item, by the item's path: by its id, else by name in the incident."""
    by_id: dict[str, Entry] = {}
    by_name: dict[bytes, Entry] = {}
    for entry in agent.quarantine.entries():
        by_id[entry.id] = entry
        if entry.incident == incident.id and entry.state in ("fenced", "vaulted"):
            by_name |= dict.fromkeys(entry.names, entry)
    found = {}
    for item in items:
        holds = by_id.get(item.vault_id or "") or by_name.get(settle(item.path))
        if holds is not None:
            found[item.path] = holds
    return found


def _manner(agent: Agent, item: Affected, entry: Entry | None) -> Manner:
    known = agent.inventory.item_at(item.path)
    mode = entry.original.mode if entry is not None else known.mode if known is not None else PLAIN_MODE
    return Manner(mode=mode or PLAIN_MODE, uid=known.uid if known is not None else -1)


def _digest_at(path: bytes) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return file_sha256(descriptor)
    finally:
        os.close(descriptor)


def _said(equal: bool | None) -> str:
    return "unknown" if equal is None else "equal" if equal else "differs"


def short(path: bytes) -> str:
    """A stable short name of an item for the command line: six hex digits of its path's digest."""
    return hashlib.sha256(path).hexdigest()[:6]
