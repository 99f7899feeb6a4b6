"""Names of people and addresses in running text: rules answer what they are sure of, two networks and evidence the rest.

A line goes through three doors. Rules find the names behind a label or before a number, and the addresses whose both
ends are beyond doubt. What is left is folded: digits become zeros and the names already found one and the same made-up
name, so that the lines of one template are one line. Only a folded line that was not seen lately is read by the tagger
(`scanners.tagger`, about 30 thousand characters a second); `scanners.name_evidence` then weighs what it proposes.
Names in Latin letters are found by the names of columns, and in running text only where the tagger knows them.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from scanners.address_rules import AddressRules
from scanners.name_evidence import PROPOSED, Evidence
from scanners.name_places import split_pieces
from scanners.name_rules import REACHED, Named, NameRules, settle
from scanners.sentence_addresses import find_addresses

if TYPE_CHECKING:
    from scanners.tagger import Tagged, Tagger

REMEMBERED: Final = 20_000
READABLE: Final = re.compile("[\u4e00-\u9fff]{2}|[A-Za-z]{3}")
ZEROS: Final = str.maketrans("123456789", "000000000")
STAND_IN: Final = {2: "李明", 3: "李小明", 4: "欧阳小明"}
MASK: Final = "\ufffc"  # stands for a character of an address that the rules have found: no word of any text
BEST: Final = 0.84  # just below the rules that are sure


class NameFinder:
    """Finds PERSON and ADDRESS in lines of plain text. The model is loaded at the first line that needs it."""

    def __init__(self) -> None:
        """Compile the rules."""
        self.rules = NameRules()
        self.evidence = Evidence(self.rules)
        self.address_rules = AddressRules()
        self.tagger: Tagger | None = None
        self.seen: OrderedDict[tuple[str, bool], tuple[Named, ...]] = OrderedDict()

    def find(self, lines: Sequence[str]) -> list[tuple[Named, ...]]:
        """What is in each line, sorted by start; no two of one entity overlap, and no person stands in an address."""
        pieces = [(index, low, high) for index, line in enumerate(lines) for low, high in split_pieces(line)]
        texts = [lines[index][low:high] for index, low, high in pieces]
        sure = [self.be_sure(text) for text in texts]
        keys = [fold(text, known) for text, known in zip(texts, sure, strict=True)]
        new = [key for key in dict.fromkeys(keys) if key not in self.seen]
        for key, tagged in zip(new, self.tag([folded for folded, _ in new]), strict=True):
            self.seen[key] = tuple(self.judge(key[0], tagged, reached=key[1]))
        answers: list[tuple[Named, ...]] = [()] * len(lines)
        for (index, low, _), known, key in zip(pieces, sure, keys, strict=True):
            self.seen.move_to_end(key)
            found = merge(known, self.seen[key])
            answers[index] += tuple(named.shift(low) for named in found) if low else found
        while len(self.seen) > REMEMBERED:
            self.seen.popitem(last=False)
        return answers

    def be_sure(self, line: str) -> list[Named]:
        """What the rules are sure of."""
        if self.address_rules.is_delivery_line(line):
            return [Named(entity="ADDRESS", start=0, end=len(line.rstrip()), score=0.8)]
        found = [
            Named(entity="ADDRESS", start=start, end=end, score=0.85)
            for start, end in self.address_rules.certain(line)
        ]
        return settle([*self.rules.sure(line), *found])

    def tag(self, lines: Sequence[str]) -> list[Tagged]:
        """What the tagger says of each line; of those without two letters of a kind it is not asked."""
        from scanners.tagger import Tagged, Tagger  # numpy and the weights: 40 MB that a line without names spares

        readable = [index for index, line in enumerate(lines) if READABLE.search(line)]
        results = [Tagged()] * len(lines)
        if readable:
            if self.tagger is None:
                self.tagger = Tagger()
            for index, tagged in zip(readable, self.tagger.tag([lines[i] for i in readable]), strict=True):
                results[index] = tagged
        return results

    def judge(self, line: str, tagged: Tagged, *, reached: bool) -> list[Named]:
        """Addresses first; then people who are no part of one. `reached`: a number of a person stands in the line."""
        addresses = settle(list(find_addresses(line, tagged.words)))
        people = [*self.people(line, tagged, reached=reached), *self.ruled(line, reached=reached)]
        clear = settle([p for p in people if not any(a.start < p.end and p.start < a.end for a in addresses)])
        return sorted([*addresses, *clear], key=lambda named: named.start)

    def people(self, line: str, tagged: Tagged, *, reached: bool) -> Iterator[Named]:
        """Places with more evidence for a person than against."""
        proposed = [(w.start, w.end) for w in tagged.people if tagged.likely(w.start, w.end) >= PROPOSED]
        for start, end in self.evidence.candidates(line, proposed):
            odds = self.evidence.weigh(line, start, end, tagged.likely(start, end), reached=reached)
            if odds >= 0:
                yield Named(entity="PERSON", start=start, end=end, score=min(BEST, 1 / (1 + math.exp(-odds))))

    def ruled(self, line: str, *, reached: bool) -> Iterator[Named]:
        """Names by rules: all of them beside a number of a person, else what is written as only a name is."""
        if reached:
            yield from self.rules.find(line, reached=True)
            return
        for named in self.rules.find_apart(line):
            if self.evidence.customer.search(line) or not self.evidence.is_bare(line, named.start, named.end):
                yield named


def fold(line: str, known: Sequence[Named]) -> tuple[str, bool]:
    """The line as a template, the same for all lines that differ in digits and in what the rules have found; and
    whether a person can be reached by a number in it, which the zeros hide."""
    parts, done = [], 0
    for named in known:
        length = named.end - named.start
        parts += [line[done : named.start], MASK * length if named.entity == "ADDRESS" else STAND_IN[length]]
        done = named.end
    parts.append(line[done:])
    return "".join(parts).translate(ZEROS), bool(REACHED.search(line))


def merge(known: Sequence[Named], found: Sequence[Named]) -> tuple[Named, ...]:
    """Both, by start; what the rules are sure of wins."""
    if not known:
        return tuple(found)
    free = [n for n in found if not any(k.start < n.end and n.start < k.end for k in known)]
    return tuple(sorted([*known, *free], key=lambda named: named.start))
