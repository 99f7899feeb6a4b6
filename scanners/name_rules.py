"""Rules for Chinese names and addresses: surnames, cue words, titles, masked forms, vetoes.

No model and no numpy, so that the root daemon can mask with them. The words are `config/data/detect/names.toml`.
Alone they find about half of the names in running text (exact F1 .56 in our comparison); beside a phone number, a cue
word or a title, nearly all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from config.packs import read_pack

CJK: Final = "[\u4e00-\u9fff]"
NUMBERED: Final = (
    r"(?:[0-9一二三四五六七八九十百甲乙丙丁A-Za-z\-#、]{1,8}(?:号楼|号院|号|弄|栋|幢|座|楼|层|室|单元|组|队|门|排|期|区|铺|户|F)"
    "[ ,]?)"
)
OWN_NAME: Final = ("姓名", "户名", "我叫", "名叫")  # labels that need nothing between them and the name
PLATE_BEGINS: Final = re.compile("[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][·]?[0-9A-Z]{5}")
REACHED: Final = re.compile(r"1[3-9][0-9][ \-]?[0-9]{4}|@|[0-9]{15}|(?<![A-Za-z0-9])[A-Z][0-9]{8}(?![0-9])")
RULED_ADDRESS: Final = re.compile(
    "(?:[\u4e00-\u9fff]{2,3}(?:省|自治区))?(?:[\u4e00-\u9fff]{2,4}[市州])?(?:[\u4e00-\u9fff]{1,5}[区县旗市])?(?:[\u4e00-\u9fff]{1,5}(?:街道|[镇乡]))?"
    "[\u4e00-\u9fff]{1,6}(?:路|街|大道|道|巷|弄|胡同|村|小区)" + NUMBERED + "{1,6}(?:[0-9]{2,4}室?)?"
)


class Named(NamedTuple):
    """A name or an address `[start, end)` of a line."""

    entity: str
    start: int
    end: int
    score: float

    def shift(self, by: int) -> Named:
        """The same, in a text that begins `by` characters earlier."""
        return self._replace(start=self.start + by, end=self.end + by)


def split_characters(text: str) -> str:
    """Characters of a pack's block of text, for a character class."""
    return "".join(text.split())


def any_of(words: Sequence[str]) -> str:
    """An alternation, longest first."""
    return "|".join(sorted(words, key=len, reverse=True))


@cache
def load_pack() -> dict[str, Any]:
    """`config/data/detect/names.toml`."""
    return read_pack("detect", "names.toml")


