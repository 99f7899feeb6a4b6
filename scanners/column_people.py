"""Whether a column holds people's names.

`consignee` and 姓名 do, whatever stands in them short of an address or a firm; 操作人 and `creator` hold numbers and
accounts as often as names; a plain `name` is what its table's rows are; an account's name is a person's only if it
looks like one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scanners.column_names import Reading
from scanners.column_tables import TableContext
from scanners.column_values import (
    AGAINST_NAME,
    SPELLED,
    has_given_name,
    is_dummy,
    is_firm,
    is_latin_name,
    is_surely_name,
    looks_like_name,
    share,
)
from scanners.column_words import OTHER, PROSE

COMPANY: Final = frozenset({"PHONE_NUMBER", "CN_RESIDENT_ID", "DATE_OF_BIRTH", "EMAIL_ADDRESS", "ADDRESS"})


def grade_of(name: Reading, comment: Reading, context: TableContext) -> str:
    """How a name and its comment, taken together, speak of a person: one word for both."""
    grades = [reading.grade for reading in (comment, name) if reading.meaning == "PERSON"]
    if OTHER in (name.meaning, comment.meaning):
        return "thing" if grades and "sure" in grades else "none"
    if "thing" in grades:
        return "sure" if comment.meaning == "PERSON" and comment.grade == "sure" else "thing"
    if PROSE in (name.meaning, comment.meaning) and "sure" not in grades:
        return "none"
    for grade in ("sure", "account", "role", "name"):
        if grade in grades:
            own = {"name", "user", "username"}
            if context.rows == "addresses" and grade in ("name", "account") and own.issuperset(name.words):
                return "sure"
            return grade
    if name.meaning == "PHONE_NUMBER" and name.grade == "maybe" and not comment.meaning:
        return "role"  # `contact` is a number or somebody
    return "none" if name.meaning or comment.meaning else "unknown"


class Shares:
    """Shares of a sample that look so, each worked out once."""

    def __init__(self, values: Sequence[str]) -> None:
        """Look at the sample."""
        self.count = len(values)
        self.chinese = share(values, looks_like_name)
        self.surely = share(values, is_surely_name)
        self.latin = share(values, is_latin_name)
        self.given = share(values, lambda v: is_latin_name(v) and has_given_name(v))
        self.short = share(values, lambda v: 2 <= len(v) <= 4 and all("\u4e00" <= c <= "\u9fff" for c in v))
        self.spelled = share(values, SPELLED.fullmatch)
        self.firms = share(values, is_firm)
        self.against = share(values, lambda v: AGAINST_NAME.search(v) or len(v) > 30 or is_firm(v))
        self.dummies = share(values, is_dummy)


def is_person(
    name: Reading, comment: Reading, values: Sequence[str], context: TableContext, known: frozenset[str]
) -> float:
    """Score of the decision that these are people's names, 0 for none.

    Args:
        known: entities of the table's other columns.
    """
    grade = grade_of(name, comment, context)
    if not values:
        return 0.6 if grade == "sure" else 0.0
    seen = Shares(values)
    company = bool(known & COMPANY)
    if grade == "sure":
        return sure_score(name, seen, context)
    if seen.dummies == 1 or seen.firms >= 0.4 or grade == "none":
        return 0.0
    if grade == "role":
        fits = seen.surely >= 0.4 or seen.chinese >= 0.6 or seen.given >= 0.5
        return 0.75 if fits or (company and seen.short >= 0.8) else 0.0
    if grade == "account":
        return 0.65 if seen.surely >= 0.6 or seen.chinese >= 0.8 else 0.0
    if grade == "name":
        return name_score(seen, context, company)
    if grade == "unknown" and company and context.rows != "things" and seen.count >= 3 and seen.chinese >= 0.8:
        return 0.65
    most = 0.85 if grade == "thing" or context.rows == "things" else 0.7
    return 0.6 if seen.surely >= most and seen.count >= (4 if grade == "thing" else 3) else 0.0


def sure_score(name: Reading, seen: Shares, context: TableContext) -> float:
    """A column called so: anything spelled in letters will do, and what was typed to have something there."""
    if seen.dummies == 1 and seen.count <= 5:
        return 0.5
    if seen.against >= 0.5:
        return 0.0
    of_a_firm = {"customer", "client", "cust"} & set(name.words) and not {"first", "last", "contact"} & set(name.words)
    if of_a_firm and seen.latin >= 0.5 and seen.given < 0.3 and context.names_contacts:
        return 0.0
    if seen.surely >= 0.2 or seen.chinese >= 0.3 or seen.latin >= 0.5:
        return 0.9
    return 0.7 if seen.spelled >= 0.5 else 0.0


def name_score(seen: Shares, context: TableContext, company: bool) -> float:
    """A plain `name`."""
    if context.rows == "things":
        return 0.0
    people = context.rows in ("people", "addresses") and context.subject != "organisation"
    if people and company:
        fits = seen.chinese >= 0.3 or seen.latin >= 0.7 or seen.short >= 0.7
    elif people:
        fits = seen.surely >= 0.4 or seen.chinese >= 0.6 or seen.given >= 0.4
    elif company:
        fits = seen.surely >= 0.4 or seen.given >= 0.5
    else:
        fits = (seen.surely >= 0.6 and seen.count >= 2) or (seen.given >= 0.6 and seen.count >= 4)
    return 0.75 if fits else 0.0
