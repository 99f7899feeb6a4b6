"""Affected persons, so that head office can count each once across stores: fingerprints, sealed, and a sketch.

Made in the same pass in which an incident's persons are counted: with the chain's key at hand, records are
fingerprinted under a key derived from it instead of a random one. Lists of fingerprints exist in this process's memory
and sealed.

Limits. A person is one across stores if the first identity that both know is the same: a mobile, else a document, a
mailbox, a member number, a card, an account or a plate. Somebody whose two numbers are known at one store and one at
another may be two; who is known by a name alone is one a store. Nobody is left out, so a threshold of the law is never
missed for that. A worker that reads a hostile file has the derived key in its memory, and no network.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from agent.link import fingerprints, trust
from agent.link.fingerprints import GroupKey, Persons
from agent.notice.models import CountRow
from agent.reporting.state import note_reported, reported
from scanners.fingerprints import Fingerprints

if TYPE_CHECKING:
    from agent.notice.identities import Joined
    from agent.wiring import Agent

KIND: Final = "persons"
PRINT_BYTES: Final = 16
TRY_AGAIN: Final = 600.0


def run_key(group: GroupKey) -> bytes:
    """What records are fingerprinted with: tells nothing of the group key."""
    return hashlib.blake2b(b"cloche persons run v1", key=group.key, digest_size=64).digest()


def is_due(agent: Agent, incident_id: str, items: str) -> bool:
    """Whether these files of an incident were counted and not told, and could be now; said once in ten minutes."""
    group = agent.reporting.group
    if group is None or agent.outbox.waiting().full:
        return False
    if reported(agent, KIND, incident_id) == _said(group, items):
        return False
    return agent.reporting.is_time(f"persons {incident_id}", TRY_AGAIN)


def tell_persons(
    agent: Agent, incident_id: str, items: str, joined: Joined, sensitive: NDArray[np.bool_], group: GroupKey
) -> int:
    """Put the persons of a count that was made under `run_key(group)`; how many reports.

    Args:
        agent: all parts.
        incident_id: whose.
        items: digest of the files that were counted.
        joined: who they are.
        sensitive: which of them have sensitive information.
        group: the key that the count was made under.

    Raises:
        FullError: too much waits; the files are counted again when there is room.
        ClocheError: the disk refused it, or what was pinned is damaged.
    """
    pinned = trust.load(agent.home)
    if pinned is None or pinned.persons_key is None:
        return 0
    persons = persons_of(joined, sensitive, group, pinned.store)
    with agent.inventory.reading() as session:
        round_ = session.scalar(select(func.max(CountRow.id)).where(CountRow.incident == incident_id)) or 0
    told = 0
    for document in fingerprints.parts_of(pinned, group, incident_id, round_, persons):
        agent.outbox.put(KIND, document)
        told += 1
    note_reported(agent, KIND, incident_id, _said(group, items))
    return told


def persons_of(joined: Joined, sensitive: NDArray[np.bool_], group: GroupKey, store: str) -> Persons:
    """A fingerprint for each person: the same on every store that knows the same first identity."""
    found, kinds = joined.first_identities()
    here = int.from_bytes(hashlib.blake2b(store.encode(), key=group.key, digest_size=8).digest(), "big") | 1 << 63
    beside = np.where(kinds == 0, np.uint64(here), kinds.astype(np.uint64))
    maker = Fingerprints(group.key)
    rows = np.empty((len(found), 2), ">u8")
    rows[:, 0] = maker.of_pairs("persons high", found, beside)
    rows[:, 1] = maker.of_pairs("persons low", found, beside)
    return Persons(sensitive=_sorted(rows[sensitive]), others=_sorted(rows[~sensitive]))


def _sorted(rows: NDArray[np.uint64]) -> NDArray[np.uint8]:
    order = np.lexsort((rows[:, 1], rows[:, 0]))
    rows = rows[order]
    if len(rows):
        rows = rows[np.append(True, (rows[1:] != rows[:-1]).any(axis=1))]
    return np.ascontiguousarray(rows).view(np.uint8).reshape(-1, PRINT_BYTES)


def _said(group: GroupKey, items: str) -> str:
    return f"{group.id} {items}"
