"""Tables that people bring: CSV, or what was copied from a spreadsheet (tabs). The first line names the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from config.errors import ClocheError


class TableError(ClocheError):
    """No such table: `empty`, `too_long`, a `heading`, `cells` or a `form` that does not fit. Lines count from 1."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(f"{line}: {reason}")
        self._reason = reason
        self._line = line

    def said(self, words: Callable[[str], str], columns: Columns) -> str:
        """The line and what is wrong, with `words` for the text's key."""
        about = {"heading": ", ".join(columns.names), "too_long": str(columns.most_lines)}.get(self._reason, "")
        return f"{self._line}: {words(f'hq_table.{self._reason}')} {about}".strip()


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns a table may have. `name` has to be there; `aliases` are other headings for them."""

    names: tuple[str, ...]
    most_lines: int
    aliases: Mapping[str, str] = field(default_factory=dict)


def read_table(table: str, columns: Columns) -> list[tuple[int, dict[str, str]]]:
    """Number of the line and cells by column of each line, all columns filled ('' where nothing stands).

    Raises:
        TableError: it is none, or has more lines or cells than it may.
    """
    lines = table.lstrip("\ufeff").strip("\r\n").splitlines()
    if not lines:
        raise TableError("empty")
    if len(lines) > columns.most_lines + 1:
        raise TableError("too_long")
    delimiter = "\t" if "\t" in lines[0] else ","
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter, strict=True)
    try:
        told = [column.strip().lower() for column in next(reader)]
        heading = [columns.aliases.get(column, column) for column in told]
        if "name" not in heading or not set(heading) <= set(columns.names) or len(set(heading)) != len(heading):
            raise TableError("heading")
        rows = []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(heading):
                raise TableError("cells", reader.line_num)
            named = dict(zip(heading, (cell.strip() for cell in cells), strict=False))
            rows.append((reader.line_num, {column: named.get(column, "") for column in columns.names}))
    except csv.Error as error:
        raise TableError("form", reader.line_num) from error
    if not rows:
        raise TableError("empty")
    return rows
