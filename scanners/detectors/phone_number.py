"""Telephone numbers: Chinese mobiles and landlines, and international ones that carry their `+`.

Segments are those the MIIT had allocated by 2026 (13x, 14x, 15x without 154, 16[2567], 17x without 179, 18x, 19x
without 194). A number outside them scores lower and is carried by context or by standing apart, since generators and
test data use them. 400 and 800 numbers belong to organisations. Without country code or context a 10-digit number of
another country cannot be told from an order number, and is not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final, Literal

from scanners.detectors.base import Candidate, Detector, stands_alone, within
from scanners.records import Nature

MOBILE: Final = re.compile(
    r"(?<![0-9*])(?:\(?(?:\+|00)?86\)?[ \-]{0,2})?"
    r"(1[3-9][0-9](?:[0-9]{8}|([ \-.])[0-9]{4}[ \-.]?[0-9]{4}|[0-9]{4}[ \-.][0-9]{4}"
    r"|[0-9][ \-.][0-9]{3}[ \-.][0-9]{4}))(?![0-9*])"
)
SEGMENT: Final = re.compile(r"1(?:3[0-9]|4[014-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])")
LANDLINE: Final = re.compile(
    r"(?<![0-9*])(?:(?:(?:\+|00)86|\(\+?86\))[ \-]?\(?(?=[0-9])|\(?(?=0))"
    r"(0?(?:10|2[0-57-9]|[3-9][0-9]{2}))\)?([ \-]{0,2})([2-8][0-9]{2,3}[ \-]?[0-9]{4})"
    r"(?:(?:[ ,]{0,2}(?:转|分机|ext\.?|x|#)[ :]?|-)[0-9]{1,5})?(?![0-9*])", re.IGNORECASE,
)  # fmt: skip
LOCAL: Final = re.compile(r"(?<![0-9*\-./])[2-8][0-9]{2,3}-?[0-9]{4}(?![0-9*\-./])")
SERVICE: Final = re.compile(r"(?<![0-9*])[48]00(?:[ \-]?[0-9]{3}[ \-]?[0-9]{4}|[ \-][0-9]{4}[ \-][0-9]{3})(?![0-9*])")
ABROAD: Final = re.compile(r"(?<![0-9*+])\+(?!86)[1-9][0-9]{0,2}(?:[ \-.]?\(?[0-9]{1,5}\)?){2,6}(?![0-9*])")
MASKED: Final = re.compile(r"(?<![0-9*])1[3-9][0-9][ \-]?\*{3,6}[ \-]?[0-9]{2,5}(?![0-9*])")
FORM: Final = re.compile(r"[+(]?[0-9][0-9 ().\-/+*]{4,22}(?:(?:转|分机|ext\.?|x|#) ?[0-9]{1,6})?", re.IGNORECASE)
ZONES: Final = frozenset({"10", "20", "21", "22", "23", "24", "25", "27", "28", "29"})
TAIL: Final = re.compile(r"(?:转|分机|ext|x|#).*$", re.IGNORECASE)


class PhoneNumber(Detector):
    """See the module."""

    entity: ClassVar[str] = "PHONE_NUMBER"
    looks_at: ClassVar[Literal["numbers", "text"]] = "numbers"
    fewest: ClassVar[int] = 7
    words: ClassVar[tuple[str, ...]] = (
        "手机", "电话", "联系", "座机", "固话", "热线", "致电", "拨打", "来电", "传真", "打给", "号码", "预留", "绑定",
        "電話", "手機", "tel", "phone", "mobile", "cell", "call", "contact", "fax", "shouji", "dianhua", "lianxi", "sj",
        "sjh", "dh", "mob", "cellphone", "phonenumber", "telephone", "whatsapp", "微信", "短信", "sms",
    )  # fmt: skip
    columns: ClassVar[tuple[str, ...]] = (
        "手机", "电话", "联系方式", "座机", "固话", "传真", "移动电话", "phone", "mobile", "tel", "telephone", "cell",
        "cellphone", "fax", "phonenumber", "phone_number", "contact_tel", "shouji", "dianhua", "lianxifangshi", "sjh",
        "msisdn", "手机号", "电话号码",
    )  # fmt: skip

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """Mobiles, landlines, service numbers, numbers from abroad, masked mobiles."""
        place = text[start:end]
        for found in within(MOBILE, text, start, end):
            yield from self.judge_mobile(text, found)
        if "0" in place:
            for found in within(LANDLINE, text, start, end):
                yield from self.judge_landline(text, found)
        for found in within(SERVICE, text, start, end) if "00" in place else ():
            if stands_alone(text, *found.span()):
                weight = self.context.weigh(text, *found.span())
                plain = 0.5 if re.search(r"[ \-]", found.group()) else 0.3
                yield self.candidate(found, (0.1, plain, 0.6)[weight + 1], nature="organisation")
        for found in within(LOCAL, text, start, end):
            if stands_alone(text, *found.span()) and self.context.weigh(text, *found.span()) > 0:
                near = self.context.pattern.search(text, max(0, found.start() - 8), found.start())
                yield self.candidate(found, 0.6 if near else 0.3)
        for found in within(ABROAD, text, start, end) if "+" in place else ():
            if 8 <= sum(c.isdigit() for c in found.group()) <= 15:
                weight = self.context.weigh(text, *found.span())
                yield self.candidate(found, (0.3, 0.6, 0.85)[weight + 1])
        if "*" in place:
            for found in within(MASKED, text, start, end):
                yield self.candidate(found, 0.55, nature="masked")

    def judge_mobile(self, text: str, found: re.Match[str]) -> Iterator[Candidate]:
        """One mobile-shaped match."""
        if not stands_alone(text, *found.span()):
            return
        weight = self.context.weigh(text, *found.span())
        known = SEGMENT.match(found.group(1))
        first = found.group()[0]
        if first in "+(" or found.group().startswith("0086"):
            scores = (0.5, 0.8, 0.95)
        elif known:
            scores = (0.3, 0.7, 0.95)
        else:
            scores = (0.15, 0.5 if apart(text, *found.span()) else 0.3, 0.8)
        yield self.candidate(found, scores[weight + 1])

    def judge_landline(self, text: str, found: re.Match[str]) -> Iterator[Candidate]:
        """One landline-shaped match: area code, maybe a separator, number, maybe an extension."""
        zone, gap, number = found.groups()
        digits = sum(c.isdigit() for c in number)
        led = zone.startswith("0") or found.group()[0] in "+("
        if (len(zone.lstrip("0")) == 2 and zone.lstrip("0") not in ZONES) or not led:
            return
        if len(zone.lstrip("0")) == 2 and digits != 8:
            return
        if not stands_alone(text, *found.span()):
            return
        weight = self.context.weigh(text, *found.span())
        clear = bool(gap) or "(" in found.group() or found.group()[0] == "+"
        yield self.candidate(found, (0.2, 0.6 if clear else 0.4, 0.85)[weight + 1])

    def candidate(self, found: re.Match[str], score: float, *, nature: Nature = "personal") -> Candidate:
        """A candidate over the whole match, without spaces at its ends."""
        value = found.group()
        start = found.start() + len(value) - len(value.lstrip())
        end = found.end() - len(value) + len(value.rstrip())
        if value.startswith("(") and ")" not in value:
            start += 1
        return Candidate(start=start, end=end, score=score, nature=nature)

    def shape(self, value: str) -> float:
        """In a phone column any short run of digits with phone punctuation will do."""
        best = super().shape(value)
        digits = sum(c.isdigit() for c in value)
        if best < 0.5 and FORM.fullmatch(value.strip()) and 6 <= digits <= 16:
            return 0.4
        return best

    def mask(self, value: str) -> str:
        """138****1234 for mobiles, the last two digits of others."""
        digits = "".join(c for c in value if c.isdigit() or c == "*")
        national = digits[-11:]
        if len(national) == 11 and re.match(r"1[3-9]", national):
            return f"{national[:3]}****{national[-4:]}"
        digits = re.sub(r"[^0-9*]", "", TAIL.sub("", value))
        return "*" * max(0, len(digits) - 2) + digits[-2:] if len(digits) > 4 else "*" * len(digits)

    def normalise(self, value: str) -> str:
        """Digits without the Chinese country code and without an extension."""
        digits = re.sub(r"[^0-9*]", "", TAIL.sub("", value))
        bare = re.sub(r"^(?:00)?86(?=1[3-9][0-9]{9}$|0?[1-9][0-9]{8,10}$)", "", digits)
        return bare if len(bare) >= 5 else digits


def apart(text: str, start: int, end: int) -> bool:
    """Chinese, a space or a sentence's punctuation is on one side at least: people write phones so."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (before.isascii() and before not in " \n\t,;/(:'\"|~") and not (
        after.isascii() and after not in " \n\t,;/).'\"|!?~"
    )
