"""Names of people and addresses in running text: rules answer what they are sure of, two networks the rest.

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
from scanners.name_candidates import Candidates
from scanners.name_evidence import PROPOSED, Evidence, load
from scanners.name_places import split_pieces
from scanners.name_rules import Named, NameRules, settle
from scanners.name_templates import Template, fold, stand_in
from scanners.sentence_addresses import find_addresses

if TYPE_CHECKING:
    from scanners.tagger import Tagged, Tagger

REMEMBERED: Final = 20_000
READABLE: Final = re.compile("[\u4e00-\u9fff]{2}")
AGAIN: Final = 0.5  # any other reading of the same place is better
BEST: Final = 0.84  # just below the rules that are sure


class NameFinder:
    """Finds PERSON and ADDRESS in lines of plain text. The model is loaded at the first line that needs it."""

    def __init__(self) -> None:
        """Compile the rules."""
        self.rules = NameRules()
        self.candidates = Candidates(self.rules, load("evidence.toml"))
        self.evidence = Evidence(self.rules)
        self.address_rules = AddressRules()
        self.tagger: Tagger | None = None
        self.seen: OrderedDict[Template, tuple[Named, ...]] = OrderedDict()
        self.templates: OrderedDict[str, tuple[Named, ...]] = OrderedDict()

    def find(self, lines: Sequence[str]) -> list[tuple[Named, ...]]:
        """What is in each line, sorted by start; no two of one entity overlap, and no person stands in an address."""
        pieces = [(index, low, high) for index, line in enumerate(lines) for low, high in split_pieces(line)]
        texts = [lines[index][low:high] for index, low, high in pieces]
        sure = [self.be_sure(text) for text in texts]
        folded = [fold(text, known) for text, known in zip(texts, sure, strict=True)]
        new = [key for key in dict.fromkeys(line.template for line in folded) if key not in self.seen]
        first, others = self.one_of_each_shape([key for key in new if not self.recall(key)])
        self.read(first)
        self.read([key for key in others if not self.recall(key)])
        answers: list[tuple[Named, ...]] = [()] * len(lines)
        for (index, low, _), known, line in zip(pieces, sure, folded, strict=True):
            self.seen.move_to_end(line.template)
            found = merge(known, [line.back(named) for named in self.seen[line.template]])
            answers[index] += tuple(named.shift(low) for named in found) if low else found
        for memory in (self.seen, self.templates):
            while len(memory) > REMEMBERED:
                memory.popitem(last=False)
        return answers

    def read(self, keys: Sequence[Template]) -> None:
        """Ask the tagger, judge and remember."""
        for key, tagged in zip(keys, self.tag([key.text for key in keys]), strict=True):
            self.learn(key, tuple(self.judge(key.text, tagged, reached=key.reached)))

    def one_of_each_shape(self, keys: Sequence[Template]) -> tuple[list[Template], list[Template]]:
        """Templates to be read now, and those that what is learnt from these may answer."""
        first: list[Template] = []
        others: list[Template] = []
        taken: set[str] = set()
        for key in keys:
            shapes = {shape for _, _, shape in self.shapes(key)}
            (first if taken.isdisjoint(shapes) else others).append(key)
            taken |= shapes
        return first, others

    def shapes(self, key: Template) -> Iterator[tuple[int, int, str]]:
        """Every place of a folded line in which a name may stand, with the line as it were with a stand-in there.

        Only where a number of a person stands in the line: elsewhere the place of a name may hold any word.
        """
        line = key.text
        for found in self.rules.initial.finditer(line) if key.reached else ():
            start = found.start()
            for end in (start + 2, start + 3):
                name = line[start:end]
                if (
                    len(name) == end - start
                    and self.rules.has_surname(name)
                    and not self.rules.vetoed(line, start, end)
                ):
                    yield start, end, line[:start] + stand_in(len(name)) + line[end:]

    def learn(self, key: Template, answer: tuple[Named, ...]) -> None:
        """Remember an answer, and that a line of the same words with another name in that place means the same."""
        self.seen[key] = answer
        people = {(named.start, named.end) for named in answer if named.entity == "PERSON"}
        if len(people) == 1:
            for start, end, shape in self.shapes(key):
                if (start, end) in people:
                    self.templates[shape] = answer

    def recall(self, key: Template) -> bool:
        """Whether it is of a template that was read before: then its answer is put among the lines seen."""
        for _, _, shape in self.shapes(key) if self.templates else ():
            if shape in self.templates:
                self.seen[key] = self.templates[shape]
                return True
        return False

    def be_sure(self, line: str) -> list[Named]:
        """What the rules are sure of."""
        start = self.address_rules.delivery_line(line)
        if start is not None:
            return [Named(entity="ADDRESS", start=start, end=len(line.rstrip()), score=0.8)]
        found = [
            Named(entity="ADDRESS", start=start, end=end, score=0.85) for start, end in self.address_rules.certain(line)
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

    def people(self, line: str, tagged: Tagged, *, reached: bool) -> list[Named]:
        """Places with more evidence for a person than against, and where those persons stand once more."""
        proposed = [(w.start, w.end) for w in tagged.people if tagged.odds(w.start, w.end) >= PROPOSED]
        found = []
        for start, end in self.candidates.find(line, proposed):
            odds = self.evidence.weigh(line, start, end, tagged.odds(start, end), reached=reached)
            if odds >= 0:
                found.append(Named(entity="PERSON", start=start, end=end, score=min(BEST, 1 / (1 + math.exp(-odds)))))
        people = settle(found)
        if not reached:
            for named in tuple(people):
                for start, end in self.candidates.again(line, named.start, named.end):
                    people.append(Named(entity="PERSON", start=start, end=end, score=AGAIN))
        return people

    def ruled(self, line: str, *, reached: bool) -> Iterator[Named]:
        """Names by rules: all of them beside a number of a person, else what is written as only a name is."""
        if reached:
            yield from self.rules.find(line, reached=True)
            return
        if self.evidence.customer.search(line):
            yield from self.rules.find_titled(line)


def merge(known: Sequence[Named], found: Sequence[Named]) -> tuple[Named, ...]:
    """Both, by start; what the rules are sure of wins."""
    if not known:
        return tuple(found)
    free = [n for n in found if not any(k.start < n.end and n.start < k.end for k in known)]
    return tuple(sorted([*known, *free], key=lambda named: named.start))
