"""What the inventory, the watch and the record learn when files go into quarantine or come out of it.

A restored file is a new inode: the inventory gets its new identity and the watch a new mark, else it would lie there
unwatched until the next scan. Names in the record are masked; a file's own SHA-256 is left out of it, because a short
list of telephone numbers can be found from its digest (7.8 million guesses a second a core): the sealed copy's stands
there instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from agent.inventory.records import StoredItem
from agent.sealing.recording import note_back
from agent.watch.api import BLOCKING
from config.errors import ClocheError
from config.log import get_logger
from containment.quarantine import Contained, Entry, Refusal, Released
from scanners.identity import Identities

if TYPE_CHECKING:
    from agent.wiring import Agent
    from containment.keys import Unlocker

log = get_logger("quarantine")
RECORD_NAMES: Final = 100
"""Names a line of the record: a line stays readable, and nothing is left out."""


def known_items(agent: Agent, roots: Iterable[bytes]) -> dict[bytes, StoredItem]:
    """Inventoried files by path, at and under `roots`."""
    return {
        item.path: item
        for root in roots
        for item in agent.inventory.items(under=root, states=("plain", "fenced"))
        if item.container is None
    }


def note_contained(agent: Agent, contained: Contained, *, actor: str, items: Mapping[bytes, StoredItem]) -> None:
    """Tell everybody what became of files that `Quarantine` was given.

    Args:
        agent: all parts.
        contained: the quarantine's answer.
        actor: who asked.
        items: what the inventory knew of them, by path; its keys were denied in the watch before.
    """
    for entry in contained.entries:
        for name in entry.names:
            agent.inventory.set_state(name, "vault")
    for refusal in contained.refused:
        if refusal.fenced and not _is_sealed(agent, refusal.path):
            agent.inventory.set_state(refusal.path, "fenced")
    vaulted = {name for entry in contained.entries for name in entry.names}
    _tell(lambda: agent.watch.unmark([items[name].key for name in vaulted if name in items and items[name].key]))
    spared = {refusal.path for refusal in contained.refused if not refusal.fenced}
    agent.watch.allow([items[path].key for path in spared if path in items and items[path].key])
    _record(agent, "quarantine.add", actor, contained.entries, contained.refused)


def give_back(
    agent: Agent, entries: Sequence[Entry], unlocker: Unlocker | None, *, actor: str, act: str = "quarantine.release"
) -> Released:
    """Release entries and tell inventory, watch and record. What cannot go back is in `refused`.

    Args:
        agent: all parts.
        entries: fenced or in the vault.
        unlocker: a key, or None for those held in memory.
        actor: who asked.
        act: how the record calls it.
    """
    old = {
        name: item.key
        for entry in entries
        for name in entry.names
        if (item := agent.inventory.item_at(name)) is not None and item.key
    }
    released = agent.quarantine.release(entries, unlocker)
    _note_back(agent, released.entries)
    back = {name for entry in released.entries for name in entry.names}
    agent.watch.allow([key for name, key in old.items() if name in back])
    decoys = agent.settings.watch.decoys
    _tell(lambda: agent.watch.mark(item for item in agent.inventory.watch_list(decoys) if item.path in back))
    _record(agent, act, actor, released.entries, released.refused)
    return released


def note_recovery(agent: Agent, recovered: Contained) -> None:
    """After `Quarantine.recover` at start: what was finished or left fenced is put in the inventory and the record."""
    if not recovered.entries and not recovered.refused:
        return
    inside = tuple(entry for entry in recovered.entries if entry.state == "vaulted")
    _note_back(agent, [entry for entry in recovered.entries if entry.state == "released"])
    for refusal in recovered.refused:
        if not refusal.fenced and not _is_sealed(agent, refusal.path):
            agent.inventory.set_state(refusal.path, "plain")
    note_contained(agent, Contained(entries=inside, refused=recovered.refused), actor="recovery", items={})


def _tell(step: Callable[[], object]) -> None:
    """Tell the watch; a guard that went away is a gap after which all is marked again, and no reason not to record."""
    try:
        step()
    except ClocheError:
        log.warning("the guard was not told")


def deny_fenced(agent: Agent) -> None:
    """Have the guard refuse what is fenced: one that was away when it was denied, or is of this boot, knows nothing.

    Raises:
        ClocheError: the guard went away.
    """
    keys = {item.key for item in agent.inventory.items(states=("fenced",)) if item.key}
    if keys and agent.watch.tier in BLOCKING:
        agent.watch.deny(sorted(keys))


def _note_back(agent: Agent, entries: Iterable[Entry]) -> None:
    identities = Identities()
    for entry in entries:
        for name in entry.names:
            if _is_sealed(agent, name):
                agent.inventory.set_state(name, "sealed")
            else:
                note_back(agent, name, identities)


def _is_sealed(agent: Agent, path: bytes) -> bool:
    """Whether the inventory knows this as the sealed form of something."""
    item = agent.inventory.item_at(path)
    return item is not None and item.sealed_path == path


def _record(agent: Agent, act: str, actor: str, entries: Sequence[Entry], refused: Sequence[Refusal]) -> None:
    done: list[dict[str, Any]] = [
        {"id": e.id, "name": agent.mask(os.fsdecode(e.path)), "incident": e.incident, "sealed_sha256": e.digest}
        for e in entries
    ]
    left = [{"name": agent.mask(os.fsdecode(r.path)), "cause": r.cause, "fenced": r.fenced} for r in refused]
    for start in range(0, max(len(done), len(left), 1), RECORD_NAMES):
        end = start + RECORD_NAMES
        agent.audit.append(
            act, agent.mask(actor), files=len(done), refused=len(left), entries=done[start:end], left=left[start:end]
        )
