"""Canaries in a workbook: its visible sheets' values, written as a new xlsx (ECMA-376) in memory."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from typing import Any, Final

import xlsxwriter
from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from agent.vendors.columns import Canary, read_table, spread, text_of
from agent.vendors.planted import NotPlanted, Planted
from scanners.extract.tables import find_header

_TITLES: Final = 30
_MOST_CELLS: Final = 3_000_000
_DATES: Final = {dt.datetime: "yyyy-mm-dd hh:mm:ss", dt.date: "yyyy-mm-dd", dt.time: "hh:mm:ss"}

Sheet = tuple[str, list[list[Any]]]


def plant_workbook(data: bytes, canaries: list[Canary]) -> Planted:
    """The values of the visible sheets with the canaries as rows.

    Raises:
        NotPlanted: no visible sheet names people to be reached, or it is too large to be written anew.
    """
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
    sheets: list[Sheet] = []
    tables = cells = 0
    for facts in workbook.sheets_metadata:
        if facts.typ is not SheetTypeEnum.WorkSheet or facts.visible is not SheetVisibleEnum.Visible:
            continue
        rows: list[list[Any]] = workbook.get_sheet_by_name(facts.name).to_python(skip_empty_area=False)
        cells += sum(map(len, rows))
        if cells > _MOST_CELLS:
            raise NotPlanted("too_large")
        tables += _plant(rows, canaries)
        sheets.append((facts.name, rows))
    workbook.close()
    if not tables:
        raise NotPlanted("no_contact")
    return Planted(data=write_workbook(sheets), records=tables * len(canaries), tables=tables, ending=".xlsx")


def _plant(rows: list[list[Any]], canaries: list[Canary]) -> bool:
    """Put the canaries among the rows of a sheet; whether it is a table of people."""
    texts = [[text_of(value) for value in row] for row in rows[:_TITLES]]
    filled = [index for index, row in enumerate(texts) if any(row)]
    header = find_header([texts[index] for index in filled])
    begin = 0 if header is None else filled[header] + 1
    places = [index for index in range(begin, len(rows)) if any(text_of(value) for value in rows[index])]
    if not places:
        return False
    names = texts[filled[header]] if header is not None else []
    table = read_table(names, [[None if value == "" else value for value in rows[index]] for index in places])
    if not table.takes:
        return False
    inserted = [
        (places[near], table.record(canary, near))
        for canary, near in zip(canaries, spread(len(canaries), len(places)), strict=True)
    ]
    for at, row in sorted(inserted, key=lambda pair: pair[0], reverse=True):
        rows.insert(at, row)
    return True


def write_workbook(sheets: Sequence[Sheet]) -> bytes:
    """Sheets as xlsx; nothing touches a disk (XlsxWriter's `in_memory`)."""
    target = io.BytesIO()
    workbook = xlsxwriter.Workbook(
        target,
        {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
    )
    formats = {kind: workbook.add_format({"num_format": shown}) for kind, shown in _DATES.items()}
    for name, rows in sheets:
        sheet = workbook.add_worksheet(name)
        for line, row in enumerate(rows):
            for column, value in enumerate(row):
                _write(sheet, (line, column), value, formats)
    workbook.close()
    return target.getvalue()


def _write(sheet: Any, place: tuple[int, int], value: Any, formats: dict[type, Any]) -> None:
    if value is None or value == "":
        return
    if isinstance(value, bool):
        sheet.write_boolean(*place, value)
    elif isinstance(value, int | float):
        sheet.write_number(*place, value)
    elif type(value) in formats:
        sheet.write_datetime(*place, value, formats[type(value)])
    else:
        sheet.write_string(*place, str(value))
