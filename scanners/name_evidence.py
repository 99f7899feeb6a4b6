"""How much speaks for a person at a place of running text: evidence for and against, added up as log-odds.

A tagger alone takes teams, towns and brands for people, and people with odd names for words. What stands beside a name
says more: somebody's office before it, `说` behind it, a suffix of a place. Each kind of evidence has a weight, in
round figures chosen on development text (news, résumés, messages): what helped in one kind and hurt in another was left
out. The words and weights are `config/data/detect/evidence.toml`, the names that are nobody's `elsewhere.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from config.packs import read_pack
from scanners.name_rules import NameRules, any_of, split_characters

BEFORE: Final = 10  # characters that are read before a candidate
TAKING_OFFICE: Final = re.compile("[起月年日现曾兼今前]")
SHOP: Final = re.compile("[店菜餐饭肉鸡鸭汤锅]|面馆|酒家")
HIDDEN: Final = frozenset(("某", "某某", "xx", "某人"))  # who it is was taken out by whoever wrote it
LONG_LINE: Final = 20  # characters: shorter ones are what a shop writes, not a newspaper
PROPOSED: Final = -3.0  # log-odds of the tagger: less is not looked at


@cache
def load(name: str) -> dict[str, Any]:
    """A pack of `config/data/detect`."""
    return read_pack("detect", name)


class Evidence:
    """Weighs candidates. Every pattern looks at a bounded window beside the candidate, two at the line as a whole."""

    def __init__(self, rules: NameRules) -> None:
        """Compile the packs."""
        pack, elsewhere = load("evidence.toml"), load("elsewhere.toml")
        self.rules = rules
        self.weights: dict[str, float] = pack["weights"]
        self.behind = {
            "bearer": re.compile(f"{any_of(pack['bearer'])}|[(, ](?:男|女)(?![\u4e00-\u9fff])"),
            "speaks": re.compile(f"[^\u4e00-\u9fff]?(?:{any_of(pack['speaks'])})"),
            "list": re.compile("[、和与/]"),
            "ends": re.compile("[,.。)(:;]|$"),
            "follower": rules.followers,
            "place_behind": re.compile(any_of(pack["place_behind"])),
        }
        self.before = {
            "office": re.compile(f"(?:{any_of(pack['office'])})[:, ]?$"),
            "place_before": re.compile(f"(?:{any_of(pack['place_before'])})$"),
            "quoted": re.compile("[“\"《'‘]$"),
        }
        self.by_sound = frozenset(split_characters(pack["by_sound"]))
        self.everyday = frozenset(pack["everyday"])
        self.nowhere = frozenset(w for key in ("nations", "towns", "firms", "clubs") for w in elsewhere[key].split())
        self.teams = frozenset(elsewhere["teams"].split())
        self.sport = re.compile(elsewhere["sport"])
        self.customer = re.compile(any_of(pack["customer"]) + "|1[3-9][0-9][ -]?[0-9*]{4}")
        title = any_of(pack["anonymous"])
        self.bare = re.compile(f"[老小]?{rules.surname}副?(?:{title})|[老小]{rules.surname}")
        self.titled = re.compile(f"副?(?:{title})")
        self.life = re.compile(
            f"(?:先生|女士|教授|博士)(?:{any_of(pack['life'])}|[(,](?:男|女|[0-9]{{2}}岁|中国)|[0-9]{{4}}|一九)"
        )

    def weigh(self, line: str, start: int, end: int, odds: float, *, reached: bool = False) -> float:
        """Log-odds that `[start, end)` is a person.

        Args:
            line: in plain form.
            start: of the candidate, in characters.
            end: behind its last character.
            odds: what the tagger says, as log-odds.
            reached: a number of a person stands in the line.
        """
        surname = self.rules.has_surname(line[start:end])
        weights = self.weights
        total = weights["bias"] + odds * weights["tagger_surname" if surname else "tagger"]
        if reached and surname:
            total += weights["reached"]
        return total + sum(weights[kind] for kind in self.kinds(line, start, end))

    def kinds(self, line: str, start: int, end: int) -> Iterator[str]:
        """The kinds of evidence at `[start, end)`, as `weights` calls them."""
        yield from self.of_form(line[start:end])
        window = line[max(0, start - BEFORE) : start]
        yield from (kind for kind, pattern in self.before.items() if pattern.search(window))
        yield from (kind for kind, pattern in self.behind.items() if pattern.match(line, end))
        if start == 0 and line[end : end + 1] == ":":
            yield "speaker"
        if end - start == 3 and self.rules.has_surname(line[start:end]) and self.rules.followers.match(line, end - 1):
            yield "cuts"
        yield from self.against(line, start, end)

    def of_form(self, name: str) -> Iterator[str]:
        """What the name says by itself."""
        sounds = all(character in self.by_sound for character in name)
        if self.rules.has_surname(name):
            yield "surname"
            if name[0] in self.everyday:
                yield "everyday"
            if sounds:
                yield "surname_by_sound"
        elif sounds:
            yield "by_sound"
        if name[0] < "\u4e00":
            yield "latin"
            if name.islower():
                yield "lower"
        if "·" in name:
            yield "dot"
        if len(name) == 1:
            yield "single"
        elif len(name) >= 4:
            yield "long"

    def against(self, line: str, start: int, end: int) -> Iterator[str]:
        """What makes a name nobody's."""
        name = line[start:end]
        longer = (name, line[start : end + 1], line[start : end + 2])
        known = (*longer, *(name[:length] for length in range(3, len(name))))
        sport = bool(self.sport.search(line))
        if sport:
            yield "sport"
        if any(word in self.nowhere or (sport and word in self.teams) for word in known):
            yield "elsewhere"
        if self.rules.vetoed(line, start, end) and not (name in self.rules.history and self.is_prose(line)):
            yield "vetoed"
        if name[0] == "任" and TAKING_OFFICE.search(line[max(0, start - 1) : start]):
            yield "office_taken"
        if name[1:] in HIDDEN:
            yield "hidden"
        if self.is_bare(line, start, end) and self.is_prose(line) and not self.customer.search(line):
            yield "bare_life" if self.life.match(line, start + 1) else "bare"

    def is_prose(self, line: str) -> bool:
        """A sentence of a newspaper or a book rather than a message or a cell."""
        return len(line) >= LONG_LINE and not SHOP.search(line)

    def is_bare(self, line: str, start: int, end: int) -> bool:
        """A surname and no more, with a title that customers have: `张先生`, `陈女士`, `小王`, `李总`."""
        alone = end - start == 1 and self.titled.match(line, end)
        return bool(alone or self.bare.fullmatch(line, start, end))
