"""Network isolation: this machine talks to nobody but those it sells with, or one client is cut off alone.

All of it is one nftables table of our own, `inet cloche`, replaced in one transaction (`nft -f`, nft(8)): the kernel
has the old rules or the new ones, and no other firewall on the machine is touched. What our chains accept still passes
the others; what they drop nobody can let through again.

The dead man's timer is the kernel's: the rules hold only while an element lives in a set with a timeout, so that an
isolation for 30 minutes ends after 30 minutes even if everything of ours was killed. The kernel counts that time
awake: a machine that sleeps meanwhile stays isolated for longer.

Connections that exist are cut as well, not only new ones: rules look at each packet, and a local program that talks to
somebody cut off gets a reset at once rather than a time-out (a till must not hang). Replies of an allowed place are
let in by its port; a bare SYN from there is not, so an allowed printer opens nothing here. For UDP there is no such
difference. What it does not stop: root on this machine can remove the table; whoever speaks through an allowed place
or the allowed resolver; what leaves by another machine. ICMP errors and neighbour discovery go on, or nothing would.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from config.errors import ClocheError, RefusedError, UsageError
from containment.allowlist import Address, Allowed, parse_allowed, parse_client

TABLE: Final = "cloche"
MOST_ENTRIES: Final = 512
MOST_CLIENTS: Final = 256
LONGEST_SECONDS: Final = 30 * 86_400
NFT_SECONDS: Final = 15.0
LARGEST_ANSWER: Final = 8 << 20
MARK: Final = 0x636C6F63
"""Connections of our own link, by conntrack mark: messages go out and orders come in during an isolation."""
SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"
_ERRORS4: Final = "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept"
_ERRORS6: Final = (
    "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, nd-router-solicit, "
    "nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, mld-listener-report, "
    "mld2-listener-report } accept"
)
_NO_SYN: Final = "tcp flags & (syn | ack) != syn"


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One client that is cut off alone; `seconds` until the kernel lets it in again, None for until told."""

    address: Address
    seconds: int | None = None


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is to be cut. `everything`: all but loopback and `allowed`, for `seconds` (None: until told).

    `allowed` are to be addresses by the time it is put up. `own_accounts` are uids of this machine whose connections
    go on: the link's.
    """

    everything: bool = False
    seconds: int | None = None
    allowed: tuple[Allowed, ...] = ()
    clients: tuple[Cut, ...] = ()
    own_accounts: tuple[int, ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON, for the helper that puts them up."""
        return {
            "everything": self.everything, "seconds": self.seconds, "allowed": [str(entry) for entry in self.allowed],
            "clients": [{"address": str(cut.address), "seconds": cut.seconds} for cut in self.clients],
            "own_accounts": list(self.own_accounts),
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the kernel really cuts now. Seconds are those left, None where nothing ends it; `refused` counts packets."""

    everything: bool = False
    seconds: int | None = None
    clients: tuple[Cut, ...] = ()
    refused: int = 0

    @property
    def cuts(self) -> bool:
        """Anything at all."""
        return self.everything or bool(self.clients)


def rules_of(document: Any) -> Rules:
    """Rules from JSON, every part of them checked: nothing that came in reaches nft as text.

    Raises:
        UsageError: they are none.
    """
    try:
        everything, accounts = document["everything"], document["own_accounts"]
        allowed, clients = document["allowed"], document["clients"]
        if not isinstance(everything, bool) or len(allowed) > MOST_ENTRIES or len(clients) > MOST_CLIENTS:
            raise UsageError("isolation: too many entries, or `everything` is neither true nor false")
        if not all(type(uid) is int and 0 <= uid < 1 << 32 for uid in accounts) or len(accounts) > 8:
            raise UsageError("isolation: an account is no uid")
        return Rules(
            everything=everything, seconds=_seconds(document["seconds"]),
            allowed=tuple(parse_allowed(str(text)) for text in allowed),
            clients=tuple(
                Cut(address=parse_client(str(cut["address"])), seconds=_seconds(cut["seconds"])) for cut in clients
            ),
            own_accounts=tuple(accounts),
        )  # fmt: skip
    except (KeyError, TypeError) as error:
        raise UsageError("isolation: these are no rules") from error


def _seconds(value: Any) -> int | None:
    if value is not None and (type(value) is not int or not 0 < value <= LONGEST_SECONDS):
        raise UsageError(f"isolation: a time must be 1 to {LONGEST_SECONDS} seconds")
    return value


def render(rules: Rules) -> str:
    """The transaction for `nft -f -`: our table as if it had never been, then as it shall be."""
    lines = [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{", " counter refused { }"]
    armed = [_element(family, rules.seconds) for family in ("ipv4", "ipv6")] if rules.everything else []
    lines.append(_set("armed", "typeof meta nfproto", armed))
    for version in (4, 6):
        members = [_element(str(cut.address), cut.seconds) for cut in rules.clients if cut.address.version == version]
        lines.append(_set(f"cut{version}", f"type ipv{version}_addr", members))
    refuse = "counter name refused meta l4proto tcp reject with tcp reset", "reject with icmpx admin-prohibited"
    lines += _chain("input", "iif lo accept", ("saddr",), "arriving", ("counter name refused drop",))
    lines += _chain("output", "oif lo accept", ("daddr",), "leaving", refuse)
    lines += _chain("forward", "", ("saddr", "daddr"), "passing", ("counter name refused drop",))
    lines += [" chain arriving {", *_indented(_arriving(rules)), "  counter name refused drop", " }"]
    lines += [" chain leaving {", *_indented(_leaving(rules)), *_indented(refuse), " }"]
    lines += [" chain passing {", *_indented(_passing(rules)), "  counter name refused drop", " }", "}", ""]
    return "\n".join(lines)


def _set(name: str, kind: str, members: list[str]) -> str:
    elements = f" elements = {{ {', '.join(members)} }}" if members else ""
    return f" set {name} {{ {kind}; flags timeout;{elements} }}"


def _element(value: str, seconds: int | None) -> str:
    return value if seconds is None else f"{value} timeout {seconds}s"


def _chain(hook: str, first: str, ends: tuple[str, ...], rest: str, refuse: tuple[str, ...]) -> Iterator[str]:
    """A base chain before the usual filters (-150); policy accept, so that an empty set cuts nothing."""
    yield f" chain {hook} {{ type filter hook {hook} priority -150; policy accept;"
    if first:
        yield f"  {first}"
    for end in ends:
        for family, version in (("ip", 4), ("ip6", 6)):
            for act in refuse:
                yield f"  {family} {end} @cut{version} {act}"
    yield f"  meta nfproto @armed jump {rest}"
    yield " }"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _arriving(rules: Rules) -> Iterator[str]:
    yield from (_ERRORS4, _ERRORS6, "udp sport 67 udp dport 68 accept", "udp sport 547 udp dport 546 accept")
    for entry in rules.allowed:
        yield from _to_us(entry) if entry.direction == "in" else _from_there(entry)
    if rules.own_accounts:
        yield f"ct mark {MARK:#x} accept"


def _leaving(rules: Rules) -> Iterator[str]:
    yield from (_ERRORS4, _ERRORS6, "udp sport 68 udp dport 67 accept", "udp sport 546 udp dport 547 accept")
    for entry in rules.allowed:
        yield from _back_to_them(entry) if entry.direction == "in" else _to_there(entry)
    for uid in rules.own_accounts:
        yield f"meta skuid {uid} ct mark set {MARK:#x} accept"


def _passing(rules: Rules) -> Iterator[str]:
    """What other machines or containers send through this one: among containers of one bridge it goes on."""
    yield from (_ERRORS4, _ERRORS6)
    for bridge in ("docker0", "br-*", "podman*", "cni*"):
        yield f'iifname "{bridge}" oifname "{bridge}" accept'
    for entry in rules.allowed:
        if entry.direction == "in":
            yield from (*_to_us(entry), *_back_to_them(entry))
        else:
            yield from (*_to_there(entry), *_from_there(entry))


def _to_there(entry: Allowed) -> Iterator[str]:
    yield from _opening(entry, "daddr", "dport")


def _to_us(entry: Allowed) -> Iterator[str]:
    yield from _opening(entry, "saddr", "dport")


def _from_there(entry: Allowed) -> Iterator[str]:
    yield from _answering(entry, "saddr", "sport")


def _back_to_them(entry: Allowed) -> Iterator[str]:
    yield from _answering(entry, "daddr", "sport")


def _opening(entry: Allowed, end: str, port: str) -> Iterator[str]:
    who = _who(entry, end)
    if entry.port is None:
        yield f"{who} accept"
        return
    for protocol in _protocols(entry):
        yield f"{who} {protocol} {port} {entry.port} accept"


def _answering(entry: Allowed, end: str, port: str) -> Iterator[str]:
    who = _who(entry, end)
    if entry.port is None:
        yield f"{who} {_NO_SYN} accept"
        yield f"{who} meta l4proto != tcp accept"
        return
    for protocol in _protocols(entry):
        yield f"{who} {protocol} {port} {entry.port}{f' {_NO_SYN}' if protocol == 'tcp' else ''} accept"


def _who(entry: Allowed, end: str) -> str:
    network = entry.network
    if network is None:
        raise UsageError(f"isolation: {entry.host} was not looked up")
    return f"{'ip' if network.version == 4 else 'ip6'} {end} {network}"


def _protocols(entry: Allowed) -> tuple[str, ...]:
    return (entry.protocol,) if entry.protocol else ("tcp", "udp")


def put_up(rules: Rules) -> None:
    """Let the kernel cut exactly this from now on, in one transaction.

    Raises:
        RefusedError: no nftables here, or no right (CAP_NET_ADMIN).
        ClocheError: the kernel refused: the rules from before stand.
    """
    _nft("-f", "-", script=render(rules))


def take_down() -> None:
    """Cut nothing any more; doing it twice is nothing.

    Raises:
        RefusedError: no nftables here, or no right.
        ClocheError: the kernel refused.
    """
    _nft("-f", "-", script=f"table inet {TABLE}\ndelete table inet {TABLE}\n")


def look() -> Seen:
    """What the kernel cuts now, from the kernel.

    Raises:
        RefusedError: no nftables here, or no right.
        ClocheError: nft answered nonsense.
    """
    if not any(("inet", name) == (family, TABLE) for family, name in tables()):
        return Seen()
    found: dict[str, list[tuple[str, int | None]]] = {}
    refused = 0
    for part in _listed("list", "table", "inet", TABLE):
        if "set" in part:
            found[part["set"]["name"]] = list(_elements(part["set"].get("elem", [])))
        elif "counter" in part:
            refused = int(part["counter"]["packets"])
    armed = found.get("armed", [])
    clients = tuple(
        Cut(address=ipaddress.ip_address(value), seconds=left)
        for name in ("cut4", "cut6")
        for value, left in found.get(name, [])
    )
    return Seen(everything=bool(armed), seconds=armed[0][1] if armed else None, clients=clients, refused=refused)


def tables() -> list[tuple[str, str]]:
    """Family and name of every table in the kernel.

    Raises:
        RefusedError: no nftables here, or no right.
    """
    return [(part["table"]["family"], part["table"]["name"]) for part in _listed("list", "tables") if "table" in part]


def filters() -> int:
    """How many rules or dropping policies other firewalls have on what arrives: 0 means that nothing filters here.

    Raises:
        RefusedError: no nftables here, or no right.
    """
    hooked, rules = set(), 0
    for part in _listed("list", "ruleset"):
        chain, rule = part.get("chain"), part.get("rule")
        if chain and chain.get("table") != TABLE and chain.get("hook") == "input" and chain.get("type") == "filter":
            hooked.add((chain["family"], chain["table"], chain["name"]))
            rules += chain.get("policy") == "drop"
        elif rule and (rule["family"], rule["table"], rule["chain"]) in hooked:
            rules += 1
    return rules


def _elements(members: list[Any]) -> Iterator[tuple[str, int | None]]:
    for member in members:
        if isinstance(member, dict):
            facts = member["elem"]
            yield str(facts["val"]), max(int(facts["expires"]), 1) if "expires" in facts else None
        else:
            yield str(member), None


def _listed(*arguments: str) -> list[dict[str, Any]]:
    try:
        parts = json.loads(_nft("-j", *arguments))["nftables"]
        return [part for part in parts if isinstance(part, dict)]
    except (ValueError, KeyError, TypeError) as error:
        raise ClocheError("nft answered what cannot be read") from error


def program() -> str | None:
    """Where nft lies, if it is installed."""
    return shutil.which("nft", path=f"{os.environ.get('PATH', '')}:{SBIN}")


def _nft(*arguments: str, script: str | None = None) -> str:
    nft = program()
    if nft is None:
        raise RefusedError("network isolation needs nftables: install the package nftables")
    try:
        done = subprocess.run(
            [nft, *arguments], input=script, capture_output=True, text=True, timeout=NFT_SECONDS, check=False,
            env={"LC_ALL": "C", "PATH": SBIN},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise ClocheError(f"nft could not be run: {type(error).__name__}") from error
    if done.returncode:
        if re.search("Operation not permitted|must be root", done.stderr):
            raise RefusedError("network isolation needs root (CAP_NET_ADMIN)")
        raise ClocheError(f"nft failed: {' '.join(done.stderr.split())[:300]}")
    return done.stdout[:LARGEST_ANSWER]
