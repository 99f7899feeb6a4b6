"""Rows as CSV, xlsx or JSON.

CSV is UTF-8 with a byte order mark, without which Excel in Chinese reads it as GB18030, and CRLF (RFC 4180). A cell
that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV Injection): stores are authentic,
their file names may be anybody's. In xlsx text is text and needs none of that.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Any, Final
from zoneinfo import ZoneInfo

from central.api.exports.tables import Cell, Row
from config.errors import UsageError

XLSX_ROWS: Final = 100_000
"""85 µs of processor time a row of ten cells, in one thread of a server that also serves pages: 8 s."""
LONGEST_CELL: Final = 32_767  # Excel's own bound
PORTION: Final = 500
MEDIA: Final = {
    "csv": "text/csv; charset=utf-8", "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def as_csv(headings: Sequence[str], rows: Iterable[Row], timezone: ZoneInfo) -> Iterator[bytes]:
    """The file in pieces of some hundred lines; times in head office's zone."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write("\ufeff")
    writer.writerow(headings)
    source = iter(rows)
    while portion := list(islice(source, PORTION)):
        writer.writerows([[_plain(cell, timezone) for cell in row] for row in portion])
        yield buffer.getvalue().encode("utf-8", "replace")
        buffer.seek(0)
        buffer.truncate()
    if buffer.tell():
        yield buffer.getvalue().encode("utf-8", "replace")


def as_json(name: str, keys: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """`{"schema": "cloche.export/1", "table": …, "rows": [{…}, …]}`, a row a line; times are UTC."""
    yield f'{{"schema":"cloche.export/1","table":{json.dumps(name)},"rows":[\n'.encode()
    source, is_first = iter(rows), True
    while portion := list(islice(source, PORTION)):
        lines = ",\n".join(
            json.dumps(dict(zip(keys, row, strict=True)), ensure_ascii=False, default=_moment) for row in portion
        )
        yield (("" if is_first else ",\n") + lines).encode("utf-8", "replace")
        is_first = False
    yield b"\n]}\n"


def write_xlsx(file: IO[bytes], name: str, headings: Sequence[str], rows: Iterable[Row], timezone: ZoneInfo) -> int:
    """Write a workbook with one sheet; how many rows.

    Raises:
        UsageError: there are more rows than `XLSX_ROWS`.
    """
    import xlsxwriter  # loaded with the first spreadsheet

    options = {
        "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
        "in_memory": False, "default_date_format": "yyyy-mm-dd hh:mm:ss",
    }  # fmt: skip
    workbook = xlsxwriter.Workbook(file, options)
    try:
        sheet = workbook.add_worksheet(name[:31])
        bold = workbook.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        for column, heading in enumerate(headings):
            sheet.write_string(0, column, heading, bold)
        written = 0
        for written, row in enumerate(rows, start=1):
            if written > XLSX_ROWS:
                raise UsageError(f"xlsx: more than {XLSX_ROWS} rows; take CSV")
            for column, cell in enumerate(row):
                _write_cell(sheet, written, column, cell, timezone)
    finally:
        workbook.close()
    return written


def _write_cell(sheet: Any, row: int, column: int, cell: Cell, timezone: ZoneInfo) -> None:
    match cell:
        case None:
            return
        case bool():
            sheet.write_boolean(row, column, cell)
        case int() | float():
            sheet.write_number(row, column, cell)
        case datetime():
            sheet.write_datetime(row, column, cell.astimezone(timezone).replace(tzinfo=None))
        case _:
            sheet.write_string(row, column, cell[:LONGEST_CELL])


def _plain(cell: Cell, timezone: ZoneInfo) -> Cell:
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_FORMULA) else cell
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, datetime):
        return cell.astimezone(timezone).strftime("%Y-%m-%d %H:%M:%S")
    return cell


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError("no cell")
