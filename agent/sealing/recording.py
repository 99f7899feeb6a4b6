"""What sealing leaves on record: states in the inventory, acts in the log, marks in the watch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress

from agent.sealing.register import SealedRegister
from agent.wiring import Agent
from config.errors import ClocheError
from containment.recovery import SEAL, Recovered
from containment.sealing import Sealed
from containment.unsealing import Restored
from scanners.identity import Identities

BATCH = 50


def masked(agent: Agent, path: bytes) -> str:
    """A path for the log: masked text."""
    return agent.mask(path.decode("utf-8", "replace"))


class Record:
    """Records as it goes, so that a cut loses the record of no more than the file at hand.

    The inventory is told at once, file by file; the log gets one line for at most 50 files, and the rest at the end.
    """

    def __init__(self, agent: Agent, act: str, actor: str) -> None:
        """Record for `actor` under the name `act`."""
        self._agent = agent
        self._act = act
        self._actor = actor
        self._waiting: list[str] = []
        self._register = SealedRegister(agent.inventory.sessions)
        self._identities = Identities()
        self._back: set[bytes] = set()

    def sealed(self, result: Sealed) -> None:
        """A file was sealed."""
        self._register.add(zip(result.paths, result.sealed_paths, strict=True))
        for path, sealed_path in zip(result.paths, result.sealed_paths, strict=True):
            self._agent.inventory.set_state(path, "sealed", sealed_path=sealed_path)
            self._wait(path)

    def restored(self, result: Restored) -> None:
        """A file came back: it has a new inode, which the inventory and the watch must learn."""
        self._register.remove(result.sealed_paths)
        for path in result.paths:
            note_back(self._agent, path, self._identities)
            self._wait(path)
        self._back.update(result.paths)

    def finish(self, refused: Sequence[str], *, by_policy: bool = False) -> None:
        """Write what waits, with the causes of what was left, and let the journal forget what is done."""
        self._agent.journal.compact()
        causes = {cause: list(refused).count(cause) for cause in sorted(set(refused))}
        if self._waiting or causes:
            self._flush(refused=causes, by_policy=by_policy)
        if self._back:
            decoys = self._agent.settings.watch.decoys
            with suppress(ClocheError):  # the guard went away: after its gap all is marked again
                self._agent.watch.mark(
                    [watched for watched in self._agent.inventory.watch_list(decoys) if watched.path in self._back]
                )

    def _wait(self, path: bytes) -> None:
        self._waiting.append(masked(self._agent, path))
        if len(self._waiting) >= BATCH:
            self._flush()

    def _flush(self, **details: object) -> None:
        self._agent.audit.append(self._act, self._actor, files=self._waiting, **details)
        self._waiting = []


def note_back(agent: Agent, path: bytes, identities: Identities) -> None:
    """Tell the inventory that the file at `path` lies in the open again, in a new inode."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        agent.inventory.set_state(path, "plain")
        return
    try:
        agent.inventory.set_state(path, "plain", identity=identities.of(descriptor, os.fstat(descriptor)))
    finally:
        os.close(descriptor)


def note_recovered(agent: Agent, results: Iterable[Recovered]) -> None:
    """Bring the inventory in line with what the recovery found, and record that it ran."""
    identities = Identities()
    register = SealedRegister(agent.inventory.sessions)
    for result in results:
        agent.audit.append(
            "recovery", "cloche", kind=result.kind, outcome=result.outcome,
            files=[masked(agent, path) for path in result.paths],
        )  # fmt: skip
        if result.outcome == "unreachable":
            continue
        if (result.kind == SEAL) == (result.outcome == "finished"):
            register.add(zip(result.paths, result.sealed_paths, strict=False))
            for path, sealed_path in zip(result.paths, result.sealed_paths, strict=False):
                agent.inventory.set_state(path, "sealed", sealed_path=sealed_path)
        else:
            register.remove(result.sealed_paths)
            for path in result.paths:
                note_back(agent, path, identities)
