"""SQL dumps: each table is an item, in the order in which the dump names them.

`INSERT INTO … VALUES` of MySQL, SQLite, SQL Server and Oracle, one or many rows a statement, with or without a list
of columns (then from CREATE TABLE, whose comments go along); `COPY … FROM stdin` of PostgreSQL. Read as a stream: no
statement needs to fit in memory, one row does. Everything else in the file, comments included, is text of the file
itself, and so is a statement that does not parse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from config.schema import ItemKind
from scanners.cells import ByteGrid
from scanners.extract.api import BATCH_CHARACTERS, BATCH_ROWS, Notes, Piece, Source, TableRows
from scanners.extract.charset import detect
from scanners.extract.sql_tuples import cut_copy, cut_tuples
from scanners.extract.sql_values import (
    MYSQL,
    QUALIFIED,
    STANDARD,
    Dialect,
    Table,
    cut_tuple,
    read_columns,
    unquote_name,
    unquote_text,
)
from scanners.extract.tables import MAX_COLUMNS, fill, number_columns
from scanners.extract.text import chunks, read_text
from scanners.records import Place, Rows

_ROW: Final = 16 << 20  # characters of one row or one other statement
_SIGN: Final = re.compile(
    rf"^\s*(?:INSERT\s+(?:\w+\s+){{0,2}}INTO\s+{QUALIFIED}|INSERT\s+{QUALIFIED}\s*\(|REPLACE\s+INTO\s+{QUALIFIED}|"
    rf"COPY\s+{QUALIFIED}[^;\n]*\sFROM\s+stdin|CREATE\s+(?:\w+\s+){{0,3}}TABLE\s|DROP\s+TABLE\s|LOCK\s+TABLES\s)",
    re.IGNORECASE | re.MULTILINE,
)
_INSERT: Final = re.compile(
    r"(?:INSERT|REPLACE)\s+(?:(?:LOW_PRIORITY|DELAYED|HIGH_PRIORITY|IGNORE|OVERWRITE|OR\s+\w+)\s+)*(?:INTO\s+)?"
    rf"(?P<table>{QUALIFIED})\s*(?:\((?P<columns>[^()']*)\))?\s*(?:OVERRIDING\s+\w+\s+VALUE\s*)?VALUES?\s*",
    re.IGNORECASE,
)
_CREATE: Final = re.compile(
    rf"CREATE\s+(?:\w+\s+){{0,3}}?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<table>{QUALIFIED})\s*\(", re.IGNORECASE
)
_COPY: Final = re.compile(
    rf"COPY\s+(?P<table>{QUALIFIED})\s*(?:\((?P<columns>[^()]*)\))?\s*FROM\s+stdin[^;\n]*;[ \t]*\r?\n", re.IGNORECASE
)
_COLUMN_COMMENT: Final = re.compile(
    rf"COMMENT\s+ON\s+COLUMN\s+(?P<column>{QUALIFIED})\s+IS\s+(?P<text>'(?:[^']|'')*')", re.IGNORECASE
)
_GAP: Final = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|#[^\n]*(?:\n|\Z)|/\*.*?\*/|;|GO\b)+", re.DOTALL)
_TOKEN: Final = {
    backslash: re.compile(
        rf"--[^\n]*|/\*.*?\*/|{text}|\"[^\"]*\"|`[^`]*`|;|[^;'\"`/-]+|.",
        re.DOTALL,
    )
    for backslash, text in ((True, r"'[^'\\]*+(?:\\.[^'\\]*+)*+'"), (False, r"'[^']*'"))
}
_AFTER: Final = re.compile(r"\s*(,?)\s*")
_COPY_ESCAPE: Final = re.compile(r"\\(.)")
_COPY_LETTERS: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "", "f": "", "v": ""}
_LEAST, _MOST = 1 << 13, 1 << 20
_FEW: Final = 16  # tuples: a view costs as much as these
_ALONE: Final = 64


def guess_dialect(head: str) -> Dialect:
    """By what the tools write into their dumps."""
    if re.search(r"standard_conforming_strings\s*=\s*off", head):
        return MYSQL
    if re.search(r"PostgreSQL|\[dbo\]|^GO\s*$|SET IDENTITY_INSERT|PRAGMA |BEGIN TRANSACTION", head, re.MULTILINE):
        return STANDARD
    if re.search(r"mysql|mariadb|`|engine\s*=|auto_increment|\\'", head, re.IGNORECASE):
        return MYSQL
    return STANDARD


class SqlDumpExtractor:
    """See the module."""

    kind: ItemKind = "sql_dump"

    def matches(self, source: Source) -> bool:
        """Text with the statements of a dump near its start; with the name, any text."""
        if source.suffix not in ("sql", "dump", "bak", "txt", "ddl", "psql", ""):
            return False
        name = detect(source.head)
        return name is not None and (
            source.suffix in ("sql", "psql") or _SIGN.search(source.head.decode(name, "replace")) is not None
        )

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Rows by table, other statements as text."""
        name = detect(source.head) or "utf-8"
        dump = _Dump(read_text(source.stream(), notes), guess_dialect(source.head.decode(name, "replace")))
        yield from dump.pieces()


