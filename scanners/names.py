"""Names of people and addresses in running text: a tagger and rules together, each checking the other.

The tagger (`scanners.tagger`) proposes; surnames, cue words, titles and vetoes (`scanners.name_rules`) judge, and
add what it misses (`阎磊138…`, `张先生`, `李*四`). It reads about 30 thousand characters a second a core, so
the engine asks for lines where names can be, and answers for lines seen before come from a bounded memory. Names in
Latin letters are found by the names of columns alone.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

from scanners.name_rules import NUMBERED, RULED_ADDRESS, Named, NameRules, settle
from scanners.tagger import Tagger, Word, find_weights

REMEMBERED: Final = 20_000
LONGEST: Final = 256
TAIL: Final = re.compile(NUMBERED + "*(?:[0-9]{2,4}(?![0-9])室?)?")
STREET: Final = re.compile(
    "路|街|大道|道|巷|弄|胡同|村|小区|大厦|广场|花园|园|苑|公寓|大楼|栋|幢|室|单元|镇|乡|城|中心|府|里"
)
HOUSE: Final = re.compile(NUMBERED + "|[0-9]{1,5}(?:号|-[0-9])")
LEADS: Final = re.compile("^(?:居住地|所在地|地址|住址|住在|地|址|在|到)(?=[\u4e00-\u9fff]{2})")
DISTRICT: Final = re.compile("省|市|区|县|镇|乡|州|旗")


class NameFinder:
    """Finds PERSON and ADDRESS in lines of plain text. The model is loaded at the first line."""

    def __init__(self) -> None:
        """Compile the rules."""
        self.rules = NameRules()
        self.tagger: Tagger | None = None
        self.seen: OrderedDict[str, tuple[Named, ...]] = OrderedDict()

    def find(self, lines: Sequence[str]) -> list[tuple[Named, ...]]:
        """What is in each line, sorted by start; no two of one entity overlap.

        Raises:
            ClocheError: the weights are not installed.
        """
        new = list(dict.fromkeys(line for line in lines if line not in self.seen))
        if new:
            if self.tagger is None:
                self.tagger = Tagger(find_weights())
            pieces = [(line, low) for line in new for low in range(0, len(line), LONGEST)]
            tagged = self.tagger.tag([line[low : low + LONGEST] for line, low in pieces])
            words: dict[str, list[Word]] = {line: [] for line in new}
            for (line, low), found in zip(pieces, tagged, strict=True):
                words[line] += [Word(start=w.start + low, end=w.end + low, tag=w.tag) for w in found]
            for line in new:
                self.seen[line] = tuple(self.judge(line, words[line]))
        answers = [self.seen[line] for line in lines]
        while len(self.seen) > REMEMBERED:
            self.seen.popitem(last=False)
        return answers

    def judge(self, line: str, words: Sequence[Word]) -> list[Named]:
        """Addresses first; then people who are no part of one."""
        addresses = settle(list(self.addresses(line, words)))
        people = [*self.people(line, words), *self.rules.find(line)]
        clear = settle([p for p in people if not any(a.start < p.end and p.start < a.end for a in addresses)])
        return sorted([*addresses, *clear], key=lambda named: named.start)

    def people(self, line: str, words: Sequence[Word]) -> Iterator[Named]:
        """The tagger's people, judged."""
        for word in words:
            if word.tag not in ("PER", "nr"):
                continue
            text = line[word.start : word.end]
            inner = re.search("[\u4e00-\u9fff·]{1,12}", text)
            if not inner:
                continue
            start, name = word.start + inner.start(), inner.group()
            end = start + len(name)
            if self.rules.vetoed(line, start, end) or len(name) < 2:
                continue
            if self.rules.has_surname(name):
                yield Named(entity="PERSON", start=start, end=end, score=0.8)
            elif len(name) <= 8:
                yield Named(entity="PERSON", start=start, end=end, score=0.55 if "·" in name or len(name) > 3 else 0.45)

    def addresses(self, line: str, words: Sequence[Word]) -> Iterator[Named]:
        """Runs of places with a street, a building or a house in them."""
        index = 0
        while index < len(words):
            if words[index].tag not in ("LOC", "ns"):
                index += 1
                continue
            start, end = words[index].start, words[index].end
            index += 1
            while index < len(words) and joins(line, end, words, index):
                end = words[index].end
                index += 1
            tail = TAIL.match(line, end)
            end = max(end, tail.end() if tail else end)
            while index < len(words) and words[index].start < end:
                index += 1
            text = line[start:end].rstrip(" ,;:.-、")
            bare = LEADS.sub("", text.lstrip(" ,;:.-、()"))
            start += len(text) - len(bare)
            text = bare
            score = judge_address(text)
            if score:
                yield Named(entity="ADDRESS", start=start, end=start + len(text), score=score)
        for found in RULED_ADDRESS.finditer(line):
            if DISTRICT.search(found.group()) and not re.search("[住到在是址地]", found.group()):
                yield Named(entity="ADDRESS", start=found.start(), end=found.end(), score=0.55)


def joins(line: str, end: int, words: Sequence[Word], index: int) -> bool:
    """The next word goes on with the address."""
    word = words[index]
    if word.start > end + 1:
        return False
    text = line[word.start : word.end]
    if word.tag in ("LOC", "ns"):
        return not re.match("[,;:.]", text)
    if re.search("[,;:.!?]", text):
        return False
    if re.fullmatch(
        r"[0-9A-Za-z\-#]{1,6}(?:号|弄|栋|幢|座|楼|层|室|单元|组|门)?|号楼?|弄|栋|幢|座|楼|层|室|单元|组", text
    ):
        return len(text) < 6 or not text.isdigit()
    follows = line[word.end : word.end + 8]
    return word.tag in ("n", "nz", "ORG", "nt", "s", "f") and bool(HOUSE.match(follows)) and len(text) <= 10


def judge_address(text: str) -> float:
    """0 for the name of a town alone: `我在北京` is no address."""
    if len(text) < 5 or not STREET.search(text):
        return 0.0
    if HOUSE.search(text):
        return 0.8
    return 0.55 if len(text) >= 7 else 0.4
