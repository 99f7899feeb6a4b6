"""Who was told, for good: keyed fingerprints of contacts, so that nobody is told twice, whatever restarts or crashes.

HMAC-SHA256 under a key of its own in a credential file (`keys/told.key`, 0600), 16 bytes of it. Conceded
(security.md): who has that file and the database can try every mobile number. States: `handing` before a batch is
given away, `handed` after; then `sent`, `failed` (surely not taken), `lost` (surely never begun), `uncertain` (may have
been taken). Only `failed` and `lost` are tried again without a person's word.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import func, select

from agent.notice.models import ToldRow
from config.errors import ClocheError
from containment.atomic import create_file

if TYPE_CHECKING:
    from agent.wiring import Agent

KEY_BYTES: Final = 32
PRINT_BYTES: Final = 16
ToldState = Literal["handing", "handed", "sent", "failed", "lost", "uncertain", "beside", "free", "passed"]
REACHED: Final[tuple[ToldState, ...]] = ("handing", "handed", "sent", "uncertain", "beside")
"""What counts as told. `beside`: another contact of the same person was used; `free`: and that one reached nobody.
`passed`: this one reached nobody, and another one was tried then."""
AGAIN: Final[tuple[ToldState, ...]] = ("failed", "lost")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is known of one contact."""

    campaign: str
    incident: str
    person: int
    channel: str
    state: ToldState
    reason: str
    tries: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Handing:
    """One person who is about to be told: the print of the contact used, and those of the others."""

    person: int
    channel: str
    used: bytes = field(repr=False)
    others: tuple[bytes, ...] = field(default=(), repr=False)


class ToldMemory:
    """Every contact that was ever told. Each call is one transaction; only the holder of `home/lock` has one."""

    def __init__(self, agent: Agent) -> None:
        """Read the key, or make it.

        Raises:
            ClocheError: the key's file is none.
        """
        self._sessions = agent.inventory.sessions
        self._now = agent.now
        path = agent.home.keys / "told.key"
        if not path.exists():
            agent.home.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                create_file(path, secrets.token_bytes(KEY_BYTES), 0o600)
        self._key = path.read_bytes()
        if len(self._key) != KEY_BYTES:
            raise ClocheError(f"{path}: not a key ({len(self._key)} bytes where {KEY_BYTES} belong)")

    def print_of(self, kind: str, normal: str) -> bytes:
        """The fingerprint of a contact in its normal form."""
        return hmac.digest(self._key, f"{kind}\0{normal}".encode("utf-8", "surrogatepass"), hashlib.sha256)[
            :PRINT_BYTES
        ]

    def known(self, prints: Sequence[bytes]) -> dict[bytes, Told]:
        """What is known of these."""
        found = {}
        with self._sessions() as session:
            for low in range(0, len(prints), 500):
                for row in session.scalars(select(ToldRow).where(ToldRow.print.in_(prints[low : low + 500]))):
                    found[row.print] = _told(row)
        return found

    def hand(self, campaign: str, incident: str, people: Iterable[Handing]) -> None:
        """Write down, before anything leaves, that these are being told.

        Raises:
            ClocheError: it cannot be written; nothing may leave.
        """
        now = self._now()
        with self._sessions.begin() as session:
            for person in people:
                for print_ in dict.fromkeys((person.used, *person.others)):
                    row = session.get(ToldRow, print_)
                    if row is None:
                        row = ToldRow(print=print_, tries=0)
                        session.add(row)
                    elif row.campaign != campaign:
                        row.tries = 0
                    used = print_ == person.used
                    if not used and row.campaign == campaign and row.state in ("failed", "passed"):
                        row.state = "passed"
                        continue
                    row.campaign, row.incident, row.person, row.at = campaign, incident, person.person, now
                    row.channel, row.reason, row.batch = person.channel, "", ""
                    row.state = "handing" if used else "beside"
                    row.tries = (row.tries or 0) + used

    def move(self, campaign: str, people: Mapping[int, tuple[ToldState, str]], *, of: Sequence[ToldState]) -> int:
        """Say what became of persons of a campaign whose used contact is in one of the states `of`; how many moved."""
        moved = 0
        numbers = list(people)
        now = self._now()
        with self._sessions.begin() as session:
            for low in range(0, len(numbers), 500):
                query = select(ToldRow).where(
                    ToldRow.campaign == campaign, ToldRow.state.in_(of), ToldRow.person.in_(numbers[low : low + 500])
                )
                freed = []
                for row in session.scalars(query):
                    row.state, row.reason = people[row.person]
                    row.at = now
                    moved += 1
                    if row.state in AGAIN:
                        freed.append(row.person)
                beside = select(ToldRow).where(
                    ToldRow.campaign == campaign, ToldRow.state == "beside", ToldRow.person.in_(freed)
                )
                for row in session.scalars(beside):
                    row.state = "free"
        return moved

    def leftovers(self, campaign: str | None = None) -> int:
        """Whoever was being handed over when the program was cut off may have been told: uncertain."""
        with self._sessions.begin() as session:
            query = select(ToldRow).where(ToldRow.state == "handing")
            rows = list(session.scalars(query if campaign is None else query.where(ToldRow.campaign == campaign)))
            for row in rows:
                row.state, row.reason = "uncertain", "cut_off"
        return len(rows)

    def give_up(self, campaign: str, before: datetime) -> int:
        """Whoever was handed over before then, and never heard of again: uncertain; how many."""
        with self._sessions.begin() as session:
            query = select(ToldRow).where(ToldRow.campaign == campaign, ToldRow.state == "handed", ToldRow.at < before)
            rows = list(session.scalars(query))
            for row in rows:
                row.state, row.reason = "uncertain", "no_receipt"
        return len(rows)

    def people(self, campaign: str, states: Sequence[ToldState]) -> dict[int, Told]:
        """Persons of a campaign whose used contact is in one of these states."""
        with self._sessions() as session:
            query = select(ToldRow).where(ToldRow.campaign == campaign, ToldRow.state.in_(states))
            return {row.person: _told(row) for row in session.scalars(query)}

    def counts(self, campaign: str) -> dict[str, dict[str, int]]:
        """How many persons by channel and state."""
        found: dict[str, dict[str, int]] = {}
        with self._sessions() as session:
            query = (
                select(ToldRow.channel, ToldRow.state, func.count())
                .where(ToldRow.campaign == campaign, ToldRow.state.not_in(("beside", "free", "passed")))
                .group_by(ToldRow.channel, ToldRow.state)
            )
            for channel, state, number in session.execute(query):
                found.setdefault(channel, {})[state] = number
        return found

    def outstanding(self, campaign: str) -> int:
        """Handed over and not heard of."""
        with self._sessions() as session:
            query = select(func.count()).where(ToldRow.campaign == campaign, ToldRow.state == "handed")
            return session.scalar(query) or 0


def is_told(told: Told, incidents: frozenset[str], now: datetime, again_after_days: int) -> bool:
    """Whether this contact is not to be told (again) about an incident, given with those that are one with it."""
    if told.state not in REACHED:
        return False
    return told.incident in incidents or now - told.at < timedelta(days=again_after_days)


def _told(row: ToldRow) -> Told:
    return Told(
        campaign=row.campaign, incident=row.incident, person=row.person, channel=row.channel,
        state=row.state, reason=row.reason, tries=row.tries, at=row.at,  # type: ignore[arg-type]
    )  # fmt: skip
