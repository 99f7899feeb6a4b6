"""What is neither fenced nor moved without a person's explicit word: live databases and the till's own files.

A SQLite file counts as live while its `-wal`, `-shm` or `-journal` lies beside it
(https://www.sqlite.org/tempfiles.html) or anybody has it open for writing, which a refused read lease tells without a
look at any process. Files of database servers count as live while the server holds them. What cannot be told: a
database in rollback mode that a till opens anew for each order and that nobody holds at this moment.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from containment.entries import Cause
from containment.fence import no_writer
from containment.processes import holders

SQLITE_MAGIC: Final = b"SQLite format 3\0"
SIDE_ENDINGS: Final = (b"-wal", b"-shm", b"-journal")
DATABASE_SERVERS: Final = frozenset(
    {b"mysqld", b"mariadbd", b"postgres", b"sqlservr", b"redis-server", b"mongod", b"firebird", b"oracle"}
)


def held_back(paths: Iterable[bytes], protected: frozenset[bytes]) -> dict[bytes, Cause]:
    """Which of these files a program holds that must go on: one look at all processes.

    Args:
        paths: absolute.
        protected: the till's programs, as absolute paths of executables.
    """
    wanted = list(paths)
    found: dict[bytes, Cause] = {path: "protected" for path in wanted if path in protected}
    for holder in holders(wanted):
        program = holder.program.removesuffix(b" (deleted)")
        if program in protected:
            found.update(dict.fromkeys(holder.paths, "protected"))
        elif os.path.basename(program) in DATABASE_SERVERS:
            for path in holder.paths:
                found.setdefault(path, "live")
    return found


def is_live_database(descriptor: int, path: bytes) -> bool:
    """Whether the open file is a SQLite database in use, or a companion of one.

    Raises:
        OSError: it cannot be read.
    """
    for ending in SIDE_ENDINGS:
        if path.endswith(ending) and _is_sqlite_at(path.removesuffix(ending)):
            return True
    if os.pread(descriptor, len(SQLITE_MAGIC), 0) != SQLITE_MAGIC:
        return False
    if any(os.path.lexists(path + ending) for ending in SIDE_ENDINGS):
        return True
    with no_writer(descriptor) as alone:
        return not alone


def _is_sqlite_at(path: bytes) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.pread(descriptor, len(SQLITE_MAGIC), 0) == SQLITE_MAGIC
    except OSError:
        return False
    finally:
        os.close(descriptor)
