"""A canary record that looks like the rows around it, without anything of a stranger in it.

What a column holds is told by its name and its values. A telephone number, a mailbox, a name and an address come from
the chain's own pool; keys are made in the form of their neighbours and occur nowhere else in the column; whatever says
nothing about a person (a dish, an amount, a date) is taken from some other row. Every other cell stays empty: an
id number or a remark with a name in it would be somebody's.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from scanners.column_names import read_name
from scanners.column_words import OTHER, PROSE
from scanners.masking import mask_text, name_rules
from scanners.name_rules import RULED_ADDRESS

Role = Literal["phone", "email", "name", "address", "key", "plain", "blank"]
SAMPLE: Final = 300
_MOBILE: Final = re.compile(r"(?:\+?86|0086)?1[3-9]\d{9}")
_ANY_PHONE: Final = re.compile(r"\+?\d{7,15}")
_MAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DATE: Final = re.compile(r"(?:19|20)\d\d[-/.年]?[01]?\d[-/.月]?[0-3]?\d(?:日)?(?:[ T]\d\d?:\d\d.*)?")
_KEY: Final = re.compile(r"[A-Za-z_\-]{0,20}\d[A-Za-z0-9_\-]{0,39}")
_SEPARATORS: Final = re.compile(r"[\s\-.()·]")
_CHOICES: Final = frozenset({
    "true", "false", "yes", "no", "y", "n", "0", "1", "是", "否", "有", "无", "男", "女", "先生", "女士",
    "会员", "非会员",
})  # fmt: skip
_HARMLESS: Final = frozenset({"", OTHER, PROSE, "DATE_OF_BIRTH", "MEMBER_ID"})


@dataclass(frozen=True, kw_only=True)
class Canary:
    """A record of the chain's own. `email` and `address` may be ''; so may `phone`, where the table has mailboxes."""

    name: str
    phone: str
    email: str
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table to put canaries into: the names of its columns, the role of each, and some of its rows."""

    roles: tuple[Role, ...]
    rows: Sequence[Sequence[Any]] = field(repr=False)
    keys: dict[int, set[str]] = field(default_factory=dict, repr=False)  # by column: those there, and those made

    @property
    def takes(self) -> bool:
        """Somebody could be reached by a row of it: else a canary in it could never be told from any other row."""
        return "phone" in self.roles or "email" in self.roles

    def record(self, canary: Canary, near: int, choose: Callable[[int], int] = secrets.randbelow) -> list[Any]:
        """A row for `canary`, to stand before row `near`; cells have the types of their neighbours, None is empty."""
        like = self.rows[near]
        made: list[Any] = []
        for index, role in enumerate(self.roles):
            neighbour = like[index] if index < len(like) else None
            if role == "phone":
                made.append(dress(canary.phone, neighbour))
            elif role in ("email", "name", "address"):
                made.append(getattr(canary, role) or None)
            elif role == "key":
                made.append(self._key(index, neighbour, choose))
            elif role == "plain":
                made.append(self._plain(index, choose))
            else:
                made.append(None)
        return made

    def _key(self, index: int, neighbour: Any, choose: Callable[[int], int]) -> Any:
        """In the form of a neighbour, and neither in the column nor made before."""
        if index not in self.keys:
            self.keys[index] = {text_of(row[index]) for row in self.rows if index < len(row)}
        known = self.keys[index]
        made = _free_key(known, text_of(neighbour), choose)
        if made is None:
            return None
        known.add(made)
        return typed(made, neighbour)

    def _plain(self, index: int, choose: Callable[[int], int]) -> Any:
        """Another row's value, one in which the detectors see nothing of a person."""
        for _ in range(20):
            row = self.rows[choose(len(self.rows))]
            value = row[index] if index < len(row) else None
            if not isinstance(value, str) or mask_text(value) == value:
                return value
        return None


def _free_key(known: Collection[str], form: str, choose: Callable[[int], int]) -> str | None:
    """A number where all are numbers, else the neighbour's form with other digits; None if there is no free one."""
    numbers = [
        int(text) for text in known if text.isdecimal() and (text[0] != "0" or len(text) == 1) and len(text) < 19
    ]
    if len(numbers) >= sum(text != "" for text in known) > 0:
        return str(_free_number(numbers, choose))
    form = form or next((text for text in sorted(known) if text), "")
    digits = [place for place, letter in enumerate(form) if letter in "0123456789"]
    if not digits:
        return None
    for changed in (3, 4, 6, 9):
        for _ in range(200):
            letters = list(form)
            for place in digits[-changed:]:
                letters[place] = "0123456789"[choose(10)]
            if letters[digits[0]] == "0" != form[digits[0]]:
                letters[digits[0]] = form[digits[0]]
            if (made := "".join(letters)) not in known:
                return made
    return None


