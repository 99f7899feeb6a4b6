"""Telephone numbers: Chinese mobiles and landlines, and international ones that carry their `+`.

Segments are those that the MIIT had allocated by 2026 (电信网编号计划, 2017 edition, and the allocations since). A
number outside them scores lower and is carried by context or by standing apart, since generators and test data use
them. 13-digit numbers of machines (10648…, 1440…) are nobody's and not looked for. 400 and 800 numbers belong to
organisations. Without country code or context a 10-digit number of another country cannot be told from an order
number, and is not looked for.

Delivery platforms lend numbers that expire within hours: a mobile with an extension (`13800001111转1234`, `-1234`,
`_1234`), or one that begins with 95013. These are `virtual`: no person can be found behind them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from config.packs import read_pack
from scanners.context import line_after, line_before
from scanners.detectors.base import (
    GAP,
    GAP_OF_TWO,
    NOT_BEFORE,
    NOT_BEHIND,
    Candidate,
    Detector,
    follows_digits,
    in_row,
    judge_each,
    leads_digits,
    stands_alone,
    tied_to_letters,
)
from scanners.records import Nature


def load_numbering() -> dict[str, frozenset[str]]:
    """`config/data/detect/numbering.toml`: segments, lent segments and area codes."""
    pack = read_pack("detect", "numbering.toml")
    return {name: frozenset(pack[name].split()) for name in ("segments", "lent", "areas")}


NUMBERING: Final = load_numbering()
SEGMENTS: Final = NUMBERING["segments"]
LENT_SEGMENTS: Final = NUMBERING["lent"]
AREA_CODES: Final = NUMBERING["areas"]
Scores = tuple[float, float, float]  # in an enemy's company, alone, in its own company
MOBILE_SCORES: Final[Scores] = (0.3, 0.7, 0.95)
UNKNOWN_SCORES: Final[Scores] = (0.15, 0.3, 0.8)  # no segment in use
UNKNOWN_APART: Final = 0.5  # and alone, with something on one side that people write there: see `apart`
LED_SCORES: Final[Scores] = (0.5, 0.8, 0.95)  # behind +86 or 0086
ODD_SCORES: Final[Scores] = (0.1, 0.3, 0.8)  # grouped as few people do, or behind a trunk zero
LANDLINE_SCORES: Final[Scores] = (0.2, 0.4, 0.85)
CLEAR_SCORES: Final[Scores] = (0.2, 0.6, 0.85)  # the area code is set off
NOWHERE_SCORES: Final[Scores] = (0.05, 0.2, 0.6)  # no area code in use
SERVICE_SCORES: Final[Scores] = (0.1, 0.3, 0.6)
SERVICE_GROUPED: Final = 0.5
ABROAD_SCORES: Final[Scores] = (0.3, 0.6, 0.85)
NO_COUNTRY_SCORES: Final[Scores] = (0.1, 0.3, 0.6)
NATIONAL_SCORE: Final = 0.7
VIRTUAL_SCORES: Final[Scores] = (0.3, 0.6, 0.9)
LENT_SCORES: Final[Scores] = (0.1, 0.3, 0.7)  # 95013…
MASKED_SCORES: Final[Scores] = (0.3, 0.55, 0.7)

PREFIX: Final = r"(?:\(?(?:\+|00)?86\)?[ \-.]{0,2})"
MOBILE: Final = re.compile(rf"{NOT_BEHIND}{PREFIX}?(1[3-9][0-9]{{9}}){NOT_BEFORE}")
SPACED: Final = re.compile(
    rf"{NOT_BEHIND}{PREFIX}?(1[3-9](?:[0-9]{GAP}[0-9]{{4}}{GAP}[0-9]{{4}}|[0-9]{GAP_OF_TWO}[0-9]{{8}}|[0-9]{{5}}{GAP_OF_TWO}[0-9]{{4}}"
    rf"|[0-9]{{2}}({GAP})[0-9]{{3}}\2[0-9]{{4}})|1({GAP})[3-9](?:\3[0-9]){{9}}){NOT_BEFORE}"
)
ODD: Final = re.compile(
    rf"(?<![0-9*])(?:01[3-9][0-9]{{9}}|1[3-9](?:[0-9]{{2}}({GAP})[0-9]{{4}}\1[0-9]{{3}}"
    rf"|[0-9]({GAP})[0-9]{{3}}\2[0-9]{{5}}|[0-9]({GAP})[0-9]{{5}}\3[0-9]{{3}}"
    rf"|[0-9]{{3}}{GAP}[0-9]{{6}}|[0-9]{{4}}{GAP}[0-9]{{5}}|[0-9]\.[0-9]{{8}}|[0-9]{{5}}\.[0-9]{{4}}))(?![0-9*])"
)
TWO_NUMBERS: Final = re.compile(r"^[0-9]{3}[^0-9]+20[0-4][0-9][01][0-9][0-3][0-9]$|^[0-9]{7}[^0-9]+20[0-4][0-9]$")
EXTENSION: Final = re.compile(
    r"(?: ?(?:转|#|[,，;；] ?转|分机号?:?|ext\.?) ?|[\-_])([0-9]{3,4})(?![0-9A-Za-z*]|[\-_.][0-9])", re.IGNORECASE
)
# A comma and a semicolon also divide the fields of a line.
COMMA_EXTENSION: Final = re.compile(r"[,，;；] ?[0-9]{3,4}(?![0-9A-Za-z*]|[,，;；\-_.])")
DAY: Final = re.compile(r"[\-_](?:19|20)[0-9]{2}(?![0-9])|-20[0-9]{2}[01][0-9][0-3][0-9](?![0-9])")
LENT: Final = re.compile(r"(?<![0-9*.])950[0-9]{8,13}(?![0-9*])")
LENT_WORDS: Final = re.compile(r"隐私号|虚拟号|隐私电话|虚拟电话|隐私小号|中间号|临时号码|临时号", re.IGNORECASE)
LANDLINE: Final = re.compile(
    r"(?<![0-9*])(?:(?:(?:\+|00)86|\(\+?86\)|86(?=[ \-]))[ \-]?\(?(?=[0-9])|\(?(?=0))"
    r"(0?(?:10|2[0-57-9]|[3-9][0-9]{2}))\)?((?: ?- ?|[ .])?)([1-9][0-9]{2,3}[ \-.]?[0-9]{4})"
    r"(?:(?:[ ,]{0,2}(?:转|分机|ext\.?|x|#)[ :]?|-)[0-9]{1,5})?(?![0-9*])", re.IGNORECASE,
)  # fmt: skip
LOCAL: Final = re.compile(r"(?<![0-9*\-./])[2-8][0-9]{2,3}-?[0-9]{4}(?![0-9*\-./])")
SERVICE: Final = re.compile(
    r"(?<![0-9*])(?:\+?86[ \-]?)?[48]00(?:[ \-.]?[0-9]{3}[ \-.]?[0-9]{4}|[ \-.][0-9]{4}[ \-.][0-9]{3})(?![0-9*])"
)
# North America's plan, written nationally or behind +1; other countries' behind their trunk zero.
AMERICAN: Final = re.compile(
    r"(?<![0-9*+])(?!\(?[48]00)(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[\-. ])[2-9][0-9]{2}[\-. ][0-9]{4}(?![0-9*])"
)
AMERICAN_DIGITS: Final = re.compile(r"1[2-9][0-9]{2}[2-9][0-9]{6}")
NATIONAL: Final = re.compile(r"(?<![0-9*+])0[0-9]{1,3}[\-/ ][0-9]{2,4}[\- ]?[0-9]{4}(?![0-9*])")
ABROAD: Final = re.compile(r"(?<![0-9*+])\+(?!86)[1-9][0-9]{0,2}(?:[ \-.]?\(?[0-9]{1,5}\)?){2,6}(?![0-9*])")
# Calling codes in use (ITU-T E.164, list of 2023): of one digit, of two, and of three by their first two.
COUNTRY: Final = re.compile(
    r"\+[ ]?(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[124]|9[0-58]|2[1-69][0-9]|3[578][0-9]|42[013]|50[0-9]"
    r"|59[0-9]|6[789][0-9]|80[08]|85[02356]|87[0-9]|88[0-9]|96[0-8]|97[0-79]|99[2-68])"
)
DECIMAL: Final = re.compile(r"\+[0-9]{1,3}\.[0-9]{1,8}")
MASKED: Final = re.compile(
    r"(?<![0-9*])(?:1[3-9][0-9](?:[ \-]?\*{3,8}[ \-]?[0-9]{2,5}|\*{8})"
    r"|1[3-9][0-9]{2,5}\*{4,7}(?:[0-9]{1,2})?|\*{7}[0-9]{4})(?![0-9*A-Za-z])"
)
FORM: Final = re.compile(r"[+(]?[0-9][0-9 ().\-/+*]{4,22}(?:(?:转|分机|ext\.?|x|#) ?[0-9]{1,6})?", re.IGNORECASE)
NOT_DIGITS: Final = re.compile("[^0-9]")
TAIL: Final = re.compile(r"(?:转|分机|ext|x|#).*$", re.IGNORECASE)
VIRTUAL: Final = re.compile(r"(?:86)?(1[3-9][0-9]{9})(?=[^0-9].{0,4}?[0-9]{3,4}$)")


class PhoneNumber(Detector):
    """See the module."""

    entity = "PHONE_NUMBER"
    looks_at = "numbers"
    fewest = 7
    words = (
        "手机", "电话", "联系", "座机", "固话", "热线", "致电", "拨打", "来电", "传真", "打给", "号码", "预留", "绑定",
        "電話", "手機", "tel", "phone", "mobile", "cell", "call", "contact", "fax", "shouji", "dianhua", "lianxi", "sj",
        "sjh", "dh", "mob", "cellphone", "phonenumber", "telephone", "whatsapp", "微信", "短信", "sms", "隐私号",
        "虚拟号", "中间号", "临时号", "收货人", "收件人", "联络", "phone number", "phoneno", "phone no", "mobileno",
        "mobile no",
    )  # fmt: skip
    columns = (
        "手机", "电话", "联系方式", "座机", "固话", "传真", "移动电话", "phone", "mobile", "tel", "telephone", "cell",
        "cellphone", "fax", "phonenumber", "phone_number", "contact_tel", "shouji", "dianhua", "lianxifangshi", "sjh",
        "msisdn", "手机号", "电话号码",
    )  # fmt: skip

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """Mobiles, landlines, service numbers, numbers from abroad, masked and lent ones."""
        place = text[start:end]
        yield from judge_each(MOBILE, text, start, end, self.judge_mobile)
        if len(place) > 11:
            yield from judge_each(SPACED, text, start, end, self.judge_spaced)
            yield from judge_each(ODD, text, start, end, self.judge_odd)
        for sign, pattern, judge in (
            ("0", LANDLINE, self.judge_landline),
            ("00", SERVICE, self.judge_service),
            ("950", LENT, self.judge_lent),
            ("", LOCAL, self.judge_local),
            ("", AMERICAN, self.judge_national),
            ("0", NATIONAL, self.judge_national),
            ("+", ABROAD, self.judge_abroad),
            ("*", MASKED, self.judge_masked),
        ):
            if sign in place:
                yield from judge_each(pattern, text, start, end, judge)

    def judge_mobile(self, text: str, found: re.Match[str]) -> Candidate | None:
        """Eleven digits with nothing between them, maybe behind a country code."""
        return self.judge_number(text, found, scores_of(text, found))

    def judge_spaced(self, text: str, found: re.Match[str]) -> Candidate | None:
        """A mobile in groups that people write: 3-4-4, 3-8, 7-4, 4-3-4, or one digit a box.

        Two parts of which the second is a date or a year are two numbers, and so are parts of a longer row.
        """
        if in_row(text, *found.span()) or TWO_NUMBERS.search(found.group(1)):
            return self.judge_odd(text, found)
        return self.judge_number(text, found, scores_of(text, found))

    def judge_odd(self, text: str, found: re.Match[str]) -> Candidate | None:
        """A mobile behind a trunk zero, or in groups that few people write."""
        return self.judge_number(text, found, ODD_SCORES)

    def judge_national(self, text: str, found: re.Match[str]) -> Candidate | None:
        """As people abroad write their own: it needs a word."""
        if not stands_alone(text, *found.span()) or self.context.weigh(text, *found.span()) <= 0:
            return None
        return Candidate(start=found.start(), end=found.end(), score=NATIONAL_SCORE)

    def judge_number(self, text: str, found: re.Match[str], scores: Scores) -> Candidate | None:
        """A mobile with these scores, or a lent one if an extension or a word says so."""
        start, end = found.span()
        start += found.group().startswith("(") and ")" not in found.group()
        if tied_to_letters(text, start, end) or follows_digits(text, start):
            return None
        if text[max(0, start - 1) : start] == "+" and AMERICAN_DIGITS.fullmatch(found.group()):
            return None
        lent = bool(LENT_WORDS.search(text, line_before(text, start, 14), line_after(text, end, 12)))
        sure = lent or NOT_DIGITS.sub("", found.group())[-11:][:3] in LENT_SEGMENTS
        dated = DAY.match(text, end)
        extension = (not dated and EXTENSION.match(text, end)) or (sure and COMMA_EXTENSION.match(text, end))
        if extension:
            return self.candidate(text, (start, extension.end()), VIRTUAL_SCORES, nature="virtual")
        weight = self.context.weigh(text, start, end)
        # What a word speaks for, or what a day follows (`13800001111-20240517.jpg`), is whole at the dash.
        whole = text[end : end + 1] != "." and (weight > 0 or (dated is not None and weight == 0))
        if leads_digits(text, end) and not whole:
            return None
        return Candidate(start=start, end=end, score=scores[weight + 1], nature="virtual" if lent else "personal")

    def judge_landline(self, text: str, found: re.Match[str]) -> Candidate | None:
        """Area code, maybe a separator, number, maybe an extension."""
        zone, gap, number = found.groups()
        area = zone.lstrip("0")
        if (
            area in ("400", "800")
            or (len(area) == 2 and sum(c.isdigit() for c in number) != 8)
            or not stands_alone(text, *found.span())
        ):
            return None
        start = found.start() + (found.group().startswith("(") and ")" not in found.group())
        clear = bool(gap) or "(" in found.group() or found.group()[0] == "+"
        scores = CLEAR_SCORES if clear else LANDLINE_SCORES
        if area not in AREA_CODES:
            scores = NOWHERE_SCORES
        elif number[0] in "19" and found.group()[0] != "+":
            scores = ODD_SCORES
        return self.candidate(text, (start, found.end()), scores)

    def judge_abroad(self, text: str, found: re.Match[str]) -> Candidate | None:
        """A `+` and 8 to 15 digits (ITU-T E.164); a signed decimal is none."""
        if not 8 <= sum(c.isdigit() for c in found.group()) <= 15 or DECIMAL.fullmatch(found.group()):
            return None
        scores = ABROAD_SCORES if COUNTRY.match(found.group()) else NO_COUNTRY_SCORES
        return self.candidate(text, found.span(), scores)

    def judge_service(self, text: str, found: re.Match[str]) -> Candidate | None:
        """400 and 800: whoever answers is no customer."""
        if not stands_alone(text, *found.span()):
            return None
        grouped = len(found.group()) > 10
        scores = (SERVICE_SCORES[0], SERVICE_GROUPED, SERVICE_SCORES[2]) if grouped else SERVICE_SCORES
        return self.candidate(text, found.span(), scores, nature="organisation")

    def judge_lent(self, text: str, found: re.Match[str]) -> Candidate | None:
        """95013 and what follows."""
        if not stands_alone(text, *found.span()):
            return None
        return self.candidate(text, found.span(), LENT_SCORES, nature="virtual")

    def judge_local(self, text: str, found: re.Match[str]) -> Candidate | None:
        """Seven or eight digits, close behind a word."""
        if not stands_alone(text, *found.span()) or self.context.weigh(text, *found.span()) <= 0:
            return None
        near = self.context.pattern.search(text, max(0, found.start() - 8), found.start())
        return Candidate(start=found.start(), end=found.end(), score=0.6 if near else 0.3)

    def judge_masked(self, text: str, found: re.Match[str]) -> Candidate | None:
        """A mobile with stars in it; the last four digits alone need a word."""
        masked = self.candidate(text, found.span(), MASKED_SCORES, nature="masked")
        return masked if found.group()[0] != "*" or masked.score > MASKED_SCORES[1] else None

    def candidate(self, text: str, span: tuple[int, int], scores: Scores, *, nature: Nature = "personal") -> Candidate:
        """A candidate with the score that the words around it give."""
        return Candidate(start=span[0], end=span[1], score=scores[self.context.weigh(text, *span) + 1], nature=nature)

    def shape(self, value: str) -> float:
        """In a phone column any short run of digits with phone punctuation will do."""
        best = super().shape(value)
        digits = sum(c.isdigit() for c in value)
        if best < 0.5 and FORM.fullmatch(value.strip()) and 6 <= digits <= 16:
            return 0.4
        return best

    def mask(self, value: str) -> str:
        """138****1234 for mobiles, the last two digits of others."""
        if len(value) == 11 and value.isascii() and value.isdigit() and value[0] == "1":
            return f"{value[:3]}****{value[-4:]}"
        lent = VIRTUAL.match(re.sub(r"[+ ()]", "", value))
        digits = lent.group(1) if lent else "".join(c for c in value if c.isdigit() or c == "*")
        national = digits[-11:]
        if len(national) == 11 and re.match(r"1[3-9]", national):
            return f"{national[:3]}****{national[-4:]}"
        digits = re.sub(r"[^0-9*]", "", TAIL.sub("", value))
        return "*" * max(0, len(digits) - 2) + digits[-2:] if len(digits) > 4 else "*" * len(digits)

    def normalise(self, value: str) -> str:
        """Digits without the Chinese country code and without an extension."""
        if len(value) == 11 and value[0] == "1" and value.isascii() and value.isdigit():
            return value
        lent = VIRTUAL.match(re.sub(r"[+ ()]", "", value))
        digits = lent.group(1) if lent else re.sub(r"[^0-9*]", "", TAIL.sub("", value))
        bare = re.sub(r"^(?:00)?86(?=1[3-9][0-9]{9}$|0?[1-9][0-9]{8,10}$)", "", digits)
        return bare if len(bare) >= 5 else digits


def scores_of(text: str, found: re.Match[str]) -> Scores:
    """By the country code before it, the segment, and whether it stands apart."""
    if found.group()[0] in "+(" or found.group().startswith("0086"):
        return LED_SCORES
    if NOT_DIGITS.sub("", found.group(1))[:3] in SEGMENTS:
        return MOBILE_SCORES
    if apart(text, *found.span()):
        return (UNKNOWN_SCORES[0], UNKNOWN_APART, UNKNOWN_SCORES[2])
    return UNKNOWN_SCORES


def apart(text: str, start: int, end: int) -> bool:
    """Chinese, a space or a sentence's punctuation is on one side at least: people write phones so."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (before.isascii() and before not in " \n\t,;/(:'\"|~") and not (
        after.isascii() and after not in " \n\t,;/).'\"|!?~"
    )
