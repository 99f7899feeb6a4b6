"""Canaries in CSV and its relatives: every byte of the file stays, lines are put between.

Records are found by the csv module (RFC 4180), so that a line end within quotes is none; a canary is written with the
file's delimiter, line end and character set, quoted where its neighbour is.
"""

from __future__ import annotations

import codecs
import csv
import io
from typing import Final

from agent.vendors.columns import Canary, read_table, spread, text_of
from agent.vendors.planted import NotPlanted, Planted
from scanners.extract.charset import detect
from scanners.extract.delimited import find_delimiter
from scanners.extract.tables import find_header

_HEAD: Final = 65_536
_TITLES: Final = 30
_BARE: Final = {
    "utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le",
}  # fmt: skip


def decoded(data: bytes) -> tuple[str, str, str]:
    """Text, the codec that gives exactly these bytes back, and the name to show.

    Raises:
        NotPlanted: no character set fits, or writing it back would change it.
    """
    name = detect(data[:_HEAD])
    if name is None:
        raise NotPlanted("encoding")
    codec = _BARE.get(name, name)
    if data.startswith((codecs.BOM_UTF16_BE,)) and name == "utf-16":
        codec = "utf-16-be"
    if data.startswith((codecs.BOM_UTF32_BE,)) and name == "utf-32":
        codec = "utf-32-be"
    try:
        text = data.decode(codec)
        if text.encode(codec) != data:
            raise NotPlanted("encoding")
    except UnicodeError as error:
        raise NotPlanted("encoding") from error
    return text, codec, name


def plant_delimited(data: bytes, name: str, canaries: list[Canary]) -> Planted:  # noqa: ARG001  the format was told by it
    """The file with the canaries as lines.

    Raises:
        NotPlanted: it has no column of numbers or mailboxes, or the character set lacks a letter.
    """
    text, codec, encoding = decoded(data)
    lines = text.split("\n")
    lines = [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    delimiter = find_delimiter("".join(lines[:200]), strict=False) or ","
    places, rows = _records(lines, delimiter)
    header = find_header(rows[:_TITLES])
    begin = 0 if header is None else header + 1
    width = len(rows[header]) if header is not None else max(map(len, rows), default=0)
    data_rows = [index for index in range(begin, len(rows)) if any(rows[index]) and 2 * len(rows[index]) >= width]
    if not data_rows:
        raise NotPlanted("no_contact")
    table = read_table(rows[header] if header is not None else (), [rows[index] for index in data_rows])
    if not table.takes:
        raise NotPlanted("no_contact")
    end = "\r\n" if lines[places[data_rows[0]]].endswith("\r\n") else "\n"
    inserted: dict[int, list[str]] = {}
    for canary, near in zip(canaries, spread(len(canaries), len(data_rows)), strict=True):
        cells = [text_of(value) for value in table.record(canary, near)]
        at = places[data_rows[near]]
        quoted = lines[at].startswith('"') and lines[at].count('"') >= 2 * len(cells) - 2
        inserted.setdefault(at, []).append(_line(cells, delimiter, end, quoted=quoted))
    out = "".join("".join(inserted.get(number, ())) + line for number, line in enumerate(lines))
    try:
        return Planted(data=out.encode(codec), records=len(canaries), tables=1, encoding=encoding)
    except UnicodeError as error:
        raise NotPlanted("encoding") from error


def _records(lines: list[str], delimiter: str) -> tuple[list[int], list[list[str]]]:
    """The line each record begins at, and its cells; empty lines are none."""
    csv.field_size_limit(1 << 24)
    places: list[int] = []
    rows: list[list[str]] = []
    begun = 0
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for row in reader:
            if row:
                if not places:
                    row[0] = row[0].removeprefix("\ufeff")
                places.append(begun)
                rows.append(row)
            begun = reader.line_num
    except csv.Error as error:
        raise NotPlanted("malformed") from error
    return places, rows


def _line(cells: list[str], delimiter: str, end: str, *, quoted: bool) -> str:
    target = io.StringIO()
    writer = csv.writer(
        target, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    )
    writer.writerow(cells)
    return target.getvalue()