class NameRules:
    """What can be said without a model; also what `mask_text` knows of names."""

    def __init__(self) -> None:
        """Compile the pack."""
        pack = load_pack()
        self.surnames = frozenset(split_characters(pack["surnames"]))
        self.compounds = frozenset(pack["compound_surnames"])
        self.history = frozenset(pack["history"])
        self.veto = frozenset(pack["veto"]) | self.history
        self.not_names = frozenset(pack["not_names"])
        self.veto_after = re.compile(any_of(pack["veto_after"]))
        surname = f"(?:{any_of(pack['compound_surnames'])}|[{split_characters(pack['surnames'])}])"
        self.surname = surname
        self.initial = re.compile(f"[{split_characters(pack['surnames'])}](?={CJK})")
        self.followers = re.compile(any_of(pack["followers"]))
        ends = f"(?={any_of(pack['followers'])}|[^\u4e00-\u9fff]|$)"
        self.titled = re.compile(
            f"{surname}(?:{any_of(pack['titles'][:12])}|(?:{any_of(pack['titles'][12:])})(?!{CJK}))"
        )
        self.starred = re.compile(f"{surname}(?:[*○]{CJK}(?!{CJK})|[*○]{{1,2}})(?![*])")
        self.masked = re.compile(f"{surname}(?:[*○某]{CJK}(?!{CJK})|[*○某]{{1,2}})(?![*])")
        self.cued = re.compile(f"(?:{any_of(pack['cues'])})[是为: \"'/=(]{{0,3}}({surname}{CJK}{{1,2}}?){ends}")
        self.beside = re.compile(
            f"(?<!{CJK})({surname}{CJK}{{1,2}})(?<![的了在是])"
            f"[ ,/:|\\t;(\"']{{0,2}}(?=1[3-9][0-9][ -]?[0-9*]{{4}}|\\+86|[0-9]{{6}})"
        )
        self.labelled = re.compile(f"(?:{any_of(pack['labels'])})[是为: \"'/=(]{{0,3}}({surname}{CJK}{{1,2}}?){ends}")
        self.then = re.compile(f"[0-9Xx][ ,/:|;]{{0,2}}({surname}{CJK}{{1,2}}?)(?=的|[ ,/:|;]|$)")
        self.alone = re.compile(f"(?<!{CJK})({surname}{CJK}{{1,2}})(?<![的了在是])(?!{CJK})")
        self.card_of = re.compile(
            f"({surname}{CJK}{{1,2}}?)(?=的?(?:身份证|户口|护照|银行卡|病历|简历|合同|手机号|电话|住址))"
        )

    def has_surname(self, name: str) -> bool:
        """The name begins with a Chinese surname and is as long as such names are."""
        fits = (name[:2] in self.compounds and 3 <= len(name) <= 4) or (
            name[:1] in self.surnames and 2 <= len(name) <= 3
        )
        return fits and all("\u4e00" <= character <= "\u9fff" for character in name)

    def joined(self, name: str) -> int:
        """1 if the name only begins behind its first character: `和李测` is `李测` and a word before it."""
        return int(len(name) == 3 and name[0] == "和" and name[1] in self.surnames)

    def vetoed(self, line: str, start: int, end: int) -> bool:
        """A brand, a dish, a place: by itself or by what follows."""
        name = line[start:end]
        if name in self.not_names or name[:2] in self.not_names:
            return True
        if PLATE_BEGINS.match(line, start) or PLATE_BEGINS.match(line, end - 1):
            return True
        longer = (name, line[start : end + 1], line[start : end + 2])
        return any(word in self.veto for word in longer) or bool(self.veto_after.match(line, end))

    def sure(self, line: str) -> Iterator[Named]:
        """Names that need no model: behind a label, just before a number of a person, or with a star in them."""
        for found in self.labelled.finditer(line):
            apart = not "\u4e00" <= line[found.start(1) - 1] <= "\u9fff"
            if apart or found.group().startswith(OWN_NAME) or REACHED.search(line):
                yield from self.accept(line, *found.span(1), score=0.85)
        for found in self.beside.finditer(line):
            yield from self.accept(line, *found.span(1), score=0.85)
        if "*" in line or "○" in line:
            for found in self.starred.finditer(line):
                yield Named(entity="PERSON", start=found.start(), end=found.end(), score=0.5)

    def find(self, line: str, *, reached: bool | None = None) -> Iterator[Named]:
        """Names by rules alone, for a line of a store's data; `reached` says that a number of a person stands there."""
        for pattern, score in ((self.cued, 0.85), (self.beside, 0.85), (self.then, 0.55), (self.card_of, 0.6)):
            for found in pattern.finditer(line):
                yield from self.accept(line, *found.span(1), score=score)
        if REACHED.search(line) if reached is None else reached:
            for found in self.alone.finditer(line):
                yield from self.accept(line, *found.span(1), score=0.5)
        yield from self.find_titled(line)
        for found in self.masked.finditer(line):
            yield Named(entity="PERSON", start=found.start(), end=found.end(), score=0.5)

    def find_titled(self, line: str) -> Iterator[Named]:
        """A surname with a title: `王先生`."""
        for found in self.titled.finditer(line):
            if not self.vetoed(line, *found.span()):
                yield Named(entity="PERSON", start=found.start(), end=found.end(), score=0.55)

    def accept(self, line: str, start: int, end: int, *, score: float) -> Iterator[Named]:
        """The name at `[start, end)`, if it may be one."""
        start += self.joined(line[start:end])
        if not self.vetoed(line, start, end) and self.has_surname(line[start:end]):
            yield Named(entity="PERSON", start=start, end=end, score=score)


def settle(found: list[Named]) -> list[Named]:
    """The best of each cluster that overlaps, by score, then by length."""
    kept: list[Named] = []
    for named in sorted(found, key=lambda n: (n.start, -n.end)):
        if kept and named.start < kept[-1].end:
            last = kept[-1]
            if (named.score, named.end - named.start) > (last.score, last.end - last.start):
                kept[-1] = named
        else:
            kept.append(named)
    return kept
