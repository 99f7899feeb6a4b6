"""A chunk of text as arrays: what each character is, found in one pass, an element a character.

The places of numbers and words are found on these arrays at memory's pace; detectors, which are plain Python, then
look only there. The plain form is that of `scanners.written` (a test holds the two to each other): full-width
characters, odd dashes and spaces become plain ones, invisible ones are dropped and `offsets` leads back.

ASCII text is one byte an element, all other text two; a character beyond U+FFFF (an emoji) is no digit, no letter and
no separator, and stands in the arrays as U+FFFF.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanners.written import INVISIBLE, TABLE

DIGIT: Final = 1
STAR: Final = 2
JOINT: Final = 4  # what people write between the digits of one number
LETTER: Final = 8  # ASCII
UPPER: Final = 16
LINE_END: Final = 32
HIDDEN: Final = 64
ODD: Final = 128  # has another plain form

BEYOND: Final = 0xFFFF
MARGIN: Final = 64
AROUND: Final = 96  # a number of 40 characters, and the 40 beside it that a detector may look at
NOTHING: Final = np.zeros(MARGIN, dtype=np.uint8)
JOINTS: Final = " \t|-.()+/xX·"

Codes = NDArray[np.uint8] | NDArray[np.uint16]
Flags = NDArray[np.uint8]
Positions = NDArray[np.int64]


def make_tables() -> tuple[NDArray[np.uint16], NDArray[np.uint16], Flags]:
    """By character: its plain form, its plain form in lower case (ASCII letters only), and its flags."""
    plain = np.arange(0x10000, dtype=np.uint16)
    for code, character in TABLE.items():
        plain[code] = ord(character)
    lower = plain.copy()
    capital = (plain >= ord("A")) & (plain <= ord("Z"))
    lower[capital] += 32
    flags = np.zeros(0x10000, dtype=np.uint8)
    flags[(plain >= ord("0")) & (plain <= ord("9"))] |= DIGIT
    flags[plain == ord("*")] |= STAR
    for joint in JOINTS:
        flags[plain == ord(joint)] |= JOINT
    flags[capital] |= LETTER | UPPER
    flags[(plain >= ord("a")) & (plain <= ord("z"))] |= LETTER
    flags[ord("\n")] |= LINE_END
    flags[plain != np.arange(0x10000, dtype=np.uint16)] |= ODD
    for code in range(0x10000):
        if INVISIBLE.match(chr(code)):
            flags[code] = HIDDEN
    return plain, lower, flags


PLAIN, LOWER, FLAGS = make_tables()
NARROW: Final = FLAGS[:256].tobytes()
ASCII: Final = np.where(LOWER < 0x80, LOWER, 0xFF).astype(np.uint8)


class Units:
    """A chunk in its plain form, an element of the arrays a character.

    `narrow` and `codes_at` have the characters, `flags` what they are (the constants above); `offsets`, where there are
    any, give the place of each character in the text as given.
    """

    def __init__(
        self, given: str, whole: Codes | NDArray[np.uint32], flags: Flags, offsets: Positions | None = None
    ) -> None:
        """Take a text whose characters, without the hidden ones, are `whole`."""
        self.given = given
        self.whole = whole
        self.flags = flags
        self.offsets = offsets

    def __len__(self) -> int:
        """Characters of the plain form."""
        return len(self.flags)

    @cached_property
    def narrow(self) -> NDArray[np.uint8]:
        """Plain characters, ASCII letters in lower case, one byte each: what is no ASCII is 128 or more."""
        return self.narrowed(ASCII)

    def narrowed(self, table: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The entries of `table`, which has those of `ASCII` for ASCII, at all characters; `narrow` from now on."""
        if self.whole.dtype.itemsize == 1:
            found = np.frombuffer(self.given.encode("ascii").lower(), dtype=np.uint8)
        else:
            found = table[np.minimum(self.whole, BEYOND) if self.whole.dtype.itemsize == 4 else self.whole]
        self.__dict__["narrow"] = found
        return found

    @cached_property
    def text(self) -> str:
        """The plain form itself. It is made only where much is to be looked at."""
        if self.offsets is None and not int(np.bitwise_or.reduce(self.flags, initial=0)) & ODD:
            return self.given
        return plain_text(self.whole)

    def piece(self, start: int, end: int) -> tuple[str, int]:
        """Plain text that holds `[start, end)` with `AROUND` characters on both sides, and the place it begins at."""
        if "text" in self.__dict__:
            return self.text, 0
        low = max(0, start - AROUND)
        return plain_text(self.whole[low : end + AROUND]), low

    def cut(self, start: int, end: int) -> str:
        """Plain text from `start` to `end`."""
        return self.text[start:end] if "text" in self.__dict__ else plain_text(self.whole[start:end])

    @cached_property
    def line_ends(self) -> Positions:
        """Places of line ends."""
        return np.flatnonzero((self.flags & LINE_END) != 0)

    def flags_at(self, where: Positions) -> Flags:
        """Flags at any places up to `MARGIN` characters outside the text, where there are none."""
        return self.wide_flags[where + MARGIN]

    def codes_at(self, where: Positions) -> Codes:
        """Plain characters at such places, ASCII letters in lower case, an emoji U+FFFF; 0 outside."""
        found = self.wide[where + MARGIN]
        return LOWER[np.minimum(found, BEYOND) if found.dtype.itemsize == 4 else found]

    @cached_property
    def wide_flags(self) -> Flags:
        """`flags` with a margin."""
        return np.concatenate((NOTHING, self.flags, NOTHING))

    @cached_property
    def wide(self) -> Codes | NDArray[np.uint32]:
        """The characters with a margin."""
        return np.concatenate((NOTHING.astype(self.whole.dtype), self.whole, NOTHING.astype(self.whole.dtype)))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """`[start, end)` in characters of the text as given."""
        if self.offsets is None:
            return start, end
        return int(self.offsets[start]), int(self.offsets[end - 1]) + 1


def plain_text(whole: Codes | NDArray[np.uint32]) -> str:
    """The plain form of characters, of which none is hidden."""
    if whole.dtype.itemsize == 1:
        return str(whole.data, "ascii")
    if whole.dtype.itemsize == 2:
        return str(PLAIN[whole].astype("<u2", copy=False).data, "utf-16-le", "surrogatepass")
    plain = np.where(whole < BEYOND, PLAIN[np.minimum(whole, BEYOND)], whole).astype("<u4", copy=False)
    return str(plain.data, "utf-32-le", "surrogatepass")


def read_units(text: str) -> Units:
    """The arrays of `text`; lone surrogates pass through."""
    if text.isascii():
        raw = text.encode("ascii")
        return Units(text, np.frombuffer(raw, dtype=np.uint8), np.frombuffer(raw.translate(NARROW), dtype=np.uint8))
    pairs = text.encode("utf-16-le", "surrogatepass")
    whole: Codes | NDArray[np.uint32]
    if len(pairs) == 2 * len(text):
        whole = np.frombuffer(pairs, dtype="<u2")
        flags = FLAGS[whole]
    else:
        whole = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        flags = FLAGS[np.minimum(whole, BEYOND)]
    if not int(np.bitwise_or.reduce(flags)) & HIDDEN:
        return Units(text, whole, flags)
    kept = (flags & HIDDEN) == 0
    return Units(text, whole[kept], flags[kept], np.flatnonzero(kept))