class _Batch:
    """Rows of one table on their way."""

    def __init__(self) -> None:
        self.table = Table(name="")
        self.columns: tuple[str, ...] = ()
        self.rows: list[list[str]] = []
        self.characters = 0
        self.counts: dict[str, int] = {}

    def flush(self) -> Iterator[Piece]:
        """What waits, as one piece."""
        if not self.rows:
            return
        width = max(len(self.columns), *map(len, self.rows))
        yield self._piece([tuple(row) if len(row) == width else fill(row, width) for row in self.rows], width)
        self.rows = []
        self.characters = 0

    def _piece(self, rows: Sequence[tuple[str, ...]], width: int) -> Piece:
        columns = number_columns(self.columns, width)
        first = self.counts.get(self.table.name, 0) + 1
        self.counts[self.table.name] = first + len(rows) - 1
        return TableRows(rows=_rows_of(self.table, columns, rows, first))

    def add_many(self, grid: ByteGrid) -> Iterator[Piece]:
        """A piece of its own."""
        yield from self.flush()
        if grid.width > MAX_COLUMNS:
            yield from chunks(["\n".join(map("\t".join, grid.beyond(MAX_COLUMNS)))])
        width = max(len(self.columns), min(grid.width, MAX_COLUMNS))
        yield self._piece(grid.widened(width), width)

    def switch(self, table: Table, columns: tuple[str, ...]) -> Iterator[Piece]:
        """Go on with another table, or another list of columns."""
        columns = columns[:MAX_COLUMNS]
        if table.name != self.table.name or columns != self.columns:
            yield from self.flush()
            self.table, self.columns = table, columns

    def add(self, row: list[str]) -> Iterator[Piece]:
        """One row more; what is beyond the columns that a table may have comes as text."""
        if len(row) > MAX_COLUMNS:
            yield from chunks(["\t".join(row[MAX_COLUMNS:])])
            del row[MAX_COLUMNS:]
        self.rows.append(row)
        self.characters += sum(map(len, row))
        if len(self.rows) >= BATCH_ROWS or self.characters > BATCH_CHARACTERS:
            yield from self.flush()


def _rows_of(table: Table, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], first: int) -> Rows:
    return Rows(
        table=table.name,
        columns=columns,
        rows=rows,
        first_line=first,
        comments=tuple(table.comments.get(name, "") for name in columns) if table.comments else (),
        place=Place(table=table.name),
    )


