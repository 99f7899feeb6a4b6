"""Which character set is this?

In order: byte order mark, NULs (UTF-16, UTF-32), strict UTF-8, GB18030 against Big5 by how common their characters
are, and chardet for the rest of the world. GB 2312 and Big5 both put their common characters into rows of their own
(levels 1: lead bytes B0–D7 and A4–C6), so a text read with the wrong one of the two turns rare.

Not guaranteed: two or three characters without any other sign can be read in several ways; single-byte sets accept
every text, so Western European ones are a guess by their letters.
"""

from __future__ import annotations

import codecs
from typing import Final

import chardet

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE: Final = 65_536
_COMMON: Final = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多"
    "经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性"
    "知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次"
    "度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建"
    "电话手机姓名地址会员客户订单号码身份证市区路省县街小区备注金额日期时间店员工先生女士这個們來為國說時會對後過發種經麼學現當沒"
    "動還進樣開實軍無與長機業將兩間問戰頭體見產話門員變總電數報點號碼單區縣備註額歲職務"
)
_CONTROL: Final = bytes(set(range(32)) - set(b"\t\n\r\f\x0b\x1b\x08\x1a"))


def detect(sample: bytes) -> str | None:
    """A codec that reads `sample` (the start of a text, cut anywhere), or None if it is no text.

    ASCII comes back as `utf-8`.
    """
    sample = sample[:_SAMPLE]
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    if 0 in sample:
        return _wide(sample)
    if len(sample.translate(None, _CONTROL)) < len(sample) * 0.995:
        return None
    if _decode(sample, "utf-8") is not None or _mostly_utf8(sample):
        return "utf-8"
    return _multibyte(sample) or _other(sample)


def _decode(sample: bytes, name: str) -> str | None:
    """Strictly, but for a character cut at the end."""
    try:
        return codecs.getincrementaldecoder(name)("strict").decode(sample, final=False)
    except UnicodeDecodeError:
        return None


def _mostly_utf8(sample: bytes) -> bool:
    """A quarter of the lines beyond ASCII fit UTF-8: by chance they hardly do, so the rest is another set or broken."""
    lines = [line for line in sample.split(b"\n")[:-1] if not line.isascii()]
    return bool(lines) and 4 * sum(_decode(line + b"\n", "utf-8") is not None for line in lines) >= len(lines)


def _wide(sample: bytes) -> str | None:
    """Texts of 16 or 32 bits a character without a mark: their NULs lie in steps."""
    size = len(sample) & ~3
    if size >= 8:
        for name, zeros in (("utf-32-le", (2, 3)), ("utf-32-be", (0, 1))):
            if all(not any(sample[start:size:4]) for start in zeros) and _decode(sample[:size], name) is not None:
                return name
    size = len(sample) & ~1
    even, odd = sample[0:size:2].count(0), sample[1:size:2].count(0)
    name = "utf-16-le" if odd > even else "utf-16-be"
    if min(even, odd) * 20 > max(even, odd):
        return None
    text = _decode(sample[:size], name)
    if not text:
        return None
    odd_ones = sum(1 for letter in text if not (letter.isprintable() or letter in "\r\n\t\f"))
    return name if odd_ones <= len(text) * 0.02 else None


def _multibyte(sample: bytes) -> str | None:
    """GB18030 or Big5, if one of them fits well."""
    best, best_score = None, 0.0
    for name, leads in (("gb18030", range(0xB0, 0xD8)), ("big5hkscs", range(0xA4, 0xC7))):
        text = _decode(sample, name)
        if text is None:
            continue
        score = _score(text, "gb2312" if name == "gb18030" else "big5", leads)
        if score > best_score:
            best, best_score = name, score
    return best if best_score > 0.55 else None


def _score(text: str, narrow: str, leads: range) -> float:
    """Share of characters that are common, from 0; frequent ones count double."""
    letters = [letter for letter in text if letter >= "\x80"]
    if not letters:
        return 0.0
    points = 0.0
    for letter in letters:
        if letter in _COMMON:
            points += 2.0
            continue
        if letter in "，。、：；！？（）“”‘’《》【】—…·　￥～％＋－／":
            points += 1.0
            continue
        try:
            raw = letter.encode(narrow)
        except UnicodeEncodeError:
            points -= 1.0
            continue
        if len(raw) == 2 and raw[0] in leads:
            points += 1.0
        elif "\u3040" <= letter <= "\u30ff" or "\u0370" <= letter <= "\u04ff":
            points -= 0.5
    return points / len(letters)


def _other(sample: bytes) -> str | None:
    guess = chardet.detect(sample[:8192])
    name = guess.get("encoding")
    if name is None:
        return "cp1252" if _decode(sample, "cp1252") is not None else None
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        return None
    return codec if _decode(sample, codec) is not None else None
