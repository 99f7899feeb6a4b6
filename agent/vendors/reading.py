"""Who is in a file: distinct persons and their keyed fingerprints, from a scan worker, by descriptor.

The key of these fingerprints is this store's own (`keys/vendors.key`, 0600), so that a file that turns up next year can
be compared with what was shared. Whoever holds it knows the mobile behind a fingerprint in minutes: fingerprints
themselves are written in sealed segments only (the key alone then tells nothing).
"""

from __future__ import annotations

import os
import secrets
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from config.errors import ClocheError
from containment.atomic import create_file

if TYPE_CHECKING:
    from agent.wiring import Agent
    from scanners.pool import Worker
    from scanners.wire import ItemMessage

KEY_BYTES: Final = 32
_COOPERATIVE: Final = 0.8


@dataclass(frozen=True, kw_only=True)
class Read:
    """What is in one file. `keys` tell its persons apart and are written nowhere but into a sealed segment.

    `complete` is False where something of it was not read.
    """

    kind: str
    encoding: str
    persons: int
    types: tuple[str, ...]
    complete: bool
    keys: frozenset[int] = field(repr=False)


def fingerprint_key(agent: Agent) -> bytes:
    """This store's key, made on first need.

    Raises:
        ClocheError: it is damaged or cannot be made.
    """
    file = agent.home.keys / "vendors.key"
    try:
        if not file.exists():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_file(file, secrets.token_bytes(KEY_BYTES), 0o600)
        key = file.read_bytes()
    except OSError as error:
        raise ClocheError(f"{file}: cannot be used: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise ClocheError(f"{file}: not a key ({len(key)} bytes where {KEY_BYTES} belong)")
    return key


def read_persons(agent: Agent, files: Sequence[tuple[str, int]]) -> list[Read]:
    """Each file as a scan would see it; `files` are names and descriptors, which stay open.

    Raises:
        ClocheError: a worker does not start.
    """
    from scanners.pool import Workshop

    workshop = Workshop(
        scan=agent.settings.scan,
        detect=agent.settings.detecting,
        names=agent.settings.scan.names,
        run_key=fingerprint_key(agent),
        on_worker=lambda worker: _exempt(agent, worker),
    )
    found: list[Read] = []
    worker: Worker | None = None
    try:
        for name, descriptor in files:
            worker = worker or workshop.open()
            read = _read(agent, worker, name, descriptor)
            if read is None:
                worker.kill()
                worker = None
            found.append(read or _NOTHING)
    finally:
        if worker is not None:
            worker.kill()
    return found


def _exempt(agent: Agent, worker: int) -> None:
    agent.watch.exempt(worker)


_NOTHING: Final = Read(kind="other", encoding="", persons=0, types=(), complete=False, keys=frozenset())


def _read(agent: Agent, worker: Worker, name: str, descriptor: int) -> Read | None:
    """None if the worker is lost over the file."""
    from scanners.pool import WorkerLost
    from scanners.scan import time_for
    from scanners.wire import ItemMessage, Job

    facts = os.fstat(descriptor)
    seconds = time_for(facts, agent.settings.scan) if facts.st_blocks else agent.settings.scan.item_timeout_seconds
    seconds += agent.settings.scan.timeout_seconds_per_mb * facts.st_size / (1 << 20)
    items: list[tuple[ItemMessage, frozenset[int]]] = []
    try:
        worker.give(Job(name=name[-200:], size=facts.st_size, seconds=seconds * _COOPERATIVE), [descriptor])
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([worker], [], [], left)[0]:
                break
            for message, keys in worker.receive():
                if isinstance(message, ItemMessage):
                    items.append((message, keys))
                elif message.type == "done":
                    return _together(items)
    except WorkerLost:
        return None
    return None


def _together(items: list[tuple[ItemMessage, frozenset[int]]]) -> Read | None:
    if not items:
        return None
    messages = [message for message, _ in items]
    keys: frozenset[int] = frozenset().union(*(of for _, of in items))
    top = next((message for message in messages if not message.suffix), messages[0])
    types = sorted({finding.entity for message in messages for finding in message.findings})
    return Read(
        kind=top.kind, encoding=top.encoding or "", persons=len(keys) or sum(message.persons for message in messages),
        types=tuple(types), complete=all(message.status == "read" for message in messages), keys=keys,
    )  # fmt: skip
