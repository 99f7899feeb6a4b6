"""Which files are live databases: never sealed, fenced or moved without a person's word, and watched by open only.

Nobody marks a database as live. SQLite leaves `-wal` and `-shm` beside it while a program has it open in WAL mode, and
`-journal` only for the length of a transaction (https://www.sqlite.org/tempfiles.html), so a till with a rollback
journal shows nothing between two orders: a change within the last day counts as well. A copy made today is taken for
live by that, which costs it nothing but a milder watch until tomorrow.
"""

from __future__ import annotations

import os
import time
from typing import Final

SIDE_FILES: Final = (b"-wal", b"-shm", b"-journal")
RECENT_SECONDS: Final = 86_400


def is_live(path: bytes, kind: str) -> bool:
    """Whether a program seems to work on this database."""
    if kind != "sqlite":
        return False
    if any(os.path.lexists(path + ending) for ending in SIDE_FILES):
        return True
    try:
        return time.time() - os.lstat(path).st_mtime < RECENT_SECONDS
    except OSError:
        return False
