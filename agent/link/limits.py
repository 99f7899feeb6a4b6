"""How often the page may be used: so many an hour from one address, so many from all.

Addresses are kept in memory only, IPv6 ones by their /64 (one household, RFC 6177), and at most so many at once.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

HOUR: Final = 3600.0
MOST_ADDRESSES: Final = 4096


class Limits:
    """Counts within the last hour."""

    def __init__(self, per_address: int, in_all: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_address, self._in_all, self._clock = per_address, in_all, clock
        self._lock = threading.Lock()
        self._all: deque[float] = deque()
        self._by_address: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, address: str) -> bool:
        """Whether one more is allowed; if so it is counted."""
        now, key = self._clock(), network_of(address)
        with self._lock:
            mine = self._by_address.setdefault(key, deque())
            self._by_address.move_to_end(key)
            while len(self._by_address) > MOST_ADDRESSES:
                self._by_address.popitem(last=False)
            for times in (self._all, mine):
                while times and times[0] <= now - HOUR:
                    times.popleft()
            if len(self._all) >= self._in_all or len(mine) >= self._per_address:
                return False
            self._all.append(now)
            mine.append(now)
            return True


def network_of(address: str) -> str:
    """What counts as one sender."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)
