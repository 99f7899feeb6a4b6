"""Bank cards, ISO/IEC 7812: 13 to 19 digits, issuer ranges, Luhn.

One number in ten passes Luhn by chance (258 of 2,490 long digit runs of real logs do), so the issuer range and the
length must fit as well; ranges that few cards and many other numbers fall into need a word. With a word for card, a
failed Luhn is still a card: people mistype, and test data is made up.

Issuer ranges: the networks' published ones (UnionPay 62 and 81, Visa 4, Mastercard 51–55 and 2221–2720, American
Express 34 and 37, JCB 3528–3589, Diners Club 300–305, 3095, 36, 38–39, Discover 6011, 644–649 and 65, Maestro), and
the ranges in 9 and 60–69 that Chinese banks issued before 62.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from scanners.detectors.base import (
    GAP,
    NOT_BEFORE,
    NOT_BEHIND,
    Candidate,
    Detector,
    in_row,
    judge_each,
    one_number,
    stands_alone,
    within,
)


class Issuer(NamedTuple):
    """Cards whose first `width` digits lie from `low` to `high`, of these lengths.

    `dense`: enough of the numbers there are cards for one to stand without a word.
    """

    low: int
    high: int
    width: int
    lengths: frozenset[int]
    dense: bool


def lengths(*values: int) -> frozenset[int]:
    """Shorter to read in the table."""
    return frozenset(values)


# The first that fits counts.
ISSUERS: Final[tuple[Issuer, ...]] = (
    Issuer(62, 62, 2, lengths(16, 17, 18, 19), True),  # UnionPay
    Issuer(810, 817, 3, lengths(16, 19), True),  # UnionPay
    Issuer(4, 4, 1, lengths(16, 19), True),  # Visa
    Issuer(4, 4, 1, lengths(13), True),  # Visa, none issued for long
    Issuer(51, 55, 2, lengths(16), True),  # Mastercard
    Issuer(2221, 2720, 4, lengths(16), True),  # Mastercard
    Issuer(34, 34, 2, lengths(15), True),  # American Express
    Issuer(37, 37, 2, lengths(15), True),  # American Express
    Issuer(3528, 3589, 4, lengths(16), True),  # JCB
    Issuer(3528, 3589, 4, lengths(17, 18, 19), False),  # JCB
    Issuer(300, 305, 3, lengths(14), True),  # Diners Club
    Issuer(3095, 3095, 4, lengths(14), True),  # Diners Club
    Issuer(36, 36, 2, lengths(14), True),  # Diners Club
    Issuer(38, 39, 2, lengths(14), True),  # Diners Club
    Issuer(300, 305, 3, lengths(16, 19), False),  # Diners Club
    Issuer(36, 36, 2, lengths(16, 19), False),  # Diners Club
    Issuer(38, 39, 2, lengths(16, 19), False),  # Diners Club
    Issuer(6011, 6011, 4, lengths(16, 19), True),  # Discover
    Issuer(644, 649, 3, lengths(16, 19), True),  # Discover
    Issuer(65, 65, 2, lengths(16, 19), True),  # Discover
    Issuer(9558, 9558, 4, lengths(16, 18, 19), True),  # 工商银行 and others, before 62
    Issuer(50, 50, 2, lengths(16, 17, 18, 19), False),  # Maestro
    Issuer(56, 58, 2, lengths(16, 17, 18, 19), False),  # Maestro
    Issuer(60, 69, 2, lengths(16, 17, 18, 19), False),  # Maestro, Chinese banks before 62
    Issuer(90, 99, 2, lengths(16, 18, 19), False),  # Chinese banks before 62
)
# By Luhn and `dense`: in an enemy's company, alone, in its own company.
Scores = tuple[float, float, float]
SCORES: Final[dict[tuple[bool, bool], Scores]] = {
    (True, True): (0.25, 0.7, 0.95),
    (True, False): (0.2, 0.3, 0.95),
    (False, True): (0.05, 0.2, 0.6),
    (False, False): (0.05, 0.1, 0.4),
}
GROUPED_SCORES: Final[dict[bool, Scores]] = {True: (0.3, 0.7, 0.95), False: (0.05, 0.3, 0.6)}  # by Luhn
# Two parts and a point, or a row of numbers.
DOUBTFUL_SCORES: Final[dict[bool, Scores]] = {True: (0.05, 0.3, 0.8), False: (0.0, 0.1, 0.4)}
MASKED_SCORES: Final[Scores] = (0.3, 0.5, 0.7)
# The hour of an order: `2511` of 25 November. Cards begin so, one in a thousand; order numbers, many.
DATED: Final = re.compile(r"2[2-7](?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")

PLAIN: Final = re.compile(rf"{NOT_BEHIND}[2-689][0-9]{{12,18}}{NOT_BEFORE}")
GROUPED: Final = re.compile(
    rf"{NOT_BEHIND}[2-689](?:[0-9]{{3}}({GAP})[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{1,7}}(?:\1[0-9]{{1,4}})?"
    rf"|[0-9]{{3}}({GAP})[0-9]{{6}}\2[0-9]{{4,5}}|[0-9]{{5}}({GAP})[0-9]{{7,13}}|[0-9]{{7}}({GAP})[0-9]{{8,11}}"
    rf"|[0-9]{{3}}({GAP})[0-9]{{9,15}}|({GAP})[0-9](?:\6[0-9]){{11,17}}){NOT_BEFORE}"
)
MASKED: Final = re.compile(
    r"(?<![0-9*])(?:[2-689][0-9]{3,5}[ \-]?[0-9]{0,2}(?:\*{4,13}|\*{2,4}(?:[ \-]\*{4}){1,3})[ \-]?[0-9]{3,4}"
    r"|\*{4}([ \-]?)\*{4}\1\*{4}(?:\1\*{0,3})?\1[0-9]{3,4})(?![0-9*])"
)
NOT_DIGITS: Final = re.compile(r"[^0-9]")
DECIMAL: Final = re.compile(r"[0-9]+\.[0-9]+")
LAST_GROUP: Final = re.compile(r"[^0-9]+[0-9]+$")


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for index, character in enumerate(reversed(digits)):
        value = ord(character) - 48
        if index % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def is_article(digits: str) -> bool:
    """An EAN-13 by its check digit (GS1 General Specifications, 7.9): threes at every second place."""
    return len(digits) == 13 and sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits)) % 10 == 0


def issuer_of(digits: str) -> Issuer | None:
    """The first of `ISSUERS` whose range and length fit."""
    for issuer in ISSUERS:
        if len(digits) in issuer.lengths and issuer.low <= int(digits[: issuer.width]) <= issuer.high:
            return issuer
    return None


def scores_of(digits: str) -> Scores | None:
    """The scores of a number written plainly, None if it can be no card."""
    issuer = issuer_of(digits)
    if issuer is None or len(set(digits)) < 2:
        return None
    dense = issuer.dense and not DATED.match(digits) and not is_article(digits)
    return SCORES[passes_luhn(digits), dense]


class CreditCard(Detector):
    """See the module."""

    entity = "CREDIT_CARD"
    looks_at = "numbers"
    fewest = 12  # of a masked one: 6222****1234
    words = (
        "银行卡", "卡号", "信用卡", "储蓄卡", "借记卡", "银联", "转账", "账号", "帐号", "收款", "开户", "行卡", "打款",
        "的卡", "银行", "银行账户", "贷记卡", "刷卡", "card", "credit card", "bank card", "bankcard", "cardno",
        "card no", "visa", "mastercard", "amex", "debit", "unionpay", "yinhangka", "kahao", "cc", "pan", "card number",
        "cardnumber", "bank account", "yhk", "yhkh",
    )  # fmt: skip
    columns = (
        "银行卡", "卡号", "信用卡", "银行账号", "银行帐号", "bank_card", "bankcard", "card_no", "cardno", "card_number",
        "cardnumber", "credit_card", "creditcard", "bank_account", "bankaccount", "yinhangka", "pan", "bank_no",
    )  # fmt: skip

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """Plain, grouped and masked numbers of a fitting length."""
        yield from judge_each(PLAIN, text, start, end, self.judge_plain)
        yield from judge_each(GROUPED, text, start, end, self.judge_grouped)
        if "**" in text[start:end]:
            for found in within(MASKED, text, start, end):
                shown = sum(c not in " -" for c in found.group())
                score = MASKED_SCORES[self.context.weigh(text, *found.span()) + 1]
                if shown >= self.fewest and (shown >= 15 or score > MASKED_SCORES[1]):
                    yield Candidate(start=found.start(), end=found.end(), score=score, nature="masked")

    def judge_plain(self, text: str, found: re.Match[str]) -> Candidate | None:
        """Digits and nothing between them."""
        scores = scores_of(found.group())
        if scores is None or not stands_alone(text, *found.span()):
            return None
        weight = self.context.weigh(text, *found.span())
        return Candidate(start=found.start(), end=found.end(), score=scores[weight + 1])

    def judge_grouped(self, text: str, found: re.Match[str]) -> Candidate | None:
        """Digits as they are embossed, or one a box; a group behind them may be a date or a security code."""
        best: Candidate | None = None
        for end in (found.end(), found.start() + len(LAST_GROUP.sub("", found.group()))):
            digits = NOT_DIGITS.sub("", text[found.start() : end])
            if issuer_of(digits) is None or len(set(digits)) < 2:
                continue
            if not one_number(text[found.start() : end]) or not stands_alone(text, found.start(), end):
                continue
            doubtful = DECIMAL.fullmatch(text, found.start(), end) or in_row(text, found.start(), end)
            table = DOUBTFUL_SCORES if doubtful else GROUPED_SCORES
            score = table[passes_luhn(digits)][self.context.weigh(text, found.start(), end) + 1]
            if best is None or score > best.score:
                best = Candidate(start=found.start(), end=end, score=score)
        return best

    def mask(self, value: str) -> str:
        """The last four digits (PCI DSS 4.0, 3.4.1, allows the first six as well; we show fewer)."""
        digits = value if value.isascii() and value.isdigit() else re.sub(r"[^0-9*]", "", value)
        return "*" * max(0, len(digits) - 4) + digits[-4:]