def _free_number(numbers: Sequence[int], choose: Callable[[int], int]) -> int:
    """One that is not among them, between the smallest and the largest where there is room, else a little beyond."""
    low, high, known = min(numbers), max(numbers), frozenset(numbers)
    for _ in range(200):
        if (made := low + choose(high - low + 1)) not in known:
            return made
    return high + 1 + choose(max(9, len(numbers) // 10))


def read_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """See what the columns are. `rows` are data rows, cells text, numbers, dates or None; there must be one."""
    width = max(len(names), *(len(row) for row in rows[:SAMPLE]))
    step = max(1, len(rows) // SAMPLE)
    sample = rows[::step][:SAMPLE]
    roles = []
    for index in range(width):
        texts = [text for row in sample if index < len(row) and (text := text_of(row[index]).strip())]
        roles.append(role_of(names[index] if index < len(names) else "", texts))
    return Table(roles=tuple(roles), rows=rows)


def role_of(name: str, texts: Sequence[str]) -> Role:
    """What a column of this name with these values (not empty) is."""
    if not texts:
        return "blank"
    if all(text.casefold() in _CHOICES for text in texts):
        return "plain"
    meaning = read_name(name)
    said = meaning.meaning if meaning.grade not in ("thing", "none") else ""

    def share(found: Callable[[str], object]) -> float:
        return sum(bool(found(text)) for text in texts) / len(texts)

    if share(lambda text: _MOBILE.fullmatch(squeezed(text))) >= 0.6:
        return "phone"
    if said == "PHONE_NUMBER" and share(lambda text: _ANY_PHONE.fullmatch(squeezed(text))) >= 0.5:
        return "phone"
    if share(_MAIL.fullmatch) >= 0.6:
        return "email"
    if said == "PERSON" or (not said and share(looks_like_a_name) >= 0.7):
        return "name"
    if said == "ADDRESS" or share(RULED_ADDRESS.search) >= 0.5:
        return "address"
    if said not in _HARMLESS:
        return "blank"
    if share(lambda text: mask_text(text) != text) >= 0.2 and said != "DATE_OF_BIRTH":
        return "key" if is_key(texts, share) and share(lambda text: not text.isdigit()) > 0.5 else "blank"
    return "key" if is_key(texts, share) else "plain"


def is_key(texts: Sequence[str], share: Callable[[Callable[[str], object]], float]) -> bool:
    """Nearly all different, all of the form of a number or code, and no dates."""
    different = len(set(texts)) / len(texts)
    return len(texts) >= 2 and different > 0.95 and share(_KEY.fullmatch) > 0.95 and share(_DATE.fullmatch) < 0.5


def looks_like_a_name(text: str) -> bool:
    """Two to four Chinese characters that begin with a surname."""
    return 2 <= len(text) <= 4 and all("\u4e00" <= letter <= "\u9fff" for letter in text) and bool(
        name_rules().has_surname(text)
    )  # fmt: skip


def squeezed(text: str) -> str:
    """Without separators, full-width digits as plain ones."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", text))


def text_of(value: Any) -> str:
    """A cell as text: whole numbers without `.0`."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def typed(text: str, neighbour: Any) -> Any:
    """`text` as the type of a neighbour, where that is a number."""
    if isinstance(neighbour, bool) or not isinstance(neighbour, int | float) or not text.isdigit():
        return text
    return type(neighbour)(text)


def dress(phone: str, neighbour: Any) -> Any:
    """A number written as its neighbour is: with its blanks or hyphens, with 86 before it, or bare."""
    if not phone:
        return None
    digits = phone.removeprefix("+")
    form = text_of(neighbour)
    there = [letter for letter in form if letter in "0123456789"]
    if len(there) == len(digits) + 2 and "".join(there).startswith("86"):
        digits = "86" + digits
    if len(there) != len(digits):
        return phone
    rest = iter(digits)
    return typed("".join(next(rest) if letter in "0123456789" else letter for letter in form), neighbour)


def spread(count: int, rows: int, choose: Callable[[int], int] = secrets.randbelow) -> list[int]:
    """Before which rows `count` canaries stand: each in its own part of the table, so that any part has some."""
    return [
        (low := number * rows // count) + choose(max(1, (number + 1) * rows // count - low)) for number in range(count)
    ]
