"""Who is kept while all else is cut: the settings' lists, what the machine cannot do without, and the till's own links.

What a program of the till talks to at this moment is offered as entries for the settings; for an isolation that no
person prepared it is kept for that time, for trade goes on. What an intruder reaches through such a program stays
open with it: the offer names the program of each.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from agent.link.settings import read_enrolment
from config.errors import ClocheError
from config.measures import IsolateSettings
from containment.allowlist import Allowed, Direction, covers, parse_allowed
from containment.connections import Connection, connections, listening
from containment.processes import Spared

if TYPE_CHECKING:
    from agent.wiring import Agent

LISTS: Final[tuple[tuple[str, Direction], ...]] = (
    ("tills", "in"), ("printers", "out"), ("payment", "out"), ("delivery", "out"), ("cameras", "out"),
    ("head_office", "out"), ("dns", "out"), ("ntp", "out"), ("others", "out"),
)  # fmt: skip
RESOLVERS: Final = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
LINK_ACCOUNT: Final = "cloche-link"
DNS_PORT: Final = 53
NTP_PORT: Final = 123
MOST_TOLD: Final = 50


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An entry and whose it is: a list of the settings, `enrolment`, `resolver`, `time`, `till` or `order`."""

    entry: Allowed
    why: str


@dataclass(frozen=True, kw_only=True)
class Offer:
    """An entry that a program's connection asks for."""

    entry: Allowed
    program: str


def configured(settings: IsolateSettings) -> Iterator[Kept]:
    """The lists of the settings.

    Raises:
        UsageError: an entry is none; its list is named.
    """
    for name, direction in LISTS:
        for text in getattr(settings, name):
            entry = parse_allowed(text, direction, where=f"isolate.{name}")
            yield Kept(entry=entry, why=name)
            if name == "cameras" and entry.port is None:
                yield Kept(entry=parse_allowed(text, "in", where="isolate.cameras"), why=name)


def standing(agent: Agent) -> Iterator[Kept]:
    """What this machine needs whoever attacks it: its resolvers, its clock's servers, its head office."""
    for path in RESOLVERS:
        with suppress(OSError):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[:50]:
                words = line.split()
                if len(words) > 1 and words[0] == "nameserver":
                    yield from _entry(f"[{words[1].partition('%')[0]}]:{DNS_PORT}", "resolver")
    with suppress(ClocheError):
        enrolment = read_enrolment(agent.home.outbox)
        if enrolment is not None:
            address = urlsplit(enrolment.url)
            yield from _entry(f"{_bracketed(address.hostname or '')}:{address.port or 443}/tcp", "enrolment")


def clock_servers(found: list[Connection]) -> Iterator[Kept]:
    """Time servers that this machine asks now."""
    for connection in found:
        if connection.protocol == "udp" and connection.remote_port == NTP_PORT and connection.leaves:
            yield from _entry(f"[{connection.remote}]:{NTP_PORT}/udp", "time")


def offers(agent: Agent, found: list[Connection]) -> list[Offer]:
    """What the till's own programs talk to now, each entry once, as the settings would hold it."""
    own = [os.fsdecode(program.program) for program in agent.own_programs.learned()]
    spared = Spared.of((), [*agent.settings.watch.protected_programs, *own])
    ports = listening(found)
    offered: dict[str, Offer] = {}
    for connection in found:
        if not connection.leaves or not spared.spares(connection.pid, connection.program):
            continue
        if not connection.program or connection.pid == os.getpid():
            continue
        inwards = (connection.protocol, connection.local_port) in ports
        port = connection.local_port if inwards else connection.remote_port
        direction: Direction = "in" if inwards else "out"
        with suppress(ClocheError):
            entry = parse_allowed(f"{_bracketed(str(connection.remote))}:{port}/{connection.protocol}", direction)
            program = agent.mask(os.fsdecode(connection.program))
            offered.setdefault(str(entry), Offer(entry=entry, program=program))
    return [offered[key] for key in sorted(offered)]


def all_kept(agent: Agent, extra: tuple[str, ...], found: list[Connection] | None = None) -> list[Kept]:
    """Everything that goes on: lists, standing needs, and what this order adds.

    Raises:
        UsageError: an entry of the settings is none.
    """
    sockets = connections() if found is None else found
    kept = [*configured(agent.settings.isolate), *standing(agent), *clock_servers(sockets)]
    kept += [Kept(entry=parse_allowed(text), why="order") for text in extra]
    return list({str(item.entry): item for item in reversed(kept)}.values())[::-1]


def ended_by(kept: list[Kept], found: list[Connection]) -> list[Connection]:
    """Connections to other machines that an isolation would end now."""
    entries = [item.entry for item in kept]
    ports = listening(found)
    cut = []
    for connection in found:
        if not connection.leaves or connection.state != "established":
            continue
        inwards = (connection.protocol, connection.local_port) in ports
        port = connection.local_port if inwards else connection.remote_port
        if not covers(entries, connection.remote, port, "in" if inwards else "out"):
            cut.append(connection)
    return cut


def links_told(agent: Agent, links: list[Connection]) -> list[dict[str, Any]]:
    """Connections as a record keeps them: once they are cut nobody finds them again."""
    return [
        {
            "remote": str(link.remote), "port": link.remote_port, "local_port": link.local_port,
            "program": agent.mask(os.fsdecode(link.program)),
        }
        for link in links[:MOST_TOLD]
    ]  # fmt: skip


def link_accounts(agent: Agent) -> tuple[int, ...]:
    """The link's uid: its messages go out, for nobody could be told otherwise. Only where it has one of its own."""
    if not agent.home.is_service:
        return ()
    try:
        return (pwd.getpwnam(LINK_ACCOUNT).pw_uid,)
    except KeyError:
        return ()


def _entry(text: str, why: str) -> Iterator[Kept]:
    """An entry that the machine's own configuration gives; one that is none (a loopback resolver) is left out."""
    with suppress(ClocheError):
        entry = parse_allowed(text.replace("[", "").replace("]", "") if "." in text else text)
        network = entry.network
        if network is None or not network.is_loopback:
            yield Kept(entry=entry, why=why)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
