"""How much waits in a spool, told from outside: for `cloche doctor`, which holds no lock and has no outbox."""

from __future__ import annotations

from pathlib import Path

from agent.link.outbox import MOST_BYTES, MOST_REPORTS, Waiting
from agent.link.spool import Spool
from config.errors import RefusedError


def standing(folder: Path, *, most_bytes: int = MOST_BYTES, most_reports: int = MOST_REPORTS) -> Waiting:
    """What waits in an outbox folder; nothing where it does not exist or may not be read."""
    try:
        spool = Spool(folder)
    except RefusedError:
        return Waiting(reports=0, bytes=0, full=False)
    try:
        acknowledged = spool.state().acknowledged
        sizes = [size for number, _kind, size in spool.sizes() if number > acknowledged]
    finally:
        spool.close()
    full = sum(sizes) >= most_bytes or len(sizes) >= most_reports
    return Waiting(reports=len(sizes), bytes=sum(sizes), full=full)
