"""What a sample of a column's values looks like: names, addresses, dummies, numbers of things.

A Chinese name is a surname and one or two characters, of which given names use a few hundred: 黄焖鸡 begins with a
surname and ends like no name. Shares are over distinct values, so that one repeated value weighs no more than another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from scanners.column_words import load_columns
from scanners.name_rules import RULED_ADDRESS, NameRules

LONGEST_VALUE: Final = 300  # characters of a value that are looked at
LATIN_NAME: Final = re.compile(r"[A-Z][A-Za-z'\u00c0-\u024f.\- ]{1,39}")
SPELLED: Final = re.compile(r"[\u4e00-\u9fffA-Za-z\u00c0-\u024f·.*○' \-]{1,30}[0-9]{0,2}")
LATIN_STREET: Final = re.compile(
    r"[0-9]{1,6}[A-Za-z]?,? .{0,200}[A-Za-z]{3}.{0,200}|.{2,40}(?:str\.|straße) ?[0-9]{1,5}"
    r"|.{0,200}\b(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|way|rua|av|rue|via|calle|strasse"
    r"|p\.? ?o\.? box|suite|apt)\b.{0,200}",
    re.IGNORECASE,
)
STREET_WORD: Final = re.compile(
    r"\b(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|way|loop|place|parkway|rua|rue|via|calle"
    r"|strasse)\b|(?:str\.|straße)", re.IGNORECASE,
)  # fmt: skip
CHINESE_STREET: Final = re.compile("[路街道巷弄村区镇县市州园苑楼栋幢座厦场号室层湾城府期省院里庭居]")
REGION: Final = re.compile("(?:[\u4e00-\u9fff]{2,7}?(?:省|市|区|县|自治区|州|镇|街道|乡|旗)[ /,\\-]?){1,4}")
CONTACT: Final = re.compile(r"(?<![0-9A-Za-z])[0-9]{7}|@[A-Za-z0-9]|[0-9]{3}[ -][0-9]{4}|先生|女士|小姐")
HINT: Final = re.compile(
    r"(?<![0-9A-Za-z._\-/])1[3-9][0-9]{9}(?![0-9A-Za-z._])|[A-Za-z0-9]@[A-Za-z0-9\-]{2,60}\.[a-z]"
    r"|(?<![0-9A-Za-z])[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx](?![0-9A-Za-z])"
)
DUMMY: Final = re.compile(
    r"[!-~]{0,2}|(.)\1*|(?:test|admin|demo|guest|user|root|abc|xxx|asd|qwe|sample|example|string|测试|管理员|默认|1234)"
    r"[A-Za-z0-9]{0,6}",
    re.IGNORECASE,
)
AGAINST_NAME: Final = re.compile(r"[0-9]{4}|[/@<{_:=&+]|[(（《].{4}")
AGAINST_ADDRESS: Final = re.compile(r"[0-9.]+|.{0,2}|/.{0,300}|.{0,10}://.{0,300}|[0-9A-Fa-f:\-]{12,39}|[\[{<].{0,300}")
FLOAT: Final = re.compile(r"([0-9]{6,20})\.0")
SALTED: Final = re.compile(r"(?:\{bcrypt\})?\$(?:2[aby]|argon2[a-z]*|P|6|5|1)\$[!-~]{8,200}")
HASH: Final = re.compile(rf"[0-9a-f]{{32}}|[0-9a-f]{{40}}|[0-9a-f]{{64}}|{SALTED.pattern}|\{{.{{3,12}}\}}.{{8,200}}")


@cache
def rules() -> NameRules:
    """Compiled once a process."""
    return NameRules()


@cache
def given_latin() -> frozenset[str]:
    """Common given names."""
    return frozenset(load_columns()["latin"]["given"].split())


@cache
def given_chinese() -> frozenset[str]:
    """Characters of given names."""
    return frozenset("".join(load_columns()["chinese"]["given"].split()))


@cache
def firms() -> re.Pattern[str]:
    """Words of firms: Latin ones by themselves, Chinese ones at the end or before a bracket."""
    pack = load_columns()
    latin = "|".join(pack["latin"]["firms"].split())
    chinese = "|".join(pack["chinese"]["firms"].split())
    return re.compile(rf"\b(?:{latin})\b\.?|[&]|(?:{chinese})(?:$|[(（ 一二三])|有限公司|公司", re.IGNORECASE)


def tidy(value: str) -> str:
    """A cell as people meant it: no spaces or quotes around it, `13800001111.0` without the float's tail."""
    value = value[:LONGEST_VALUE].strip(" \t\r\n'\"`")
    whole = FLOAT.fullmatch(value)
    return whole.group(1) if whole else value


