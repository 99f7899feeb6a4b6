"""The register of what this store has sealed: wherever it lies, scanned or not.

The inventory knows what a scan has met; a person may seal any file. Without this list a change of keys would pass
over those. A sealed file that somebody moves stays on it under its old name until it is looked for and missed.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import LargeBinary, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, sessionmaker

from agent.inventory.models import Base


class SealedRow(Base):
    """One name of a sealed file. The path is raw: inventory.db is 0600."""

    __tablename__ = "sealed_file"

    sealed_path: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    path: Mapped[bytes] = mapped_column(LargeBinary)


class SealedRegister:
    """The register in inventory.db. Each call is one transaction."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        """Use these sessions."""
        self._sessions = sessions

    def add(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Enter files by path and sealed path."""
        with self._sessions.begin() as session:
            for path, sealed_path in pairs:
                session.merge(SealedRow(sealed_path=sealed_path, path=path))

    def remove(self, sealed_paths: Iterable[bytes]) -> None:
        """Strike files that are no longer sealed, or gone."""
        with self._sessions.begin() as session:
            for sealed_path in sealed_paths:
                session.execute(delete(SealedRow).where(SealedRow.sealed_path == sealed_path))

    def sealed_paths(self) -> list[bytes]:
        """Every sealed path on it, sorted."""
        with self._sessions() as session:
            return list(session.scalars(select(SealedRow.sealed_path).order_by(SealedRow.sealed_path)))

    def count(self) -> int:
        """How many names of sealed files are on it."""
        with self._sessions() as session:
            return int(session.scalar(select(func.count()).select_from(SealedRow)) or 0)
