"""The list of affected persons: JSON lines, written only sealed; reading it takes a key, the incident's and two people.

Sealed as everything else here (docs/format-sealed-v1.md): to the recovery key and head office, and under the incident's
own key as well, so that purging the incident destroys the list. Whoever wants to *see* it needs an approval by two
people (`agent.notice.reading`); sending needs the approval of exactly this list and these texts. What it holds is a
line for each distinct contact, so that no person has to fit into memory: person, kind, value, name, types, sensitive,
side, file. Limit: root with the keys held in memory can read it, as all that is sealed while they are held.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic_core import from_json, to_json
from sqlalchemy import func, select

from agent.incident.course import Course
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.notice.counting import FilesReader, never_prints, sensitive_entities, sensitive_together
from agent.notice.models import ListRow
from agent.notice.never import MAIL, PHONE, Never, never_of, normal
from agent.notice.persons import count_with, digest_of_items, keep
from config.errors import CorruptError, RefusedError, UsageError
from config.numbering import fresh_letters
from containment import metadata as meta
from containment import sealed
from containment.keys import Unlocker
from containment.vault import Vault

if TYPE_CHECKING:
    from agent.notice.identities import Joined
    from agent.wiring import Agent
    from scanners.person_records import Records, Values

SCHEMA: Final = "cloche.persons-list/1"
FOLDER: Final = "notice"
BUFFER: Final = 1 << 20
Side = Literal["customer", "staff", "supplier"]
SIDES: Final[tuple[Side, ...]] = ("customer", "staff", "supplier")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One person who can be reached, at a place of the list from 0. Numbers and mailboxes are in their normal form.

    `file` numbers the item of the incident that the first of them was seen in.
    """

    place: int
    phones: tuple[str, ...] = field(repr=False)
    mails: tuple[str, ...] = field(repr=False)
    name: str = field(repr=False)
    types: tuple[str, ...]
    sensitive: bool
    side: Side
    file: int


@dataclass(frozen=True, kw_only=True)
class AffectedList:
    """A list as kept: where it lies sealed, the digest of the sealed bytes, and what is in it, in numbers."""

    id: int
    incident: str
    number: int
    at: datetime
    file: Path
    digest: str
    persons: int
    contacts: dict[str, int]
    items: str


