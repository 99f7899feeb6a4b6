"""With whom this machine goes on talking while it is isolated: entries as people write them, checked.

`192.168.1.50:9100` is a place that this machine reaches (a printer), `192.168.1.0/24:3306` in the list of tills is who
may reach port 3306 of this machine. An entry without a port means every port. A name (`pay.example.com:443`) is looked
up when the isolation is put up: whoever answers for it at that moment is let through, and a later change is not seen
before the next look.

An entry never opens what an isolation is there to close: networks wider than /8 (IPv4) or /16 (IPv6) are refused.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from config.errors import UsageError

Direction = Literal["out", "in"]
Protocol = Literal["tcp", "udp"]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
WIDEST: Final = {4: 8, 6: 16}
LONGEST_ENTRY: Final = 300
LOOK_UP_SECONDS: Final = 4.0
_DIRECTIONS: Final[dict[str, Direction]] = {"out": "out", "in": "in"}
_PROTOCOLS: Final[dict[str, Protocol]] = {"tcp": "tcp", "udp": "udp"}
_NAME: Final = re.compile(r"(?=.{1,253}$)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_ENTRY: Final = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+(?:/\d{1,3})?\]|[^\s\[\]:]+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+(?:/\d{1,3})?)"
    r"(?::(?P<port>\d{1,5})(?:/(?P<protocol>tcp|udp))?)?"
)


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """One entry. `host` is an address, a network or a name; `port` None means all of them.

    `protocol` None means TCP and UDP. `out`: this machine reaches the host's port. `in`: the host reaches this
    machine's port.
    """

    direction: Direction
    host: str
    port: int | None = None
    protocol: Protocol | None = None

    @property
    def network(self) -> Network | None:
        """The host as a network; None for a name."""
        try:
            return ipaddress.ip_network(self.host, strict=False)
        except ValueError:
            return None

    def __str__(self) -> str:
        """As people write it, after its direction."""
        host = f"[{self.host}]" if ":" in self.host and self.port is not None else self.host
        port = "" if self.port is None else f":{self.port}"
        protocol = "" if self.protocol is None else f"/{self.protocol}"
        return f"{self.direction} {host}{port}{protocol}"


def parse_allowed(text: str, direction: Direction = "out", *, where: str = "isolate") -> Allowed:
    """An entry of a list.

    Args:
        text: see the module; `in …` or `out …` in front goes before `direction`.
        direction: of the list it stands in.
        where: names the list in a message.

    Raises:
        UsageError: it is none, its port is out of range, or it would allow nearly everything.
    """
    words = text.strip()
    for named in _DIRECTIONS:
        if words.startswith(f"{named} "):
            direction, words = _DIRECTIONS[named], words.removeprefix(f"{named} ").strip()
    found = _ENTRY.fullmatch(words) if len(words) <= LONGEST_ENTRY else None
    if found is None:
        raise UsageError(f"{where}: {words[:60]!r} is no ADDRESS[/PREFIX][:PORT[/tcp|/udp]]")
    host, protocol = found["host"].strip("[]"), found["protocol"]
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port < 65536:
        raise UsageError(f"{where}: {words!r}: port {port} is none")
    return Allowed(
        direction=direction, host=_host(host, words, where), port=port,
        protocol=_PROTOCOLS.get(protocol or ""),
    )  # fmt: skip


def _host(host: str, words: str, where: str) -> str:
    try:
        network = ipaddress.ip_network(host, strict=False)
    except ValueError:
        if _NAME.fullmatch(host):
            return host.lower()
        raise UsageError(f"{where}: {words!r}: {host!r} is no address and no name") from None
    if network.is_multicast or network.is_unspecified:
        raise UsageError(f"{where}: {words!r}: is no address of anybody")
    if network.prefixlen < WIDEST[network.version]:
        raise UsageError(f"{where}: {words!r} would let nearly everything through")
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def parse_client(text: str) -> Address:
    """The address of one client to cut off.

    Raises:
        UsageError: it is no address, or one that is never cut: this machine's own loopback, everybody.
    """
    try:
        address = ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        raise UsageError(f"--client: {text[:60]!r} is no IP address") from None
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if address.is_loopback or address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255":
        raise UsageError(f"--client: {address} is never cut off")
    return address


def looked_up(
    entries: Iterable[Allowed], seconds: float = LOOK_UP_SECONDS
) -> tuple[tuple[Allowed, ...], tuple[str, ...]]:
    """Entries with names replaced by the addresses they have now; and the names that nobody knew in that time.

    Each name is asked in a thread of its own, because getaddrinfo(3) has no time limit: one that never answers is left
    behind (a daemon thread) and named.
    """
    wanted = list(entries)
    names = {entry.host for entry in wanted if entry.network is None}
    found: dict[str, tuple[str, ...]] = {}

    def ask(name: str) -> None:
        try:
            answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found[name] = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))

    threads = [threading.Thread(target=ask, args=(name,), daemon=True, name=f"look up {name}") for name in names]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0))
    known = dict(found)
    settled = [entry for entry in wanted if entry.network is not None]
    settled += [
        replace(entry, host=address.partition("%")[0])
        for entry in wanted
        if entry.network is None
        for address in known.get(entry.host, ())
    ]
    return tuple(dict.fromkeys(settled)), tuple(sorted(names - known.keys()))


def covers(entries: Iterable[Allowed], address: Address, port: int | None, direction: Direction) -> bool:
    """Whether an entry lets a connection with this far end go on; `port` is the one that the entry would name."""
    for entry in entries:
        network = entry.network
        if network is None or entry.direction != direction or address.version != network.version:
            continue
        if address in network and entry.port in (None, port):
            return True
    return False
