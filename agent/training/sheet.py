"""Read a list that somebody made: CSV in any character set a shop uses, or the first sheet of a workbook.

This runs where the command was typed, with that person's rights: the daemon never opens a file on a caller's word, and
what parses a stranger's file is not root's daemon. Cells come out as text; a formula's cell as its last value.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from typing import Final

from config.errors import UsageError
from config.text import Text

LARGEST: Final = 20 << 20
LARGEST_UNPACKED: Final = 200 << 20
MOST_ROWS: Final = 50_000
MOST_COLUMNS: Final = 100
LONGEST_CELL: Final = 2000
Line = tuple[int, list[str]]
"""The line's number in the file, from 1, and its cells."""


def read_sheet(path: str, text: Text) -> list[Line]:
    """Every line that is not empty, with its number.

    Raises:
        UsageError: the file cannot be read, is too large, or is no CSV and no workbook; the message names it.
    """
    name = os.path.basename(path)
    data = read_file(path, text)
    found = _workbook(data, name, text) if _is_workbook(data) else _separated(data, name, text)
    lines = list(_kept(found, name, text))
    if not lines:
        raise UsageError(text("training.empty", name=name))
    return lines


def read_file(path: str, text: Text) -> bytes:
    """What a person's file holds.

    Raises:
        UsageError: it cannot be read, or is larger than `LARGEST` bytes.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(text("training.unreadable", path=path, cause=error.strerror)) from error
    if len(data) > LARGEST:
        raise UsageError(text("training.too_large", name=path, size=LARGEST >> 20))
    return data


def as_text(data: bytes, name: str, text: Text) -> str:
    """The text of a file in whatever character set.

    Raises:
        UsageError: it is no text.
    """
    from scanners.extract.charset import detect

    codec = detect(data)
    if codec is None:
        raise UsageError(text("training.no_list", name=name))
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        line, why = data.count(b"\n", 0, error.start) + 1, text("training.bad_letters", codec=codec)
        raise UsageError(text("training.line", name=name, line=line, why=why)) from error


def _kept(lines: Iterator[Line], name: str, text: Text) -> Iterator[Line]:
    for count, (number, cells) in enumerate(lines):
        if count >= MOST_ROWS:
            raise UsageError(text("training.too_many_lines", name=name, count=MOST_ROWS))
        row = [cell.strip().strip("\ufeff\u200b") for cell in cells[:MOST_COLUMNS]]
        if too_long := next((cell for cell in row if len(cell) > LONGEST_CELL), None):
            why = text("training.long_cell", count=len(too_long))
            raise UsageError(text("training.line", name=name, line=number, why=why))
        if any(row):
            yield number, row


def _is_workbook(data: bytes) -> bool:
    return data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))


def _separated(data: bytes, name: str, text: Text) -> Iterator[Line]:
    """RFC 4180, with comma, semicolon or tab, whichever the first line has most of."""
    content = as_text(data, name, text)
    first = content.lstrip("\ufeff\r\n ").partition("\n")[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=False)
    begins = 1
    try:
        for cells in reader:
            yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        why = text("training.no_csv")
        raise UsageError(text("training.line", name=name, line=reader.line_num, why=why)) from error


def _workbook(data: bytes, name: str, text: Text) -> Iterator[Line]:
    from python_calamine import CalamineWorkbook

    _refuse_bomb(data, name, text)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheet = workbook.get_sheet_by_index(0)
        start = (sheet.start or (0, 0))[0]
        rows = sheet.to_python(skip_empty_area=True)
    except Exception as error:  # calamine's errors have no base of their own
        raise UsageError(text("training.bad_workbook", name=name)) from error
    for number, row in enumerate(rows, start + 1):
        yield number, [_cell(value) for value in row[:MOST_COLUMNS]]


def _refuse_bomb(data: bytes, name: str, text: Text) -> None:
    if not data.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, ValueError) as error:
        raise UsageError(text("training.bad_workbook", name=name)) from error
    if size > LARGEST_UNPACKED:
        raise UsageError(text("training.too_large", name=name, size=LARGEST_UNPACKED >> 20))


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ")
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (CWE-1236): an apostrophe before what would be one."""
    return f"'{cell}" if cell.lstrip().startswith(("=", "+", "-", "@", "|", "%")) or cell[:1] in "\t\r\n" else cell


def write_csv(rows: Sequence[Sequence[str]]) -> bytes:
    """CSV as Excel opens it in China: UTF-8 with a byte order mark, CRLF, every formula inert."""
    out = io.StringIO()
    csv.writer(out).writerows([inert(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")
