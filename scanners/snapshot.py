"""A consistent copy of a live SQLite database, without a lock and without touching it.

Write-ahead log (sqlite.org/fileformat2.html#the_write_ahead_log, walformat.html): the main file changes only by
checkpoints, and all pages of a checkpoint stay in the log until it is reset, which changes the salts in its header.
So main file first, log second, and the same salts before and after give a whole that holds every committed
transaction, whatever a checkpoint did meanwhile. Rollback journal: the copy counts if the change counter and the
time of the file stayed, and no hot journal (a header that is not zeroed) lies beside it before or after.

Not guaranteed: on a file system that tells times coarsely, a rollback-mode writer may slip through one tick; the
reader then meets a malformed page and says so.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import time
from dataclasses import dataclass
from typing import Final

from scanners.records import Reason

MAGIC: Final = b"SQLite format 3\x00"
_WAL_HEADER: Final = 32
_TRIES: Final = 5
_PAUSE: Final = 0.05
_PREFIX: Final = "cloche-snapshot-"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Copies without a name, or (large ones) with `path` until the worker has opened it. The receiver closes it.

    `reason` is `changed` if no quiet moment was found.
    """

    main: int
    log: int
    size: int
    path: str
    reason: Reason

    def forget_name(self) -> None:
        """Take the name away; may be called again."""
        if self.path:
            shutil.rmtree(os.path.dirname(self.path), ignore_errors=True)

    def close(self) -> None:
        """Free it."""
        self.forget_name()
        os.close(self.main)
        if self.log >= 0:
            os.close(self.log)


def is_sqlite(descriptor: int) -> bool:
    """By its first 16 bytes."""
    try:
        return os.pread(descriptor, 16, 0) == MAGIC
    except OSError:
        return False


def take(descriptor: int, folder: int, name: bytes, *, in_memory: int, spool: str) -> Snapshot:
    """Copy the database open as `descriptor`, called `name` in `folder`.

    Args:
        in_memory: bytes up to which the copy is kept in memory.
        spool: folder on a disk for larger ones.

    Raises:
        OSError: reading or the spool fails.
    """
    size = os.fstat(descriptor).st_size
    large = size > in_memory
    main, path = _named_file(spool) if large else (os.memfd_create("snapshot", os.MFD_CLOEXEC), "")
    log = -1
    try:
        for attempt in range(_TRIES):
            before = _state(descriptor, folder, name)
            _copy(descriptor, main)
            if log >= 0:
                os.close(log)
                log = -1
            log = _copy_log(folder, name)
            quiet = before.hot_journal is False and before == _state(descriptor, folder, name)
            if quiet or attempt == _TRIES - 1:
                break
            time.sleep(_PAUSE)
        else:
            quiet = False
        return Snapshot(main=main, log=log, size=os.fstat(main).st_size, path=path, reason="" if quiet else "changed")
    except BaseException:
        os.close(main)
        if log >= 0:
            os.close(log)
        if path:
            shutil.rmtree(os.path.dirname(path), ignore_errors=True)
        raise


def clear_leftovers(spool: str) -> None:
    """Remove named copies of scans that were killed in the moment before a copy lost its name."""
    for entry in os.scandir(spool):
        owner = entry.name.removeprefix(_PREFIX).partition("-")[0]
        if not entry.name.startswith(_PREFIX) or not owner.isdecimal() or os.path.exists(f"/proc/{owner}"):
            continue
        facts = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid():
            shutil.rmtree(entry.path, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class _State:
    """What must be the same before and after."""

    salts: bytes  # of the log; with one, the main file's own time does not matter
    counter: bytes
    mtime_ns: int
    hot_journal: bool


def _state(descriptor: int, folder: int, name: bytes) -> _State:
    log = _peek(folder, name + b"-wal", _WAL_HEADER)
    logged = os.pread(descriptor, 2, 18) == b"\x02\x02"
    journal = _peek(folder, name + b"-journal", 8)
    return _State(
        salts=log[12:24],
        counter=b"" if logged else os.pread(descriptor, 4, 24),
        mtime_ns=0 if logged and log else os.fstat(descriptor).st_mtime_ns,
        hot_journal=any(journal),
    )


def _peek(folder: int, name: bytes, count: int) -> bytes:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, count, 0)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _copy_log(folder: int, name: bytes) -> int:
    """A copy of the write-ahead log in a file without a name, or -1 if there is none."""
    try:
        log = os.open(name + b"-wal", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return -1
    try:
        if not stat.S_ISREG(os.fstat(log).st_mode) or os.fstat(log).st_size <= _WAL_HEADER:
            return -1
        copy = os.memfd_create("log", os.MFD_CLOEXEC)
        _copy(log, copy)
        return copy
    finally:
        os.close(log)


def _copy(source: int, target: int) -> None:
    """All of `source`, its own position untouched."""
    os.ftruncate(target, 0)
    os.lseek(target, 0, os.SEEK_SET)
    position = 0
    while sent := os.sendfile(target, source, position, 1 << 24):
        position += sent


def _named_file(spool: str) -> tuple[int, str]:
    """A file in a folder that nobody but its owner can list: workers of another account are told its name."""
    folder = os.path.join(spool, f"{_PREFIX}{os.getpid()}-{secrets.token_hex(8)}")
    os.mkdir(folder, 0o711)
    path = os.path.join(folder, secrets.token_hex(16))
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644), path
    except BaseException:
        os.rmdir(folder)
        raise
