"""Monthly partitions of `events` on PostgreSQL.

Ingest makes the partition of a month before it writes the first event of it. `events_other` takes what is left: an
event that came while its partition could not be made, so that no report is refused for want of a table.
Limit: a month whose events lie in `events_other` already gets no partition of its own (PostgreSQL refuses one that
overlaps); that costs speed, never an event.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

DEFAULT: Final = "events_other"


def month_of(moment: datetime) -> tuple[int, int]:
    """Year and month in UTC."""
    there = moment.astimezone(UTC)
    return there.year, there.month


def next_month(month: tuple[int, int]) -> tuple[int, int]:
    """The month after."""
    year, number = month
    return (year + 1, 1) if number == 12 else (year, number + 1)


def partition_name(month: tuple[int, int]) -> str:
    """`events_202611`."""
    return f"events_{month[0]:04d}{month[1]:02d}"


def make_default(connection: Connection) -> None:
    """The partition for every time that has no other. Nothing to do on SQLite."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"CREATE TABLE IF NOT EXISTS {DEFAULT} PARTITION OF events DEFAULT"))


def make_months(connection: Connection, months: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Make the partitions of months that have none, within the caller's transaction; the months that have one now.

    Two processes may do so at the same time: the second one finds the table there. What fails (no right to create,
    or events of that month in `events_other`) undoes itself alone.
    """
    if connection.dialect.name != "postgresql":
        return []
    made = []
    for month in months:
        first, after = month, next_month(month)
        statement = (
            f"CREATE TABLE IF NOT EXISTS {partition_name(month)} PARTITION OF events "
            f"FOR VALUES FROM ('{first[0]:04d}-{first[1]:02d}-01') TO ('{after[0]:04d}-{after[1]:02d}-01')"
        )
        try:
            with connection.begin_nested():
                connection.execute(text(statement))
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            continue
        made.append(month)
    return made
