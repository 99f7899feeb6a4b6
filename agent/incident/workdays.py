"""Working days by calendars that are data: `config/data/calendar/<country>-<year>.toml`.

A year without a calendar has its weekends off and nothing else, which makes every deadline the earliest that it can
be; what rests on such a year, or on a calendar that was not checked, is unverified.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from config.packs import pack_names, read_pack

FIRST_WEEKEND_DAY = 5


class Calendar(BaseModel):
    """One year of one country: days off, and days of a weekend that are worked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    year: int
    country: str
    source: str
    published: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    verified: bool
    off: frozenset[date]
    working: frozenset[date]


@dataclass(frozen=True, kw_only=True)
class Due:
    """The end of a last day (aware), and whether every calendar on the way was verified."""

    at: datetime
    verified: bool


@cache
def load_calendars() -> tuple[Calendar, ...]:
    """All calendars that ship with Cloche."""
    return tuple(Calendar.model_validate(read_pack("calendar", name)) for name in pack_names("calendar"))


def after_working_days(start: datetime, days: int, country: str, zone: ZoneInfo) -> Due:
    """The end of the `days`-th working day after the day of `start`, which itself does not count.

    Args:
        start: aware.
        days: at least 1.
        country: ISO 3166 code of the calendar.
        zone: where the days are counted.
    """
    calendars = {calendar.year: calendar for calendar in load_calendars() if calendar.country == country}
    day = start.astimezone(zone).date()
    verified, left = True, days
    while left > 0:
        day += timedelta(days=1)
        calendar = calendars.get(day.year)
        verified = verified and calendar is not None and calendar.verified
        left -= is_working(day, calendar)
    return Due(at=datetime.combine(day + timedelta(days=1), time(), zone), verified=verified)


def is_working(day: date, calendar: Calendar | None) -> bool:
    """Whether people work on that day."""
    if calendar is not None and day in calendar.off:
        return False
    if calendar is not None and day in calendar.working:
        return True
    return day.weekday() < FIRST_WEEKEND_DAY
