"""JSON and JSON lines: records become rows with dotted column names, the rest becomes text.

A list of records that is too long to hold is read element by element (RFC 8259 gives no limit to anything); any other
document over the limit is read as text. Of a name that is given twice in one object both values are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from config.schema import ItemKind
from scanners.extract.api import BATCH_CHARACTERS, BATCH_ROWS, Notes, Piece, Source
from scanners.extract.charset import detect
from scanners.extract.tables import fill
from scanners.extract.text import chunks, read_text
from scanners.records import Place, Rows

_NAMES: Final = frozenset({"json", "jsonl", "ndjson", "geojson"})
_WHOLE: Final = 8 << 20  # characters of one document or element
_COLUMNS: Final = 2000
_WHITE: Final = " \t\r\n\ufeff"
_TEXT: Final = {str}
_NESTED: Final = {dict, list}


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        record = {}
        for name, value in pairs:
            key = name
            repeat = 1
            while key in record:
                repeat += 1
                key = f"{name}~{repeat}"
            record[key] = value
    return record


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=str, parse_float=str, strict=False)


class _Tables:
    """Gathers records under the path of their list; hands on batches."""

    def __init__(self) -> None:
        self._columns: dict[str, dict[str, int]] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._rows: dict[str, list[tuple[str, ...]]] = {}
        self._lines: dict[str, int] = {}  # of the first of them
        self._characters = 0
        self.full = False

    def add(self, value: Any, line: int, path: str = "") -> None:
        """Take a document or a record."""
        if isinstance(value, list):
            plain = []
            for part in value:
                if isinstance(part, dict | list):
                    self.add(part, line, path)
                else:
                    plain.append(_cell(part))
            for cell in plain:
                self._row(path, line, {path.rpartition(".")[2] or "value": cell})
            return
        if not isinstance(value, dict):
            self._row(path, line, {"value": _cell(value)})
            return
        kinds = set(map(type, value.values()))
        flat: dict[str, str] = {}
        if kinds == _TEXT:
            flat = value
        elif not kinds & _NESTED:
            flat = {name: part if type(part) is str else _cell(part) for name, part in value.items()}
        else:
            self._flatten(value, "", flat, line, path)
        if flat:
            self._row(path, line, flat)

    def _flatten(self, value: dict[str, Any], prefix: str, flat: dict[str, str], line: int, path: str) -> None:
        for key, part in value.items():
            name = f"{prefix}{key}"
            if isinstance(part, dict):
                self._flatten(part, f"{name}.", flat, line, path)
            elif isinstance(part, list):
                if any(isinstance(element, dict | list) for element in part):
                    self.add(part, line, f"{path}.{name}" if path else name)
                else:
                    flat[name] = ", ".join(map(_cell, part))
            else:
                flat[name] = _cell(part)

    def _row(self, path: str, line: int, flat: dict[str, str]) -> None:
        names = self._names.get(path, ())
        if tuple(flat) == names:
            row = tuple(flat.values())
        else:
            columns = self._columns.setdefault(path, {})
            for name in flat:
                if name not in columns and len(columns) < _COLUMNS:
                    columns[name] = len(columns)
            self._names[path] = tuple(columns)
            row = tuple([flat.get(name, "") for name in columns])
        rows = self._rows.setdefault(path, [])
        if not rows:
            self._lines[path] = line
        rows.append(row)
        self._characters += sum(map(len, row))
        self.full = self.full or len(rows) >= BATCH_ROWS or self._characters > BATCH_CHARACTERS

    def batches(self, *, last: bool = False) -> Iterator[Rows]:
        """Tables that have a batch of rows waiting; all of them if the rows are large, or the last."""
        least = 1 if last or self._characters > BATCH_CHARACTERS else BATCH_ROWS
        self.full, self._characters = False, 0
        for path in [path for path, rows in self._rows.items() if len(rows) >= least]:
            rows = self._rows.pop(path)
            names = self._names[path]
            width = len(names)
            yield Rows(
                table=path,
                columns=names,
                rows=[row if len(row) == width else fill(row, width) for row in rows],
                first_line=self._lines[path],
                place=Place(table=path or None),
            )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class JsonExtractor:
    """One document, a stream of documents, or a line each."""

    kind: ItemKind = "json"

    def matches(self, source: Source) -> bool:
        """Text that begins as an object or a list; without the name, one whose first value or line parses."""
        name = detect(source.head)
        if name is None:
            return False
        text = source.head.decode(name, "replace").lstrip(_WHITE)
        if text[:1] not in ("{", "["):
            return False
        if source.suffix in _NAMES:
            return True
        first = text.partition("\n")[0]
        try:
            _DECODER.raw_decode(text if len(source.head) < 65_536 else first)
        except (ValueError, RecursionError):
            return False
        return True

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Rows as far as it parses; the rest as text."""
        tables = _Tables()
        window = _Window(read_text(source.stream(), notes))
        for value, line in window.values():
            tables.add(value, line)
            if tables.full:
                yield from tables.batches()
        yield from tables.batches(last=True)
        yield from chunks(window.rest(), first_line=window.line)


class _Window:
    """A sliding view of the text: one value after the other is cut off its front."""

    def __init__(self, blocks: Iterator[str]) -> None:
        self._blocks = blocks
        self._text = ""
        self._position = 0
        self.line = 1

    def _more(self) -> bool:
        block = next(self._blocks, None)
        if block is None:
            return False
        self._text = self._text[self._position :] + block
        self._position = 0
        return True

    def _skip(self, letters: str) -> str:
        """Pass over `letters`; the next character, or '' at the end."""
        while True:
            while self._position < len(self._text) and self._text[self._position] in letters:
                self.line += self._text[self._position] == "\n"
                self._position += 1
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._more():
                return ""

    def values(self) -> Iterator[tuple[Any, int]]:
        """Top-level values with their lines; elements of a list that stands at the top are given one by one."""
        while first := self._skip(_WHITE):
            in_list = first == "["
            if in_list:
                self._position += 1
                first = self._skip(_WHITE + ",")
            while first and not (in_list and first == "]"):
                line = self.line
                found, value = self._value()
                if not found:
                    return
                yield value, line
                if not in_list:
                    break
                first = self._skip(_WHITE + ",")
            if in_list:
                self._position += 1

    def _value(self) -> tuple[bool, Any]:
        """The value here, read on as far as needed."""
        wanted = 0
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._position)
            except RecursionError:
                return False, None
            except ValueError as error:
                at = getattr(error, "pos", self._position)
                wanted = max(2 * wanted, 1 << 16)
                near_end = at >= len(self._text) - 4096 or "Unterminated" in str(error)
                if not near_end or len(self._text) - self._position > _WHOLE or not self._read_on(wanted):
                    return False, None
                continue
            if end == len(self._text) and self._read_on(1):  # a number may go on
                continue
            self.line += self._text.count("\n", self._position, end)
            self._position = end
            return True, value

    def _read_on(self, count: int) -> bool:
        goal = len(self._text) - self._position + count
        grew = False
        while len(self._text) - self._position < goal and self._more():
            grew = True
        return grew

    def rest(self) -> Iterator[str]:
        """What was not cut off."""
        if self._position < len(self._text):
            yield self._text[self._position :]
        yield from self._blocks
