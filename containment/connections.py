"""Which program talks to whom, and which listens: sockets by procfs, in every network namespace that processes are in.

`/proc/PID/net/tcp` (proc_pid_net(5)) shows the namespace of that process, whoever reads it: a daemon without a network
sees the machine's own. What this does not see: sockets held by the kernel (NFS, WireGuard), raw sockets, and processes
of another user where the reader is not root. A number of a process may change hands while it is looked at: what is
found is told, nothing is done to it here.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from containment.allowlist import Address, Protocol

State = Literal["established", "listening", "other"]
TABLES: Final[tuple[tuple[str, Protocol], ...]] = (("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp"))
MOST_SOCKETS: Final = 100_000
LARGEST_TABLE: Final = 32 << 20
_STATES: Final[dict[str, State]] = {"01": "established", "0A": "listening"}


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A socket and who holds it; `pid` 0 and an empty program where nobody is seen to hold it."""

    protocol: Protocol
    state: State
    local: Address
    local_port: int
    remote: Address
    remote_port: int
    uid: int
    pid: int = 0
    program: bytes = b""

    @property
    def leaves(self) -> bool:
        """It goes to another machine."""
        return self.remote_port != 0 and not self.remote.is_loopback and self.remote != self.local


def connections(proc: Path = Path("/proc")) -> list[Connection]:
    """Every TCP and UDP socket that some process holds, and listening ones of nobody known. Gone ones are left out."""
    holders: dict[tuple[int, int], tuple[int, bytes]] = {}
    namespaces: dict[int, Path] = {}
    for pid in _pids(proc):
        folder = proc / str(pid)
        try:
            namespace = os.stat(folder / "ns" / "net").st_ino
        except OSError:
            continue
        namespaces.setdefault(namespace, folder)
        program = _program(folder)
        for inode in _sockets(folder):
            holders.setdefault((namespace, inode), (pid, program))
    found = []
    for namespace, folder in namespaces.items():
        for name, protocol in TABLES:
            for inode, connection in _table(folder / "net" / name, protocol):
                pid, program = holders.get((namespace, inode), (0, b""))
                if not pid and connection.state != "listening":
                    continue
                found.append(
                    Connection(
                        protocol=protocol, state=connection.state, local=connection.local,
                        local_port=connection.local_port, remote=connection.remote,
                        remote_port=connection.remote_port, uid=connection.uid, pid=pid, program=program,
                    )
                )  # fmt: skip
    return found


def listening(found: Iterable[Connection]) -> set[tuple[str, int]]:
    """Protocol and port of what is listened on, from `connections`; for UDP a socket without a far end."""
    return {
        (connection.protocol, connection.local_port)
        for connection in found
        if connection.state == "listening" or (connection.protocol == "udp" and not connection.remote_port)
    }


def _pids(proc: Path) -> Iterator[int]:
    with suppress(OSError):
        for name in os.listdir(proc):
            if name.isdigit():
                yield int(name)


def _program(folder: Path) -> bytes:
    try:
        return os.fsencode(os.readlink(folder / "exe")).removesuffix(b" (deleted)")
    except OSError:
        return b""


def _sockets(folder: Path) -> Iterator[int]:
    with suppress(OSError):
        for number in os.listdir(folder / "fd"):
            with suppress(OSError, ValueError):
                target = os.readlink(folder / "fd" / number)
                if target.startswith("socket:["):
                    yield int(target[8:-1])


def _table(path: Path, protocol: Protocol) -> Iterator[tuple[int, Connection]]:
    """Inode and socket of each line; a line of another form is left out."""
    try:
        with path.open("rb") as file:
            lines = file.read(LARGEST_TABLE).decode("ascii", "replace").splitlines()[1 : MOST_SOCKETS + 1]
    except OSError:
        return
    for line in lines:
        parts = line.split()
        with suppress(ValueError, IndexError, struct.error):
            local, local_port = _end(parts[1])
            remote, remote_port = _end(parts[2])
            state = _STATES.get(parts[3], "other")
            yield int(parts[9]), Connection(
                protocol=protocol, state=state, local=local, local_port=local_port, remote=remote,
                remote_port=remote_port, uid=int(parts[7]),
            )  # fmt: skip


def _end(text: str) -> tuple[Address, int]:
    """`0100007F:1F90`: 32-bit words in the machine's order, the port as a number."""
    digits, _, port = text.partition(":")
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    if len(packed) == 4:
        return ipaddress.ip_address(socket.inet_ntop(socket.AF_INET, packed)), int(port, 16)
    address = ipaddress.IPv6Address(packed)
    return address.ipv4_mapped or address, int(port, 16)
