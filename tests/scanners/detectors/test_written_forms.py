"""Recall over a grid of written forms and surroundings, and false alarms over known enemies, on made-up numbers.

Everything comes out of a seeded generator; no number here is anybody's on purpose.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator

import pytest

from scanners.detectors.cn_resident_id import ABOLISHED, REGIONS, check_character
from scanners.detectors.credit_card import passes_luhn
from scanners.detectors.phone_number import SEGMENTS
from scanners.masking import by_entity
from scanners.written import to_plain

ACCEPTED = 0.5
FOUR = ("CN_RESIDENT_ID", "PHONE_NUMBER", "CREDIT_CARD", "EMAIL_ADDRESS")


def digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choices(string.digits, k=count))


def make_id(chance: random.Random) -> str:
    place = chance.choice(sorted(REGIONS | ABOLISHED))
    born = f"{chance.randint(1935, 2015)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
    number = place + born + digits(chance, 3)
    return number + check_character(number)


def make_mobile(chance: random.Random) -> str:
    return chance.choice(sorted(SEGMENTS)) + digits(chance, 8)


def luhn(lead: str, length: int, chance: random.Random) -> str:
    body = lead + digits(chance, length - 1 - len(lead))
    return next(body + d for d in string.digits if passes_luhn(body + d))


def make_card(chance: random.Random) -> str:
    lead, length = chance.choice(
        [("62", 16), ("62", 19), ("6222", 19), ("4", 16), ("51", 16), ("55", 16), ("37", 15), ("3530", 16), ("36", 14),
         ("6011", 16), ("2350", 16), ("955880", 19), ("62", 17), ("62", 18)]
    )  # fmt: skip
    return luhn(lead, length, chance)


def make_mail(chance: random.Random) -> str:
    local = chance.choice(["ceshi", "test.user", "a_b", "x-y", "ceshi+shop", "1380000"]) + digits(chance, 3)
    domain = chance.choice(["qq.com", "163.com", "mail.example.com", "example.com.cn", "shop-1.example.net", "vip.cn"])
    return f"{local}@{domain}"


MAKERS: dict[str, Callable[[random.Random], str]] = dict(
    zip(FOUR, (make_id, make_mobile, make_card, make_mail), strict=True)
)


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def cut(value: str, sizes: tuple[int, ...], sign: str) -> str:
    parts, at = [], 0
    for size in sizes:
        parts.append(value[at : at + size])
        at += size
    return sign.join(part for part in [*parts, value[at:]] if part)


def hidden(value: str, sign: str) -> str:
    return value[:3] + sign + value[3:8] + sign + value[8:]


GROUPS = {
    "CN_RESIDENT_ID": [(6, 8), (6, 4, 4), (6, 4, 2, 2), (3, 3, 8), (4, 4, 4, 4), (14,)],
    "PHONE_NUMBER": [(3, 4), (3,), (7,), (4, 3)],
    "CREDIT_CARD": [(4, 4, 4, 4)],
}
SIGNS = [" ", "-", ".", "·", "\u00a0", "\u3000", "－", " - ", "–", "  "]  # what people and word processors write
INVISIBLE = ["\u200b", "\u200d", "\ufeff", "\u2060", "\u00ad", "\u200e", "\u2063", "\u180e", "\ufe0f"]


def written(entity: str, value: str) -> Iterator[tuple[str, str]]:
    """Every written form, by name."""
    yield "plain", value
    yield "wide", wide(value)
    for sign in INVISIBLE:
        yield f"invisible {ord(sign):x}", hidden(value, sign)
    if entity == "EMAIL_ADDRESS":
        yield "capitals", value.upper()
        return
    groups = GROUPS[entity]
    if entity == "CREDIT_CARD" and len(value) == 15:
        groups = [(4, 6)]
    if entity == "CREDIT_CARD" and len(value) == 19:
        groups = [(4, 4, 4, 4), (6,)]
    for sizes in groups:
        for sign in SIGNS:
            if sign == "." and len(sizes) == 1 and entity != "CN_RESIDENT_ID":
                continue  # a decimal
            yield f"{sizes} by {sign!r}", cut(value, sizes, sign)
        yield f"wide {sizes}", wide(cut(value, sizes, "-"))
    for sign in (" ", "|", "\t", " | "):
        yield f"a box a digit {sign!r}", sign.join(value)
    if entity == "CN_RESIDENT_ID":
        yield "small x", value.lower()
    if entity == "PHONE_NUMBER":
        for lead in ("+86", "0086", "86", "+86 ", "+86-", "(+86)", "（86）", "86-", "＋86"):
            yield f"behind {lead}", lead + value
            yield f"behind {lead}, grouped", lead + cut(value, (3, 4), "-")


AROUND = [
    ("", ""), ("联系", "谢谢"), ("客户", "，"), ("：", "。"), ('{"value":"', '"}'), ("VALUES ('", "', 3)"),
    ("a,", ",b"), ("v=", "&b=2"), ("（", "）"), ("[", "]"), ("\n", "\n"), ("| ", " | 备注 |"),
    ("<td>", "</td>"), ("资料_", "_正面"),
    ("2024-05-17 10:00:01 INFO ", " ok"), ("1、", "；"), ("\t", "\t"), ('"', '"'), ("【", "】"), ("是", "的"),
]  # fmt: skip


def accepted(entity: str, text: str) -> set[tuple[int, int]]:
    plain = to_plain(text)
    detector = by_entity()[entity]
    found = [c for c in detector.find(plain.text, 0, len(plain.text)) if c.score >= ACCEPTED]
    return {plain.span(c.start, c.end) for c in found if c.nature in ("personal", "organisation")}


@pytest.mark.parametrize("entity", FOUR)
def test_every_written_form_in_every_surrounding_is_found(entity: str) -> None:
    chance = random.Random(f"forms {entity}")
    tried, missed = 0, []
    for _ in range(12):
        value = MAKERS[entity](chance)
        for name, form in written(entity, value):
            for before, after in AROUND:
                tried += 1
                if (len(before), len(before) + len(form)) not in accepted(entity, before + form + after):
                    missed.append((name, before, after))
    assert len(missed) / tried <= 0.001, missed[:40]


def scattered(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Enemies, by kind."""
    day = f"{chance.randint(2019, 2026)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
    hour = f"{chance.randint(0, 23):02}{chance.randint(0, 59):02}{chance.randint(0, 59):02}"
    yield "order number", f"订单号：{day}{hour}{digits(chance, 6)}"
    yield "order number", f"order_sn={day}{digits(chance, 10)}"
    yield "order number", f"{day}{hour}{digits(chance, 4)}"
    yield "order number", f"{day[2:]}{hour}{digits(chance, 4)}"
    yield "order number", f'"orderId":"{chance.randint(1, 9)}{digits(chance, 17)}"'
    yield "order number", f"4200{digits(chance, 6)}{day}{digits(chance, 10)}"
    yield "order number", f"DD{day}{digits(chance, 8)}"
    yield "snowflake", str(chance.randint(10**18, 22 * 10**17))
    yield "snowflake", f"id={chance.randint(10**17, 10**18)}"
    yield "timestamp", str(chance.randint(15 * 10**11, 18 * 10**11))
    yield "timestamp", str(chance.randint(15 * 10**8, 18 * 10**8))
    yield "timestamp", f"{chance.randint(15 * 10**8, 18 * 10**8)}.{digits(chance, 6)}"
    yield "timestamp", str(chance.randint(15 * 10**17, 18 * 10**17))
    yield "timestamp", f"{day[:4]}-{day[4:6]}-{day[6:]} {hour[:2]}:{hour[2:4]}:{hour[4:]}.{digits(chance, 3)}"
    for lead in ("69", chance.choice(["45", "49", "30", "97", "50", "88"])):
        body = lead + digits(chance, 10)
        yield "EAN-13", body + str(-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10)
    yield "amount", f"¥{chance.randint(1, 10**7)}.{digits(chance, 2)}"
    yield "amount", f"{chance.randint(1, 999)},{digits(chance, 3)},{digits(chance, 3)}.00"
    yield "amount", f"{chance.randint(10**6, 2 * 10**6)}.{digits(chance, 4)}"
    yield "amount", f"{chance.randint(1000, 9999)}.{digits(chance, 12)}"
    yield "amount", f"total={chance.randint(1, 10**10)}"
    yield "hash", "".join(chance.choices("0123456789abcdef", k=chance.choice([32, 40, 64])))
    yield "hash", "0x" + "".join(chance.choices("0123456789abcdef", k=16))
    yield "hash", "-".join("".join(chance.choices("0123456789abcdef", k=k)) for k in (8, 4, 4, 4, 12))
    yield "coordinates", f"{chance.uniform(18, 53):.6f},{chance.uniform(73, 135):.6f}"
    yield "coordinates", f"lng={chance.uniform(73, 135):.14f}"
    yield "version", f"v{chance.randint(0, 20)}.{chance.randint(0, 99)}.{chance.randint(0, 9999)}"
    yield "version", f"{chance.randint(0, 20)}.{chance.randint(0, 99)}.{day}.{chance.randint(0, 9999)}"
    yield "version", f"pkg@{chance.randint(0, 20)}.{chance.randint(0, 99)}.{chance.randint(0, 99)}"
    yield "unit", f"user@{chance.randint(1000, 2000)}.service"


def test_enemies_are_left_alone() -> None:
    chance = random.Random("enemies")
    tried, alarms = 0, []
    for _ in range(300):
        for kind, text in scattered(chance):
            for before, after in (("", ""), ("INFO ", " done"), ('"', '",')):
                tried += 1
                alarms += [(kind, entity, text) for entity in FOUR if accepted(entity, before + text + after)]
    assert len(alarms) / tried <= 0.005, alarms[:40]
