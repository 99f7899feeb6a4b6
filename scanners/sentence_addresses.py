"""Addresses in a sentence: the tagger's places, joined while they go on, judged by what an address has.

The tagger knows where a place begins (`寄到|测试路72号`), the grammar where the house ends. The name of a town
alone is no address: `我在北京`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from scanners.name_rules import NUMBERED, RULED_ADDRESS, Named

if TYPE_CHECKING:
    from scanners.tagger import Word

PLACE: Final = ("LOC", "ns")
TAIL: Final = re.compile(NUMBERED + "*(?:[0-9]{2,4}(?![0-9])室?)?")
STREET: Final = re.compile(
    "路|街|大道|道|巷|弄|胡同|村|小区|大厦|广场|花园|园|苑|公寓|大楼|栋|幢|室|单元|镇|乡|城|中心|府|里"
)
HOUSE: Final = re.compile(NUMBERED + "|[0-9]{1,5}(?:号|-[0-9])")
LEADS: Final = re.compile(
    "^(?:(?:[\u4e00-\u9fff]{0,2} )?[0-9-]{6,18} |居住地|所在地|地址|住址|住在|地|址|在|到)(?=[\u4e00-\u9fff]{2})"
)
DISTRICT: Final = re.compile("省|市|区|县|镇|乡|州|旗")


def find_addresses(line: str, words: Sequence[Word]) -> Iterator[Named]:
    """Runs of places with a street, a building or a house in them, and what the rules alone take for an address."""
    index = 0
    while index < len(words):
        if words[index].tag not in PLACE:
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
        score = judge_address(bare)
        if score:
            yield Named(entity="ADDRESS", start=start, end=start + len(bare), score=score)
    for found in RULED_ADDRESS.finditer(line):
        if DISTRICT.search(found.group()) and not re.search("[住到在是址地]", found.group()):
            yield Named(entity="ADDRESS", start=found.start(), end=found.end(), score=0.55)


def joins(line: str, end: int, words: Sequence[Word], index: int) -> bool:
    """The next word goes on with the address."""
    word = words[index]
    if word.start > end + 1:
        return False
    text = line[word.start : word.end]
    if word.tag in PLACE:
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
    """0 for the name of a town alone."""
    if len(text) < 5 or not STREET.search(text):
        return 0.0
    if HOUSE.search(text):
        return 0.8
    return 0.55 if len(text) >= 7 else 0.4
