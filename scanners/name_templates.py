"""Lines as templates: what differs from line to line of a log is folded away, and a way leads back to the line.

Digits, long identifiers and e-mail addresses become zeros of a few lengths, an address that the rules have found a
mark, a name that they have found one and the same made-up name. A log of ten thousand customers so has some dozens of
different lines, and the tagger reads each once.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from scanners.name_rules import REACHED, Named

TOKEN: Final = re.compile("[0-9A-Za-z._%+@-]+")
SHORTEST: Final = 8  # of an identifier that is folded whole; of a shorter one (`A1`, `沪A12345`) only the digits
DIGITS: Final = str.maketrans("123456789", "000000000")
STAND_IN: Final = {2: "李明", 3: "李小明", 4: "欧阳小明"}
MASK: Final = "\ufffc" * 4  # no word of any text


def stand_in(length: int) -> str:
    """A made-up name of that length."""
    return STAND_IN.get(length, STAND_IN[4])


def zeros(length: int) -> str:
    """Few lengths for many: what a number is (a day, a year, a mobile, an identity number) can still be seen."""
    return "0" * (2 if length < 4 else 4 if length < 8 else 11 if length < 14 else 18)


class Template(NamedTuple):
    """A folded line: no customer's number is in it, perhaps a name. `reached`: the line holds a number of a person."""

    text: str
    reached: bool

    def __repr__(self) -> str:
        """Without the text."""
        return f"Template(reached={self.reached})"


class Folded(NamedTuple):
    """A line with its template. The regions that were replaced: their bounds in the template and in the line."""

    template: Template
    starts: list[int]
    ends: list[int]
    line_starts: list[int]
    line_ends: list[int]

    def back(self, named: Named) -> Named:
        """What was found in the template, where it stands in the line; a replaced region is in or out as a whole."""
        if not self.starts:
            return named
        return Named(
            entity=named.entity, start=self.place(named.start), end=self.place(named.end, end=True), score=named.score
        )

    def place(self, position: int, *, end: bool = False) -> int:
        """The place in the line of a `position` in the template; inside a replaced region, that region's bound."""
        index = bisect_right(self.starts, position - 1 if end else position) - 1
        if index < 0:
            return position
        if position >= self.ends[index]:
            return self.line_ends[index] + position - self.ends[index]
        return self.line_ends[index] if end else self.line_starts[index]


def fold(line: str, known: Sequence[Named]) -> Folded:
    """Fold a line, given what the rules are sure of in it (by start, none overlapping)."""
    regions = [(n.start, n.end, MASK if n.entity == "ADDRESS" else stand_in(n.end - n.start)) for n in known]
    index = 0
    for found in TOKEN.finditer(line):
        start, end = found.span()
        while index < len(known) and known[index].end <= start:
            index += 1
        if index == len(known) or known[index].start >= end:
            token = found.group()
            if token.isdigit() or (end - start >= SHORTEST and not token.isalpha()):
                regions.append((start, end, zeros(end - start)))
    regions.sort()
    parts: list[str] = []
    starts, ends = [], []
    done = size = 0
    for start, end, text in regions:
        parts += (line[done:start], text)
        size += start - done
        starts.append(size)
        size += len(text)
        ends.append(size)
        done = end
    parts.append(line[done:])
    return Folded(
        Template("".join(parts).translate(DIGITS), bool(REACHED.search(line))),
        starts,
        ends,
        [region[0] for region in regions],
        [region[1] for region in regions],
    )
