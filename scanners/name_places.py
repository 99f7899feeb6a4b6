"""Where the finder of names looks at all: short texts, the lines of other findings, and what a cue announces.

The tagger reads a thousand times slower than the detectors do, so in a long text only those lines count in which a
name of a customer can be. Of a line that never ends only what stands near is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from scanners.name_rules import NameRules, load_pack, split_characters

SHORT_TEXT: Final = 2_000
LONGEST: Final = 200  # of one piece
NEAR: Final = 40  # no wider than what stands between two cells of `scanners.cell_texts`
CHINESE: Final = re.compile("[\u4e00-\u9fff][\u4e00-\u9fff*○]")
BREAK: Final = re.compile("[。！？；!?;\n\r\t]|(?<=[\u4e00-\u9fff])[,，]")
# When a line was written and by what: a third of what the tagger would read of a log, and nobody's name.
STAMP: Final = re.compile(
    "[\\[(]?[0-9]{4}[-/.][0-9]{2}[-/.][0-9]{2}[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    "(?:Z|[+-][0-9:]{4,5})?[\\])]?"
    "(?: {1,3}\\[?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL)\\]?(?![A-Za-z]))? {0,3}"
)


def split_pieces(text: str, start: int = 0) -> Iterator[tuple[int, int]]:
    """Lines, and long lines cut behind punctuation at about 200 characters: linear, whatever the lines' lengths."""
    for line in text.split("\n"):
        low, end = start, start + len(line)
        while end - low > LONGEST:
            cut = low + LONGEST
            for found in BREAK.finditer(text, low + LONGEST // 2, cut):
                cut = found.end()
            yield low, cut
            low = cut
        if end > low:
            yield low, end
        start = end + 1


class NamePlaces:
    """Chooses the pieces that `NameFinder` gets."""

    def __init__(self) -> None:
        """Compile the cues: several patterns, each with few first characters, for `re` skips from one such to the next.

        Four passes so read 150 MB/s of Chinese text; one alternation of them all reads 42.
        """
        pack = load_pack()
        one = f"[{split_characters(pack['surnames'])}]"
        places = "[住地]址[:是为 ]"
        self.cues = tuple(
            re.compile(pattern)
            for pattern in (
                NameRules().labelled.pattern,
                f"(?:先生|女士|小姐)(?<={one}..)",
                places,
                "[路街道巷弄][0-9]{1,5}[号弄]",
            )
        )
        self.strict_cues = (
            self.cues[1],
            re.compile(f"(?:姓名|联系人|收货人|收件人|寄件人|顾客名|会员名)[:是为 ]|{places}"),
        )

    def choose(self, text: str, findings: Sequence[tuple[int, int]], *, strict: bool = False) -> list[tuple[int, int]]:
        """Pieces of `text` where names or addresses can be, by start, none overlapping.

        Args:
            text: in plain form.
            findings: places `[start, end)` of other entities, by start.
            strict: as in cells of tables: product descriptions and notices are full of words that look like names.
        """
        if len(text) <= SHORT_TEXT and not strict:
            return [(low, high) for low, high in split_pieces(text) if CHINESE.search(text, low, high)]
        places = list(findings)
        for cue in self.strict_cues if strict else self.cues:
            places += [found.span() for found in cue.finditer(text)]
        places.sort()
        chosen: list[tuple[int, int]] = []
        for start, end in places:
            if chosen and end <= chosen[-1][1]:
                continue
            low, high = widen(text, start, end, chosen[-1][1] if chosen else 0)
            if CHINESE.search(text, low, high):
                chosen.append((low, high))
        return chosen


def widen(text: str, start: int, end: int, done: int) -> tuple[int, int]:
    """The line around `[start, end)`, or of a long one what stands near; from `done` on, to the end of no word."""
    low = max(done, text.rfind("\n", max(done, start - LONGEST), start) + 1, start - LONGEST)
    high = text.find("\n", end, end + LONGEST)
    high = min(len(text), end + LONGEST) if high < 0 else high
    if high - low <= LONGEST:
        stamp = STAMP.match(text, low, start)
        return (stamp.end() if stamp else low), high
    low, high = max(low, start - NEAR), min(high, end + NEAR)
    for found in BREAK.finditer(text, max(done, low - NEAR), low):
        low = found.end()
    found_end = BREAK.search(text, high, min(len(text), high + NEAR))
    return low, found_end.start() if found_end else high
