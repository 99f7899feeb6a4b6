"""Passwords and tokens: by the name of their column, or of the key before them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final, Literal

from scanners.detectors.base import Candidate, Detector, within

PAIR: Final = re.compile(
    r"(?:密码|口令|(?<![A-Za-z])(?i:password|passwd|pwd|secret|api_?key|access_?token|secret_?key))"
    r"[\"']?[ ]?(?:是|为|[:=])[ ]?[\"']?([!-~]{4,128})"
)


class Credential(Detector):
    """See the module."""

    entity: ClassVar[str] = "CREDENTIAL"
    looks_at: ClassVar[Literal["text"]] = "text"
    words: ClassVar[tuple[str, ...]] = ("密码", "password")
    columns: ClassVar[tuple[str, ...]] = (
        "密码", "口令", "password", "passwd", "pwd", "login_pwd", "login_salt", "access_token", "refresh_token",
        "user_token", "login_token", "mima",
    )  # fmt: skip

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """What follows a key called so; the key itself is not part of it."""
        for found in within(PAIR, text, start, end):
            value = found.group(1).rstrip("\"',;})")
            if value and value.lower() not in {"null", "none", "true", "false", "string", "varchar"}:
                yield Candidate(
                    start=found.start(1), end=found.start(1) + len(value), score=0.55, nature="organisation"
                )

    def shape(self, value: str) -> float:
        """Any text without spaces."""
        return 0.4 if 3 <= len(value) <= 512 and " " not in value.strip() else 0.0

    def mask(self, value: str) -> str:
        """Nothing of it, not its length."""
        return "******" if value else ""

    def normalise(self, value: str) -> str:
        """As it is."""
        return value
