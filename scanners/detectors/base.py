"""What a detector is: patterns, context words, column names, a check and a masked form, in one small class.

A detector imports no Presidio (the root daemon masks with it); `scanners.presidio` turns any detector into a
recognizer. It gets plain text (`scanners.written`) and must be linear in it: bounded repeats, bounded windows.

The engine asks a detector only about places that the detector's `looks_at` names. So each keeps this promise: a
candidate of score 0.3 or more touches one of its places, and what decides on it lies on its own line, at most 40
characters before its start and behind its end. A test reads every detector's vectors through such windows.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from scanners.context import LATIN_BEFORE, Context
from scanners.records import Nature

LooksAt = Literal["numbers", "dotted", "words", "text"]

REACH: Final = 24  # how far behind its place a candidate may end: an extension behind a number
# What stands between the parts of one number: a blank or two, a dash, a dot, a slash, the border of a table's cell.
GAP: Final = r"(?: {1,3}| ?- ?|[.·/]| ?\| ?|\t)"
GAP_OF_TWO: Final = r"(?: {1,3}| ?- ?|·| ?\| ?|\t)"  # two parts with a point between them are a decimal
WIDE_GAP: Final = re.compile(r"[\t|]|  ")
BOXES: Final = re.compile(r"[0-9][^0-9]{1,3}[0-9][^0-9]")
ROW_GAPS: Final = (" ", "\t", "|")
TWO_BEFORE: Final = re.compile(r"(?<![0-9.:\-])[0-9]{1,10} [0-9]{1,10} $")
TWO_BEHIND: Final = re.compile(r" [0-9]{1,10} [0-9]{1,10}(?![0-9.:\-])")
# What a number may not touch. Two stars at a side are bold type (`**13800001111**`), more are a masked number's.
NOT_BEHIND: Final = r"(?<![0-9])(?<![0-9]\*)(?<![0-9]\*\*)(?<!\*{3})"
NOT_BEFORE: Final = r"(?![0-9]|\*{1,2}[0-9]|\*{3})"
# Latin words that may touch a number from the left: `tel13800001111`, `userPhone13800001111`, `%3A13800001111`.
GLUED: Final = re.compile(
    LATIN_BEFORE + r"(?i:tel|t|phone|telephone|cellphone|mobile|mob|ph|id|no|card|sfz|sfzh|cell|call|sj|dh|sjh|wx|vx"
    r"|wechat|fax|visa|bank|bankcard|idcard|idno|certno|kahao|yhk)$|%[2-7][A-Fa-f]$"
)
GLUED_WIDTH: Final = 10
# Letters that may touch a value from the right: an extension, or laughter in a chat.
CHATTER: Final = re.compile(
    r"(?:ext|tel|h{2,9}|(?:ha){2,9}|(?:he){2,9}|lol|ok|thx|pls|plz|x{2,9}|email|mail|id|wx|vx)(?![A-Za-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A place that may hold the entity, and what stands behind it."""

    start: int
    end: int
    score: float
    nature: Nature = "personal"


class Detector(ABC):
    """Finds one entity. Stateless after construction.

    `looks_at` says where its candidates are:
    - `numbers`: in runs of digits (a star counts as one) with up to three of ` -.·()+/xX*|` or a tab between them and
      at least `fewest` digits in all, or within twelve characters of such a run;
    - `dotted`: where numbers are dotted, or hexadecimal groups stand between colons;
    - `words`: from 52 characters before to 40 behind one of the literal `anchors` (in any case, if ASCII);
    - `text`: anywhere, if the text holds `hint`. The whole text is read for it, so this is for configured patterns.
    """

    entity: str
    words: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    looks_at: LooksAt
    fewest: int = 7
    anchors: tuple[str, ...] = ()
    hint: str = ""

    def __init__(self) -> None:
        """Compile the context words."""
        self.context = Context(self.words or (self.entity,))

    @abstractmethod
    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """Candidates of any score in plain `text` that begin in `[start, end)`."""

    @abstractmethod
    def mask(self, value: str) -> str:
        """What may be shown of `value`."""

    def normalise(self, value: str) -> str:
        """The same for all written forms of one value: what is fingerprinted."""
        plain = value if value.isascii() and value.isalnum() else re.sub(r"[^0-9A-Za-z]", "", value)
        return plain.upper()

    def shape(self, value: str) -> float:
        """How much a whole cell looks like this entity, 0 to 1, by the best candidate that fills it."""
        best = 0.0
        for found in self.find(value, 0, len(value)):
            if found.start <= 1 and found.end >= len(value) - 1:
                best = max(best, found.score)
        return best


