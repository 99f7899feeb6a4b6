"""What a table, sheet or file is about, in a word that people use, and what one counts in it.

A platform's export is known by its columns (`scanners.exports`, told by the worker); then by the name that people gave
the table or the file, of which the last word tells (会员订单 are orders); then by other columns; then by whose the data
in it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from scanners.exports import with_platform

SUBJECTS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (subject, re.compile(pattern, re.IGNORECASE))
    for subject, pattern in (
        ("staff", "员工|职员|工资|考勤|花名册|staff|employee|payroll|clerk|(^|_)admins?(_|$)|sys_users?"),
        ("suppliers", "供应商|供货商?|supplier|vendor"),
        ("reservations", "预订|预约|预定|订座|订位|订台|reserv|booking|appoint"),
        ("queue", "取号|排队|等位"),
        ("cards", "储值|充值|余额|recharge|balance|stored.?value"),
        ("reviews", "评价|评论|点评|review"),
        ("members", "会员|member|(^|_)vip(_|$)|fans|粉丝"),
        ("addresses", "收货|地址|address_?book|address|delivery|shipping"),
        ("invoices", "发票|小票|收据|receipt|invoice"),
        ("wechat_bill", "微信(?:支付)?账单|微信(?:支付)?流水|wechat.?pay"),
        ("alipay_bill", "支付宝(?:账单|流水)?|alipay"),
        ("orders", "订单|外卖|(?<!b)order|trade|takeaway|takeout"),
        ("customers", "顾客|客户|客人|customer|client|consumer|buyer"),
        ("contacts", "通讯录|联系人|contact"),
        ("accounts", "用户|账号|(^|_)users?(_|$)|account"),
        ("logs", r"日志|\.log(\.|$)|(^|_)logs?(_|$)"),
    )
)
"""What the last word of a name says; of two that end together the first."""

BY_SUBJECT: Final = {"staff": "staff", "supplier": "suppliers", "customer": "customers"}
RECORDS: Final = frozenset({"invoices", "wechat_bill", "alipay_bill", "cards", "reviews"})
GUESTS: Final = frozenset({"reservations", "queue"})


def subject_of(name: str) -> str:
    """What a table, sheet or file of this name is about: a key of the texts `scan.place_…`, or ''."""
    best, best_end = "", 0
    for subject, pattern in SUBJECTS:
        end = max((found.end() for found in pattern.finditer(name[-200:])), default=0)
        if end > best_end:
            best, best_end = subject, end
    return best


def subject_of_item(item: Mapping[str, Any], names: Iterable[str]) -> str:
    """What an item of a scan's document is about, or ''.

    Args:
        item: of `cloche.scan/1`.
        names: of its tables, its members, its file: what tells most comes first.
    """
    about = str(item.get("about", ""))
    names = tuple(names)
    if about.endswith(("_orders", "_bill")):
        return about
    named = next((subject for name in names if (subject := subject_of(name))), "")
    return with_platform(named or about, names) or whose(item["findings"])


def names_of(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of its tables, of the members and tables in its path, the innermost first, and of its file."""
    tables = dict.fromkeys(finding["place"]["table"] or "" for finding in item["findings"])
    file, *inside = re.split(r"[!#]", item["path"])
    return (*tables, *reversed(inside), file.rsplit("/", 1)[-1])


def whose(findings: Iterable[Mapping[str, Any]]) -> str:
    """By whose most of the values in it are, as their columns and tables told."""
    counts: Counter[str] = Counter()
    for finding in findings:
        if finding.get("subject") in BY_SUBJECT:
            counts[finding["subject"]] += finding["count"]
    return BY_SUBJECT[counts.most_common(1)[0][0]] if counts else ""


def records_of(item: Mapping[str, Any], subject: str) -> int:
    """Rows of an item's tables, where its subject is told in rows: the worker's count, or its fullest column's."""
    if unit_of(subject) in ("people", "guests"):
        return 0
    columns: Counter[tuple[str, str]] = Counter()
    for finding in item["findings"]:
        if finding["place"]["column"]:
            columns[finding["place"]["column"], finding["entity"]] += finding["count"]
    counted = int(item.get("records", 0)) if item.get("about") else 0
    return counted or max(columns.values(), default=0)


def unit_of(subject: str) -> str:
    """What one counts: `orders`, `records`, `guests` or `people`; a key of the texts `scan.count_…`."""
    if subject == "orders" or subject.endswith("_orders"):
        return "orders"
    return "records" if subject in RECORDS else "guests" if subject in GUESTS else "people"
