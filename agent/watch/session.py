"""Which session a process belongs to, from procfs.

The audit session (audit_setuid at login, `/proc/PID/sessionid`) survives `setsid`, `su` and `sudo`; where no login
daemon set one it is 4294967295, and control group and session id stand in: `setsid` leaves that one, which is why
uids are counted too. Only cgroup v2's line is taken, else systemd's own hierarchy (cgroups(7)).
"""

from __future__ import annotations

import binascii
import contextlib
import os
import socket
import sys
from typing import Final

from agent.guard.decide import Subject

_NO_AUDIT_SESSION: Final = b"4294967295"
_UNKNOWN: Final = "unknown"
_TABLE: Final = 262_144
_ESTABLISHED: Final = b"01"
_MAPPED: Final = bytes(10) + b"\xff\xff"  # IPv4 in IPv6 (RFC 4291, 2.5.5.2)


def read_subject(pid: int) -> tuple[Subject, str]:
    """The facts of a process and its control group: six small reads, 60 to 150 µs.

    Raises:
        OSError: it is gone. A process that waits for a permission answer cannot be, unless killed.
    """
    base = b"/proc/%d/" % pid
    stat = _read(base + b"stat")
    fields = stat[stat.rindex(b")") + 2 :].split()
    group = _control_group(_read(base + b"cgroup"))
    try:
        audit = _read(base + b"sessionid").strip()
    except FileNotFoundError:  # a kernel without CONFIG_AUDIT
        audit = _NO_AUDIT_SESSION
    by_group = f"{fields[3].decode()}@{binascii.crc32(os.fsencode(group)):08x}"  # anybody may name a unit of his own
    session = by_group if audit == _NO_AUDIT_SESSION else f"audit:{audit.decode()}"
    program, program_id, root_owned = read_program(pid)
    subject = Subject(
        pid=pid,
        started=int(fields[19]),
        program=program,
        program_id=program_id,
        root_owned=root_owned,
        uid=_real_uid(_read(base + b"status")),
        session=session,
    )
    return subject, group


def read_program(pid: int) -> tuple[bytes, tuple[int, int], bool]:
    """Executable's path, its (device, inode), and whether it is root's and writable by root only.

    Raises:
        OSError: gone, or a kernel thread.
    """
    link = b"/proc/%d/exe" % pid
    facts = os.stat(link)
    return os.readlink(link), (facts.st_dev, facts.st_ino), facts.st_uid == 0 and not facts.st_mode & 0o022


def read_command(pid: int, limit: int = 512) -> bytes:
    """Command line with blanks for NULs, cut at `limit` bytes; empty for a process that is gone."""
    try:
        return _read(b"/proc/%d/cmdline" % pid, limit).rstrip(b"\0").replace(b"\0", b" ")
    except OSError:
        return b""


def read_peer(pid: int) -> tuple[str, int]:
    """Who a server's child serves: the far address of its TCP connection ('' if none), and its effective uid (-1).

    smbd takes on its client's uid for each access. `/proc/PID/net/tcp` (proc(5)) is the network namespace's table: the
    child's own connection is the one whose socket it holds. At most 256 KiB of each table are read.
    """
    try:
        status = _read(b"/proc/%d/status" % pid)
        uid = int(status[status.index(b"\nUid:") + 5 :].split(maxsplit=2)[1])
        sockets = sockets_of(pid)
        for table in (b"tcp", b"tcp6"):
            for line in _read(b"/proc/%d/net/%s" % (pid, table), _TABLE).splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == _ESTABLISHED and fields[9] in sockets:
                    return address_of(fields[2].partition(b":")[0]), uid
    except (OSError, ValueError):
        return "", -1
    return "", uid


def sockets_of(pid: int) -> set[bytes]:
    """Inodes of the sockets that a process holds, as the table writes them."""
    found = set()
    folder = b"/proc/%d/fd" % pid
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            target = os.readlink(folder + b"/" + name)
            if target.startswith(b"socket:["):
                found.add(target[8:-1])
    return found


def address_of(packed: bytes) -> str:
    """An address as the kernel prints it: 32-bit words in the machine's order."""
    raw = b"".join(int(packed[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(packed), 8))
    if len(raw) == 16 and raw.startswith(_MAPPED):
        raw = raw[12:]
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def unknown_subject(pid: int) -> Subject:
    """A process that procfs does not show: ended, or of an outer PID namespace (pid 0). All such share a count."""
    return Subject(pid=pid, started=0, program=b"", program_id=(0, 0), root_owned=False, uid=-1, session=_UNKNOWN)


def _read(path: bytes, limit: int = 4096) -> bytes:
    """One read, or for a table as many as it takes: procfs gives a page or so at a time."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, limit)
        while limit > 4096 and len(content) < limit and (more := os.read(descriptor, limit - len(content))):
            content += more
        return content
    finally:
        os.close(descriptor)


def _control_group(text: bytes) -> str:
    named = ""
    for line in text.splitlines():
        number, _, rest = line.partition(b":")
        controllers, _, path = rest.partition(b":")
        if number == b"0":
            unified = os.fsdecode(path)
            if unified != "/":
                return unified
        elif controllers == b"name=systemd":
            named = os.fsdecode(path)
    return named or "/"


def _real_uid(status: bytes) -> int:
    start = status.index(b"\nUid:") + 5
    return int(status[start : status.index(b"\n", start)].split()[0])
