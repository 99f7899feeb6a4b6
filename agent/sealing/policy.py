"""What the daemon seals by itself: exports, backups, spreadsheets and documents that nobody has touched for a while.

Never a live database, a program, a decoy, or anything in use; whether a file is in use is asked when it is sealed.
`ProtectSettings` decides; in `observe` the same list is made and nothing is done.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from agent.inventory.live import is_live
from agent.inventory.records import StoredItem
from agent.sealing.recording import Record
from agent.sealing.walking import is_system, is_under, looks_sealed
from agent.wiring import Agent
from config.log import get_logger
from config.schema import ItemKind
from containment.places import NotDoneError
from containment.sealing import Refused, Sealed, Sealer, group_links

log = get_logger("sealing")
_ANY_EXECUTE: Final = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file that the policy seals. `reason` holds what spoke for it: kind and level, never a name."""

    path: bytes
    kind: ItemKind
    level: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class PolicyRun:
    """What a run did, or in a dry run would have done."""

    sealed: tuple[Sealed, ...]
    would_seal: tuple[bytes, ...]
    refused: tuple[Refused, ...]


def candidates(agent: Agent, now: datetime) -> list[Candidate]:
    """The files that the policy asks for, worst first, every name of a hard-linked one.

    Args:
        agent: its inventory and settings.
        now: for the quiet time, with a time zone.
    """
    settings = agent.settings.protect
    quiet_since = now.timestamp() - settings.quiet_minutes * 60
    kept = {os.fsencode(path) for path in (*agent.settings.watch.decoys, *agent.settings.watch.protected_programs)}
    found: dict[bytes, Candidate] = {}
    for item in _files(agent):
        for path in {item.path, *(other.path for other in agent.inventory.items_of(item.key) if not other.container)}:
            if path in found or path in kept or _is_excluded(agent, path) or is_live(path, item.kind):
                continue
            if is_system(path) or is_under(path, os.fsencode(agent.home.state)) or not _is_quiet(path, quiet_since):
                continue
            found[path] = Candidate(
                path=path, kind=item.kind, level=item.level, reason=f"{item.kind}, level {item.level}"
            )
    return list(found.values())


def _files(agent: Agent) -> Iterator[StoredItem]:
    """Files of the wanted kinds above the level, by what they hold themselves or by what a member holds."""
    settings = agent.settings.protect
    seen: set[bytes] = set()
    for item in agent.inventory.items(states=("plain",), min_level=settings.min_level):
        path = item.container or item.path
        if path in seen:
            continue
        seen.add(path)
        whole = agent.inventory.item_at(path) if item.container else item
        if whole is not None and whole.state == "plain" and whole.kind in settings.kinds:
            yield whole


def _is_excluded(agent: Agent, path: bytes) -> bool:
    text = os.fsdecode(path)
    return any(
        fnmatch.fnmatchcase(text, pattern) or fnmatch.fnmatchcase(os.path.basename(text), pattern)
        for pattern in agent.settings.protect.exclude
    )


def _is_quiet(path: bytes, since: float) -> bool:
    """Whether a regular file that is no program lies there and neither content nor name changed since."""
    try:
        facts = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISREG(facts.st_mode) or max(facts.st_mtime, facts.st_ctime) > since:
        return False
    return not _is_program(path, facts.st_mode) and not looks_sealed(path)


def _is_program(path: bytes, mode: int) -> bool:
    """An executable file that begins as a program does; a share may set the execute bit on everything."""
    if not mode & _ANY_EXECUTE:
        return False
    try:
        with open(path, "rb") as file:
            return file.read(4).startswith((b"\x7fELF", b"#!", b"MZ"))
    except OSError:
        return True


def seal_by_policy(agent: Agent, *, dry_run: bool, actor: str = "cloche") -> PolicyRun:
    """Seal what `candidates` names; with `dry_run` only find out what could be sealed now.

    Raises:
        RefusedError: there is no recovery key.
        ClocheError: an act could not be recorded.
    """
    groups = group_links(candidate.path for candidate in candidates(agent, datetime.now(UTC)))
    sealer = Sealer(agent.journal, agent.keyring)
    record = Record(agent, "protect", actor)
    sealed: list[Sealed] = []
    would_seal: list[bytes] = []
    refused: list[Refused] = []
    try:
        for group in groups:
            try:
                if dry_run:
                    sealer.check(group)
                    would_seal.extend(group)
                else:
                    sealed.append(sealer.seal(group))
                    record.sealed(sealed[-1])
            except NotDoneError as error:
                refused.extend(Refused(path=path, cause=error.cause) for path in group)
    finally:
        if sealed:
            record.finish([item.cause for item in refused], by_policy=True)
    log.info("policy", sealed=len(sealed), would_seal=len(would_seal), refused=len(refused), dry_run=dry_run)
    return PolicyRun(sealed=tuple(sealed), would_seal=tuple(would_seal), refused=tuple(refused))
