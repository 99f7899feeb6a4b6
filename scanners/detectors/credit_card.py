"""Bank cards, ISO/IEC 7812: 13 to 19 digits, issuer ranges, Luhn.

One number in ten passes Luhn by chance (258 of 2,490 long digit runs of real logs do), so the issuer range and the
length must fit as well; short and odd lengths need a word. With a word for card, a failed Luhn is still a card: people
mistype, and test data is made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final, Literal

from scanners.detectors.base import Candidate, Detector, stands_alone, within

CARD: Final = re.compile(
    r"(?<![0-9*])(?:[2-689][0-9]{12,18}|[2-689][0-9]{3}([ \-])[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}(?:\1[0-9]{1,4})?"
    r"|3[0-9]{3}([ \-])[0-9]{6}\2[0-9]{4,5}|6[0-9]{5}([ \-])[0-9]{13}|62[0-9]{2}([ \-])[0-9]{4,15})(?![0-9*])"
)
RANGES: Final = (
    (re.compile(r"62|81[0-7]|8171"), frozenset({16, 17, 18, 19})),  # UnionPay
    (re.compile(r"9558|60142[0-9]|6858|9[0-9]{5}"), frozenset({16, 18, 19})),  # older cards of Chinese banks
    (re.compile(r"4"), frozenset({13, 16, 19})),  # Visa
    (re.compile(r"5[1-5]|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720"), frozenset({16})),  # Mastercard
    (re.compile(r"3[47]"), frozenset({15})),  # American Express
    (re.compile(r"352[89]|35[3-8][0-9]"), frozenset({16})),  # JCB
    (re.compile(r"30[0-5]|3095|36|3[89]"), frozenset({14, 16, 19})),  # Diners
    (re.compile(r"6011|64[4-9]|65"), frozenset({16, 19})),  # Discover
    (re.compile(r"50|5[6-8]|6[0-9]"), frozenset({16, 17, 18, 19})),  # Maestro
)  # fmt: skip
SURE: Final = frozenset(range(4)) | {4, 5, 7}  # ranges dense enough to stand without a word
SURE_LENGTHS: Final = frozenset({15, 16, 19})


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for index, character in enumerate(reversed(digits)):
        value = ord(character) - 48
        if index % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def issuer(digits: str) -> int | None:
    """Index of the first range in `RANGES` whose prefix and length fit."""
    for index, (prefix, lengths) in enumerate(RANGES):
        if prefix.match(digits) and len(digits) in lengths:
            return index
    return None


class CreditCard(Detector):
    """See the module."""

    entity: ClassVar[str] = "CREDIT_CARD"
    looks_at: ClassVar[Literal["numbers", "text"]] = "numbers"
    fewest: ClassVar[int] = 13
    words: ClassVar[tuple[str, ...]] = (
        "银行卡", "卡号", "信用卡", "储蓄卡", "借记卡", "银联", "转账", "账号", "帐号", "收款", "开户", "行卡", "打款",
        "的卡", "银行", "card", "credit card", "bank card", "bankcard", "cardno", "card no", "visa", "mastercard",
        "amex", "debit", "unionpay", "yinhangka", "kahao", "cc", "pan",
    )  # fmt: skip
    columns: ClassVar[tuple[str, ...]] = (
        "银行卡", "卡号", "信用卡", "银行账号", "银行帐号", "bank_card", "bankcard", "card_no", "cardno", "card_number",
        "cardnumber", "credit_card", "creditcard", "bank_account", "bankaccount", "yinhangka", "pan", "bank_no",
    )  # fmt: skip

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """Plain and grouped numbers of a fitting length."""
        for found in within(CARD, text, start, end):
            digits = re.sub(r"[^0-9]", "", found.group())
            kind = issuer(digits)
            if not 13 <= len(digits) <= 19 or kind is None or len(set(digits)) < 2:
                continue
            if not stands_alone(text, *found.span()):
                continue
            weight = self.context.weigh(text, *found.span())
            grouped = len(digits) != found.end() - found.start()
            if passes_luhn(digits):
                dense = kind in SURE and len(digits) in SURE_LENGTHS
                scores = (0.25, 0.7 if dense or grouped else 0.3, 0.95)
            else:
                scores = (0.05, 0.2 if not grouped else 0.3, 0.6)
            yield Candidate(start=found.start(), end=found.end(), score=scores[weight + 1])

    def mask(self, value: str) -> str:
        """The last four digits (PCI DSS 3.4.1 allows the first six as well; we show fewer)."""
        digits = re.sub(r"[^0-9*]", "", value)
        return "*" * max(0, len(digits) - 4) + digits[-4:]
