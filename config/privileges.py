"""Give up rights, one way only.

`PR_SET_NO_NEW_PRIVS`, `PR_SET_DUMPABLE`, `unshare(2)` and `setresuid(2)` through ctypes and os. None of these can be
taken back by the process that called them.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
CLONE_NEWNET: Final = 0x40000000
CLONE_NEWUSER: Final = 0x10000000
NOBODY: Final = 65534

_libc = ctypes.CDLL(None, use_errno=True)


def _call(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def no_new_privileges() -> None:
    """No `execve` from here on gains rights (`prctl(2)`)."""
    _call(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def die_with_parent(signal_number: int) -> None:
    """Get `signal_number` when the parent thread ends (`prctl(2)`, PR_SET_PDEATHSIG)."""
    _call(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0))


def forbid_dumps() -> None:
    """No core dump and no ptrace by others of this uid (`prctl(2)`, PR_SET_DUMPABLE)."""
    _call(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))


def leave_network() -> bool:
    """Move into a network namespace with nothing in it; False where the kernel refuses.

    As root directly, otherwise by way of a user namespace (`user_namespaces(7)`), which some kernels forbid.
    """
    flags = CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWNET | CLONE_NEWUSER
    return bool(_libc.unshare(flags) == 0)


def become_nobody(account: str = "cloche-scan") -> None:
    """Drop to `account` if it exists, else to uid 65534, with no groups. Only root can; others stay who they are."""
    if os.geteuid() != 0:
        return
    try:
        entry = pwd.getpwnam(account)
        uid, gid = entry.pw_uid, entry.pw_gid
    except KeyError:
        uid = gid = NOBODY
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def network_can_be_left() -> bool:
    """Whether `leave_network` works here, tried in a child."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if leave_network() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
