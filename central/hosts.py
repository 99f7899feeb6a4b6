"""Under which names and addresses this machine may be reached, for the server's certificate."""

from __future__ import annotations

import ipaddress
import socket

import psutil


def own_hosts() -> list[str]:
    """The loopback names, the host's names, and its addresses without link-local ones."""
    found = ["localhost", "127.0.0.1", "::1", socket.gethostname(), socket.getfqdn()]
    for addresses in psutil.net_if_addrs().values():
        found += [
            address.address
            for address in addresses
            if address.family in (socket.AF_INET, socket.AF_INET6) and "%" not in address.address
        ]
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
