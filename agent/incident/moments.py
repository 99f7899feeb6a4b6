"""Times as people give them: ISO 8601, or HH:MM for today in the store's zone.

A time that a person mistyped would start a legal clock at the wrong moment, so what cannot be is refused: the future
(two minutes are allowed for clocks that differ), and what lies before this century.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from config.errors import UsageError

SKEW: Final = timedelta(minutes=2)
EARLIEST_YEAR: Final = 2000
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3])[:：]([0-5]\d)")


def zone_of(name: str) -> ZoneInfo:
    """The store's zone.

    Raises:
        UsageError: no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(f"store.timezone: {name!r} is no IANA time zone") from error


def parse_moment(text: str, option: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The aware time that `text` means; without a zone of its own it is the store's.

    Args:
        text: ISO 8601 or HH:MM.
        option: name for the message.
        now: aware.
        zone: the store's.

    Raises:
        UsageError: no time, or one in the future or before 2000; the message names the option.
    """
    clock = _CLOCK.fullmatch(text.strip())
    if clock:
        moment = now.astimezone(zone).replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0, fold=0)
    else:
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError as error:
            raise UsageError(f"{option}: not a time (ISO 8601, or HH:MM for today)") from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
    if moment > now + SKEW:
        raise UsageError(f"{option}: {moment.isoformat(timespec='minutes')} lies in the future")
    if moment.year < EARLIEST_YEAR:
        raise UsageError(f"{option}: {moment.isoformat(timespec='minutes')} lies before {EARLIEST_YEAR}")
    return min(moment, now)
