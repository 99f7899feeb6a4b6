"""What a detector is: patterns, context words, column names, a check and a masked form, in one small class.

A detector imports no Presidio (the root daemon masks with it); `scanners.presidio` turns any detector into a
recognizer. It gets plain text (`scanners.written`) and must be linear in it: bounded repeats, bounded windows.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from scanners.context import Context
from scanners.records import Nature

# A run of digits with what people write between them; numeric detectors match inside such places only.
NUMBER_PLACE: Final = re.compile(r"[0-9(+][0-9*xX\-. ()+/]{5,}")
REACH: Final = 20  # an extension behind a number place
# Latin words that may touch a number from the left: `tel13800001111`.
GLUED: Final = re.compile(
    r"(?:^|[^A-Za-z])(?:tel|t|phone|mobile|mob|ph|id|no|card|sfz|cell|call|sj|dh|sjh|wx|vx|wechat|fax|visa|bank)$",
    re.IGNORECASE,
)
# Letters that may touch a value from the right: an extension, or laughter in a chat.
CHATTER: Final = re.compile(
    r"(?:ext|tel|h{2,}|(?:ha){2,}|(?:he){2,}|lol|ok|thx|pls|plz|x{2,}|email|mail|id|wx|vx)(?![A-Za-z])", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A place that may hold the entity, and what stands behind it."""

    start: int
    end: int
    score: float
    nature: Nature = "personal"


class Detector(ABC):
    """Finds one entity. Stateless after construction."""

    entity: ClassVar[str]
    words: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[str, ...]] = ()
    looks_at: ClassVar[Literal["numbers", "text"]] = "text"
    fewest: ClassVar[int] = 1  # a number place with fewer digits has no match
    hint: ClassVar[str] = ""  # a text without this string has no match: the cheapest filter there is

    def __init__(self) -> None:
        """Compile the context words."""
        self.context = Context(self.words or (self.entity,))

    @abstractmethod
    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """Candidates of any score in plain `text` that begin in `[start, end)`, by start."""

    @abstractmethod
    def mask(self, value: str) -> str:
        """What may be shown of `value`."""

    def normalise(self, value: str) -> str:
        """The same for all written forms of one value: what is fingerprinted."""
        return re.sub(r"[^0-9A-Za-z]", "", value).upper()

    def shape(self, value: str) -> float:
        """How much a whole cell looks like this entity, 0 to 1, by the best candidate that fills it."""
        best = 0.0
        for found in self.find(value, 0, len(value)):
            if found.start <= 1 and found.end >= len(value) - 1:
                best = max(best, found.score)
        return best


def within(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """Matches that begin in `[start, end)`; they may end up to `REACH` characters behind it, and see what follows."""
    for found in pattern.finditer(text, start, min(len(text), end + REACH)):
        if found.start() >= end:
            return
        yield found


def stands_alone(text: str, start: int, end: int) -> bool:
    """No Latin letter or decimal point ties `[start, end)` to something larger: a hash, a version, a float."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    if before.isascii() and before.isalpha() and not GLUED.search(text[max(0, start - 8) : start]):
        return False
    if before in ".,-:/" and start > 1 and "0" <= text[start - 2] <= "9":
        return before == "," or (before in ":/" and start > 4 and "0" <= text[start - 4] <= "9")
    if after.isascii() and after.isalpha() and not CHATTER.match(text, end):
        return False
    return not (after in ".-" and end + 1 < len(text) and "0" <= text[end + 1] <= "9")


def keep_ends(value: str, first: int, last: int) -> str:
    """`value` without separators, all but its ends starred."""
    bare = re.sub(r"[^0-9A-Za-z*]", "", value)
    if len(bare) <= first + last:
        return "*" * len(bare)
    return bare[:first] + "*" * (len(bare) - first - last) + (bare[-last:] if last else "")
