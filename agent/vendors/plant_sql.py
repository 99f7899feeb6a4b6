"""Canaries in an SQL dump (sqlite3 `.dump`, mysqldump and their like): further tuples, everything else to the byte.

What stands in quotes, in comments and in brackets is told apart, no more of SQL is understood. MySQL takes a backslash
as an escape, SQLite and PostgreSQL do not (https://www.sqlite.org/lang_expr.html#literal_values_constants_): which one
wrote the dump is told by its first lines. PostgreSQL's `COPY` blocks get no canaries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from agent.vendors.columns import Canary, read_table, spread, text_of
from agent.vendors.plant_delimited import decoded
from agent.vendors.planted import NotPlanted, Planted

_TAIL: Final = r"|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|[;(),]"
_PLAIN: Final = re.compile(r"'(?:[^']|'')*'" + _TAIL, re.DOTALL)
_ESCAPED: Final = re.compile(r"'(?:[^'\\]|''|\\.)*'" + _TAIL, re.DOTALL)
_NO_ESCAPES: Final = re.compile(r"PRAGMA foreign_keys|BEGIN TRANSACTION|PostgreSQL|SQLite", re.IGNORECASE)
_NAME: Final = r"[`\"\[]?([^\s`\"\[\](),;]+)[`\"\]]?"
_INSERT: Final = re.compile(rf"\s*INSERT\s+(?:IGNORE\s+)?INTO\s+(?:{_NAME}\s*\.\s*)?{_NAME}", re.IGNORECASE)
_CREATE: Final = re.compile(rf"\s*CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:{_NAME}\s*\.\s*)?{_NAME}", re.IGNORECASE)
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_NO_COLUMNS: Final = re.compile(
    r"(?:PRIMARY|KEY|UNIQUE|CONSTRAINT|INDEX|FOREIGN|CHECK|FULLTEXT|SPATIAL)\b", re.IGNORECASE
)


@dataclass(kw_only=True)
class _Tuple:
    """One row: where it stands, its literals as written, and what follows it up to the next row ('' for the last)."""

    begin: int
    end: int
    literals: list[str] = field(repr=False)
    apart: str = ""


@dataclass(kw_only=True)
class _Insert:
    """One statement: where it begins, its words up to and with VALUES, and its rows."""

    begin: int
    head: str
    rows: list[_Tuple]


@dataclass(kw_only=True)
class _Dumped:
    """One table: its columns and the statements that fill it."""

    columns: list[str] = field(default_factory=list)
    inserts: list[_Insert] = field(default_factory=list)


def plant_sql(data: bytes, name: str, canaries: list[Canary]) -> Planted:  # noqa: ARG001  the format was told by it
    """The dump with the canaries in each table that names people to be reached.

    Raises:
        NotPlanted: there is no such table.
    """
    text, codec, encoding = decoded(data)
    inserted: dict[int, list[str]] = {}
    tables = 0
    for dumped in _tables(text).values():
        rows = [(insert, row) for insert in dumped.inserts for row in insert.rows]
        if not rows:
            continue
        table = read_table(dumped.columns, [[_value(literal) for literal in row.literals] for _, row in rows])
        if not table.takes:
            continue
        tables += 1
        for canary, near in zip(canaries, spread(len(canaries), len(rows)), strict=True):
            insert, like = rows[near]
            made = _row(table.record(canary, near), like.literals, [row.literals for _, row in rows[:300]])
            if len(insert.rows) > 1:
                apart = like.apart or insert.rows[-2].apart
                inserted.setdefault(like.begin, []).append(made + apart)
            else:
                inserted.setdefault(insert.begin, []).append(f"{insert.head}{made};\n")
    if not inserted:
        raise NotPlanted("no_contact")
    out, done = [], 0
    for at in sorted(inserted):
        out += [text[done:at], *inserted[at]]
        done = at
    out.append(text[done:])
    try:
        content = "".join(out).encode(codec)
    except UnicodeError as error:
        raise NotPlanted("encoding") from error
    return Planted(data=content, records=tables * len(canaries), tables=tables, encoding=encoding)


def _tables(text: str) -> dict[str, _Dumped]:
    found: dict[str, _Dumped] = {}
    token = _PLAIN if _NO_ESCAPES.search(text[:4000]) else _ESCAPED
    for begin, end in _statements(text, token):
        if created := _CREATE.match(text, begin, end):
            found.setdefault(created[2].lower(), _Dumped()).columns = _columns(text, created.end(), end, token)
        elif insert := _INSERT.match(text, begin, end):
            statement, columns = _insert(text, (begin, insert.end(), end), token)
            table = found.setdefault(insert[2].lower(), _Dumped())
            table.inserts.append(statement)
            table.columns = columns or table.columns
    return found


def _statements(text: str, token: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Where each statement begins (its comments passed over) and ends."""
    begin = 0
    for found in token.finditer(text):
        if found[0].startswith(("--", "/*")):
            if not text[begin : found.start()].strip():
                begin = found.end()
        elif found[0] == ";":
            start = begin + len(text[begin : found.end()]) - len(text[begin : found.end()].lstrip())
            yield start, found.end()
            begin = found.end()


