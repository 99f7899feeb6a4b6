"""The nouns of a purge."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

State = Literal["asked", "waiting", "carrying", "done", "cancelled"]
Hold = Literal["original", "database", "evidence", "police"]
WAIT: Final = timedelta(hours=24)
"""From the last approval to the act: time for anybody on the spot to say no."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One entry of the vault that is to go. `name` is masked; `sealed_sha256` is of its sealed copy."""

    id: str
    incident: str
    name: str
    size: int
    sealed_sha256: str
    added_at: str
    hold: str = ""


@dataclass(frozen=True, kw_only=True)
class Purge:
    """A request and what became of it. `outcome` is what was destroyed and what was not, once it is carried out.

    `originals` says that it holds what only the lawyer may let go; `statement` is what was put to the lawyer.
    """

    id: str
    state: State
    digest: str
    originals: bool
    reason: str
    statement: str
    items: tuple[Item, ...]
    by: str
    asked_at: datetime
    approved_at: datetime | None = None
    due_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str = ""
    outcome: dict[str, Any] = field(default_factory=dict)

    @property
    def incidents(self) -> tuple[str, ...]:
        """Whose files these are, each once."""
        return tuple(dict.fromkeys(item.incident for item in self.items))

    @property
    def subject(self) -> str:
        """Under which two people approve it; it ends in the incident whose timeline shows that."""
        return f"purge.{self.id}:{self.incidents[0]}"

    @property
    def originals_subject(self) -> str:
        """Under which the lawyer does."""
        return f"originals.{self.id}:{self.incidents[0]}"

    @property
    def is_open(self) -> bool:
        """Something is still to come."""
        return self.state in ("asked", "waiting", "carrying")


def digest_of(items: tuple[Item, ...], *, originals: bool, reason: str, statement: str) -> str:
    """SHA-256 (hex) of exactly what is approved: which copies, by their own digests, and the words given for it."""
    body = {
        "items": sorted([item.id, item.sealed_sha256] for item in items), "originals": originals, "reason": reason,
        "statement": statement,
    }  # fmt: skip
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
