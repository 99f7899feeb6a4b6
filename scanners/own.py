"""Files that are settled without a worker: sealed ones, and what SQLite keeps beside a database.

A sealed file is encrypted, and here nobody can tell who sealed it: anybody may put our magic before plain text. The
agent, which keeps the register of what this store has sealed, knows better. A write-ahead log is read with its
database (`scanners.snapshot`); its index (`-shm`) holds page numbers only (sqlite.org/walformat.html). A rollback
journal holds old pages and is left to the workers, which do not read it and say so.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Final

from scanners.discover import Found
from scanners.snapshot import is_sqlite

SEALED_MAGIC: Final = b"\x89CLOCHE\n"  # containment.core.MAGIC; a test holds the two together
_BESIDE: Final = (b"-wal", b"-shm")


def known_by_others(found: Found, name: bytes) -> Found:
    """`found` as it is, or settled, with its descriptor closed."""
    try:
        start = os.pread(found.descriptor, len(SEALED_MAGIC), 0)
    except OSError:
        return found
    if start == SEALED_MAGIC:
        settled = replace(found, kind="sealed", status="unread", reason="encrypted", descriptor=-1)
    elif name.endswith(_BESIDE) and _is_database(found.folder, name[:-4]):
        settled = replace(found, kind="sqlite", descriptor=-1)
    else:
        return found
    os.close(found.descriptor)
    return settled


def _is_database(folder: int, name: bytes) -> bool:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    try:
        return is_sqlite(descriptor)
    finally:
        os.close(descriptor)
