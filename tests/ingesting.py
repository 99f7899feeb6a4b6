"""Reports straight into a database, for tests of what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from central.database.engine import reading
from central.ingest.batch import Incoming, Outcome
from central.ingest.take import Taker, read_incoming
from central.models import Store
from central.wire import COALESCED, Kind, digest

ZONE = ZoneInfo("Asia/Shanghai")


def add_stores(engine: Engine, *names: str) -> None:
    """Stores with these identifiers."""
    with Session(engine) as session:
        session.add_all([Store(id=name, name=name, made_at=datetime.now(UTC)) for name in names])
        session.commit()


@dataclass(kw_only=True)
class Writes:
    """A store that numbers and chains its reports."""

    store: str
    next_number: int = 1
    previous: dict[str, Any] | None = field(default=None)

    def __call__(self, kind: Kind, document: Mapping[str, Any], number: int | None = None) -> Incoming:
        """A report under the next number, or a chosen one."""
        chosen = self.next_number if number is None else number
        body = json.dumps({
            "schema": "cloche.report/1", "kind": kind, "number": chosen, "previous": self.previous,
            "written_at": datetime.now(UTC).isoformat(), "document": document,
        }).encode()  # fmt: skip
        if number is None:
            self.next_number += 1
            if kind not in COALESCED:
                self.previous = {"number": chosen, "digest": digest(body)}
        return read_incoming(self.store, body)


def take(engine: Engine, *reports: Incoming) -> list[Outcome]:
    """Take reports in, in one transaction."""
    with engine.begin() as connection:
        return Taker(ZONE).take_many(connection, reports)


def one_by_one(engine: Engine, reports: Sequence[Incoming]) -> list[Outcome]:
    """A transaction each."""
    return [outcome for report in reports for outcome in take(engine, report)]


def read(engine: Engine) -> Session:
    """A session that only reads."""
    return Session(reading(engine))
