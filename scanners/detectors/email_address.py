"""E-mail addresses, the part of RFC 5321 that people use, beside Chinese characters too.

A local part in Chinese (RFC 6531) is not taken: in `张三zhang@example.com` the address begins at `z`. Names of image
files at double resolution (`logo@2x.png`), packages with a version and units of systemd (`user@1000.service`) are
none. Blanks around the sign and `(at)` for it are seen through where a word or a provider's domain says what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.detectors.base import Candidate, Detector

LOCAL_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-")
SIGN: Final = re.compile(r" ?@ ?|%40| ?(?:\(at\)|\[at\]|\{at\}|<at>) ?", re.IGNORECASE)
# Laughter that touches a known top domain from the right (`…@qq.comhaha`) is no part of it.
DOMAIN: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.){1,6}"
    r"(?:(?:com|cn|net|org|edu|gov)(?=(?:h{2,9}|(?:ha){2,9}|lol|ok|thx)(?![A-Za-z]))|[A-Za-z]{2,18}(?![A-Za-z0-9]))"
)
# As people type it in a hurry: a Chinese full stop, a blank at the dot, a dot in brackets.
LOOSE: Final = re.compile(
    r"[A-Za-z0-9\-]{1,63}(?: ?[.。] ?| ?(?:\(dot\)|\[dot\]|\{dot\}) ?)(?:com|cn|net|org)(?![A-Za-z0-9])", re.IGNORECASE
)
FILES: Final = frozenset(
    ("png", "jpg", "jpeg", "gif", "webp", "svg", "bmp", "ico", "js", "css", "ts", "vue", "json", "xml", "html", "php",
     "py", "so", "dll", "exe", "local", "localdomain", "service", "socket", "timer", "slice", "scope", "mount",
     "target", "log", "txt", "gz", "tar", "zip", "jar", "class", "java", "conf", "yml", "yaml", "md", "csv", "xlsx",
     "pdf", "tgz")
)  # fmt: skip
LONGEST: Final = 64
SCORES: Final = (0.85, 0.85, 0.95)
LOOSE_SCORES: Final = (0.2, 0.45, 0.8)


class EmailAddress(Detector):
    """Finds each sign and looks at both sides, at most 64 characters to the left: linear.

    An address lies around its sign, up to 64 characters before it and 255 behind.
    """

    entity = "EMAIL_ADDRESS"
    looks_at = "words"
    anchors = ("@", "%40", "(at)", "[at]", "{at}", "<at>")
    words = (
        "邮箱", "邮件", "电邮", "信箱", "郵箱", "email", "mail", "e-mail", "mailbox", "youxiang",
    )  # fmt: skip
    columns = ("邮箱", "电子邮件", "email", "mail", "e_mail", "youxiang", "邮件")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """All addresses whose sign is in `[start, end)`."""
        for sign in SIGN.finditer(text, start, min(len(text), end + 4)):
            first = sign.start()
            while first > 0 and sign.start() - first <= LONGEST and text[first - 1] in LOCAL_CHARACTERS:
                first -= 1
            local = text[first : sign.start()]
            stripped = local.lstrip(".-_%+")
            if not 0 < len(stripped) <= LONGEST or ".." in local or local.endswith(".") or local.startswith("."):
                continue
            found = self.judge(text, sign.start() - len(stripped), sign)
            if found:
                yield found

    def judge(self, text: str, start: int, sign: re.Match[str]) -> Candidate | None:
        """The address that begins at `start`, by what stands behind its sign."""
        domain = DOMAIN.match(text, sign.end())
        if domain and domain.group().rsplit(".", 1)[1].lower() not in FILES:
            weight = self.context.weigh(text, start, domain.end())
            if sign.group() in {"@", "%40"}:
                return Candidate(start=start, end=domain.end(), score=SCORES[weight + 1])
            known = domain.group().lower() in PROVIDERS
            score = LOOSE_SCORES[2] if known and weight >= 0 else LOOSE_SCORES[weight + 1]
            return Candidate(start=start, end=domain.end(), score=score)
        loose = LOOSE.match(text, sign.end())
        if loose is None:
            return None
        weight = self.context.weigh(text, start, loose.end())
        known = LOOSE_DOT.sub(".", loose.group()).lower() in PROVIDERS
        score = LOOSE_SCORES[2] if known and weight >= 0 else LOOSE_SCORES[weight + 1]
        return Candidate(start=start, end=loose.end(), score=score)

    def mask(self, value: str) -> str:
        """The first letter and the domain: z***@qq.com. A domain of one person tells much: only known ones stay."""
        local, _, domain = self.normalise(value).partition("@")
        return f"{local[:1]}***@{domain if domain in PROVIDERS else '***.' + domain.rsplit('.', 1)[-1]}"

    def normalise(self, value: str) -> str:
        """Lower case, with a plain sign and plain dots."""
        return LOOSE_DOT.sub(".", SIGN.sub("@", value.strip())).lower()


LOOSE_DOT: Final = re.compile(r" ?[.。] ?| ?(?:\(dot\)|\[dot\]|\{dot\}) ?", re.IGNORECASE)
PROVIDERS: Final = frozenset(
    ("qq.com", "163.com", "126.com", "sina.com", "sina.cn", "sohu.com", "foxmail.com", "gmail.com", "outlook.com",
     "hotmail.com", "yahoo.com", "yeah.net", "aliyun.com", "139.com", "189.cn", "icloud.com", "live.com", "vip.qq.com",
     "21cn.com", "tom.com", "vip.163.com", "vip.sina.com", "wo.cn", "msn.com", "yahoo.com.cn")
)  # fmt: skip
