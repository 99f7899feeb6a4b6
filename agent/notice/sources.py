"""Where an affected item's bytes are now, and how they come to a worker: as a readable descriptor, never by a path.

Plain in place, fenced, in the vault, sealed in place, given back: the incident's record says where an item was, the
quarantine and the inventory where it is. What is sealed is decrypted into memory (`memfd_create(2)`), never onto a
disk, and only as much as memory has room for. A copy that another store signed is no copy of ours.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from agent.incident.records import Affected
from config.errors import ClocheError, CorruptError, RefusedError
from containment.atomic import open_folder
from containment.fence import readable
from containment.keys import OuterKey, Unlocker
from containment.sealed import is_sealed, read_metadata, unseal
from scanners.persons import PersonsSource

if TYPE_CHECKING:
    from agent.wiring import Agent
    from containment.quarantine import Entry

LARGEST: Final = 4 << 30
_SHARE: Final = 3  # at most a third of the memory that is free holds what was decrypted
_PATH_ONLY: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class NotReadableError(ClocheError):
    """An item cannot be read now; `reason` is a word of the closed list `notice.reason_…`."""

    def __init__(self, reason: str) -> None:
        """Say why."""
        super().__init__(reason)
        self.reason = reason


@contextmanager
def opened(agent: Agent, item: Affected, unlocker: Unlocker | None) -> Iterator[PersonsSource]:
    """An item's content, for as long as the block lasts.

    Args:
        agent: all parts.
        item: of the incident.
        unlocker: opens what is sealed; None where no key is at hand.

    Raises:
        NotReadableError: with the reason.
    """
    with ExitStack() as stack:
        try:
            source = _open(agent, item, unlocker, stack)
        except FileNotFoundError as error:
            raise NotReadableError("gone") from error
        except PermissionError as error:
            raise NotReadableError("permission") from error
        except OSError as error:
            raise NotReadableError("special" if error.errno == errno.EINVAL else "io_error") from error
        except CorruptError as error:
            raise NotReadableError("damaged") from error
        except RefusedError as error:
            raise NotReadableError("no_key") from error
        yield source


def _open(agent: Agent, item: Affected, unlocker: Unlocker | None, stack: ExitStack) -> PersonsSource:
    entry = _entry_of(agent, item)
    if entry is not None and entry.state == "vaulted":
        outer = agent.quarantine.keys.find(entry.incident)
        if outer is None:
            raise NotReadableError("purged")
        descriptor = agent.quarantine.vault.open(entry.id)
        stack.callback(os.close, descriptor)
        return _unsealed(agent, descriptor, unlocker or agent.keyring.held(entry.incident), outer, stack)
    path = _path_now(agent, item)
    folder = open_folder(os.path.dirname(path))
    stack.callback(os.close, folder)
    name = os.path.basename(path)
    place = os.open(name, _PATH_ONLY, dir_fd=folder)
    try:
        descriptor = readable(place)
    finally:
        os.close(place)
    stack.callback(os.close, descriptor)
    if is_sealed(descriptor):
        return _unsealed(agent, descriptor, unlocker, None, stack)
    return PersonsSource(name=name, descriptor=descriptor, folder=folder)


def _entry_of(agent: Agent, item: Affected) -> Entry | None:
    """The item's entry in quarantine, by its id, else by its path."""
    found = agent.quarantine.find(item.vault_id) if item.vault_id else []
    present = [entry for entry in found if entry.state in ("fenced", "vaulted")] or agent.quarantine.find(item.path)
    return present[0] if present else None


def _path_now(agent: Agent, item: Affected) -> bytes:
    """Where the file lies: sealed beside its old place, moved, or where it was."""
    stored = agent.inventory.item_at(item.path)
    if stored is not None and stored.state == "sealed" and stored.sealed_path:
        return stored.sealed_path
    if not os.path.lexists(item.path) and item.key:
        for other in agent.inventory.items_of(item.key):
            if (
                other.container is None
                and other.state in ("plain", "fenced", "sealed")
                and os.path.lexists(other.place)
            ):
                return other.place
    return item.path


def _unsealed(
    agent: Agent, descriptor: int, unlocker: Unlocker | None, outer: OuterKey | None, stack: ExitStack
) -> PersonsSource:
    if unlocker is None:
        raise NotReadableError("no_key")
    core, _keys, metadata = read_metadata(descriptor, unlocker, outer)
    if core.signer != agent.keyring.public_key:
        raise NotReadableError("damaged")
    if metadata.size > min(LARGEST, free_memory() // _SHARE):
        raise NotReadableError("too_large")
    target = os.memfd_create("unsealed", os.MFD_CLOEXEC)
    stack.callback(os.close, target)
    unseal(descriptor, target, unlocker, outer)
    return PersonsSource(name=os.path.basename(metadata.path), descriptor=target)


def free_memory() -> int:
    """Bytes that can be taken without swapping (`MemAvailable`, proc(5))."""
    with open("/proc/meminfo", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return 0
