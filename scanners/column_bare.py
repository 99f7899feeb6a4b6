"""Columns that only their neighbours explain: tables without a header, numbers without a form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from scanners.column_tables import TableContext
from scanners.column_values import LATIN_NAME, given_latin, share

NANP: Final = re.compile(r"[2-9][0-9]{2}[2-9][0-9]{6}")


def latin_names(open_to: Sequence[bool], values: Sequence[Sequence[str]], context: TableContext) -> list[int]:
    """Columns of given names, and of surnames behind them, where headers say nothing (`c1`, `c2`).

    Args:
        open_to: columns that are undecided and whose header says nothing.
    """
    if context.rows == "things":
        return []
    found: list[int] = []
    for index, sample in enumerate(values):
        if not open_to[index] or len(sample) < 3 or share(sample, LATIN_NAME.fullmatch) <= 0.9:
            continue
        behind = index - 1 in found
        if behind or share(sample, lambda v: v.split()[0].lower() in given_latin()) >= 0.3:
            found.append(index)
    return found


def bare_numbers(undecided: Sequence[bool], values: Sequence[Sequence[str]]) -> list[int]:
    """Ten-digit telephone numbers (North American Numbering Plan), for a table that has people and addresses."""
    return [
        index
        for index, sample in enumerate(values)
        if undecided[index] and len(sample) >= 3 and share(sample, NANP.fullmatch) > 0.9
    ]