def make_list(
    agent: Agent,
    incident_id: str,
    unlocker: Unlocker | None,
    actor: str,
    *,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> AffectedList:
    """Count anew and write the list of everybody who can be reached. Every file is read twice.

    Raises:
        UsageError: no such incident.
        RefusedError: there is no key to seal with.
        ClocheError: a worker does not start, or the list cannot be written; nothing is left.
    """
    if not agent.keyring.ready:
        raise RefusedError(agent.text("notice.no_seal_key"))
    incident = incidents(agent).get(incident_id)
    run_key = secrets.token_bytes(32)
    total = 2 * len(incident.items)
    loose, clear = (os.memfd_create("persons", os.MFD_CLOEXEC) for _ in range(2))
    opener = unlocker or agent.keyring.held(incident.id)
    try:
        with FilesReader(agent, incident.items, opener, run_key) as reader:
            joined, counted = count_with(
                agent, incident, reader, (run_key, actor), lambda done, _all: progress(done, total)
            )
            keep(agent, incident, counted)
            writer = _Writer(agent, incident, joined, run_key, loose)
            reader.read(writer.take, values=True, on_file=lambda done: progress(len(incident.items) + done, total))
        writer.group(clear)
        made = _seal(agent, incident, clear, writer, actor)
    finally:
        os.close(loose)
        os.close(clear)
    Course(agent, incident.id, agent.mask(actor)).record(
        "notice.listed",
        number=made.number,
        persons=made.persons,
        digest=made.digest,
        phones=made.contacts["phone"],
        mails=made.contacts["mail"],
    )
    return made


def affected_list(agent: Agent, incident_id: str) -> AffectedList | None:
    """The newest list of an incident; None if none was made."""
    with agent.inventory.reading() as session:
        row = session.scalars(
            select(ListRow).where(ListRow.incident == incident_id).order_by(ListRow.number.desc()).limit(1)
        ).first()
        return None if row is None else _as_list(agent, row)


def list_of(agent: Agent, list_id: int) -> AffectedList:
    """A list by its id.

    Raises:
        UsageError: there is none.
    """
    with agent.inventory.reading() as session:
        row = session.get(ListRow, list_id)
        if row is None:
            raise UsageError(agent.text("notice.no_list"))
        return _as_list(agent, row)


def _as_list(agent: Agent, row: ListRow) -> AffectedList:
    return AffectedList(
        id=row.id, incident=row.incident, number=row.number, at=row.at, file=agent.home.state / FOLDER / row.file,
        digest=row.digest, persons=row.persons, contacts=json.loads(row.channels), items=row.items,
    )  # fmt: skip


@contextmanager
def people(agent: Agent, made: AffectedList, unlocker: Unlocker | None, start: int = 0) -> Iterator[Iterator[Listed]]:
    """Everybody on a list from place `start` on, for as long as the block lasts. Nothing is recorded here.

    Raises:
        RefusedError: the list's key is not at hand, or the incident was purged.
        CorruptError: the list was changed, or is not the one that was approved.
        ClocheError: it cannot be read.
    """
    outer = agent.quarantine.keys.find(made.incident)
    opener = unlocker or agent.keyring.held(made.incident)
    if outer is None:
        raise RefusedError(agent.text("notice.list_purged"))
    if opener is None:
        raise RefusedError(agent.text("notice.list_no_key"))
    try:
        descriptor = os.open(made.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CorruptError(agent.text("notice.list_gone", cause=error.strerror)) from error
    clear = os.memfd_create("persons", os.MFD_CLOEXEC)
    try:
        if sealed.digest(descriptor).hex() != made.digest:
            raise CorruptError(agent.text("notice.list_changed"))
        sealed.unseal(descriptor, clear, opener, outer)
        os.lseek(clear, 0, os.SEEK_SET)
        with os.fdopen(os.dup(clear), "rb", buffering=BUFFER) as lines:
            yield _read(lines, start)
    finally:
        os.close(clear)
        os.close(descriptor)


def lend_key(agent: Agent, made: AffectedList, unlocker: Unlocker) -> None:
    """Keep what opens this list in memory, as for an incident just declared: 72 h at most.

    Raises:
        RefusedError: the key does not fit.
        CorruptError: the list is damaged or gone.
    """
    try:
        descriptor = os.open(made.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CorruptError(agent.text("notice.list_gone", cause=error.strerror)) from error
    try:
        agent.keyring.lend(made.incident, *sealed.epoch_of(descriptor, unlocker))
    finally:
        os.close(descriptor)


def _read(lines: Iterator[bytes], start: int) -> Iterator[Listed]:
    head = json.loads(next(lines))
    if head["schema"] != SCHEMA:
        raise CorruptError(f"a list of another version ({head['schema']})")
    names: dict[int, tuple[str, ...]] = {}
    for place, line in enumerate(lines):
        if place < start:
            continue
        phones, mails, name, types, sensitive, side, file = from_json(line)
        if types not in names:
            names[types] = tuple(entity for bit, entity in enumerate(head["types"]) if types >> bit & 1)
        yield Listed(
            place=place, phones=tuple(phones), mails=tuple(mails), name=name, types=names[types],
            sensitive=bool(sensitive), side=SIDES[side], file=file,
        )  # fmt: skip


def _form(entity: str, value: str) -> str:
    """The normal form; most values are in it already, and asking the detector takes ten times as long."""
    if entity == PHONE and len(value) == 11 and value[0] == "1" and value.isascii() and value.isdigit():
        return value
    return normal(entity, value) if value else ""


class _Writer:
    """Writes each contact of the joined persons once, as workers tell it."""

    def __init__(self, agent: Agent, incident: Incident, joined: Joined, run_key: bytes, target: int) -> None:
        import numpy as np

        from scanners.fingerprints import Fingerprints

        self._np = np
        self._joined = joined
        self._prints, self._people = joined.contacts()
        self._written = np.zeros(len(self._prints), np.bool_)
        self._never: Never = never_of(agent)
        self._own = np.array(sorted(never_prints(self._never, run_key)), np.uint64)
        pack = agent.settings.detect.levels
        self._sensitive = joined.is_sensitive(sensitive_entities(pack), sensitive_together(pack))
        self._fingerprints = Fingerprints(run_key)
        self._target = target
        self._lines: list[bytes] = []
        self._size = self._end = 0
        self._starts: list[Any] = []  # pieces of (person, offset) of each line
        self._now: list[tuple[int, int]] = []
        self._own_people: set[int] = set()  # known by a mail domain of the chain's: canaries
        self.contacts = {"phone": 0, "mail": 0}
        self.persons = 0
        self._head = {
            "schema": SCHEMA, "incident": incident.id, "made_at": agent.now().isoformat(timespec="seconds"),
            "types": list(joined.names(~0)),
        }  # fmt: skip

    def take(self, file: int, _entities: tuple[str, ...], records: Records, values: tuple[Values, ...]) -> None:
        """Contacts of some records that were not written yet."""
        from scanners import person_records as slots

        if not values:
            return
        np = self._np
        keys = records["keys"]
        person = records["what"] == slots.PERSON
        if self._own.size:
            person &= ~np.isin(keys[:, (slots.PHONE, slots.OTHER_PHONE, slots.MAIL)], self._own).any(axis=1)
        for slot, place, kind in (
            (slots.PHONE, slots.PHONE_VALUE, "p"),
            (slots.OTHER_PHONE, slots.OTHER_PHONE_VALUE, "p"),
            (slots.MAIL, slots.MAIL_VALUE, "m"),
        ):
            column = keys[:, slot]
            at = np.minimum(np.searchsorted(self._prints, column), max(0, len(self._prints) - 1))
            known = person & (column != 0)
            known[known] &= self._prints[at[known]] == column[known]
            known[known] &= ~self._written[at[known]]
            rows = np.flatnonzero(known)
            rows = rows[np.sort(np.unique(at[rows], return_index=True)[1])]  # each contact once, as they came
            entity = PHONE if kind == "p" else MAIL
            forms = [_form(entity, values[row][place]) for row in rows.tolist()]
            if not forms:
                continue
            self._written[at[rows]] = True
            # a value that is not what its fingerprint says (a worker that was taken over) is left out
            true = self._fingerprints.of_values(entity, forms) == column[rows]
            people_ = self._people[at[rows]]
            for number in np.flatnonzero(true).tolist():
                name = values[int(rows[number])][slots.NAME_VALUE]
                self._contact(int(people_[number]), (kind, entity, forms[number]), name, file)

    def _contact(self, person: int, contact: tuple[str, str, str], name: str, file: int) -> None:
        """One line."""
        kind, entity, form = contact
        if self._never.covers(entity, form):
            self._own_people.add(person)
            return
        line = to_json([kind, form, name, file]) + b"\n"
        self._now.append((person, self._end))
        self._lines.append(line)
        self._size += len(line)
        self._end += len(line)
        if self._size > BUFFER:
            self._flush(self._target)

    def group(self, target: int) -> None:
        """Write the list: a line a person, contacts in the order in which they were met."""
        np = self._np
        self._flush(self._target)
        if self._now:
            self._starts.append(np.array(self._now, np.int64))
        self._put(self._head)
        starts = np.concatenate(self._starts) if self._starts else np.zeros((0, 2), np.int64)
        ends = np.append(starts[1:, 1], self._end)
        order = np.argsort(starts[:, 0], kind="stable")
        people = starts[order, 0]
        bounds = np.flatnonzero(np.append(True, people[1:] != people[:-1])) if len(people) else people
        for low, high in pairwise([*bounds.tolist(), len(people)]):
            self._person(int(people[low]), [(int(starts[at, 1]), int(ends[at])) for at in order[low:high].tolist()])
            if self._size > BUFFER:
                self._flush(target)
        self._flush(target)

    def _person(self, person: int, places: list[tuple[int, int]]) -> None:
        if person in self._own_people:
            return
        met = [from_json(os.pread(self._target, end - start, start)) for start, end in places]
        phones = [form for kind, form, _name, _file in met if kind == "p"]
        mails = [form for kind, form, _name, _file in met if kind == "m"]
        self.contacts["phone"] += len(phones)
        self.contacts["mail"] += len(mails)
        self._put([
            phones,
            mails,
            next((name for _kind, _form, name, _file in met if name), ""),
            int(self._joined.types[person]), int(self._sensitive[person]), int(self._joined.side[person]), met[0][3],
        ])  # fmt: skip
        self.persons += 1

    def _put(self, document: Any) -> None:
        line = to_json(document) + b"\n"
        self._lines.append(line)
        self._size += len(line)

    def _flush(self, target: int) -> None:
        with os.fdopen(os.dup(target), "wb", buffering=0) as file:
            file.write(b"".join(self._lines))
        self._lines, self._size = [], 0
        if len(self._now) > BUFFER // 16:
            self._starts.append(self._np.array(self._now, self._np.int64))
            self._now = []


def _seal(agent: Agent, incident: Incident, clear: int, writer: _Writer, actor: str) -> AffectedList:
    agent.keyring.hold(incident.id)
    outer = agent.quarantine.keys.make(incident.id)
    vault = Vault(agent.home.state / FOLDER)
    entry = fresh_letters(12)
    metadata = meta.capture(clear, os.fsencode(f"/persons-{incident.id}.jsonl"))
    with vault.copying(entry) as copy:
        receipt = sealed.seal(clear, copy, metadata, agent.keyring, outer)
        os.fsync(copy)
        sealed.unseal(copy, None, receipt.unlocker, outer)
        digest = sealed.digest(copy).hex()
    vault.publish(entry)
    vault.sync()
    with agent.inventory.sessions.begin() as session:
        number = 1 + (session.scalar(select(func.max(ListRow.number)).where(ListRow.incident == incident.id)) or 0)
        row = ListRow(
            incident=incident.id, number=number, at=agent.now(), by=agent.mask(actor), items=digest_of_items(incident),
            file=vault.path(entry).name, digest=digest, persons=writer.persons,
            channels=json.dumps(writer.contacts),
        )  # fmt: skip
        session.add(row)
        session.flush()
        return _as_list(agent, row)
