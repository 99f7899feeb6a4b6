"""What a table is, by the names of its columns, its sheet and its file: 美团订单, a member list, a staff list.

A worker sees all columns; what leaves it names only those that hold something, so this is decided here. Words are
`config/data/detect/exports.toml`. The answer is for people and decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from config.packs import read_pack

MOST_COLUMNS: Final = 300
LONGEST_NAME: Final = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """One kind of table. Of each group one word must be in some column's name."""

    id: str
    columns: tuple[tuple[str, ...], ...]


@cache
def load_exports() -> tuple[tuple[Export, ...], dict[str, tuple[str, ...]]]:
    """Kinds of table, in order, and the words that name a platform."""
    pack = read_pack("detect", "exports.toml")
    exports = tuple(Export(id=e["id"], columns=tuple(map(tuple, e["columns"]))) for e in pack["exports"])
    return exports, {platform: tuple(words) for platform, words in pack["platforms"].items()}


@lru_cache(maxsize=256)
def recognise(columns: tuple[str, ...]) -> str:
    """An id of the pack, or '' for a table that its columns do not tell."""
    exports, _ = load_exports()
    names = "\n".join(name[:LONGEST_NAME].strip().lower() for name in columns[:MOST_COLUMNS])
    for export in exports:
        if all(any(word in names for word in group) for group in export.columns):
            return with_platform(export.id, columns[:MOST_COLUMNS])
    return ""


def with_platform(about: str, names: Sequence[str]) -> str:
    """Plain orders become a platform's where `names` (of columns, a sheet, a file) say so."""
    if about != "orders":
        return about
    _, platforms = load_exports()
    joined = "\n".join(name[-LONGEST_NAME:].lower() for name in names)
    for platform, words in platforms.items():
        if any(word in joined for word in words):
            return f"{platform}_orders"
    return about
