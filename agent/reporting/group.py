"""The chain's key of fingerprints, in this process's memory only."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class GroupKey:
    """Makes fingerprints of persons that are the same on every store. `public`: what they are sealed to."""

    id: str
    key: bytes = field(repr=False)
    public: bytes = field(repr=False)