def _parts(text: str, begin: int, end: int, token: re.Pattern[str]) -> Iterator[tuple[int, int, list[str]]]:
    """Each bracket at the top level: where it begins and ends, and what its commas part."""
    depth, opened, last = 0, 0, 0
    parts: list[str] = []
    for found in token.finditer(text, begin, end):
        sign = found[0]
        if sign == "(":
            if depth == 0:
                opened, last, parts = found.start(), found.end(), []
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
            if depth == 0:
                yield opened, found.end(), [*parts, text[last : found.start()].strip()]
        elif sign == "," and depth == 1:
            parts.append(text[last : found.start()].strip())
            last = found.end()


def _columns(text: str, begin: int, end: int, token: re.Pattern[str]) -> list[str]:
    for _begin, _end, parts in _parts(text, begin, end, token):
        return [
            found[1] for part in parts if not _NO_COLUMNS.match(part) and (found := re.match(_NAME, part)) is not None
        ]
    return []


def _insert(text: str, places: tuple[int, int, int], token: re.Pattern[str]) -> tuple[_Insert, list[str]]:
    begin, named, end = places
    columns: list[str] = []
    rows: list[_Tuple] = []
    for opened, closed, parts in _parts(text, named, end, token):
        if not rows and "VALUES" not in text[named:opened].upper():
            columns = [part.strip('`"[] ') for part in parts]
            continue
        rows.append(_Tuple(begin=opened, end=closed, literals=parts))
    for one, following in pairwise(rows):
        one.apart = text[one.end : following.begin]
    return _Insert(begin=begin, head=text[begin : rows[0].begin] if rows else "", rows=rows), columns


def _value(literal: str) -> Any:
    """A literal as a cell: None for NULL, text without its quotes, a number as its digits."""
    if literal.upper() == "NULL" or not literal:
        return None
    if literal[0] == "'" and literal[-1] == "'":
        return literal[1:-1].replace("''", "'").replace("\\'", "'")
    return literal


def _row(cells: list[Any], like: list[str], rows: list[list[str]]) -> str:
    literals = []
    for index, cell in enumerate(cells):
        neighbour = like[index] if index < len(like) else ""
        if cell is None or cell == "":
            nullable = any(index < len(row) and row[index].upper() == "NULL" for row in rows)
            literals.append("NULL" if nullable or not neighbour.startswith("'") else "''")
        elif not neighbour.startswith("'") and _NUMBER.fullmatch(text_of(cell)):
            literals.append(text_of(cell))
        else:
            literals.append("'" + text_of(cell).replace("'", "''") + "'")
    return "(" + ",".join(literals) + ")"
