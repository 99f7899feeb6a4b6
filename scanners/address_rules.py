"""Addresses by their grammar: province, city, district, road, house, unit, room, each part with its suffix.

No model and no numpy. A delivery line (`杭州市测试区示例路12号3幢201室`) is told from a sentence about a place by
what it is made of: parts and nothing else, and no word that a sentence has. What such a line holds behind its last
known part (a shop, a door, `门卫代收`) belongs to it; in the midst of a sentence nothing does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from config.packs import read_pack
from scanners.name_rules import CJK, any_of

LONGEST: Final = 80
REST: Final = 14  # characters that may follow the last known part of a delivery line
TALK: Final = re.compile("[的了我你他她吗呢吧啊]")
SEGMENT: Final = re.compile("[^,，。;；:：!?\"'|=\t\n<>{}\\[\\]]{5,80}")


@cache
def load_pack() -> dict[str, Any]:
    """`config/data/detect/addresses.toml`."""
    return read_pack("detect", "addresses.toml")


class AddressRules:
    """Tells delivery lines, and the addresses in a sentence whose both ends are beyond doubt."""

    def __init__(self) -> None:
        """Compile the pack."""
        pack = load_pack()
        provinces = any_of(pack["provinces"])
        province = f"(?:{provinces})(?:省|市|(?:壮族|回族|维吾尔)?自治区|特别行政区)?"
        number = "[0-9A-Za-z一二三四五六七八九十百零甲乙丙丁东西南北中上下后前]{1,8}"
        house = (
            f"(?:{number}(?:{any_of(pack['houses'])})|[0-9A-Za-z]{{1,6}}(?:[-_#/][0-9A-Za-z]{{1,6}}){{1,3}}|[0-9]{{1,5}})"
            "(?:[之号室户-][0-9]{0,5})?"
        )
        self.part = re.compile(
            f"(?P<house>{house})"
            f"|(?P<area>{province}|{CJK}{{1,8}}?(?:{any_of(pack['areas'])}))"
            f"|(?P<road>{CJK}{{1,8}}?(?:{any_of(pack['roads'])}))"
            f"|(?P<place>{CJK}{{1,10}}?(?:{any_of(pack['places'])}))"
            f"|(?P<gap>(?:[-_、/ ()?.#]|null){{1,4}})"
        )
        self.sentence = re.compile(any_of(pack["sentence"]))
        self.units = re.compile(
            "[0-9A-Za-z一二三四五六七八九十]{1,5}(?:栋|幢|座|号楼|单元|室|号|楼|弄|组)|[0-9]{1,5}(?:-[0-9A-Za-z]{1,5}){1,3}$"
        )
        self.flat = re.compile(
            "[0-9A-Za-z]{1,4}[栋幢座]|[0-9]{1,2}单元|[0-9]{3,4}室?$|[0-9]{1,3}(?:-[0-9A-Za-z]{1,4}){1,3}$"
        )
        self.leads = re.compile(
            f"{CJK}{{0,4}}(?:[住地]址|居住地|所在地|住在|家住|送到|寄到|送往|寄往|送至|寄至)[是为:]?"
        )
        self.begins = re.compile(f"(?:{self.leads.pattern})?({province})")
        self.after_blank = re.compile(f" ({province})")
        self.announced = re.compile("[住地]址[:=是为\"' ]{1,3}$")

    def parts(self, line: str) -> tuple[list[str], int]:
        """The kinds of the parts from the start of `line`, and where the last known one ends."""
        kinds, place = [], 0
        while found := self.part.match(line, place):
            if found.lastgroup and found.lastgroup != "gap":
                kinds.append(found.lastgroup)
            place = found.end()
        return kinds, place

    def delivery_line(self, line: str) -> int | None:
        """Where the one address begins that the line is, to its end; None for a line that is anything else."""
        led = self.leads.match(line)
        start = led.end() if led else 0
        return start if self.is_address(line[start:].rstrip()) else None

    def is_address(self, line: str) -> bool:
        """The whole of `line` is one address."""
        if not 5 <= len(line) <= LONGEST or not re.match(f"{CJK}|[0-9]{{1,4}}{CJK}", line) or TALK.search(line):
            return False
        if re.search('[,。!;:"“”《》@=]|[0-9]{7}', line) or len(self.sentence.findall(line)) > 1:
            return False
        kinds, place = self.parts(line)
        rest = len(line) - place
        units = len(self.units.findall(line))
        if self.sentence.search(line, place) or rest > REST:
            return (
                not self.sentence.search(line) and rest <= 2 * REST and (units >= 2 or (units == 1 and "area" in kinds))
            )
        houses, areas = kinds.count("house"), kinds.count("area")
        details = len(kinds) - areas
        if areas:
            return details >= 1 or units >= 1 or (areas >= 3 and rest <= 8)
        if "road" in kinds:
            return houses >= 1 or "place" in kinds
        return units >= 2 or (details > houses and bool(self.flat.search(line)))

    def certain(self, line: str) -> Iterator[tuple[int, int]]:
        """Places of addresses that begin with a province or behind `地址:`, and hold nothing but parts to the end."""
        for segment in SEGMENT.finditer(line):
            start, end = segment.start(), segment.end()
            begins = self.begins.match(line, start, end) or self.after_blank.search(line, start, end)
            if begins:
                start = begins.start(1)
            elif not self.announced.search(line, max(0, start - 5), start):
                continue
            text = line[start:end].rstrip()
            kinds, place = self.parts(text)
            whole = place == len(text) and "house" in kinds and ("road" in kinds or "place" in kinds)
            if whole and not TALK.search(text) and not self.sentence.search(text):
                yield start, start + len(text)
