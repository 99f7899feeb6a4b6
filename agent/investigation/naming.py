"""Short names and figures that the parts of an investigation share."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

from config.text import Text


def account_words(text: Text, user: str, where: str) -> str:
    """Who it was as far as the kernel knows, or that the watch does not see who."""
    if not user and not where:
        return text("investigation.unnamed")
    return text("investigation.account_value", user=user or text("investigation.unnamed_short"), where=where)


def actor_id(key: tuple[str, int, str, str, str]) -> str:
    """A short name for an account at a terminal, the same at every look."""
    return f"a-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:6]}"


def moment_of(seconds: float) -> datetime:
    """Unix seconds as an aware time."""
    return datetime.fromtimestamp(seconds, UTC)


def size_of(count: int) -> str:
    """`1.2 MB`, decimal."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return ""
