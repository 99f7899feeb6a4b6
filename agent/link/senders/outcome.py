"""How a try went, in words that the daemon knows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Ending = Literal["accepted", "delivered", "failed", "pending"]
CODE: Final = re.compile(r"[^A-Za-z0-9_.\- ]")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`reason` is one of `agent.messages.inbox.REASONS`, '' where it went well; `detail` a code of the other side."""

    ending: Ending
    reason: str = ""
    detail: str = ""
    receipt: str = ""


def failed(reason: str, detail: str = "") -> Outcome:
    """It did not go. Of a server's words only a short code is kept: they may quote the message or its address."""
    short = re.sub(r"\d{7,}", "#", CODE.sub("", detail))[:60]
    return Outcome(ending="failed", reason=reason, detail=short)