def share(values: Sequence[str], test: Callable[[str], object]) -> float:
    """Part of the values that pass; 0 of none."""
    return sum(1 for value in values if test(value)) / len(values) if values else 0.0


def is_dummy(value: str) -> bool:
    """Typed to have something there: `1`, `test`, `aaaa`."""
    return DUMMY.fullmatch(value) is not None


def is_firm(value: str) -> bool:
    """A firm's or a shop's name."""
    return firms().search(value) is not None


def looks_like_name(value: str) -> bool:
    """A Chinese name, with a title or stars perhaps."""
    known = rules()
    if value in known.not_names or value in known.veto or value[:2] in known.not_names:
        return False
    if re.fullmatch("[\u4e00-\u9fff]{2,4}", value) and known.has_surname(value) and not is_firm(value):
        return True
    return bool(known.titled.fullmatch(value) or known.masked.fullmatch(value))


def is_surely_name(value: str) -> bool:
    """A Chinese name whose given name is made of characters that given names are made of."""
    if not looks_like_name(value):
        return False
    given = value[2:] if value[:2] in rules().compounds else value[1:]
    return any(c in "*○某" for c in given) or not all("\u4e00" <= c <= "\u9fff" for c in given) or all(
        c in given_chinese() for c in given
    ) or bool(rules().titled.fullmatch(value))  # fmt: skip


def is_latin_name(value: str) -> bool:
    """Capitalised, letters only, no firm."""
    return LATIN_NAME.fullmatch(value) is not None and not is_firm(value)


def has_given_name(value: str) -> bool:
    """A common given name is in it."""
    return any(part in given_latin() for part in re.findall(r"[a-z]+", value.lower())[:3])


def looks_like_address(value: str) -> bool:
    """A street or a building and some number or district."""
    if len(value) >= 8 and LATIN_STREET.fullmatch(value):
        return True
    return bool(RULED_ADDRESS.search(value)) or (len(value) >= 5 and len(CHINESE_STREET.findall(value)) >= 2)


def is_surely_address(value: str) -> bool:
    """The same without what begins with a number and goes on in letters: `24 - 12 oz bottles`."""
    return looks_like_address(value) and not (value.isascii() and not STREET_WORD.search(value))


def is_region(value: str) -> bool:
    """No more than a district: 广东省深圳市南山区."""
    return REGION.fullmatch(value) is not None


def are_a_counter(values: Sequence[str]) -> bool:
    """Numbers that lie closer together than people's do: 13800000001, 13800000002."""
    numbers = [int(v) for v in values if v.isascii() and v.isdigit()]
    return len(numbers) >= 3 and max(numbers) - min(numbers) < 50 * len(numbers)


def are_diverse(values: Sequence[str]) -> bool:
    """Numbers of many networks and places: no counter and no code has three first digits that vary like a mobile's."""
    mobiles = [v for v in values if re.fullmatch(r"1[3-9][0-9]{9}", v)]
    return len(mobiles) >= 3 and len({v[:3] for v in mobiles}) >= 3 and len({v[:7] for v in mobiles}) > len(mobiles) / 2
