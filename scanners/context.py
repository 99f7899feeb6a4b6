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
)  # fmt: skip


def compile_words(words: Iterable[str], *, overlapping: bool = False) -> re.Pattern[str]:
    """One pattern for all words; longest first, so that `order_sn` is no `order`.

    The set of first characters in front spares trying sixty words at every position. An `overlapping` one matches
    nothing but the place where a word begins, with the word as its group 1: no word hides behind another.
    """
    latin = sorted((w for w in words if w.isascii()), key=len, reverse=True)
    other = sorted((w for w in words if not w.isascii()), key=len, reverse=True)
    parts = []
    if latin:
        joined = "|".join(re.escape(word).replace(r"\ ", r"[ _\-]?") for word in latin)
        parts.append(f"{LATIN_BEFORE}(?i:{joined}){LATIN_AFTER}")
    parts += [re.escape(word) for word in other]
    firsts = {word[0] for word in other} | {c for word in latin for c in (word[0].lower(), word[0].upper())}
    first, alternatives = re.escape("".join(sorted(firsts))), "|".join(parts)
    return re.compile(f"(?=[{first}])" + (f"(?=({alternatives}))" if overlapping else f"(?:{alternatives})"))


ENEMY_PATTERN: Final = compile_words(ENEMIES, overlapping=True)


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

    Of all words before the value the one that ends nearest counts; a word after it counts only when none stands
    before. `scanners.weighing` gives the same answers for many values at once.
    """

    def __init__(self, words: Iterable[str]) -> None:
        """Take the words that speak for an entity, in any language."""
        self.words = tuple(words)
        self.pattern = compile_words(self.words)
        self.everywhere = compile_words(self.words, overlapping=True)

    def weigh(self, text: str, start: int, end: int) -> int:
        """Look around `[start, end)` of `text`."""
        low = line_before(text, start, BEFORE)
        friend = max((found.end(1) for found in self.everywhere.finditer(text, low, start)), default=-1)
        near = max(low, start - NEAR_ENEMY)
        enemy = max((found.end(1) for found in ENEMY_PATTERN.finditer(text, near, start)), default=-1)
        if friend >= 0 or enemy >= 0:
            return 1 if friend >= enemy else -1
        high = line_after(text, end, AFTER)
        # One character more is shown, so that the cut makes no whole word of the first letters of a longer one.
        found = self.everywhere.finditer(text, end, min(len(text), high + 1))
        return 1 if any(word.end(1) <= high for word in found) else 0
