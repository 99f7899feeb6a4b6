"""Words around a value, weighed in bounded windows.

Every look is at no more than `BEFORE + AFTER` characters of the value's own line, so the cost of a text is linear in
the number of candidates (Presidio 2.2.366's enhancer searches all tokens for each result: 100 KB of dense log takes
4.9 s, 200 KB 14.5 s). Latin words must stand alone or at a camelCase joint: `tel` is in no `hotel`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

BEFORE: Final = 28
AFTER: Final = 10
NEAR_ENEMY: Final = 14
LATIN_BEFORE: Final = r"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z]))"
LATIN_AFTER: Final = r"(?:(?![A-Za-z])|(?<=[a-z])(?=[A-Z]))"

ENEMIES: Final = (
    "订单", "单号", "流水", "交易号", "编号", "编码", "条码", "条形码", "货号", "批次", "金额", "时间戳", "版本",
    "序列号", "商户号", "会话", "票号", "快递号", "运单", "余额", "合计", "商品", "桌号", "库存",
    "order", "orderid", "orderno", "ordersn", "order_no", "order_sn", "order_id", "sn", "sku", "trace", "traceid",
    "trace_id", "uuid", "hash", "md5", "sha1", "sha256", "timestamp", "ts", "amount", "price", "barcode", "ean", "seq",
    "serial", "version", "session", "req", "request", "txn", "trade_no", "tradeno", "invoice", "batch", "block", "blk",
    "pid", "tid", "offset", "size", "addr", "nonce", "snowflake", "build", "checksum", "total", "dingdan", "liushui",
    "外卖单", "券码", "兑换码", "核销码", "取餐码", "工单", "货单", "税号", "商品码", "coupon", "imei", "imsi",
    "iccid", "isbn", "waybill", "tracking", "voucher", "product code", "product id", "goods id", "sku id", "item id",
    "device id", "transaction id",
)  # fmt: skip


DIGIT: Final = re.compile("[0-9]")


def compile_words(words: Iterable[str]) -> re.Pattern[str]:
    """One pattern for all words; longest first, so that `order_sn` is no `order`.

    The set of first characters in front spares trying sixty words at every position.
    """
    first, alternatives = alternate(words, longest_first=True)
    return re.compile(f"{first}(?:{alternatives})")


def compile_starts(words: Iterable[str], *, longest_first: bool) -> re.Pattern[str]:
    """A pattern of the places where words begin, with the longest or the shortest that stands there as its group 1.

    It consumes nothing, so that no word hides behind another.
    """
    first, alternatives = alternate(words, longest_first=longest_first)
    return re.compile(f"{first}(?=({alternatives}))")


def alternate(words: Iterable[str], *, longest_first: bool) -> tuple[str, str]:
    """What a word may begin with, and all of them."""
    ordered = sorted(words, key=len, reverse=longest_first)
    latin = [re.escape(word).replace(r"\ ", r"[ _\-]?") for word in ordered if word.isascii()]
    other = [word for word in ordered if not word.isascii()]
    parts = [f"{LATIN_BEFORE}(?i:{'|'.join(latin)}){LATIN_AFTER}"] * bool(latin) + [re.escape(word) for word in other]
    firsts = {word[0] for word in other} | {c for word in ordered if word.isascii() for c in folded(word[0])}
    return f"(?=[{re.escape(''.join(sorted(firsts)))}])", "|".join(parts)


def folded(letter: str) -> str:
    """A letter in both cases."""
    return letter.lower() + letter.upper()


ENEMY_STARTS: Final = compile_starts(ENEMIES, longest_first=True)


def line_before(text: str, start: int, width: int) -> int:
    """Where the window of `width` characters before `start` begins, cut at the line's beginning."""
    low = max(0, start - width)
    return max(low, text.rfind("\n", low, start) + 1)


def line_after(text: str, end: int, width: int) -> int:
    """Where the window after `end` ends, cut at the line's end."""
    high = min(len(text), end + width)
    cut = text.find("\n", end, high)
    return high if cut < 0 else cut


class Context:
    """Tells a value in company of its words (+1) from one in company of an enemy's (-1); 0 is neither.

    Of all words before the value the one that ends nearest counts, an enemy only if no other number stands between; a
    word after it counts only when none stands before. `scanners.weighing` answers the same for many values at once.
    """

    def __init__(self, words: Iterable[str]) -> None:
        """Take the words that speak for an entity, in any language."""
        self.words = tuple(words)
        self.pattern = compile_words(self.words)
        self.longest = compile_starts(self.words, longest_first=True)
        self.shortest = compile_starts(self.words, longest_first=False)

    def weigh(self, text: str, start: int, end: int) -> int:
        """Look around `[start, end)` of `text`."""
        low = line_before(text, start, BEFORE)
        friend = max((found.end(1) for found in self.longest.finditer(text, low, start)), default=-1)
        near = max(low, start - NEAR_ENEMY)
        enemy = max((found.end(1) for found in ENEMY_STARTS.finditer(text, near, start)), default=-1)
        if enemy >= 0 and DIGIT.search(text, enemy, start):
            enemy = -1  # it speaks of the number between
        if friend >= 0 or enemy >= 0:
            return 1 if friend >= enemy else -1
        high = line_after(text, end, AFTER)
        # One character more is shown, so that the cut makes no whole word of the first letters of a longer one.
        found = self.shortest.finditer(text, end, min(len(text), high + 1))
        return 1 if any(word.end(1) <= high for word in found) else 0
