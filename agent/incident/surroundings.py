"""What stood around a process that held or read affected files: who started it, and whom it was talking to.

Read from procfs while the process lives (a stopped one keeps its sockets). Its table of connections is that of its own
network namespace (proc(5)), which the daemon does not share. A connection tells where something could go, not what
went; what was sent before, and by another process, is not seen.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from agent.watch.session import address_of, sockets_of
from containment.processes import command_of, parent_of, program_of, start_time

MOST_PARENTS: Final = 16
MOST_CONNECTIONS: Final = 50
_STATES: Final = {b"01": "established", b"02": "connecting", b"08": "closing", b"0A": "listening"}
_TABLES: Final = (("tcp", "tcp"), ("tcp", "tcp6"), ("udp", "udp"), ("udp", "udp6"))
_TABLE_BYTES: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A process above; the nearest first."""

    pid: int
    program: bytes
    command: bytes


@dataclass(frozen=True, kw_only=True)
class Connection:
    """One socket of the internet families. `remote` is '' where nobody is at the other end."""

    protocol: str
    local: str
    remote: str
    state: str


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Around one process; empty where it is gone."""

    parents: tuple[Parent, ...] = ()
    connections: tuple[Connection, ...] = ()

    def document(self, mask: Callable[[str], str]) -> dict[str, Any]:
        """As JSON, masked."""
        return {
            "parents": [
                {
                    "pid": parent.pid, "program": mask(os.fsdecode(parent.program)),
                    "command": mask(os.fsdecode(parent.command)),
                }
                for parent in self.parents
            ],
            "connections": [
                {
                    "protocol": found.protocol, "local": mask(found.local), "remote": mask(found.remote),
                    "state": found.state,
                }
                for found in self.connections
            ],
        }  # fmt: skip


def look_around(pid: int, started: int) -> Surroundings:
    """Around the process that began at `started` (clock ticks since boot): another of its number is not it."""
    try:
        if start_time(pid) != started:
            return Surroundings()
    except OSError:
        return Surroundings()
    return Surroundings(parents=tuple(_parents(pid)), connections=tuple(_connections(pid)))


def _parents(pid: int) -> list[Parent]:
    found: list[Parent] = []
    try:
        while len(found) < MOST_PARENTS and (pid := parent_of(pid)) > 0:
            found.append(Parent(pid=pid, program=_or_nothing(program_of, pid), command=_or_nothing(command_of, pid)))
    except OSError:
        pass
    return found


def _connections(pid: int) -> list[Connection]:
    try:
        mine = sockets_of(pid)
    except OSError:
        return []
    found: list[Connection] = []
    for protocol, table in _TABLES if mine else ():
        try:
            with open(f"/proc/{pid}/net/{table}", "rb") as file:
                lines = file.read(_TABLE_BYTES).splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 9 and fields[9] in mine and len(found) < MOST_CONNECTIONS:
                state = _STATES.get(fields[3], "other") if protocol == "tcp" else "open"
                found.append(Connection(protocol=protocol, local=_end(fields[1]), remote=_end(fields[2]), state=state))
    return found


def _end(packed: bytes) -> str:
    """`192.0.2.5:445`; '' for no port."""
    address, _, port = packed.partition(b":")
    number = int(port, 16)
    shown = address_of(address)
    return f"{f'[{shown}]' if ':' in shown else shown}:{number}" if number else ""


def _or_nothing(read: Callable[[int], bytes], pid: int) -> bytes:
    try:
        return read(pid)
    except OSError:
        return b""
