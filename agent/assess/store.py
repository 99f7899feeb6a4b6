"""Assessments, attestations, collection points and blind spots in inventory.db."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker

from agent.assess.models import AssessmentRow, AttestationRow, BlindSpotRow, CollectionPathRow, CollectionRow
from agent.assess.records import Assessment
from agent.audit.standalone import canonical
from config.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Attestation:
    """A person's word. `ok` False: it was looked at and is not so. `at` is when it was done."""

    subject: str
    at: datetime
    recorded_at: datetime
    by: str
    ok: bool
    note: str


@dataclass(frozen=True, kw_only=True)
class CollectionPoint:
    """Where customers hand over information, what for, on what ground, for how long, and where it is kept."""

    name: str
    channel: str
    purpose: str
    basis: str
    retention_days: int | None
    entities: tuple[str, ...]
    outside: str
    paths: tuple[bytes, ...] = field(repr=False)
    changed_at: datetime

    @property
    def lacks(self) -> tuple[str, ...]:
        """What is not filled in: names of fields."""
        wanted = {
            "purpose": self.purpose, "basis": self.basis, "retention": self.retention_days,
            "place": self.paths or self.outside,
        }  # fmt: skip
        return tuple(name for name, value in wanted.items() if not value)

    def holds(self, path: bytes) -> bool:
        """Whether a file (or a table of a database) is where this point stores."""
        return any(path == own or path.startswith((own.rstrip(b"/") + b"/", own + b"#")) for own in self.paths)


@dataclass(frozen=True, kw_only=True)
class BlindSpot:
    """A place out of sight, with its owner, who looks at it every `every_days` and says so."""

    name: str
    kind: str
    place: str
    owner: str
    every_days: int
    added_at: datetime
    attested_at: datetime | None
    attested_by: str
    note: str

    def overdue(self, now: datetime) -> bool:
        """Nobody has looked for longer than agreed."""
        return self.attested_at is None or now > self.attested_at + timedelta(days=self.every_days)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An assessment as kept. `document` is canonical JSON."""

    id: int
    at: datetime
    actor: str
    score: float | None
    document: dict[str, Any]
    sha256: str


class AssessmentStore:
    """All of this room's tables. Each call is one transaction."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        """Use these sessions."""
        self._sessions = sessions

    # Assessments

    def keep(self, assessment: Assessment) -> Kept:
        """Keep an assessment; it comes back with its number and digest."""
        text = canonical(assessment.document())
        row = AssessmentRow(
            at=assessment.at, actor=assessment.actor, score=assessment.score, document=text.decode("ascii"),
            sha256=sha256(text).hexdigest(),
        )  # fmt: skip
        with self._sessions.begin() as session:
            session.add(row)
            session.flush()
            return _kept(row)

    def assessments(self, *, limit: int | None = None) -> list[Kept]:
        """What was kept, newest first."""
        query = select(AssessmentRow).order_by(AssessmentRow.id.desc())
        with self._sessions() as session:
            return [_kept(row) for row in session.scalars(query.limit(limit) if limit else query)]

    # Attestations

    def attest(self, attestation: Attestation) -> None:
        """Keep a person's word; earlier ones stay."""
        with self._sessions.begin() as session:
            session.add(AttestationRow(**vars(attestation)))

    def attestations(self, subject: str | None = None) -> list[Attestation]:
        """Of one subject, or all: what was done last comes first."""
        query = select(AttestationRow).order_by(AttestationRow.at.desc(), AttestationRow.id.desc())
        if subject is not None:
            query = query.where(AttestationRow.subject == subject)
        names = Attestation.__dataclass_fields__
        with self._sessions() as session:
            return [
                Attestation(**{name: getattr(row, name) for name in names}) for row in session.scalars(query)
            ]  # fmt: skip

    # Collection points

    def put_point(self, point: CollectionPoint) -> None:
        """Enter a point, or change the one of that name."""
        with self._sessions.begin() as session:
            session.execute(delete(CollectionPathRow).where(CollectionPathRow.point == point.name))
            session.merge(
                CollectionRow(
                    name=point.name, channel=point.channel, purpose=point.purpose, basis=point.basis,
                    retention_days=point.retention_days, entities=json.dumps(point.entities), outside=point.outside,
                    changed_at=point.changed_at,
                )
            )  # fmt: skip
            session.add_all(CollectionPathRow(point=point.name, path=path) for path in point.paths)

    def points(self) -> list[CollectionPoint]:
        """All points by name."""
        with self._sessions() as session:
            paths: dict[str, list[bytes]] = {}
            for row in session.scalars(select(CollectionPathRow).order_by(CollectionPathRow.id)):
                paths.setdefault(row.point, []).append(row.path)
            return [
                CollectionPoint(
                    name=row.name, channel=row.channel, purpose=row.purpose, basis=row.basis,
                    retention_days=row.retention_days, entities=tuple(json.loads(row.entities)), outside=row.outside,
                    paths=tuple(paths.get(row.name, ())), changed_at=row.changed_at,
                )
                for row in session.scalars(select(CollectionRow).order_by(CollectionRow.name))
            ]  # fmt: skip

    def remove_point(self, name: str) -> None:
        """Strike a point.

        Raises:
            UsageError: there is none of that name.
        """
        with self._sessions.begin() as session:
            row = session.get(CollectionRow, name)
            if row is None:
                raise UsageError(f"no collection point is called {name!r}")
            session.delete(row)
            session.execute(delete(CollectionPathRow).where(CollectionPathRow.point == name))

    # Blind spots

    def put_spot(self, spot: BlindSpot) -> None:
        """Enter a place out of sight, or change the one of that name."""
        with self._sessions.begin() as session:
            session.merge(BlindSpotRow(**vars(spot)))

    def spots(self) -> list[BlindSpot]:
        """All of them, by name."""
        names = BlindSpot.__dataclass_fields__
        with self._sessions() as session:
            rows: Sequence[BlindSpotRow] = session.scalars(select(BlindSpotRow).order_by(BlindSpotRow.name)).all()
            return [BlindSpot(**{name: getattr(row, name) for name in names}) for row in rows]

    def spot(self, name: str) -> BlindSpot:
        """One by name.

        Raises:
            UsageError: there is none.
        """
        found: Iterable[BlindSpot] = (spot for spot in self.spots() if spot.name == name)
        spot = next(iter(found), None)
        if spot is None:
            raise UsageError(f"no place out of sight is called {name!r}: see `cloche assess blind list`")
        return spot

    def remove_spot(self, name: str) -> None:
        """Strike a place: it no longer exists.

        Raises:
            UsageError: there is none of that name.
        """
        self.spot(name)
        with self._sessions.begin() as session:
            session.execute(delete(BlindSpotRow).where(BlindSpotRow.name == name))


def _kept(row: AssessmentRow) -> Kept:
    return Kept(
        id=row.id, at=row.at, actor=row.actor, score=row.score, document=json.loads(row.document), sha256=row.sha256
    )
