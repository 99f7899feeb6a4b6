"""统一社会信用代码: the 18 characters by which a legal entity is known (GB 32100-2015)."""

from __future__ import annotations

from typing import Final

LETTERS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
LENGTH: Final = 18
_MODULUS: Final = len(LETTERS)


def check_letter(first: str) -> str:
    """The last character for the 17 before it (GB 32100-2015, 附录 A: weights are powers of 3 modulo 31).

    Raises:
        ValueError: a character that codes do not have.
    """
    total = sum(LETTERS.index(letter) * pow(3, place, _MODULUS) for place, letter in enumerate(first))
    return LETTERS[-total % _MODULUS]


def is_credit_code(text: str) -> bool:
    """Whether form and check character are right; it says nothing about whether the entity exists."""
    if len(text) != LENGTH or any(letter not in LETTERS for letter in text):
        return False
    return check_letter(text[:-1]) == text[-1]
