"""Columns of addresses, and columns whose cells may have a contact inside."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scanners.column_names import Reading
from scanners.column_values import (
    AGAINST_ADDRESS,
    CONTACT,
    HINT,
    are_a_counter,
    is_dummy,
    is_region,
    is_surely_address,
    looks_like_address,
    share,
)
from scanners.column_words import OTHER, PROSE


def is_address(grade: str, name: Reading, comment: Reading, values: Sequence[str], *, is_log: bool = False) -> bool:
    """The name says so and the values do not speak against it, or the values say so."""
    if grade == "sure" and is_log:
        grade = "maybe"
    shaped = share(values, lambda v: looks_like_address(v) and not is_region(v))
    if grade:
        if not values or (grade == "sure" and len(values) <= 5 and share(values, is_dummy) == 1):
            return grade == "sure"
        against = share(values, AGAINST_ADDRESS.fullmatch)
        return against < 0.5 and (grade == "sure" or shaped >= (0.5 if grade == "maybe" else 0.3))
    if OTHER in {name.meaning, comment.meaning}:
        return False
    shaped = share(values, lambda v: is_surely_address(v) and not is_region(v))
    numbered = share(values, lambda v: re.search("[0-9]", v))
    return len(values) >= 3 and shaped >= 0.8 and numbered > 0.7 and share(values, lambda v: len(v) < 60) > 0.9


def is_mixed(name: Reading, comment: Reading, values: Sequence[str], *, of_program: bool = False) -> bool:
    """Cells may have a contact inside: prose, long texts, values that hold a number people are reached by.

    Bare numbers that no detector took are nothing: keys, times and amounts are most of a database.
    """
    if not values or are_a_counter(values):
        return False
    other = OTHER in (name.meaning, comment.meaning) or "thing" in (name.grade, comment.grade)
    if share(values, HINT.search):
        return True
    if other:
        return False
    texts = [v for v in values if not re.fullmatch(r"[0-9.,:\- /+]{1,40}", v)]
    if any(CONTACT.search(v) for v in texts):
        return True
    if of_program:
        return False
    if PROSE in (name.meaning, comment.meaning):
        return bool(texts)  # one remark in a thousand has a telephone number, and the sample ends before it
    return name.grade != "name" and share(texts, lambda v: len(v) > (60 if v.isascii() else 24)) > 0.2
