"""Where to look at all: number places for the detectors, pieces of text for the tagger.

One pass finds runs of digits with what people write between them; numeric detectors look only there. The tagger, two
hundred times slower, sees only pieces where a name can be: near another finding, beside a cue word, or in a short text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from scanners.detectors.base import NUMBER_PLACE
from scanners.name_rules import NameRules, any_of, load_pack

LEAD: Final = 3  # a passport's letters, a `+` or a bracket before the first digit
SHORT_TEXT: Final = 2_000
PIECE: Final = 200
CHINESE: Final = re.compile("[\u4e00-\u9fff]{2}")
BREAK: Final = re.compile("[。！？；!?;\n\r\t]|(?<=[\u4e00-\u9fff])[,，]")
NEAR: Final = 40
STAMP: Final = re.compile(
    r"[-. (]?(?:[0-9]{4}[-/.][0-9]{2}[-/.][0-9]{2}|[0-9]{2}[-/.][0-9]{2}[-/.][0-9]{2,4})[-. /)]*(?:[0-9]{2})?[. ]?"
)
NO_DIGITS: Final = dict.fromkeys(map(ord, "xX-. ()+/"))
STREETS: Final = "地址|住址|[路街道巷弄]\\s?[0-9一二三四五六七八九十]{1,5}[号弄]|小区|[0-9]{1,4}[栋幢室]"


def number_places(text: str) -> Iterator[tuple[int, int, int]]:
    """Disjoint `[start, end)` in which values of digits can begin, and how many digits are there.

    A place that is a date and nothing else is left out. Stars count as digits: masked values are values too.
    """
    done = 0
    for found in NUMBER_PLACE.finditer(text):
        place = found.group()
        if not STAMP.fullmatch(place):
            yield max(done, found.start() - LEAD), found.end(), len(place.translate(NO_DIGITS))
        done = found.end()


def split_pieces(text: str) -> Iterator[tuple[int, int]]:
    """Lines, and long lines cut behind punctuation at about 200 characters: linear, whatever the lines' lengths."""
    start = 0
    for line in text.split("\n"):
        low, end = start, start + len(line)
        while end - low > PIECE:
            cut = low + PIECE
            for found in BREAK.finditer(text, low + PIECE // 2, cut):
                cut = found.end()
            yield low, cut
            low = cut
        if end > low:
            yield low, end
        start = end + 1


class NamePlaces:
    """Chooses the pieces that the tagger gets."""

    def __init__(self) -> None:
        """Compile the cue words."""
        pack = load_pack()
        titled = NameRules().titled.pattern
        self.strict_cue = re.compile(f"(?:姓名|联系人|收货人|收件人|寄件人|顾客名|会员名|住址|地址)[:是为 ]|{titled}")
        self.cue = re.compile(any_of([w for w in (*pack["cues"], *pack["titles"]) if len(w) > 1]) + "|" + STREETS)

    def choose(self, text: str, findings: Sequence[tuple[int, int]], *, strict: bool = False) -> list[tuple[int, int]]:
        """Pieces of `text` where names or addresses can be; `findings` are places of other entities, by start.

        Cells of tables are `strict`: product descriptions and notices are full of words that look like names.
        """
        short = len(text) <= SHORT_TEXT and not strict
        cue = self.strict_cue if strict else self.cue
        starts = [start for start, _ in findings]
        chosen = []
        for low, high in split_pieces(text):
            if not CHINESE.search(text, low, high):
                continue
            index = bisect_left(starts, low - NEAR)
            near = index < len(starts) and starts[index] < high + NEAR
            if near or short or cue.search(text, low, high):
                chosen.append((low, high))
        return chosen
