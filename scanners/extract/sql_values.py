"""Tuples of SQL literals and column definitions, in the dialects that dumps are written in.

MySQL escapes by backslash (dev.mysql.com/doc/refman/8.4/en/string-literals.html); PostgreSQL, SQL Server, Oracle and
SQLite do not, but for E'…' and old PostgreSQL dumps that switch `standard_conforming_strings` off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_BACKSLASHED: Final = r"'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'"
_STANDARD: Final = r"'[^']*+(?:''[^']*+)*+'"
_DOUBLE: Final = r'"[^"\\]*+(?:(?:\\.|"")[^"\\]*+)*+"'
_SPACE: Final = r"(?:\s|/\*.*?\*/|--[^\n]*\n)*"
_PLAIN_VALUE: Final = r"[-+]?[\w.]+(?:[-+.]\d+)*"
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "", "b": "", "Z": "", "f": "", "v": ""}
_NAME: Final = r'(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|\[[^\]]+\]|[\w$\u0080-\uffff]+)'
QUALIFIED: Final = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_PART: Final = re.compile(_NAME)
_NOT_COLUMNS: Final = frozenset({
    "primary", "key", "unique", "constraint", "index", "fulltext", "spatial", "foreign", "check", "exclude", "like",
    "period", "partition",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How literals are written."""

    value: re.Pattern[str]
    gap: re.Pattern[str]
    backslash: bool


def _dialect(*, backslash: bool) -> Dialect:
    text = _BACKSLASHED if backslash else _STANDARD
    value = (
        rf"(?P<text>[Ee]{_BACKSLASHED}|(?:_\w+\s*|[NnBbXx](?='))?(?:{text}|{_DOUBLE}))(?:::[\w .\[\]]+)?"
        rf"|(?P<plain>{_PLAIN_VALUE})(?![\w(.])(?:::[\w .\[\]]+)?"
        rf"|(?P<call>(?:[\w.]+\s*)?\((?:[^()'\"]|{text}|{_DOUBLE}|\((?:[^()'\"]|{text})*\))*\)(?:::[\w .]+)?)"
    )
    return Dialect(value=re.compile(value, re.DOTALL), gap=re.compile(_SPACE, re.DOTALL), backslash=backslash)


MYSQL: Final = _dialect(backslash=True)
STANDARD: Final = _dialect(backslash=False)
_INNER: Final = re.compile(_BACKSLASHED, re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)|''", re.DOTALL)


def unquote_name(name: str) -> str:
    """A table's or column's own name: no quotes, no schema before it."""
    parts = _PART.findall(name)
    last = str(parts[-1]) if parts else name
    if last[:1] in '`"[':
        return last[1:-1].replace("``", "`").replace('""', '"')
    return last


def unquote_text(literal: str, dialect: Dialect) -> str:
    """The value of a string literal, prefix included."""
    if literal[0] == "'" and "\\" not in literal:
        return literal[1:-1].replace("''", "'")
    start = min((at for at in (literal.find("'"), literal.find('"')) if at >= 0), default=0)
    prefix, quote = literal[:start].lower(), literal[start : start + 1]
    body = literal[start + 1 : -1]
    if prefix == "x":
        return "0x" + body
    if "\\" in body and (dialect.backslash or prefix == "e"):
        return _ESCAPE.sub(_unescape, body) if quote == "'" else _ESCAPE.sub(_unescape, body).replace('""', '"')
    return body.replace(quote * 2, quote)


def _unescape(match: re.Match[str]) -> str:
    letter = match.group(1)
    return "'" if letter is None else _ESCAPES.get(letter, letter)


@dataclass(kw_only=True)
class Cut:
    """Result of cutting one tuple off: `end` behind it, or -1 if the text ends within, -2 if it is no tuple."""

    end: int
    cells: list[str] = field(default_factory=list)


def cut_tuple(text: str, position: int, dialect: Dialect) -> Cut:
    """`(a, 'b', NULL)` at `position`. A literal that touches the end of the text counts as cut off."""
    if text[position : position + 1] != "(":
        return Cut(end=-1 if position >= len(text) else -2)
    cells: list[str] = []
    position += 1
    size = len(text)
    while True:
        position = _skip(text, position, dialect)
        match = dialect.value.match(text, position)
        if match is None:
            return Cut(end=-1 if _may_go_on(text, position) else -2)
        cells.append(_cell(match, dialect))
        position = _skip(text, match.end(), dialect)
        if position >= size:
            return Cut(end=-1)
        letter = text[position]
        position += 1
        if letter == ")":
            return Cut(end=position, cells=cells)
        if letter != ",":
            return Cut(end=-2)


def _skip(text: str, position: int, dialect: Dialect) -> int:
    """Behind white space and comments."""
    gap = dialect.gap.match(text, position)
    return gap.end() if gap else position


def _may_go_on(text: str, position: int) -> bool:
    """Could a literal begin here whose end was not read yet?"""
    return position + 64 >= len(text) or any(quote in text[position : position + 32] for quote in "'\"(")


def _cell(match: re.Match[str], dialect: Dialect) -> str:
    literal = match.group("text")
    if literal is not None:
        return unquote_text(literal, dialect)
    plain = match.group("plain")
    if plain is not None:
        return "" if plain.upper() in ("NULL", "DEFAULT") else plain
    call: str = match.group("call")
    return " ".join(unquote_text(inner, dialect) for inner in _INNER.findall(call)) or call


@dataclass(kw_only=True)
class Table:
    """What a dump says about a table."""

    name: str
    columns: list[str] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)


_COMMENT: Final = re.compile(rf"\bCOMMENT\s*=?\s*({_BACKSLASHED})", re.IGNORECASE | re.DOTALL)
_PIECES: Final = re.compile(rf"{_BACKSLASHED}|{_DOUBLE}|`[^`]*`|--[^\n]*|/\*.*?\*/|[(),]", re.DOTALL)


def read_columns(body: str) -> Table:
    """Columns and their comments out of what stands behind the opening bracket of CREATE TABLE."""
    table = Table(name="")
    depth = 0
    start = 0
    parts = []
    end = len(body)
    for piece in _PIECES.finditer(body):
        mark = piece.group()
        if mark == "(":
            depth += 1
        elif mark == ")":
            depth -= 1
            if depth < 0:
                end = piece.start()
                break
        elif mark == "," and depth == 0:
            parts.append(body[start : piece.start()])
            start = piece.end()
    parts.append(body[start:end])
    for part in parts:
        definition = re.sub(r"^(?:\s|--[^\n]*\n|/\*.*?\*/)+", "", part, flags=re.DOTALL)
        match = _PART.match(definition)
        if match is None or (match.group().lower() in _NOT_COLUMNS and match.group()[:1] not in '`"['):
            continue
        name = unquote_name(match.group())
        table.columns.append(name)
        comment = _COMMENT.search(definition)
        if comment is not None:
            table.comments[name] = unquote_text(comment.group(1), MYSQL)
    return table
