"""Passwords, keys and tokens: by the key before them, by their own form, or inside a connection string.

Forms are those that the issuers publish for secret scanners (AWS, Alibaba Cloud, Tencent Cloud, GitHub, GitLab,
OpenAI, Anthropic, Slack, Google, Stripe, Hugging Face, npm; RFC 7519 for JWT, RFC 7468 for private keys). Placeholders,
types and references to a variable are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.detectors.base import Candidate, Detector, within

PAIR: Final = re.compile(
    r"(?:密码|密碼|口令|(?<![A-Za-z])(?i:[a-z0-9]{0,16}[_\-.]?(?:password|passwd|passphrase|pwd|secret|api_?key|apikey"
    r"|access_?key|auth_?token|access_?token|refresh_?token|secret_?key|private_?key))(?:_?(?i:id|key))?)"
    r"[\"']?[ ]?(?:是|为|[:=]>?|：)[ ]?(?:[\"'`]([^\"'`\n]{4,128})(?=[\"'`])|[\"'`]?([^\s\"'`,;&\u0080-\uffff]{4,128}))"
)
BESIDE: Final = re.compile(r"(?:密码|密碼|口令)[ ]?([A-Za-z0-9!#$%&*@_.\-]{6,32})(?![A-Za-z0-9])")
TOKEN: Final = re.compile(
    r"(?<![A-Za-z0-9_\-])(?:(?:AKIA|ASIA)[A-Z0-9]{16}|LTAI[A-Za-z0-9]{12,26}|AKID[A-Za-z0-9]{32}"
    r"|gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_\-]{20,64}"
    r"|sk-(?:proj-|ant-[a-z0-9]{2,8}-|svcacct-)?[A-Za-z0-9_\-]{20,180}|xox[abprs]-[A-Za-z0-9\-]{10,80}"
    r"|AIza[A-Za-z0-9_\-]{35}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,120}|hf_[A-Za-z0-9]{30,40}|npm_[A-Za-z0-9]{36}"
    r"|eyJ[A-Za-z0-9_\-]{8,2000}\.eyJ[A-Za-z0-9_\-]{8,4000}\.[A-Za-z0-9_\-]{0,1400})(?![A-Za-z0-9_])"
    r"|-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
)
URL: Final = re.compile(
    r"(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]{1,24}://[^\s:/@\"'<>]{0,64}:([^\s/@\"'<>]{1,128})@[A-Za-z0-9]"
)
HEADER: Final = re.compile(r"(?<![A-Za-z])(?i:bearer|basic) ([A-Za-z0-9._~+/\-]{16,2000}={0,2})")
COMMAND: Final = re.compile(
    r"(?<![A-Za-z])(?:mysql(?:dump|admin)?|sshpass|redis-cli)(?: [^\n|;&]{0,36}?)? -[pa] ?[\"']?"
    r"([!#-&(-,.-~][!#-&(-~]{3,63})"
)
PLACEHOLDER: Final = re.compile(
    r"(?:null|nil|none|undefined|true|false|string|varchar|char|text|required|password|passwd|pwd|secret|token|your_?\w{0,20}"
    r"|x{3,128}|\*{3,128}|\.{3,}|changeme|example|empty|md5|sha1|sha256|bcrypt)(?:\([0-9]{1,5}\))?[,;]?",
    re.IGNORECASE,
)
REFERENCE: Final = re.compile(
    r"[$%{<#@(\[]|[A-Za-z_][A-Za-z0-9_.]{0,60}(?:\(|\[)|(?:os|env|process|config|self|this|request)\."
)
PAIR_SCORE: Final = 0.55
FORM_SCORE: Final = 0.9
URL_SCORE: Final = 0.8


KEYS: Final = (
    "密码", "密碼", "口令", "password", "passwd", "passphrase", "pwd", "secret", "apikey", "api_key", "accesskey",
    "access_key", "authtoken", "auth_token", "accesstoken", "access_token", "refreshtoken", "refresh_token",
    "privatekey", "private_key",
)  # fmt: skip
FORMS: Final = (
    "akia", "asia", "ltai", "akid", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "sk-", "xoxa-",
    "xoxb-", "xoxp-", "xoxr-", "xoxs-", "aiza", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "hf_", "npm_", "eyj",
    "-----begin",
)  # fmt: skip
# What must stand in a window, the pattern, its score, and how far behind the window it may read.
LOOKS: Final = (
    (KEYS, PAIR, PAIR_SCORE, 192),
    (KEYS[:3], BESIDE, PAIR_SCORE, 48),
    (("bearer ", "basic "), HEADER, FORM_SCORE, 2_048),
    (("mysql", "sshpass", "redis-cli"), COMMAND, PAIR_SCORE, 128),
    (FORMS, TOKEN, FORM_SCORE, 8_192),
    (("://",), URL, URL_SCORE, 256),
)


class Credential(Detector):
    """What is found is the value; the key before it, the scheme and the host are no part of it."""

    entity = "CREDENTIAL"
    looks_at = "words"
    words = ("密码", "password")
    anchors = tuple(mark for marks, *_ in LOOKS for mark in marks)
    columns = (
        "密码", "口令", "password", "passwd", "pwd", "login_pwd", "login_salt", "access_token", "refresh_token",
        "user_token", "login_token", "mima",
    )  # fmt: skip

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """By key, by form, in a URL, in a header, on a command line.

        Each pattern reads on only where what it begins with stands: most windows are addresses of pages.
        """
        window = text[start:end].lower()
        for marks, pattern, score, reach in LOOKS:
            if not any(mark in window for mark in marks):
                continue
            for found in within(pattern, text, start, end, reach):
                group = found.lastindex or 0
                value = found.group(group).rstrip(")}]") if pattern is not TOKEN else found.group()
                if self.is_secret(pattern, value):
                    yield self.secret(found.start(group), found.start(group) + len(value), score)

    def is_secret(self, pattern: re.Pattern[str], value: str) -> bool:
        """Whether a value is no placeholder and no reference; what has a form of its own is none."""
        if pattern is TOKEN:
            return True
        if pattern is BESIDE and not any(c.isdigit() for c in value):
            return False
        return (len(value) >= 4 or pattern is URL) and not PLACEHOLDER.fullmatch(value) and not REFERENCE.match(value)

    def secret(self, start: int, end: int, score: float) -> Candidate:
        """A secret names nobody."""
        return Candidate(start=start, end=end, score=score, nature="organisation")

    def shape(self, value: str) -> float:
        """Any text without spaces."""
        return 0.4 if 3 <= len(value) <= 512 and " " not in value.strip() else 0.0

    def mask(self, value: str) -> str:
        """Nothing of it, not its length."""
        return "******" if value else ""

    def normalise(self, value: str) -> str:
        """As it is."""
        return value