class _Dump:
    """A view that slides over the text, statement by statement."""

    def __init__(self, blocks: Iterator[str], dialect: Dialect) -> None:
        self._blocks = blocks
        self._dialect = dialect
        self._text = ""
        self._at = 0
        self._line = 1
        self._ended = False
        self._view = _MOST // 4  # characters that are cut at once
        self._alone = 0  # tuples that are cut one by one before that is tried again
        self._tables: dict[str, Table] = {}
        self._batch = _Batch()

    def _ahead(self, count: int) -> bool:
        """Have `count` characters ahead; False if the text ends before."""
        if len(self._text) - self._at >= count:
            return True
        parts = [self._text[self._at :]]
        have = len(parts[0])
        while have < count and not self._ended:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
            else:
                parts.append(block)
                have += len(block)
        self._text = "".join(parts)
        self._at = 0
        return have >= count

    def _advance(self, to: int) -> str:
        text = self._text[self._at : to]
        self._line += text.count("\n")
        self._at = to
        return text

    def pieces(self) -> Iterator[Piece]:
        """All of it."""
        while True:
            self._ahead(1 << 17)
            if self._at >= len(self._text):
                break
            gap = _GAP.match(self._text, self._at)
            if gap is not None:
                yield from self._as_text(gap.end())
                continue
            yield from self._statement()
        yield from self._batch.flush()
        for table in self._tables.values():
            if table.name not in self._batch.counts:
                yield TableRows(rows=_rows_of(table, tuple(table.columns), [], 1))

    def _as_text(self, end: int) -> Iterator[Piece]:
        line = self._line
        text = self._advance(end)
        if text.strip("; \t\r\n"):
            yield from chunks([text], first_line=line)

    def _statement(self) -> Iterator[Piece]:
        if (match := _INSERT.match(self._text, self._at)) is not None:
            yield from self._insert(match)
        elif (match := _COPY.match(self._text, self._at)) is not None:
            yield from self._copy(match)
        elif (match := _CREATE.match(self._text, self._at)) is not None:
            end = self._end_of_statement()
            table = read_columns(self._text[self._at + match.end() - match.start() : end])
            table.name = unquote_name(match.group("table"))
            self._tables[table.name] = table
            self._advance(end)
        else:
            end = self._end_of_statement()
            for comment in _COLUMN_COMMENT.finditer(self._text, self._at, end):
                owner, _, _ = comment.group("column").rpartition(".")
                table = self._tables.get(unquote_name(owner), Table(name=""))
                table.comments[unquote_name(comment.group("column"))] = unquote_text(comment.group("text"), STANDARD)
            yield from self._as_text(end)

    def _end_of_statement(self) -> int:
        """Behind its semicolon; at a line end where it is longer than a statement may be."""
        wanted = 1 << 17
        while True:
            start = self._at
            cut_off = False
            for token in _TOKEN[self._dialect.backslash].finditer(self._text, start):
                found = token.group()
                if found == ";":
                    return token.end()
                if found in "'\"`" or (found == "/" and self._text.startswith("/*", token.start())):
                    cut_off = True
                    break
            wanted *= 2
            if wanted > _ROW or not self._ahead(wanted):
                if cut_off or wanted > _ROW:
                    line_end = self._text.find("\n", self._at)
                    return line_end + 1 if line_end >= 0 else len(self._text)
                return len(self._text)

    def _insert(self, match: re.Match[str]) -> Iterator[Piece]:
        name = unquote_name(match.group("table"))
        table = self._tables.setdefault(name, Table(name=name))
        listed = match.group("columns")
        columns = tuple(map(unquote_name, listed.split(","))) if listed else tuple(table.columns)
        yield from self._batch.switch(table, columns)
        self._advance(match.end())
        wanted = 1 << 17
        while True:
            if self._alone:
                self._alone -= 1
            elif (many := self._cut_many(match.group())) is not None:
                yield from self._batch.add_many(many)
                if not self._go_on():
                    return
                continue
            cut = cut_tuple(self._text, self._at, self._dialect)
            if cut.end == -1 and wanted < _ROW:
                wanted *= 2
                have = len(self._text) - self._at
                if self._ahead(max(wanted, have + 1)) or len(self._text) - self._at > have:
                    continue
            if cut.end < 0:
                yield from self._as_text(self._end_of_statement())
                return
            wanted = 1 << 17
            yield from self._batch.add(cut.cells)
            self._advance(cut.end)
            if not self._go_on():
                return

    def _go_on(self) -> bool:
        """Over the comma to the next tuple, if there is one."""
        self._ahead(4096)
        after = _AFTER.match(self._text, self._at)
        if after is None or not after.group(1):
            return False
        self._advance(after.end())
        self._ahead(4096)
        return True

    def _cut_many(self, start: str) -> ByteGrid | None:
        """As many tuples as can be cut at once; where that fails, a smaller view is tried some tuples later."""
        self._ahead(self._view)
        cut = cut_tuples(self._text[self._at : self._at + self._view], self._dialect, start)
        if cut is None:
            self._view = max(self._view // 4, _LEAST)
            self._alone = _ALONE
            return None
        whole = 2 * cut.length > self._view
        if len(cut.rows) < _FEW:
            self._alone = _ALONE
        self._view = min(2 * self._view, _MOST) if whole else max(self._view // 2, _LEAST)
        self._advance(self._at + cut.length)
        return cut.rows

    def _lines_end(self) -> int:
        """Behind the last whole line that is here, or before the one that ends the data."""
        self._ahead(_MOST)
        if self._text.startswith("\\.", self._at):
            return self._at
        end = self._text.rfind("\n", self._at, self._at + _MOST) + 1
        return (self._text.find("\n\\.", self._at, end + 2) + 1) or end

    def _copy(self, match: re.Match[str]) -> Iterator[Piece]:
        name = unquote_name(match.group("table"))
        table = self._tables.setdefault(name, Table(name=name))
        listed = match.group("columns")
        columns = tuple(map(unquote_name, listed.split(","))) if listed else tuple(table.columns)
        yield from self._batch.switch(table, columns)
        self._advance(match.end())
        while True:
            end = self._lines_end()
            if end > self._at:
                yield from self._batch.add_many(cut_copy(self._advance(end), _copy_cell))
            end = self._text.find("\n", self._at)
            if end < 0:
                have = len(self._text) - self._at
                if have < _ROW and (self._ahead(2 * have + 4096) or len(self._text) - self._at > have):
                    continue
                end = len(self._text) - 1
                if end < self._at:
                    return
            line = self._advance(end + 1).rstrip("\r\n")
            if line == "\\.":
                return
            yield from self._batch.add([_copy_cell(cell) for cell in line.split("\t")])


def _copy_cell(cell: str) -> str:
    if "\\" not in cell:
        return cell
    if cell == "\\N":
        return ""
    return _COPY_ESCAPE.sub(lambda match: _COPY_LETTERS.get(match.group(1), match.group(1)), cell)
