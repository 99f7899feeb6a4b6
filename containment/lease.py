"""Is anybody using this file? A write lease answers, and keeps answering while it is held.

`fcntl(2)`, F_SETLEASE with F_WRLCK: refused while any other descriptor or mapping of the file exists; once held, an
open by anybody else waits, and the lease shows as broken. Limits: the holder has to be the file's owner or have
CAP_LEASE; network file systems mostly have no leases; an opener that waits goes on when the lease ends, or after
`/proc/sys/fs/lease-break-time`. The break's signal is turned into SIGURG, which is ignored unless somebody asks.
Office programs that hold no descriptor leave a lock file; Samba's opens are asked from `smbstatus`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Final

_COARSE_CLOCK: Final = 0.02  # two ticks of a kernel at 100 Hz: within one, two writes may leave the same time


def take_lease(descriptor: int) -> bool:
    """Take a write lease on the file; False where somebody else has it open or mapped.

    Raises:
        OSError: EACCES without the right to it, EINVAL where the file system has no leases.
    """
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EBUSY):
            return False
        raise
    return True


def has_lease(descriptor: int) -> bool:
    """Whether nobody has knocked since `take_lease`."""
    return fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_WRLCK


def drop_lease(descriptor: int) -> None:
    """Let the others in."""
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def let_clock_pass(changed_ns: int) -> None:
    """Wait until a later write would leave a later time than `changed_ns` (times have the grain of a tick)."""
    age = time.time() - changed_ns / 1e9
    if 0 <= age < _COARSE_CLOCK:
        time.sleep(_COARSE_CLOCK - age)


def office_locks(name: bytes) -> tuple[bytes, ...]:
    """Names of the lock files that Word, Excel, WPS and LibreOffice keep beside an open `name`."""
    return (b"~$" + name, b"~$" + name[2:], b".~lock." + name + b"#", b".~" + name)


def has_office_lock(folder: int, name: bytes) -> bool:
    """Whether an office program says that it has `name` open (it may have crashed and left the file)."""
    for lock in office_locks(name):
        try:
            os.stat(lock, dir_fd=folder, follow_symlinks=False)
        except OSError:
            continue
        return True
    return False


SambaOpens = Callable[[], frozenset[bytes]]


def samba_opens() -> frozenset[bytes]:
    """Paths that Samba clients have open, by `smbstatus --json`; empty where there is no Samba.

    A client's open that smbd holds as a descriptor is refused by the lease too: this is the second net, for
    durable handles whose client went away for a moment.
    """
    program = shutil.which("smbstatus")
    if program is None or os.geteuid() != 0:
        return frozenset()
    try:
        done = subprocess.run([program, "--locks", "--json"], capture_output=True, timeout=10, check=False)
        files = json.loads(done.stdout).get("open_files", {})
    except (OSError, subprocess.TimeoutExpired, ValueError, AttributeError):
        return frozenset()
    return frozenset(
        os.path.normpath(os.fsencode(os.path.join(entry.get("service_path", "/"), entry.get("filename", ""))))
        for entry in files.values()
    )
