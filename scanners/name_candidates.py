"""Places of a line that may hold a person's name: what the tagger proposes, made whole, and what patterns find.

The tagger cuts rare names short (`周测|试先生`) and takes titles with them (`周测试女士`). A candidate is only
found here, `scanners.name_evidence` decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from scanners.name_rules import CJK, NameRules, any_of

WRITTEN: Final = re.compile("[\u4e00-\u9fffA-Za-z](?:[\u4e00-\u9fffA-Za-z·.' -]{0,30}[\u4e00-\u9fffA-Za-z])?")
CUT_WORD: Final = re.compile("[A-Za-z0-9._][A-Za-z]")
CHARACTER: Final = re.compile("[\u4e00-\u9fff](?<![的了在是吗呢吧])")
SUFFIX: Final = re.compile("(?<=..)(?:先生|女士|小姐|教授|博士|老师|同志)$")
LATIN_BEHIND: Final = re.compile("\\(([A-Za-z][A-Za-z.'-]{2,30})")
LATIN_BEFORE: Final = re.compile("([A-Za-z][A-Za-z .'-]{1,30})\\((?:中文名:?)?$")
ALIAS: Final = 40  # characters before a name in which its Latin form may begin


class Candidates:
    """Finds places to weigh. Linear in the line: every pattern is bounded."""

    def __init__(self, rules: NameRules, pack: Mapping[str, Any]) -> None:
        """Compile the patterns from `config/data/detect/evidence.toml`."""
        self.rules = rules
        surname = rules.surname
        self.end = re.compile(f"[^\u4e00-\u9fff]|$|{any_of(pack['speaks'])}|{any_of(pack['bearer'])}")
        self.patterns = tuple(
            re.compile(pattern)
            for pattern in (
                f"^({surname}{CJK}{{1,2}}):",
                f"(?:{any_of(pack['office'])})({surname}{CJK}{{1,2}}?)(?={self.end.pattern})",
                f"({surname}{CJK}{{1,2}}?)(?=先生|女士|小姐|同志|教授|博士)",
                f"(?<!{CJK})({surname}{CJK}{{1,2}})(?=[,:( ]?(?:男|女|汉族|生于|出生|中国国籍|本科|大专|硕士|博士))",
            )
        )

    def find(self, line: str, proposed: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Places `[start, end)`, each once; `proposed` are the tagger's."""
        found: dict[tuple[int, int], None] = {}
        for low, high in proposed:
            inner = WRITTEN.search(line, low, high)
            if inner and not is_cut(line, *inner.span()):
                found |= dict.fromkeys(self.whole(line, *inner.span()))
        for pattern in self.patterns:
            found |= dict.fromkeys(match.span(1) for match in pattern.finditer(line))
        return list(found)

    def whole(self, line: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The name without a word before it or a title behind it, and with the character that it may lack."""
        start += self.rules.joined(line[start:end])
        title = SUFFIX.search(line, start, end)
        if title and self.rules.has_surname(line[start : title.start()]):
            end = title.start()
        yield start, end
        if end - start == 3 and self.rules.followers.match(line, start + 2):
            yield start, start + 2
        if end - start == 2 and self.rules.has_surname(line[start:end]):
            if CHARACTER.match(line, end) and self.end.match(line, end + 1):
                yield start, end + 1
        elif end - start == 2 and start and self.rules.has_surname(line[start - 1 : end]):
            yield start - 1, end

    def again(self, line: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Where the person of `[start, end)` stands once more: the name again, or in Latin letters beside it."""
        name = line[start:end]
        place = line.find(name) if len(name) > 1 else -1
        while place >= 0:
            if place >= end or place + len(name) <= start:
                yield place, place + len(name)
            place = line.find(name, place + len(name))
        if name[0] >= "\u4e00":
            for found in (LATIN_BEHIND.match(line, end), LATIN_BEFORE.search(line, max(0, start - ALIAS), start)):
                if found:
                    yield found.span(1)


def is_cut(line: str, start: int, end: int) -> bool:
    """A piece of a longer Latin word, of an address or of a name in a program."""
    return bool(
        (start and CUT_WORD.match(line, start - 1)) or (line[end - 1].isascii() and CUT_WORD.match(line, end - 1))
    )
