"""E-mail addresses, the part of RFC 5321 that people use, beside Chinese characters too.

A local part in Chinese (RFC 6531) is not taken: in `张三zhang@example.com` the address begins at `z`. Names of image
files at double resolution (`logo@2x.png`) are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final, Literal

from scanners.detectors.base import Candidate, Detector

LOCAL_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-")
# Laughter that touches a known top domain from the right (`…@qq.comhaha`) is no part of it.
DOMAIN: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.){1,6}"
    r"(?:(?:com|cn|net|org|edu|gov)(?=(?:h{2,}|(?:ha){2,}|lol|ok|thx)(?![A-Za-z]))|[A-Za-z]{2,18}(?![A-Za-z0-9]))"
)
FILES: Final = frozenset(
    ("png", "jpg", "jpeg", "gif", "webp", "svg", "bmp", "ico", "js", "css", "ts", "vue", "json", "xml", "html", "php",
     "py", "so", "dll", "exe", "local", "localdomain")
)  # fmt: skip
LONGEST: Final = 64


class EmailAddress(Detector):
    """Finds each `@` and looks at both sides, at most 64 characters to the left: linear."""

    entity: ClassVar[str] = "EMAIL_ADDRESS"
    looks_at: ClassVar[Literal["text"]] = "text"
    hint = "@"
    words: ClassVar[tuple[str, ...]] = ("邮箱", "邮件", "email", "mail", "e-mail", "youxiang")
    columns: ClassVar[tuple[str, ...]] = ("邮箱", "电子邮件", "email", "mail", "e_mail", "youxiang", "邮件")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """All addresses."""
        at = text.find("@", start, end)
        while at >= 0:
            first = at
            while first > 0 and at - first <= LONGEST and text[first - 1] in LOCAL_CHARACTERS:
                first -= 1
            local = text[first:at]
            domain = DOMAIN.match(text, at + 1)
            stripped = local.lstrip(".-_%+")
            if domain and 0 < len(stripped) <= LONGEST and ".." not in local and not local.endswith("."):
                last = domain.group().rsplit(".", 1)[1].lower()
                if last not in FILES and not local.startswith("."):
                    weight = self.context.weigh(text, first, domain.end())
                    yield Candidate(start=at - len(stripped), end=domain.end(), score=0.95 if weight > 0 else 0.85)
            at = text.find("@", at + 1, end)

    def mask(self, value: str) -> str:
        """The first letter and the domain: z***@qq.com. A domain of one person tells much: only known ones stay."""
        local, _, domain = value.partition("@")
        return f"{local[:1]}***@{domain if domain.lower() in PROVIDERS else '***.' + domain.rsplit('.', 1)[-1]}"

    def normalise(self, value: str) -> str:
        """Lower case."""
        return value.strip().lower()


PROVIDERS: Final = frozenset(
    ("qq.com", "163.com", "126.com", "sina.com", "sina.cn", "sohu.com", "foxmail.com", "gmail.com", "outlook.com",
     "hotmail.com", "yahoo.com", "yeah.net", "aliyun.com", "139.com", "189.cn", "icloud.com", "live.com", "vip.qq.com",
     "21cn.com", "tom.com", "example.com")
)  # fmt: skip
