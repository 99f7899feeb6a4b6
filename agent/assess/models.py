"""Tables of assessment in inventory.db: assessments, people's attestations, collection points, what is out of sight.

People's own words are masked before they get here; paths of collection points are raw (the file is 0600).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from agent.inventory.models import Base


class AssessmentRow(Base):
    """One assessment. `document` is canonical JSON, and `sha256` its digest, which stands in the record as well."""

    __tablename__ = "assessments"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    score: Mapped[float | None]
    document: Mapped[str]
    sha256: Mapped[str]


class AttestationRow(Base):
    """A person's word about something that a machine cannot see. `at` is when it was done."""

    __tablename__ = "attestations"

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    by: Mapped[str]
    ok: Mapped[bool]
    note: Mapped[str]


class CollectionRow(Base):
    """A point at which customers hand over information. `entities` is JSON; `outside` where no scan can look."""

    __tablename__ = "collection_points"

    name: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str]
    purpose: Mapped[str]
    basis: Mapped[str]
    retention_days: Mapped[int | None]
    entities: Mapped[str]
    outside: Mapped[str]
    changed_at: Mapped[datetime]


class CollectionPathRow(Base):
    """Where what a point collects is stored: a file, a folder, or the beginning of a database's URL."""

    __tablename__ = "collection_paths"

    id: Mapped[int] = mapped_column(primary_key=True)
    point: Mapped[str] = mapped_column(index=True)
    path: Mapped[bytes] = mapped_column(LargeBinary)


class BlindSpotRow(Base):
    """Something that holds customer information and that Cloche cannot see (看不到的地方), with its owner."""

    __tablename__ = "blind_spots"

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    place: Mapped[str]
    owner: Mapped[str]
    every_days: Mapped[int]
    added_at: Mapped[datetime]
    attested_at: Mapped[datetime | None]
    attested_by: Mapped[str]
    note: Mapped[str]
