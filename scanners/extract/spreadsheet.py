"""Spreadsheets: xlsx, xlsm, xlsb, xls and ods by calamine, each sheet an item.

calamine gives every number as a float (python-calamine 0.9): whole ones are shown as integers. A whole number beyond
2^53 has lost its last digits when the file was written (IEEE 754): an id or card number typed as a number can't be
read back, which makes the item partial with cause `precision`. calamine skips comments, text boxes, headers and links:
they are read from the XML beside it. Hidden sheets are read like others.
"""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum

from config.schema import ItemKind
from scanners.extract.api import BATCH_ROWS, Notes, Piece, Refused, Source, TableRows
from scanners.extract.office import inside, links
from scanners.extract.ole import is_locked_workbook, streams_of
from scanners.extract.tables import TITLE_ROWS, Many, Row, table
from scanners.extract.text import chunks
from scanners.extract.xml_text import Flow, FlowNames, parse
from scanners.extract.zip_parts import names_of, open_part, open_zip
from scanners.records import Rows

_EXACT: Final = 1 << 53
_HEAD_ROWS: Final = 3 * TITLE_ROWS
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BESIDE: Final = re.compile(r"xl/(?:comments|threadedComments|drawings|persons)[^/]*/?[^/]*\.xml")
_DRAWING: Final = FlowNames(paragraph="p comment threadedComment", table="-", row="-", cell="-", tab="tab", line="br")


class SpreadsheetExtractor:
    """See the module."""

    kind: ItemKind = "spreadsheet"

    def matches(self, source: Source) -> bool:
        """A zip with a workbook in it, an OLE file with a workbook stream, or an old bare BIFF file."""
        head = source.head
        if head.startswith(b"PK\x03\x04"):
            names = names_of(source)
            return bool(names & {"xl/workbook.xml", "xl/workbook.bin"}) or (
                "content.xml" in names and b"opendocument.spreadsheet" in head[:200]
            )
        if head.startswith(_OLE):
            return bool({"Workbook", "Book"} & streams_of(source))
        return False

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Sheets in order, then what stands beside them."""
        try:
            workbook = CalamineWorkbook.from_filelike(source.file())
        except PasswordError as error:
            raise Refused("encrypted") from error
        except CalamineError as error:
            raise Refused("encrypted" if is_locked_workbook(source) else "malformed") from error
        cells = _Cells(notes)
        for sheet in workbook.sheets_metadata:
            if sheet.typ not in (SheetTypeEnum.WorkSheet, SheetTypeEnum.MacroSheet):
                continue
            yield from _sheet(workbook, sheet.name, cells, notes)
        workbook.close()
        if source.head.startswith(b"PK"):
            yield from _beside(source, notes)


def _sheet(workbook: CalamineWorkbook, name: str, cells: _Cells, notes: Notes) -> Iterator[Piece]:
    try:
        sheet = workbook.get_sheet_by_name(name)
    except Exception:  # noqa: BLE001  a broken sheet must not hide the others; calamine's errors have no base
        notes.partly("malformed")
        return
    seen = False
    for piece in table(name, _numbered(sheet, cells)):
        seen = True
        if isinstance(piece, Rows):
            yield TableRows(rows=piece)
        else:
            yield piece
    if not seen:
        yield TableRows(rows=Rows(table=name, columns=(), rows=()))


def _numbered(sheet: CalamineSheet, cells: _Cells) -> Iterator[tuple[int, Row]]:
    """Rows that are not empty, with their number; the first ones, where a header may be, one by one."""
    rows = sheet.iter_rows()
    line = (sheet.start or (0, 0))[0] + 1
    size = 1
    while some := list(islice(rows, size)):
        texts = [cells.row(row) for row in some]
        kept = [index for index, row in enumerate(texts) if any(row)]
        if kept:
            filled = [texts[index] for index in kept]
            yield line + kept[0], Many(rows=filled) if size > 1 else filled[0]
        line += len(some)
        size = BATCH_ROWS if line > _HEAD_ROWS else 1


class _Cells:
    """Cells as text; notices numbers that lost digits."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def row(self, row: Sequence[object]) -> list[str]:
        """One row."""
        return [value if type(value) is str else self.text(value) for value in row]

    def text(self, value: object) -> str:
        """One cell."""
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, float) and value.is_integer():
            if abs(value) > _EXACT:
                self._notes.partly("precision")
            return str(int(value)) if abs(value) < 1e21 else str(value)
        if isinstance(value, int) and abs(value) > _EXACT:
            self._notes.partly("precision")
        if isinstance(value, dt.datetime | dt.date | dt.time):
            return value.isoformat(" ") if isinstance(value, dt.datetime) else value.isoformat()
        return "" if value is None else str(value)


def _beside(source: Source, notes: Notes) -> Iterator[Piece]:
    """Comments, text boxes, links and embedded files of a workbook."""
    with open_zip(source) as archive:
        infos = archive.infolist()
        for info in infos:
            if not _BESIDE.fullmatch(info.filename):
                continue
            flow = Flow(letters=frozenset({"t", "text"}), names=_DRAWING)
            try:
                with open_part(archive, info, source.budget) as stream:
                    parse(stream, start=flow.start, end=flow.end, text=flow.text)
            except (zipfile.BadZipFile, EOFError, OSError, ValueError):
                notes.partly("malformed")
            flow.finish()
            yield from chunks(["\n".join(flow.lines)])
        yield from links(archive, infos, source)
        yield from inside(archive, infos, source)
