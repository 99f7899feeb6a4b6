"""When the daemon scans, and how hard: the till comes first.

Load is the one-minute average a processor (`getloadavg(3)`): it lags by up to a minute and counts waiting for a disk
on Linux. Pressure is `/proc/pressure/io` (PSI, kernel ≥ 4.20 with CONFIG_PSI); without it only load counts.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from typing import Final
from zoneinfo import ZoneInfo

from config.schema import Settings

RETRY: Final = timedelta(minutes=5)
MAX_LOAD: Final = 0.8
MAX_IO_PRESSURE: Final = 50.0
PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 5.0
LOOK_EVERY_SECONDS: Final = 0.25


def is_trading(settings: Settings, now: datetime) -> bool:
    """Whether the store trades at `now` (with its zone); hours over midnight count as both days' parts."""
    local = now.astimezone(ZoneInfo(settings.store.timezone)).time()
    for hours in settings.store.trading_hours:
        opens, closes = (clock_time.fromisoformat(word) for word in hours.split("-"))
        inside = opens <= local < closes if opens <= closes else local >= opens or local < closes
        if inside:
            return True
    return False


class Schedule:
    """Says when a scan is due. A scan that fails is tried again after `RETRY`, not at every tick."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._tried: datetime | None = None

    def due(self, last_run: datetime | None, now: datetime | None = None) -> bool:
        """Whether to scan now.

        Args:
            last_run: when the last whole scan ended, with its zone; None if there was none.
            now: the time, else the clock's.
        """
        now = now or self._clock()
        if is_trading(self._settings, now):
            return False
        # a run that lies ahead was made before the clock was set back: it says nothing
        if last_run is not None and timedelta() <= now - last_run < timedelta(hours=self._settings.scan.interval_hours):
            return False
        if self._tried is not None and timedelta() <= now - self._tried < RETRY:
            return False
        self._tried = now
        return True


@dataclass(frozen=True, kw_only=True)
class Pressure:
    """How busy the machine is: load a processor, and the share of time in which some task waited for a disk (%)."""

    load: float
    io: float

    @property
    def high(self) -> bool:
        """The scan should wait."""
        return self.load > MAX_LOAD or self.io > MAX_IO_PRESSURE


def measure(own_workers: int) -> Pressure:
    """The machine's pressure without what our own workers make, which would hold them up for ever."""
    cores = os.cpu_count() or 1
    load = max(0.0, os.getloadavg()[0] - own_workers) / cores
    try:
        with open("/proc/pressure/io", encoding="ascii") as lines:
            some = re.search(r"^some avg10=([0-9.]+)", lines.read(), re.MULTILINE)
    except OSError:
        some = None
    return Pressure(load=load, io=float(some.group(1)) if some else 0.0)


class Breath:
    """Holds a scheduled scan between two files while the machine is busy, or the store trades.

    Promise: no file is held up for more than `LONGEST_PAUSE_SECONDS`: a store that is always busy still gets scanned,
    a few files a minute.
    """

    def __init__(
        self,
        busy: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._busy = busy
        self._clock = clock
        self._sleep = sleep
        self._looked: float | None = None

    def take(self) -> float:
        """Wait if need be; seconds waited."""
        start = self._clock()
        if self._looked is not None and start - self._looked < LOOK_EVERY_SECONDS:
            return 0.0
        while self._busy() and self._clock() - start < LONGEST_PAUSE_SECONDS:
            self._sleep(PAUSE_SECONDS)
        self._looked = self._clock()
        return self._looked - start


def is_busy(settings: Settings) -> bool:
    """Whether a scheduled scan should wait now."""
    return is_trading(settings, datetime.now(UTC)) or measure(settings.scan.workers).high
