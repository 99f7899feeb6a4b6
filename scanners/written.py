"""Written forms: one plain form for full-width characters, odd dashes and spaces, and invisible characters.

Replacements are one character for one, so offsets stay; only invisible characters are dropped, and then a table of
offsets leads back. Python's `re` has no notion of width: `１３８` is three digits to `\\d` but not to `[0-9]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

INVISIBLE: Final = re.compile(
    "[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff\u00ad\u034f\u180e]"
)
ODD: Final = re.compile("[\u00a0\u2002-\u200a\u2010-\u2015\u2212\u3000\uff01-\uff5e\u00d7\u2217\u3002\u00b7\u2022]")
DIGITS: Final = re.compile("[0-9]")
TABLE: Final = {
    **{0xFF01 + i: chr(0x21 + i) for i in range(0x5E)},
    **dict.fromkeys([0xA0, 0x3000, *range(0x2002, 0x200B)], " "),
    **dict.fromkeys([*range(0x2010, 0x2016), 0x2212], "-"),
    0x2217: "*",
}


@dataclass(frozen=True, kw_only=True)
class Plain:
    """The plain form of a text, with the way back to its own offsets."""

    text: str = field(repr=False)
    offsets: list[int] | None = field(default=None, repr=False)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """`[start, end)` in characters of the original."""
        if self.offsets is None:
            return start, end
        return self.offsets[start], self.offsets[end - 1] + 1


def to_plain(text: str) -> Plain:
    """The plain form of `text`; ASCII text comes back as it is."""
    if text.isascii():
        return Plain(text=text)
    offsets = None
    if INVISIBLE.search(text):
        offsets = [i for i, character in enumerate(text) if not INVISIBLE.match(character)]
        text = INVISIBLE.sub("", text)
    return Plain(text=text.translate(TABLE) if ODD.search(text) else text, offsets=offsets)
