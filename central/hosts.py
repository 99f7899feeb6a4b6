"""Under which names and addresses this machine may be reached, for the server's certificate."""

from __future__ import annotations

import contextlib
import ipaddress
import socket


def own_hosts() -> list[str]:
    """The loopback names, the host's names, and the addresses that it is known or seen by."""
    name = socket.gethostname()
    found = ["localhost", "127.0.0.1", "::1", name, socket.getfqdn()]
    with contextlib.suppress(OSError):
        found += [str(entry[4][0]) for entry in socket.getaddrinfo(name, None)]
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.connect((elsewhere, 9))  # chooses our address; a datagram socket sends nothing here
            found.append(str(probe.getsockname()[0]))
    return list(dict.fromkeys(host for host in found if is_host(host)))


def is_host(host: str) -> bool:
    """An IP address, or a name that a certificate can carry."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.split(".")
        return host.isascii() and all(
            label and len(label) < 64 and label.replace("-", "").replace("_", "").isalnum() for label in labels
        )
    return True
