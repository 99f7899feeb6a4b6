"""Confine this process before it opens what others wrote.

No network, no rights, no new processes, no core dump, bounded memory, files and descriptors (`setrlimit(2)`). Modules
and models must be loaded before: the account that remains may not be able to read them.

Not guaranteed: the kernel's system calls stay reachable (there is no seccomp filter yet), and files that everybody may
read can be opened by a worker that was taken over. Without root the account stays who it is, and the network is left
only where user namespaces are allowed.
"""

from __future__ import annotations

import os
import resource
import signal

from config.privileges import become_nobody, die_with_parent, forbid_dumps, leave_network, no_new_privileges


def confine(*, memory_mb: int, file_mb: int, parent: int) -> None:
    """Give everything up, for good.

    Args:
        memory_mb: address space beyond what is mapped now, in MiB.
        file_mb: largest file (memory file, snapshot) that may be written, in MiB.
        parent: process that started this one; when it ends, so does this.

    Raises:
        OSError: the kernel refuses a step; then nothing may be opened.
    """
    leave_network()
    with open("/proc/self/statm", encoding="ascii") as facts:
        mapped = int(facts.read().split()[0]) * resource.getpagesize()
    for limit, value in (
        (resource.RLIMIT_AS, mapped + (memory_mb << 20)),
        (resource.RLIMIT_FSIZE, file_mb << 20),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    become_nobody()
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    no_new_privileges()
    forbid_dumps()
    die_with_parent(signal.SIGKILL)  # after the change of account, which clears it (prctl(2))
    if os.getppid() != parent:
        raise SystemExit(1)
