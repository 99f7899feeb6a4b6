"""Ids that people read aloud and that no mask takes for somebody's number."""

from __future__ import annotations

import secrets
from typing import Final

CONSONANTS: Final = "bcdfghjkmnpqrstvwxz"


def fresh_letters(count: int = 4) -> str:
    """Random letters that spell nothing. With digits, `mask_text` takes one id in four for a phone or a passport."""
    return "".join(secrets.choice(CONSONANTS) for _ in range(count))
