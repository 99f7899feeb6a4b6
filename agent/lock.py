"""One writer a home: an advisory `flock` on `home/lock` for as long as somebody may write.

`flock(2)` is released by the kernel when the holder dies, however it dies, so a stale lock can't exist. It does not
bind a process that never asks: everything that writes goes through here.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from config.errors import RefusedError
from config.home import Home
from config.text import Text


@contextmanager
def hold_lock(home: Home, text: Text) -> Iterator[None]:
    """Be the one writer of this home.

    Raises:
        RefusedError: somebody else is, and who.
    """
    home.create()
    descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "?"
            raise RefusedError(text("cli.lock_held", pid=holder, home=home.state)) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
