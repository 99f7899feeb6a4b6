"""Many rows in one statement, on SQLite and on PostgreSQL, below SQLAlchemy's own bulk ways.

SQLAlchemy's costs more than the database here: a report is half a dozen rows, and a thousand come a second. On
PostgreSQL rows travel as one array a column (`unnest`), in psycopg's binary form, for its text form escapes every
document once more; on SQLite they are bound one after another by `executemany`. Names come from the models, never from
outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Boolean, Connection, Date, Integer, LargeBinary, Table
from sqlalchemy.types import TypeEngine

from central.models import Moment

Row = tuple[Any, ...]
_POSTGRES: Final = "postgresql"


class Bulk:
    """Statements over many rows within a connection's transaction. A row's values stand in the order of the columns."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_postgres = connection.dialect.name == _POSTGRES

    def find(self, table: Table, keys: Sequence[str], wanted: Sequence[str], rows: Sequence[Row]) -> list[Row]:
        """Columns `wanted` of the rows whose `keys` are one of `rows`; times as text on SQLite, naive on PostgreSQL."""
        if not rows:
            return []
        columns = ", ".join(f"t.{name}" for name in wanted)
        if self._is_postgres:
            source, values = self._unnest(table, keys, rows)
        else:
            marks = f"({', '.join('?' * len(keys))})"
            source = f"(VALUES {', '.join([marks] * len(rows))})"
            values = tuple(value for row in self._bound(table, keys, rows) for value in row)
        asked = [f"k{place}" for place in range(len(keys))]
        if self._is_postgres:
            source = f"{source} AS asked ({', '.join(asked)})"
        else:
            renamed = ", ".join(f"column{place + 1} AS k{place}" for place in range(len(keys)))
            source = f"(SELECT {renamed} FROM {source}) AS asked"  # noqa: S608
        match = " AND ".join(f"t.{key} = asked.{name}" for key, name in zip(keys, asked, strict=True))
        statement = f"SELECT {columns} FROM {source} JOIN {table.name} AS t ON {match}"  # noqa: S608
        return [tuple(row) for row in self._connection.exec_driver_sql(statement, values)]

    def upsert(
        self, table: Table, columns: Sequence[str], rows: Sequence[Row], *, newest: bool = False, replace: bool = True
    ) -> None:
        """Insert rows; where the key is taken, replace what is there.

        Args:
            table: where.
            columns: all columns that have no default.
            rows: no two of one key.
            newest: only if the row's `number` is not below the one there.
            replace: False leaves what is there.
        """
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        others = [name for name in columns if name not in keys]
        action = "NOTHING"
        if replace and others:
            action = "UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in others)
            if newest:
                action += f" WHERE excluded.number >= {table.name}.number"
        end = f"ON CONFLICT ({', '.join(keys)}) DO {action}"
        names = ", ".join(columns)
        if self._is_postgres:
            source, values = self._unnest(table, columns, rows)
            shown = ", ".join(
                f"c{place}::json" if isinstance(table.c[name].type, JSON) else f"c{place}"
                for place, name in enumerate(columns)
            )
            aliases = ", ".join(f"c{place}" for place in range(len(columns)))
            self._connection.exec_driver_sql(
                f"INSERT INTO {table.name} ({names}) SELECT {shown} FROM {source} AS given ({aliases}) {end}",  # noqa: S608
                values,
            )
            return
        marks = ", ".join("?" * len(columns))
        self._connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({names}) VALUES ({marks}) {end}",  # noqa: S608
            self._bound(table, columns, rows),
        )

    def update(
        self, table: Table, key: str, columns: Sequence[str], rows: Sequence[Row], more: Sequence[str] = ()
    ) -> None:
        """Set columns of the rows of a one-column key; a row begins with its key.

        Args:
            table: where.
            key: its key.
            columns: set to what the row says.
            rows: key, then values.
            more: further assignments; `{given.NAME}` is the row's value of that column.
        """
        if not rows:
            return
        names = [key, *columns]
        if self._is_postgres:
            source, values = self._unnest(table, names, rows)
            given = {name: f"given.c{place}" for place, name in enumerate(names)}
            aliases = ", ".join(f"c{place}" for place in range(len(names)))
            sets = [f"{name} = {given[name]}" for name in columns] + [_fill(text, given) for text in more]
            self._connection.exec_driver_sql(
                f"UPDATE {table.name} SET {', '.join(sets)} FROM {source} AS given ({aliases}) "  # noqa: S608
                f"WHERE {table.name}.{key} = given.c0",
                values,
            )
            return
        given = {name: f"?{place + 1}" for place, name in enumerate(names)}
        sets = [f"{name} = {given[name]}" for name in columns] + [_fill(text, given) for text in more]
        self._connection.exec_driver_sql(
            f"UPDATE {table.name} SET {', '.join(sets)} WHERE {key} = ?1",  # noqa: S608
            self._bound(table, names, rows),
        )

    def delete(self, table: Table, keys: Sequence[str], rows: Sequence[Row]) -> None:
        """Delete the rows of these keys."""
        if not rows:
            return
        if self._is_postgres:
            source, values = self._unnest(table, keys, rows)
            aliases = ", ".join(f"c{place}" for place in range(len(keys)))
            match = " AND ".join(f"{table.name}.{key} = gone.c{place}" for place, key in enumerate(keys))
            self._connection.exec_driver_sql(
                f"DELETE FROM {table.name} USING {source} AS gone ({aliases}) WHERE {match}",  # noqa: S608
                values,
            )
            return
        match = " AND ".join(f"{key} = ?" for key in keys)
        self._connection.exec_driver_sql(f"DELETE FROM {table.name} WHERE {match}", self._bound(table, keys, rows))  # noqa: S608

    def _unnest(self, table: Table, names: Sequence[str], rows: Sequence[Row]) -> tuple[str, Row]:
        kinds = [table.c[name].type for name in names]
        arrays = ", ".join(f"%b::{_array_of(kind)}" for kind in kinds)
        columns = zip(*rows, strict=True)
        values = tuple(
            [_naive(value) for value in column] if isinstance(kind, Moment) else list(column)
            for kind, column in zip(kinds, columns, strict=True)
        )
        return f"unnest({arrays})", values

    def _bound(self, table: Table, names: Sequence[str], rows: Sequence[Row]) -> list[Row]:
        turns = [_sqlite_turn(table.c[name].type) for name in names]
        columns = list(zip(*rows, strict=True))
        for place, turn in enumerate(turns):
            if turn:
                columns[place] = tuple(None if value is None else turn(value) for value in columns[place])
        return list(zip(*columns, strict=True))


def _fill(text: str, given: dict[str, str]) -> str:
    for name, value in given.items():
        text = text.replace(f"{{given.{name}}}", value)
    return text


def _array_of(kind: TypeEngine[Any]) -> str:
    match kind:
        case Moment():
            return "timestamp[]"
        case Date():
            return "date[]"
        case Boolean():
            return "boolean[]"
        case BigInteger() | Integer():
            return "bigint[]"
        case LargeBinary():
            return "bytea[]"
        case _:
            return "text[]"


def _naive(value: datetime | None) -> datetime | None:
    return value.astimezone(UTC).replace(tzinfo=None) if value else None


def _sqlite_moment(value: datetime) -> str:
    """As SQLAlchemy writes it."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def _sqlite_date(value: date) -> str:
    return value.isoformat()


def _sqlite_turn(kind: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    if isinstance(kind, Moment):
        return _sqlite_moment
    return _sqlite_date if isinstance(kind, Date) else None


def unique(rows: Iterable[Row]) -> list[Row]:
    """Each row once, in order."""
    return list(dict.fromkeys(rows))
