"""How often a program may ask: a bucket of permits that fills at a steady rate.

Counted in this process: with several instances behind a proxy a program may ask each of them so often. The number of
buckets is bounded; the one not used for longest goes first (it is full again by then, unless thousands of tokens are
made up at once: those have the address's bucket to pass).
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MOST_BUCKETS: Final = 4096


class Throttle:
    """`a_minute` permits come back each minute; at most `at_once` are kept."""

    def __init__(self, a_minute: int, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = a_minute / 60
        self._most = at_once
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, who: str, *, cost: float = 1) -> int:
        """0, and a permit is used; or the seconds until there is one."""
        with self._lock:
            moment = self._clock()
            left, since = self._buckets.get(who, (float(self._most), moment))
            left = min(self._most, left + (moment - since) * self._rate)
            seconds = 0 if left >= 1 else math.ceil((1 - left) / self._rate)
            self._buckets[who] = (left - cost if seconds == 0 else left, moment)
            self._buckets.move_to_end(who)
            while len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return seconds

    def is_empty(self, who: str) -> int:
        """Seconds until `who` may ask again, using nothing."""
        return self.wait(who, cost=0)
