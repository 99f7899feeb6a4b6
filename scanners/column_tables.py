"""What a table's rows are, and whose data a column of it holds.

Three things tell whose: the column's own words (`supplier_contact` in a table of orders is the supplier's, `create_by`
is staff), the table's name, and its neighbours: those who log in and have a role or a 工号 are staff, those with points
and orders are customers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, Literal

from scanners.column_names import LONGEST_NAME, Reading
from scanners.column_words import OTHER, load_columns, vocabulary
from scanners.records import Subject

RowKind = Literal["people", "addresses", "things", "unknown"]
CHINESE_ENDINGS: Final = re.compile(
    "(?:表|信息|名单|列表|导出|明细|记录|数据|资料|档案|汇总|清单|台账|总|库|册|簿|备份|副本|登记|管理|单|[0-9年月日_\\-])+$"
)
ORDER: Final[tuple[Subject, ...]] = ("supplier", "staff", "organisation", "customer")


def singular(word: str) -> str:
    """`customers` → customer, `addresses` → address, `companies` → company."""
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("s", "")):
        if word.endswith(ending) and not word.endswith("ss") and len(word) > 4:
            return word[: -len(ending)] + instead
    return word


class TableContext:
    """A table as its name and its columns' names describe it."""

    def __init__(self, table: str, names: Sequence[Reading], comments: Sequence[Reading]) -> None:
        """Read them once."""
        self.pack: dict[str, Any] = load_columns()
        split = vocabulary().split(table[:LONGEST_NAME])
        endings = self.pack["tables"]["endings"].split()
        self.words = [word for word in split if word not in endings] or split
        self.names = names
        self.comments = comments
        self.rows = self.rows_are()
        self.subject = self.whose_table()

    def rows_are(self) -> RowKind:
        """By the last word of the table's name that tells."""
        known, pack = vocabulary(), self.pack["tables"]
        chinese = "".join(word for word in self.words if not word.isascii())
        if chinese:
            bare = CHINESE_ENDINGS.sub("", chinese) or chinese
            if bare.endswith("地址"):
                return "addresses"
            if bare.endswith(tuple(pack["people_chinese"].split())) or chinese.endswith(
                tuple(pack["lists_chinese"].split())
            ):
                return "people"
            return "things" if bare.endswith(known.things_chinese) else "unknown"
        for word in reversed(self.words[-2:]):
            both = {word, singular(word)}
            if both & set(pack["addresses"].split()):
                return "addresses"
            if both & set(pack["people"].split()) or both & known.people:
                return "people"
            if both & known.things:
                return "things"
            if any(known.heads.get(one, ("",))[0] == OTHER for one in both):
                return "unknown" if both & known.whose["customer"] else "things"  # an order is somebody's
        return "unknown"

    def whose_table(self) -> Subject:
        """By the table's name, then by the names of its columns."""
        told = self.whose(self.words)
        last = singular(self.words[-1]) if self.words else ""
        if told == "customer" and last in ("user", "person", "people", "account", "contact", "address"):
            others = self.whose([word for word in self.words[:-1] if self.whose([word]) != "customer"])
            if others:
                return others
            if last not in ("contact", "address") and self.neighbours("staff") and not self.neighbours("customer"):
                return "staff"
        if told:
            return told
        counts: dict[Subject, int] = {who: self.neighbours(who) for who in ("customer", "staff", "supplier")}
        best = max(counts, key=lambda who: counts[who])
        backstage = bool(self.words) and self.words[0] in self.pack["tables"]["backstage"].split()
        return best if counts[best] else "staff" if backstage else "unknown"

    @cached_property
    def is_of_program(self) -> bool:
        """Rows are a program's own: settings, menus, roles."""
        return not {*self.pack["tables"]["programs"].split()}.isdisjoint(self.words[-2:])

    @cached_property
    def is_log(self) -> bool:
        """Rows were written by a program: an address in them is where a computer was."""
        pack = self.pack["tables"]
        chinese = pack["logs_chinese"].split()
        return bool({*pack["logs"].split()} & {*self.words}) or any(c in w for c in chinese for w in self.words)

    @cached_property
    def names_contacts(self) -> bool:
        """People in firms have a column of their own, so its customers are firms."""
        return any(
            reading.meaning == "PERSON"
            and reading.grade == "sure"
            and not {"contact", "contacts", "linkman"}.isdisjoint(reading.words)
            for reading in self.names
        )

    @cached_property
    def names_banks(self) -> bool:
        """A neighbour is a bank's name: an account number beside it is a bank's."""
        words = {word for reading in (*self.names, *self.comments) for word in reading.words}
        return "bank" in words or any("银行" in word or "开户" in word for word in words)

    def whose(self, words: Sequence[str]) -> Subject | None:
        """By words of a table's name, the last that tells first; `mail_account` tells as a whole."""
        known = vocabulary()
        pairs = {f"{first}_{second}" for first, second in pairwise(words)}
        for who in ORDER:
            if pairs & known.whose[who]:
                return who
        for word in reversed(words):
            for who in ORDER:
                if word.isascii():
                    if word in known.whose[who] or singular(word) in known.whose[who]:
                        return who
                elif any(part in word for part in known.whose_chinese[who]):
                    return who
        return None

    def neighbours(self, who: Subject) -> int:
        """How many columns are such as stand in tables of `who`."""
        latin = frozenset(self.pack["neighbours"].get(who, "").split())
        chinese = tuple(self.pack["neighbours"].get(f"{who}_chinese", "").split())
        return sum(
            "_".join(reading.words) in latin or any(part in word for word in reading.words for part in chinese)
            for reading in (*self.names, *self.comments)
        )

    def subject_of(self, name: Reading, comment: Reading) -> Subject:
        """Whose data a column holds: by its comment, its name, its table."""
        return self.whose_column(comment) or self.whose_column(name) or self.subject

    def whose_column(self, reading: Reading) -> Subject | None:
        """By a column's own words; None where they say what it is and not whose."""
        known, own = vocabulary(), self.pack["own"]
        pairs = {f"{first}_{second}" for first, second in pairwise(reading.words)}
        if not pairs.isdisjoint(known.whose["staff"]):
            return "staff"  # `customer_service` is no customer
        latin = {word for word in reading.words if word.isascii()}
        weak = own["weak_chinese"].split()
        for who in ORDER:
            strong = frozenset(own[who].split()) if who in own else known.whose[who]
            parts = (part for part in known.whose_chinese[who] if part not in weak)
            if latin & strong or any(part in word for part in parts for word in reading.words):
                # 客户 in a table of suppliers or staff says little: each calls the other a customer.
                return None if who == "customer" and self.subject in ("staff", "supplier") and not latin else who
        return None
