"""SQLite databases: each table is an item.

The live file is never opened by SQLite: the scan makes a copy (`scanners.snapshot`), the log is brought into it here,
and SQLite reads that with `immutable=1` or from memory, with a schema that is not trusted and no extensions. A virtual
table is read through its shadow tables, which are ordinary ones.

Not guaranteed: pages that were freed and not overwritten are not read, though they may hold old rows.
"""

from __future__ import annotations

import io
import os
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, cast
from urllib.parse import quote

from config.schema import ItemKind
from scanners.cells import Cells, ValueGrid
from scanners.extract.api import BATCH_ROWS, Extractor, Notes, Piece, Refused, Source, TableRows
from scanners.extract.charset import detect
from scanners.extract.wal import apply_log, say_rollback_mode
from scanners.records import Place, Rows

MAGIC: Final = b"SQLite format 3\x00"
_IN_MEMORY: Final = 128 << 20
_CELL: Final = 1 << 20
_BATCH: Final = 1 << 20
_AT_ONCE: Final = 64  # rows; each may hold as much as SQLite allows


class SqliteExtractor:
    """A database that came alone (in an archive), or as a snapshot with its log.

    Args:
        log: descriptor of a copy of the write-ahead log, or -1.
        path: where a large snapshot lies until it is open.
    """

    kind: ItemKind = "sqlite"

    def __init__(self, *, log: int = -1, path: str = "", alone: bool = True) -> None:
        self._log = log
        self._path = path
        self._alone = alone

    def matches(self, source: Source) -> bool:
        """By its first 16 bytes."""
        return source.head.startswith(MAGIC)

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Every table's rows; columns by their declared names."""
        connection = self._connect(source, notes)
        try:
            yield from _tables(connection, notes)
        except sqlite3.DatabaseError as error:
            raise Refused("malformed") from error
        finally:
            connection.close()

    def _connect(self, source: Source, notes: Notes) -> sqlite3.Connection:
        if self._alone:
            stream = source.file()
            size = stream.seek(0, io.SEEK_END)
            stream.seek(0)
            if size > _IN_MEMORY:
                raise Refused("too_large")
            data = bytearray(max(size, 20))
            stream.readinto(memoryview(data))  # type: ignore[attr-defined]  # a file, as `Source.file` says
            data[18:20] = b"\x01\x01"
            return _in_memory(data)
        snapshot = io.FileIO(source.file().fileno(), "r+", closefd=False)
        if self._log >= 0:
            apply_log(snapshot, io.FileIO(self._log, "r", closefd=False))
        say_rollback_mode(snapshot)
        if self._path:
            connection = sqlite3.connect(f"file:{quote(self._path)}?mode=ro&immutable=1", uri=True)
            _restrict(connection)
            connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
            notes.opened()
            return connection
        return _in_memory(os.pread(snapshot.fileno(), os.fstat(snapshot.fileno()).st_size, 0))


def _in_memory(data: bytes | bytearray) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(data)
    _restrict(connection)
    return connection


def _restrict(connection: sqlite3.Connection) -> None:
    connection.text_factory = bytes
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA temp_store = MEMORY")


def _tables(connection: sqlite3.Connection, notes: Notes) -> Iterator[Piece]:
    notes.encoding = "utf-8"
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY rowid").fetchall()
    for raw, sql in rows:
        name = raw.decode("utf-8", "replace")
        if name.startswith("sqlite_") or (sql or b"").lstrip()[:22].upper().startswith(b"CREATE VIRTUAL TABLE"):
            continue
        try:
            yield from _rows(connection, name)
        except sqlite3.DatabaseError:
            notes.partly("malformed")


def _rows(connection: sqlite3.Connection, name: str) -> Iterator[Piece]:
    quoted = '"' + name.replace('"', '""') + '"'
    cursor = connection.execute(f"SELECT * FROM {quoted}")  # noqa: S608  a quoted identifier, of a copy, read only
    columns = tuple(_name(column[0]) for column in cursor.description)
    first = 1
    batch: list[tuple[object, ...]] = []
    size = 0
    while some := cursor.fetchmany(_AT_ONCE):
        batch += some
        size += sum(map(_size, zip(*some, strict=True)))
        if len(batch) >= BATCH_ROWS or size > _BATCH:
            yield _piece(name, columns, batch, first)
            first += len(batch)
            batch, size = [], 0
    if batch or first == 1:
        yield _piece(name, columns, batch, first)


def _size(column: Sequence[object]) -> int:
    if set(map(type, column)) == {bytes}:
        return sum(map(len, cast("Sequence[bytes]", column)))
    return sum(len(value) if type(value) is bytes else 8 for value in column)


def _piece(name: str, columns: tuple[str, ...], batch: Sequence[tuple[object, ...]], first: int) -> TableRows:
    rows = ValueGrid(batch, cells_of)
    return TableRows(rows=Rows(table=name, columns=columns, rows=rows, first_line=first, place=Place(table=name)))


def cells_of(values: Sequence[object]) -> Cells:
    """A column's values as cells; at once if they are texts that are none too long and in UTF-8."""
    kinds = set(map(type, values))
    if kinds <= {bytes, type(None)}:
        given = cast("Sequence[bytes | None]", values)
        texts = cast("Sequence[bytes]", given) if kinds == {bytes} else [value or b"" for value in given]
        if max(map(len, texts), default=0) <= _CELL:
            try:
                b"\n".join(texts).decode()
            except UnicodeDecodeError:
                return Cells.of(list(map(cell_text, values)))
            return Cells.of_bytes(texts)
    return Cells.of(list(map(cell_text, values)))


def _name(name: str | bytes) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def cell_text(value: object) -> str:
    """A value of SQLite as text; a blob if it reads as text (tills store GBK in them)."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        data = value[:_CELL]
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            name = detect(data)
            return data.decode(name, "replace") if name else ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 63:
        return str(int(value))
    return str(value)


def from_snapshot(*, log: int, path: str) -> Extractor:
    """For one snapshot of a live database."""
    return SqliteExtractor(log=log, path=path, alone=False)
