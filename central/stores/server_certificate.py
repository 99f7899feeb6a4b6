"""The server's own certificate: made anew by the same authority long before it ends, and when a host is added.

Several processes (and machines that share a folder) may look at once: one makes it, under a lock, the others find it
made. Running servers take the new one up by themselves, for new connections.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from central.home import HeadOfficeHome
from central.moments import now
from central.stores.authority import OFF, Authority, hosts_of, read_authority, read_server
from config.errors import ClocheError

LOCK_FILE: Final = "certificate.lock"


def renew_if_due(home: HeadOfficeHome, authority: Authority) -> bool:
    """Make a new certificate when less than 400 days of the old one are left; whether it did.

    Raises:
        ClocheError: a file is missing or damaged, or the disk refused it.
    """
    certificate, _ = read_server(home)
    authority_ends = authority.certificate.not_valid_after_utc
    if certificate.not_valid_after_utc - now() >= OFF or certificate.not_valid_after_utc >= authority_ends:
        return False
    with _locked(home):
        certificate, key = read_server(home)
        if certificate.not_valid_after_utc - now() >= OFF:
            return False
        home.replace(home.server_chain, authority.certify_server(key, hosts_of(certificate)), mode=0o644)
    return True


def reissue(home: HeadOfficeHome, hosts: Iterable[str], *, only: bool = False) -> list[str]:
    """A certificate for these hosts besides the ones it had (or for these alone); the hosts it is for.

    Raises:
        ClocheError: a file is missing or damaged, or the disk refused it.
    """
    authority = read_authority(home)
    with _locked(home):
        certificate, key = read_server(home)
        named = list(dict.fromkeys([*([] if only else hosts_of(certificate)), *hosts]))
        home.replace(home.server_chain, authority.certify_server(key, named), mode=0o644)
    return named


@contextmanager
def _locked(home: HeadOfficeHome) -> Iterator[None]:
    path = home.folder / LOCK_FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ClocheError(f"{path}: cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
