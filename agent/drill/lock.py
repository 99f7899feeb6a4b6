"""One drill at a time: an advisory `flock(2)` on `drills/lock`, held while one is played and let go however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from config.errors import RefusedError
from config.home import Home
from config.text import Text

LOCK: Final = "lock"


@contextmanager
def only_one(home: Home, text: Text) -> Iterator[None]:
    """Hold the lock.

    Raises:
        RefusedError: another drill is being played.
    """
    descriptor = _open(home)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(text("drill.already")) from None
        yield
    finally:
        os.close(descriptor)


def is_held(home: Home) -> bool:
    """Whether a drill is being played."""
    descriptor = _open(home)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _open(home: Home) -> int:
    folder = home.state / "drills"
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    return os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
