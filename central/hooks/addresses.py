"""Where a webhook may be sent to: a public https address, resolved once and held to.

Whoever may make a webhook could otherwise have head office ask any machine of its network (server-side request
forgery, OWASP): every address of the name is looked at, and the connection goes to the one that was looked at, so a
name that means another machine a moment later gets nowhere. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from config.errors import UsageError

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
MOST: Final = 500
MOST_ADDRESSES: Final = 4
_CARRYING: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::ffff:0:0/96", "::/96")
)
"""IPv6 that leads on to an IPv4 address: nobody's webhook is there."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a delivery goes: `urls` have the addresses in place of the name, in the order in which to try them; `host`
    is for TLS and `authority` for the Host header."""

    urls: tuple[str, ...]
    host: str
    authority: str


class AddressError(Exception):
    """It may not, or cannot, be sent there; the message is one word."""


def check_url(url: str, *, private: bool) -> str:
    """An address that somebody typed in.

    Raises:
        UsageError: no https address (or http to this machine, where private addresses are allowed); the message is
            the key of a text.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError("hq_hooks.url_bad") from error
    local = private and parts.scheme == "http" and host in LOOPBACK
    if len(url) > MOST or not host or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise UsageError("hq_hooks.url_bad")
    if not (parts.scheme == "https" or local):
        raise UsageError("hq_hooks.url_https")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise UsageError("hq_hooks.url_user")
    if not private and (host in LOOPBACK or _is_literal_private(host)):
        raise UsageError("hq_hooks.url_private")
    return url


async def resolve(url: str, *, private: bool) -> Target:
    """The machine that the address means now.

    Raises:
        AddressError: `unresolved`, or `private`: one of its addresses is not public.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressError("unresolved") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not addresses:
        raise AddressError("unresolved")
    if not private and not all(is_public(address) for address in addresses):
        raise AddressError("private")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    shown = [f"[{address}]" if address.version == 6 else str(address) for address in dict.fromkeys(addresses)]
    name = f"[{host}]" if ":" in host else host
    return Target(
        urls=tuple(f"{parts.scheme}://{address}:{port}{path}" for address in shown[:MOST_ADDRESSES]), host=host,
        authority=name if parts.port is None else f"{name}:{port}",
    )  # fmt: skip


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one of the Internet's, and no way round to another one."""
    if address.version == 6 and any(address in network for network in _CARRYING):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_literal_private(host: str) -> bool:
    try:
        return not is_public(ipaddress.ip_address(host))
    except ValueError:
        return host.endswith((".localhost", ".local", ".internal"))
