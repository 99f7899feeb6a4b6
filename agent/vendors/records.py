"""The nouns of this room. People's own words in them are masked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

State = Literal["making", "open", "returned", "destroyed", "abandoned"]
EndState = Literal["returned", "destroyed"]
ENDED: Final[tuple[State, ...]] = ("returned", "destroyed", "abandoned")


@dataclass(frozen=True, kw_only=True)
class Contact:
    """Somebody at a vendor."""

    name: str
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """Terms with a vendor. `begins` and `ends` are ISO days; `report_hours` None: it does not say in what time."""

    number: str
    begins: str
    ends: str
    report_hours: int | None
    audit_right: bool
    sub_processors: tuple[str, ...]
    purpose: str
    recorded_at: datetime
    recorded_by: str


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """A vendor with its contracts. `public_key` is 1,216 bytes in base64, or ''."""

    id: str
    name: str
    service: str
    contacts: tuple[Contact, ...]
    public_key: str = field(repr=False)
    added_at: datetime
    added_by: str
    contracts: tuple[Contract, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SharedFile:
    """One file of a package. `name` is masked; `canaries` is how many records were put in, `why` says why none."""

    name: str
    kind: str
    encoding: str
    size: int
    sha256: str
    persons: int
    canaries: int
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Share:
    """One package, as stored. `without_canaries` is the reason given where it holds none."""

    id: str
    vendor: str
    purpose: str
    contract: str
    state: State
    shared_at: datetime
    expires_at: datetime
    shared_by: str
    approved_by: str
    key_id: str
    files: tuple[SharedFile, ...]
    persons: int
    types: tuple[str, ...]
    planted: int
    without_canaries: str
    package_size: int
    package_sha256: str
    receipt_sha256: str = field(repr=False)
    received_at: datetime | None
    segment: str
    ended_at: datetime | None
    ended_by: str
    end_note: str
    end_evidence: str

    def is_overdue(self, now: datetime) -> bool:
        """Expired, and neither returned nor destroyed."""
        return self.state == "open" and now >= self.expires_at


@dataclass(frozen=True, kw_only=True)
class Planting:
    """A canary as a package got it. It is the chain's own; its values are shown masked all the same."""

    id: str
    share: str
    name: str
    phone: str | None
    email: str | None


@dataclass(frozen=True, kw_only=True)
class Window:
    """A vendor's time in this store's systems."""

    id: int
    vendor: str
    who: str
    tool: str
    reason: str
    begun_at: datetime
    until: datetime
    opened_by: str
    approved_by: str
    ended_at: datetime | None
    ended_by: str

    def is_open(self, now: datetime) -> bool:
        """Within its time, and not ended before."""
        return self.ended_at is None and self.begun_at <= now < self.until
