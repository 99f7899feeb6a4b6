"""What a drill leaves behind, and its removal: made-up customers, a home, files that a cut drill had made immutable.

Everything lies under `drills/<id>` of the home. Processes need no removal: the kernel ends them with the drill
(`agent.drill.leash`); keys were in its memory only.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agent.drill.lock import LOCK
from agent.drill.store import DrillStore
from config.errors import ClocheError
from config.home import Home
from containment.fence import FS_APPEND, FS_IMMUTABLE, FS_IOC_GETFLAGS, FS_IOC_SETFLAGS

if TYPE_CHECKING:
    from agent.wiring import Agent


def folder_of(home: Home, drill_id: str) -> Path:
    """Where a drill plays."""
    return home.state / "drills" / drill_id


def sweep(agent: Agent) -> list[str]:
    """End on record the drills that were cut, and remove what they left; their ids.

    Raises:
        ClocheError: something cannot be removed.
    """
    store = DrillStore(agent)
    cut = [drill.id for drill in store.all(states=("running",))]
    for drill_id in cut:
        store.end(drill_id, "cut", agent.now(), {})
        agent.audit.append("drill.cut", "cloche", drill=drill_id)
    folder = agent.home.state / "drills"
    left = sorted(entry.name for entry in folder.iterdir() if entry.name != LOCK) if folder.is_dir() else []
    for name in left:
        remove(folder / name)
    return sorted({*cut, *left})


def remove(folder: Path) -> None:
    """Remove a drill's folder with everything in it.

    Raises:
        ClocheError: something of it stays; the message names the folder.
    """
    if not folder.is_symlink() and folder.is_dir():
        for path in _files(os.fsencode(folder)):
            with suppress(OSError):
                _make_mutable(path)
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):
        with suppress(OSError):
            folder.unlink()
    if os.path.lexists(folder):
        raise ClocheError(f"{folder}: what a drill left cannot be removed: remove it by hand")


def _files(folder: bytes) -> Iterator[bytes]:
    for here, _folders, names in os.walk(folder):
        for name in names:
            yield os.path.join(here, name)


def _make_mutable(path: bytes) -> None:
    """Take the flags of a fence off a file that was cut between fence and vault (chattr(1))."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        flags = struct.unpack("l", fcntl.ioctl(descriptor, FS_IOC_GETFLAGS, struct.pack("l", 0)))[0]
        if flags & (FS_IMMUTABLE | FS_APPEND):
            fcntl.ioctl(descriptor, FS_IOC_SETFLAGS, struct.pack("l", flags & ~(FS_IMMUTABLE | FS_APPEND)))
    finally:
        os.close(descriptor)
