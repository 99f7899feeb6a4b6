"""How much speaks for a person at a place of running text: evidence for and against, added up as log-odds.

A tagger alone takes teams, towns and brands for people, and people with odd names for words. What stands beside a name
says more: somebody's office before it, `说` behind it, a suffix of a place. Each kind of evidence has a weight, in
round figures chosen on development text (news, résumés, messages): what helped in one kind and hurt in another was left
out. The words are `config/data/detect/evidence.toml`, the names that are nobody's `elsewhere.toml`.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from scanners.name_rules import CJK, NameRules, any_of, split_characters

BEFORE: Final = 10  # characters that are read before a candidate
HIDDEN: Final = frozenset(("某", "某某", "xx", "某人"))  # who it is was taken out by whoever wrote it
WRITTEN: Final = re.compile("[一-鿿A-Za-z](?:[一-鿿A-Za-z·.' -]{0,30}[一-鿿A-Za-z])?")
CHARACTER: Final = re.compile("[一-鿿](?<![的了在是吗呢吧])")
PROPOSED: Final = 0.05  # of the tagger's likelihood: less than that is not looked at


@cache
def load(name: str) -> dict[str, Any]:
    """A pack of `config/data/detect`."""
    return tomllib.loads(files("config").joinpath("data", "detect", name).read_text(encoding="utf-8"))


class Evidence:
    """Weighs candidates. Linear in the line: every pattern looks at a bounded window beside the candidate."""

    def __init__(self, rules: NameRules) -> None:
        """Compile the packs."""
        pack, elsewhere = load("evidence.toml"), load("elsewhere.toml")
        self.rules = rules
        self.weights: dict[str, float] = pack["weights"]
        surname = rules.surname
        office, speaks, bearer = any_of(pack["office"]), any_of(pack["speaks"]), any_of(pack["bearer"])
        self.office = re.compile(f"(?:{office})[:, ]?$")
        self.speaks = re.compile(f"[^\u4e00-\u9fff]?(?:{speaks})")
        self.bearer = re.compile(f"{bearer}|[(,](?:男|女)[),]?")
        self.place_behind = re.compile(any_of(pack["place_behind"]))
        self.place_before = re.compile(f"(?:{any_of(pack['place_before'])})$")
        self.by_sound = frozenset(split_characters(pack["by_sound"]))
        self.nowhere = frozenset(w for key in ("nations", "towns", "firms", "clubs") for w in elsewhere[key].split())
        self.teams = frozenset(elsewhere["teams"].split())
        self.sport = re.compile(elsewhere["sport"])
        self.customer = re.compile(any_of(pack["customer"]) + "|1[3-9][0-9][ -]?[0-9*]{4}")
        title = any_of(pack["anonymous"])
        self.bare = re.compile(f"(?:[老小]?{surname}(?:副?(?:{title}))|[老小]{surname})$")
        self.titled = re.compile(f"副?(?:{title})")
        self.life = re.compile(f"(?:先生|女士)(?:{any_of(pack['life'])}|[(,](?:男|女|[0-9]{{2}}岁|中国)|[0-9一二]{{4}}年)")
        self.everyday = frozenset(pack["everyday"])
        self.suffix = re.compile("(?<=..)(?:先生|女士|小姐|教授|博士|老师|同志)$")
        ends = f"(?=[^\u4e00-\u9fff]|$|{speaks}|{bearer})"
        self.end = re.compile(ends)
        self.patterns = tuple(
            re.compile(pattern)
            for pattern in (
                f"^({surname}{CJK}{{1,2}}):",
                f"(?:{office})({surname}{CJK}{{1,2}}?){ends}",
                f"({surname}{CJK}{{1,2}}?)(?=先生|女士|小姐|同志|教授|博士)",
                f"(?<!{CJK})({surname}{CJK}{{1,2}})(?=[,:(]?(?:男|女|汉族|生于|出生|中国国籍|本科|大专|硕士|博士))",
            )
        )

    def candidates(self, line: str, proposed: Sequence[tuple[int, int]]) -> dict[tuple[int, int], None]:
        """Places of `line` to weigh: the tagger's, those cut or lengthened to a whole name, and the patterns'."""
        found: dict[tuple[int, int], None] = {}
        for rough in proposed:
            inner = WRITTEN.search(line, *rough)
            if not inner:
                continue
            start, end = inner.span()
            start += self.rules.joined(line[start:end])
            cut = self.suffix.search(line, start, end)
            if cut and self.rules.has_surname(line[start : cut.start()]):
                end = cut.start()
            found[start, end] = None
            if end - start == 3 and self.rules.followers.match(line, start + 2):
                found[start, start + 2] = None
            if end - start != 2:
                continue
            if self.rules.has_surname(line[start:end]):
                if CHARACTER.match(line, end) and self.end.match(line, end + 1):
                    found[start, end + 1] = None
            elif start and self.rules.has_surname(line[start - 1 : end]):
                found[start - 1, end] = None
        for pattern in self.patterns:
            for match in pattern.finditer(line):
                found[match.span(1)] = None
        return found

    def weigh(self, line: str, start: int, end: int, likely: float, *, reached: bool = False) -> float:
        """Log-odds that `[start, end)` is a person.

        Args:
            line: in plain form.
            start: of the candidate, in characters.
            end: behind its last character.
            likely: what the tagger says, 0 to 1.
            reached: a number of a person stands in the line.
        """
        name = line[start:end]
        surname = self.rules.has_surname(name)
        likely = min(max(likely, 1e-4), 1 - 1e-4)
        odds = math.log(likely / (1 - likely))
        weights = self.weights
        total = weights["bias"] + odds * weights["tagger_surname" if surname else "tagger"]
        if reached and surname:
            total += weights["reached"]
        return total + sum(weights[kind] for kind in self.kinds(line, start, end, surname=surname))

    def kinds(self, line: str, start: int, end: int, *, surname: bool) -> Iterator[str]:
        """The kinds of evidence at `[start, end)`."""
        name, before, behind = line[start:end], line[max(0, start - BEFORE) : start], line[end : end + 1]
        sounds = all(character in self.by_sound for character in name)
        if surname:
            yield "surname"
            if name[0] in self.everyday:
                yield "everyday"
            if sounds:
                yield "surname_by_sound"
        elif sounds:
            yield "by_sound"
        if name[:1] < "一":
            yield "latin"
            if name.islower():
                yield "lower"
        if "·" in name:
            yield "dot"
        if len(name) == 1:
            yield "single"
        elif len(name) >= 4:
            yield "long"
        if self.bearer.match(line, end):
            yield "bearer"
        if self.speaks.match(line, end):
            yield "speaks"
        if self.office.search(before):
            yield "office"
        if behind and behind in "、和与/":
            yield "list"
        if start == 0 and behind == ":":
            yield "speaker"
        if not behind or behind in ",.。)(:;":
            yield "ends"
        elif self.rules.followers.match(line, end):
            yield "follower"
        if surname and len(name) == 3 and self.rules.followers.match(line, end - 1):
            yield "cuts"
        if self.place_behind.match(line, end):
            yield "place_behind"
        if self.place_before.search(before):
            yield "place_before"
        if before[-1:] and before[-1] in "“\"《'‘":
            yield "quoted"
        yield from self.against(line, start, end)

    def against(self, line: str, start: int, end: int) -> Iterator[str]:
        """What makes a name nobody's."""
        name = line[start:end]
        longer = (name, line[start : end + 1], line[start : end + 2], *(name[:length] for length in range(3, len(name))))
        if self.sport.search(line):
            yield "sport"
            if any(word in self.teams for word in longer):
                yield "elsewhere"
        if any(word in self.nowhere for word in longer):
            yield "elsewhere"
        if any(word in self.rules.history for word in longer[:3]):
            yield "history"
        elif self.rules.vetoed(line, start, end):
            yield "vetoed"
        if name[1:] in HIDDEN:
            yield "hidden"
        if self.is_bare(line, start, end) and not self.customer.search(line):
            yield "bare_life" if self.life.match(line, start + 1) else "bare"

    def is_bare(self, line: str, start: int, end: int) -> bool:
        """A surname and no more, with a title that customers have: `张先生`, `陈女士`, `小王`, `李总`."""
        alone = end - start == 1 and self.titled.match(line, end)
        return bool(alone or self.bare.fullmatch(line, start, end))
