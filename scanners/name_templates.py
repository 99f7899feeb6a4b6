"""Lines as templates: what differs from line to line of a log is folded away, and a way leads back to the line.

Digits, long identifiers and e-mail addresses become zeros of a few lengths, an address that the rules have found a
mark, a name that they have found one and the same made-up name. A log of ten thousand customers so has some dozens of
different lines, and the tagger reads each once.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from scanners.name_rules import REACHED, Named

VARYING: Final = re.compile(
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,64}|(?=[A-Za-z_-]{0,40}[0-9])[0-9A-Za-z_-]{8,64}|[0-9]+"
)
STAND_IN: Final = {2: "李明", 3: "李小明", 4: "欧阳小明"}
MASK: Final = "\ufffc" * 4  # no word of any text


def stand_in(length: int) -> str:
    """A made-up name of that length."""
    return STAND_IN.get(length, STAND_IN[4])


def zeros(length: int) -> str:
    """Few lengths for many: what a number is (a day, a year, a mobile, an identity number) can still be seen."""
    return "0" * (2 if length < 4 else 4 if length < 8 else 11 if length < 14 else 18)


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A folded line. `reached`: a number of a person stands in it (the zeros hide which)."""

    text: str = field(repr=False)
    reached: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Folded:
    """A line with its template. The regions that were replaced: their bounds in the template and in the line."""

    template: Template
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    line_starts: tuple[int, ...]
    line_ends: tuple[int, ...]

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
    varying = []
    for found in VARYING.finditer(line):
        start, end = found.span()
        while index < len(known) and known[index].end <= start:
            index += 1
        if index == len(known) or known[index].start >= end:
            varying.append((start, end, zeros(end - start)))
    if varying:
        regions = sorted(regions + varying)
    parts: list[str] = []
    starts, ends = [], []
    done = size = 0
    for start, end, text in regions:
        parts += [line[done:start], text]
        size += start - done
        starts.append(size)
        size += len(text)
        ends.append(size)
        done = end
    parts.append(line[done:])
    return Folded(
        template=Template(text="".join(parts), reached=bool(REACHED.search(line))),
        starts=tuple(starts),
        ends=tuple(ends),
        line_starts=tuple(region[0] for region in regions),
        line_ends=tuple(region[1] for region in regions),
    )