def within(pattern: re.Pattern[str], text: str, start: int, end: int, reach: int = REACH) -> Iterator[re.Match[str]]:
    """Matches that begin in `[start, end)`; they may end up to `reach` characters behind it, and see what follows.

    `reach` bounds what is read for one window; a match that comes near it is read again without that bound, so
    patterns must be bounded by themselves.
    """
    limit = min(len(text), end + reach)
    for found in pattern.finditer(text, start, limit):
        if found.start() >= end:
            return
        whole = found if found.end() < limit - 1 or limit == len(text) else pattern.match(text, found.start())
        if whole:
            yield whole


def judge_each(
    pattern: re.Pattern[str],
    text: str,
    start: int,
    end: int,
    judge: Callable[[str, re.Match[str]], Candidate | None],
) -> Iterator[Candidate]:
    """What `judge` makes of the matches that begin in `[start, end)`.

    A match that comes to nothing hides no other: the next may begin one character later. A value does not become
    another's part because the number before it looked like its beginning.
    """
    position, limit = start, min(len(text), end + REACH)
    while position < end:
        found = pattern.search(text, position, limit)
        if not found or found.start() >= end:
            return
        candidate = judge(text, found)
        if candidate:
            yield candidate
        position = found.end() if candidate else found.start() + 1


def tied_to_letters(text: str, start: int, end: int) -> bool:
    """A Latin letter that is no word of its own touches `[start, end)`: a hash, an identifier."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    if before.isascii() and before.isalpha() and not GLUED.search(text, max(0, start - GLUED_WIDTH), start):
        return True
    return after.isascii() and after.isalpha() and not CHATTER.match(text, end)


def follows_digits(text: str, start: int) -> bool:
    """A point or a dash ties what begins at `start` to digits before it: a float, a version, a date."""
    return start > 1 and text[start - 1] in ".-" and "0" <= text[start - 2] <= "9"


def leads_digits(text: str, end: int) -> bool:
    """A point or a dash ties what ends at `end` to digits behind it."""
    return text[end : end + 1] in (".", "-") and "0" <= text[end + 1 : end + 2] <= "9"


def stands_alone(text: str, start: int, end: int) -> bool:
    """Nothing ties `[start, end)` to something larger."""
    return not (follows_digits(text, start) or leads_digits(text, end) or tied_to_letters(text, start, end))


def in_row(text: str, start: int, end: int) -> bool:
    """Numbers go on beside the parts at `[start, end)`: a row of a table, not one number in groups.

    A tab, a cell's border and several blanks divide columns, so one neighbour is enough, as it is for single digits
    in boxes; with single blanks it takes a neighbour at each side, or two at one.
    """
    before, after = text[max(0, start - 4) : start], text[end : end + 4]
    sides = (before[-1:] in ROW_GAPS and before.rstrip(" \t|")[-1:].isdigit()) + (
        after[:1] in ROW_GAPS and after.lstrip(" \t|")[:1].isdigit()
    )
    if WIDE_GAP.search(text, start, end) or BOXES.match(text, start, end):
        return sides > 0
    if sides == 0 or text.find(" ", start, end) < 0:
        return False
    return sides == 2 or bool(TWO_BEFORE.search(text, max(0, start - 24), start) or TWO_BEHIND.match(text, end))


def one_number(value: str) -> bool:
    """Parts of digits that people write as one number: one of four digits at least, or each digit by itself.

    Dotted quads, versions and columns of small numbers are no such thing.
    """
    longest = max(len(part) for part in re.split(r"[^0-9*Xx]+", value))
    return longest >= 4 or longest == 1


def keep_ends(value: str, first: int, last: int) -> str:
    """`value` without separators, all but its ends starred."""
    bare = value if value.isascii() and value.isalnum() else re.sub(r"[^0-9A-Za-z*]", "", value)
    if len(bare) <= first + last:
        return "*" * len(bare)
    return bare[:first] + "*" * (len(bare) - first - last) + (bare[-last:] if last else "")
