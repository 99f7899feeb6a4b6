"""WeChat accounts: a letter and five to nineteen letters, digits, `_` and `-`, beside a word; `wxid_…` anywhere.

Tencent's rule for account names is 6 to 20 characters. A mobile or a QQ number behind 微信 is an account as well and
keeps both labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.context import line_after
from scanners.detectors.base import Candidate, Detector, within

INTERNAL: Final = re.compile(r"(?<![A-Za-z0-9_])wxid_[a-z0-9]{6,20}(?![A-Za-z0-9_])")
WORD: Final = re.compile(
    r"(?:(?:微信|薇信|v信)(?:号码|号|账号|id)?"
    r"|(?<![A-Za-z])(?:wechat|weixin|vx|wx)(?:[ _]?(?:id|no|号|号码|account))?(?![A-Za-z]))"
    r"[\"']?[ ]?(?:是|为|也?是同?号?|[:：=])?[ ]?[\"'(（]?",
    re.IGNORECASE,
)
LOUD: Final = re.compile(r"(?:号码|号|账号|id|no|account|[:：=是为])[\"']?[ ]?[\"'(（]?$", re.IGNORECASE)
ACCOUNT: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9_\-]{5,19}(?![A-Za-z0-9_\-@]|\.(?!(?:jpe?g|png|pdf|txt|docx?|xlsx?|csv|zip|rar)(?![A-Za-z]))[A-Za-z])"
)
MOBILE: Final = re.compile(r"1[3-9][0-9]{9}(?![0-9])")
# Words of programs that follow `wx` and `weixin` in configurations and logs.
NO_ACCOUNT: Final = re.compile(
    r"(?:app_?id|app_?secret|mch_?id|open_?id|union_?id|session|token|notify|config|login|share|callback|request|payment"
    r"|official|miniprogram|applet|account|string|varchar|number|native|jsapi|refund|success|failed)",
    re.IGNORECASE,
)
INTERNAL_SCORE: Final = 0.9
SCORE: Final = 0.75
QUIET_SCORE: Final = 0.45  # letters alone, with no sign between the word and them, or behind a Latin word
DIGIT_SCORE: Final = 0.6


class WechatId(Detector):
    """See the module."""

    entity = "WECHAT_ID"
    looks_at = "words"
    words = ("微信", "wechat", "weixin", "vx", "wx", "wxid")
    anchors = (*words, "wxid_", "v信", "薇信")
    columns = ("微信", "微信号", "wechat", "wechat_id", "weixin", "wx_no", "wxid", "wechat_no")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """The account behind each word, and WeChat's own ids."""
        for found in within(INTERNAL, text, start, end):
            yield Candidate(start=found.start(), end=found.end(), score=INTERNAL_SCORE)
        for word in within(WORD, text, start, end):
            limit = line_after(text, word.end(), 24)
            account = ACCOUNT.match(text, word.end(), limit) or MOBILE.match(text, word.end(), limit)
            if not account or NO_ACCOUNT.match(account.group()) or account.group().startswith("wxid_"):
                continue
            loud = LOUD.search(word.group()) is not None
            odd = not account.group().isalpha()
            chinese = not word.group()[0].isascii()
            score = SCORE if loud and (odd or chinese) else DIGIT_SCORE if odd else QUIET_SCORE
            yield Candidate(start=account.start(), end=account.end(), score=score)

    def shape(self, value: str) -> float:
        """In a column called so, whatever may be an account's name."""
        return 0.4 if ACCOUNT.fullmatch(value.strip()) or MOBILE.fullmatch(value.strip()) else 0.0

    def mask(self, value: str) -> str:
        """The first two characters."""
        return value[:2] + "*" * 6

    def normalise(self, value: str) -> str:
        """Lower case: accounts do not tell it apart."""
        return value.strip().lower()
