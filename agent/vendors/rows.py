"""The rows of a small table that somebody hands in (a list of vendors), in the confined process of `agent.confined`."""

from __future__ import annotations

import io
import os
from typing import Any, Final

from agent.vendors.searching import Search
from scanners.extract.api import Budget, Notes, Source, TableRows
from scanners.extract.formats import EXTRACTORS
from scanners.records import Rows
from scanners.warm import load_everything

LARGEST: Final = 8 << 20
MOST_ROWS: Final = 2000
MOST_COLUMNS: Final = 40
LONGEST_CELL: Final = 2000


def warm() -> None:
    """Load every codec and parser."""
    load_everything(Search({}))


def work(arguments: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
    """`{"columns", "rows", "why"}`: the first table of the file; `why` where there is none."""
    nothing: dict[str, Any] = {"columns": [], "rows": [], "why": ""}
    size = os.fstat(descriptors[0]).st_size
    if size > LARGEST:
        return {**nothing, "why": "too_large"}
    data = os.pread(descriptors[0], LARGEST, 0)
    source = Source(
        name=str(arguments["name"]), stream=io.BytesIO(data), size=size, seekable=True, budget=Budget(64 << 20)
    )  # fmt: skip
    columns: list[str] = []
    rows: list[list[str]] = []
    try:
        extractor = next(found for found in EXTRACTORS if found.matches(source))
        for piece in extractor.extract(source, Notes()):
            table = piece.rows if isinstance(piece, TableRows) else piece
            if isinstance(table, Rows) and table.rows:
                columns = columns or [name[:LONGEST_CELL] for name in table.columns[:MOST_COLUMNS]]
                rows += [[cell[:LONGEST_CELL] for cell in row[:MOST_COLUMNS]] for row in table.rows]
            if len(rows) > MOST_ROWS:
                return {**nothing, "why": "too_large"}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001  a parser may raise anything on a broken file, a panic in Rust included
        return {**nothing, "why": "malformed"}
    return {"columns": columns, "rows": rows, "why": "" if columns else "format"}
