"""The vocabulary of columns' and tables' names: `config/data/detect/columns.toml`, ready for look-ups.

Runs like `linktel` and initials like `lxrdh` are taken apart into known words; a word that cannot be taken apart stays
whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final, Literal

from config.packs import read_pack

Grade = Literal["sure", "maybe", "inside", "role", "name", "account", "thing", "none"]
OTHER: Final = "OTHER"
PROSE: Final = "PROSE"
WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[\u4e00-\u9fff]+")
PREFIXES: Final = frozenset(("f", "c", "s", "t", "n", "v", "fs", "fi", "ft", "str", "vc", "fld", "txt", "tb", "col"))
SHORTEST_RUN: Final = 6
LONGEST_RUN: Final = 32
LONGEST_PART: Final = 14


@cache
def load_columns() -> dict[str, Any]:
    """`config/data/detect/columns.toml`."""
    return read_pack("detect", "columns.toml")


def words_of(name: str) -> list[str]:
    """`receiverName`, `Receiver-Name` → receiver, name; a row of Chinese characters stays one word."""
    return [part.lower() for part in WORD.findall(name)]


def heads() -> dict[str, tuple[str, Grade]]:
    """Every phrase that means something at a name's end; of two entries for one phrase the first stands."""
    pack = load_columns()
    found: dict[str, tuple[str, Grade]] = {}
    grades: tuple[tuple[str, Grade], ...] = (
        ("sure", "sure"), ("maybe", "maybe"), ("role", "role"), ("name", "name"), ("account", "account"),
        ("chinese", "sure"), ("maybe_chinese", "maybe"), ("role_chinese", "role"), ("name_chinese", "name"),
        ("account_chinese", "account"),
    )  # fmt: skip
    for key, grade in grades:
        for meaning, section in pack["meanings"].items():
            for phrase in section.get(key, "").split():
                found.setdefault(phrase, (meaning, grade))
    for section, meaning in (("other", OTHER), ("prose", PROSE)):
        for phrase in f"{pack[section]['latin']} {pack[section]['chinese']}".split():
            found.setdefault(phrase, (meaning, "sure"))
    return found


class Words:
    """The pack as sets. A look-up costs a bounded number of steps."""

    def __init__(self) -> None:
        """Compile it."""
        pack = load_columns()
        person = pack["meanings"]["PERSON"]
        self.heads = heads()
        self.neutral = frozenset(pack["neutral"]["latin"].split())
        self.neutral_chinese = sorted(pack["neutral"]["chinese"].split(), key=len, reverse=True)
        self.switches = frozenset(pack["switches"]["latin"].split())
        self.weak_switches = frozenset(pack["switches"]["weak"].split())
        self.switches_chinese = tuple(pack["switches"]["chinese"].split())
        self.things = frozenset(pack["things"]["latin"].split())
        self.things_chinese = tuple(sorted(pack["things"]["chinese"].split(), key=len, reverse=True))
        self.accounts = frozenset(person["before_account"].split())
        self.never = frozenset(pack["meanings"]["ADDRESS"]["never"].split())
        self.never_chinese = tuple(pack["meanings"]["ADDRESS"]["never_chinese"].split())
        whose = pack["whose"]
        self.whose = {who: frozenset(whose[who]["latin"].split()) for who in whose}
        self.whose_chinese = {who: tuple(whose[who]["chinese"].split()) for who in whose}
        self.initials = frozenset(pack["initials"]["before"].split())
        self.sent_to = frozenset(person["sent_to"].split())
        self.people = frozenset(" ".join(person[key] for key in ("sure", "role", "chinese", "role_chinese")).split())
        known = {word for phrase in self.heads for word in phrase.split("_") if word.isascii() and len(word) > 1}
        self.parts = known | self.neutral | self.things | frozenset().union(*self.whose.values()) | self.switches
        self.parts -= {"s", "f", "col", "addres", "one", "en", "is"}
        sure = (p for p, head in self.heads.items() if head[1] == "sure" and head[0] not in (OTHER, PROSE))
        self.sure_chinese = sorted((p for p in sure if not p.isascii() and len(p) > 1), key=len, reverse=True)

    def split(self, name: str) -> list[str]:
        """Words of a name, runs like `linktel` taken apart, digits and a prefix of one letter left out."""
        words: list[str] = []
        for word in words_of(name):
            if word.isdigit():
                continue
            words += self.take_apart(word) if word.isascii() else [word]
        while len(words) > 1 and words[0] in PREFIXES:
            words = words[1:]
        return words

    def take_apart(self, word: str) -> list[str]:
        """A run of known words, the longest first; a word that is known or cannot be taken apart stays whole."""
        if word in self.heads or word in self.parts or not 4 <= len(word) <= LONGEST_RUN:
            return [word]
        for cut in (2, 3, 5):  # initials of pinyin: `lxrdh` is 联系人电话
            if word[:cut] in self.initials and word[cut:] in self.heads:
                return [word[:cut], word[cut:]]
        if len(word) < SHORTEST_RUN:
            return [word]
        best: list[list[str] | None] = [[]] + [None] * len(word)
        for end in range(1, len(word) + 1):
            for start in range(max(0, end - LONGEST_PART), end - 1):
                before = best[start]
                if before is None or word[start:end] not in self.parts:
                    continue
                found = best[end]
                if found is None or len(before) + 1 < len(found):
                    best[end] = [*before, word[start:end]]
        return best[-1] or [word]

    def is_people(self, word: str) -> bool:
        """A word for somebody."""
        if word.isascii():
            return word in self.people
        return any(word[-length:] in self.people for length in range(2, 6))

    def is_thing(self, word: str) -> bool:
        """A word for things, or Chinese that ends with one."""
        return word in self.things if word.isascii() else word.endswith(self.things_chinese)

    def is_no_address(self, words: Iterable[str]) -> bool:
        """Words that make an address one of a server, a picture, a mailbox."""
        return any(
            word in self.never if word.isascii() else any(part in word for part in self.never_chinese) for word in words
        )


@cache
def vocabulary() -> Words:
    """Compiled once a process."""
    return Words()
