"""Reports that are committed together: what the database holds for them, what they change, and how that is written.

What only the newest of counts (`newest`) is compared in the database, so that reading it first is not needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Final, Literal, cast

from sqlalchemy import Connection, Table, func, select, text
from sqlalchemy.orm import Session

from central.database.bulk import Bulk, Row, unique
from central.database.partitions import make_months, month_of
from central.documents import Document, Envelope
from central.ingest.packed import PackedInventory
from central.ingest.urgency import URGENCY_SQL
from central.models import (
    Anchor,
    Base,
    DayFigures,
    Gap,
    Paper,
    Section,
    Snapshot,
    Store,
    StoredAlert,
    StoredDrill,
    StoredEvent,
    StoredIncident,
    StoredReport,
)  # fmt: skip
from central.persons.take import Opened
from central.stores.faults import keep_faults, note_fault
from central.wire import COALESCED

Outcome = Literal["accepted", "known", "conflict", "unknown_store"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """A report whose signature and form are checked. `address`: where it came from."""

    store_id: str
    digest: str
    size: int
    envelope: Envelope
    document: Document | Opened | PackedInventory = field(repr=False)
    address: str = ""


@dataclass(kw_only=True, slots=True)
class Figures:
    """What a store's row says of it, as ingest alone changes it."""

    id: str
    heard_at: datetime | None
    scanned_at: datetime | None
    last_number: int
    version: str
    tier: str
    mode: str
    persons: int
    places: int
    sealed: int
    exposed: int
    unread: int
    listed: int
    score: int | None
    open_alerts: int
    open_incidents: int
    wants_inventory: bool

    def of_day(self) -> Row:
        """The figures that are kept day by day."""
        return (
            self.persons, self.places, self.sealed, self.exposed, self.unread, self.open_alerts, self.open_incidents,
            self.score, self.version, self.tier,
        )  # fmt: skip


STORE_COLUMNS: Final = tuple(entry.name for entry in fields(Figures))
_ROW_OF: Final = attrgetter(*STORE_COLUMNS)
_DAY_COLUMNS: Final = (
    "store_id", "day", "persons", "places", "sealed", "exposed", "unread", "open_alerts", "open_incidents", "score",
    "version", "tier",
)  # fmt: skip
_NEWEST: Final[dict[str, tuple[type[Base], tuple[str, ...]]]] = {
    "snapshots": (Snapshot, ("store_id", "kind", "number", "written_at", "document")),
    "alerts": (StoredAlert, ("store_id", "alert_id", "number", "at", "is_open", "document")),
    "incidents": (
        StoredIncident,
        ("store_id", "incident_id", "number", "case_id", "kind", "phase", "is_open", "discovered_at", "deadline_at",
         "document"),
    ),
    "drills": (StoredDrill, ("store_id", "drill_id", "number", "at", "document")),
    "papers": (
        Paper,
        ("store_id", "incident_id", "name", "number", "media", "sha256", "written_at", "content"),
    ),
}  # fmt: skip
SECTION_COLUMNS: Final = ("store_id", "section", "number", "digests", "places", "document")
_EVENT_COLUMNS: Final = ("store_id", "at", "number", "place", "kind", "severity", "document")
_REPORT_COLUMNS: Final = ("store_id", "number", "kind", "digest", "size", "written_at", "received_at")


def table_of(model: type[Base]) -> Table:
    """A model's table."""
    return cast("Table", model.__table__)


class Batch:
    """One transaction's reports."""

    def __init__(self, connection: Connection, received: datetime, day: date) -> None:
        self.connection = connection
        self.bulk = Bulk(connection)
        self.received = received
        self.day = day
        self.stores: dict[str, Figures] = {}
        self.reports: dict[tuple[str, int], str] = {}
        self.gaps: dict[tuple[str, int], str] = {}
        self.snapshots: dict[tuple[str, str], int] = {}
        self.shelves: dict[str, dict[str, int]] = {}
        self.sections: dict[tuple[str, str], Row] = {}
        self.sections_gone: set[tuple[str, str]] = set()
        self.closings: list[tuple[str, int, frozenset[str]]] = []
        self.anchors: list[tuple[Incoming, int, str]] = []
        self.events: list[Row] = []
        self._before: dict[str, tuple[datetime | None, Row]] = {}
        self._kinds: dict[tuple[str, int], str] = {}
        self._new: list[Row] = []
        self._new_gaps: dict[tuple[str, int], Row] = {}
        self._filled: list[Row] = []
        self._faults: list[tuple[Incoming, str, str]] = []
        self._newest: dict[str, dict[Row, Row]] = {name: {} for name in _NEWEST}

    def load(self, incoming: Sequence[Incoming]) -> None:
        """What the database holds for these reports; on PostgreSQL their stores are locked against other processes.

        The locks are advisory ones, in the order of their numbers: a distributed PostgreSQL refuses `FOR UPDATE` over
        several stores.
        """
        ids = sorted({report.store_id for report in incoming})
        if self.connection.dialect.name == "postgresql":
            keys = sorted(_lock_of(store_id) for store_id in ids)
            self.connection.exec_driver_sql("SELECT pg_advisory_xact_lock(k) FROM unnest(%b::bigint[]) AS k", (keys,))
        store = table_of(Store)
        for row in self.connection.execute(
            select(*(store.c[name] for name in STORE_COLUMNS)).where(store.c.id.in_(ids))
        ):
            figures = Figures(**row._mapping)
            self.stores[figures.id] = figures
            self._before[figures.id] = figures.heard_at, figures.of_day()
        named = [(one.store_id, one.envelope.number) for one in incoming]
        named += [(one.store_id, one.envelope.previous.number) for one in incoming if one.envelope.previous]
        pairs = unique(named)
        wanted = ("store_id", "number", "digest")
        for store_id, number, digest in self.bulk.find(table_of(StoredReport), wanted[:2], wanted, pairs):
            self.reports[store_id, number] = digest
        for store_id, number, digest in self.bulk.find(table_of(Gap), wanted[:2], wanted, pairs):
            self.gaps[store_id, number] = digest
        coalesced = unique((one.store_id, one.envelope.kind) for one in incoming if one.envelope.kind in COALESCED)
        for store_id, kind, number in self.bulk.find(
            table_of(Snapshot), ("store_id", "kind"), ("store_id", "kind", "number"), coalesced
        ):
            self.snapshots[store_id, kind] = number
        told = unique((one.store_id,) for one in incoming if one.envelope.kind == "inventory")
        for store_id, section, number in self.bulk.find(
            table_of(Section), ("store_id",), ("store_id", "section", "number"), told
        ):
            self.shelves.setdefault(store_id, {})[section] = number

    def accept(self, report: Incoming) -> None:
        """The report's number is taken."""
        envelope = report.envelope
        key = report.store_id, envelope.number
        self.reports[key], self._kinds[key] = report.digest, envelope.kind
        self._new.append(
            (*key, envelope.kind, report.digest, report.size, envelope.written_at, self.received)
        )  # fmt: skip
        figures = self.stores[report.store_id]
        figures.heard_at = self.received
        figures.last_number = max(figures.last_number, envelope.number)

    def has_kept_before(self, store_id: str, number: int) -> bool:
        """A kept report of the store's present key with a lower number is there."""
        if any(
            store == store_id and other < number and kind not in COALESCED
            for (store, other), kind in self._kinds.items()
        ):
            return True
        kept = (
            select(StoredReport.number)
            .where(
                StoredReport.store_id == store_id, StoredReport.number < number, StoredReport.kind.not_in(COALESCED),
                text(
                    "reports.received_at >= coalesce((SELECT max(since) FROM store_keys WHERE store_id = :store "
                    "AND until IS NULL), reports.received_at)"
                ).bindparams(store=store_id),
            )
            .limit(1)
        )  # fmt: skip
        return self.connection.execute(kept).first() is not None

    def open_gap(self, store_id: str, number: int, digest: str) -> None:
        """A kept report is named that has not arrived."""
        self.gaps[store_id, number] = digest
        self._new_gaps[store_id, number] = store_id, number, digest, self.received

    def close_gap(self, store_id: str, number: int) -> None:
        """It has."""
        del self.gaps[store_id, number]
        if self._new_gaps.pop((store_id, number), None) is None:
            self._filled.append((store_id, number))

    def fault(self, report: Incoming, kind: str, detail: str) -> None:
        """Count something wrong with it."""
        self._faults.append((report, kind, detail))

    def put(self, table: Literal["snapshots", "alerts", "incidents", "drills", "papers"], row: Row) -> None:
        """A row of which only the newest counts, in the order of its table's columns above."""
        model, columns = _NEWEST[table]
        key = row[: len(table_of(model).primary_key)]
        there = self._newest[table].get(key)
        place = columns.index("number")
        if there is None or row[place] >= there[place]:
            self._newest[table][key] = row

    def put_document(self, table: Literal["snapshots"], key: Row) -> str | None:
        """The document of a row that was put into this batch."""
        row = self._newest[table].get(key)
        return None if row is None else str(row[-1])

    def write(self) -> None:
        """Everything, in as few statements as there are tables."""
        bulk = self.bulk
        bulk.upsert(table_of(StoredReport), _REPORT_COLUMNS, self._new)
        bulk.upsert(
            table_of(Gap), ("store_id", "number", "digest", "noticed_at"), list(self._new_gaps.values()), replace=False
        )
        bulk.delete(table_of(Gap), ("store_id", "number"), self._filled)
        for name, rows in self._newest.items():
            model, columns = _NEWEST[name]
            bulk.upsert(table_of(model), columns, list(rows.values()), newest=True)
        bulk.delete(table_of(Section), ("store_id", "section"), sorted(self.sections_gone))
        bulk.upsert(table_of(Section), SECTION_COLUMNS, list(self.sections.values()))
        self._write_events()
        self._write_anchors()
        self._close_alerts()
        self._count()
        self._write_faults()
        self._write_stores()

    def _write_events(self) -> None:
        if not self.events:
            return
        ahead = self.received.year * 12 + self.received.month
        months = {
            month
            for month in {month_of(row[1]) for row in self.events}
            if -PARTITIONS_BACK <= month[0] * 12 + month[1] - ahead <= PARTITIONS_AHEAD
        }
        make_months(self.connection, sorted(months))
        self.bulk.upsert(table_of(StoredEvent), _EVENT_COLUMNS, self.events, replace=False)

    def _write_anchors(self) -> None:
        if not self.anchors:
            return
        keys = unique((report.store_id, entries) for report, entries, _ in self.anchors)
        wanted = ("store_id", "entries", "head")
        found = {(row[0], row[1]): row[2] for row in self.bulk.find(table_of(Anchor), wanted[:2], wanted, keys)}
        new: list[Row] = []
        for report, entries, head in self.anchors:
            there = found.setdefault((report.store_id, entries), head)
            if there is head:
                new.append((report.store_id, entries, head, self.received))
            elif there != head:
                self.fault(report, "audit", f"the record has another head at entry {entries}")
        self.bulk.upsert(table_of(Anchor), (*wanted, "received_at"), new, replace=False)

    def _close_alerts(self) -> None:
        """Alerts told before a report of health that the store no longer counts as open are closed."""
        told = {key[0] for key in self._newest["alerts"]}
        alert = table_of(StoredAlert)
        for store_id, number, still_open in self.closings:
            if not (self.stores[store_id].open_alerts or store_id in told):
                continue
            there = select(alert.c.alert_id, alert.c.document).where(
                alert.c.store_id == store_id, alert.c.is_open, alert.c.number < number
            )
            for alert_id, document in self.connection.execute(there).all():
                if alert_id not in still_open:
                    self.connection.execute(
                        alert.update()
                        .where(alert.c.store_id == store_id, alert.c.alert_id == alert_id)
                        .values(is_open=False, document={**document, "open": False})
                    )

    def _count(self) -> None:
        """Open alerts and incidents of the stores that told of one."""
        alerts = {key[0] for key in self._newest["alerts"]} | {store_id for store_id, _, _ in self.closings}
        incidents = {key[0] for key in self._newest["incidents"]}
        for model, column, ids in (
            (StoredAlert, "open_alerts", alerts), (StoredIncident, "open_incidents", incidents),
        ):  # fmt: skip
            if not ids:
                continue
            table = table_of(model)
            query = select(table.c.store_id, func.count()).where(table.c.store_id.in_(sorted(ids)), table.c.is_open)
            counts: dict[str, Any] = {
                row[0]: row[1] for row in self.connection.execute(query.group_by(table.c.store_id))
            }
            for store_id in ids:
                setattr(self.stores[store_id], column, counts.get(store_id, 0))

    def _write_faults(self) -> None:
        gapped = {key[0] for key in self._new_gaps} | {row[0] for row in self._filled}
        ids = gapped | {report.store_id for report, _, _ in self._faults}
        if not ids:
            return
        with Session(bind=self.connection) as session:
            for report, kind, detail in self._faults:
                note_fault(session, report.store_id, kind, detail, address=report.address)
                session.flush()
            for store_id in sorted(ids):
                keep_faults(session, session.get_one(Store, store_id))
            session.commit()  # of the session alone: the transaction is the caller's

    def _write_stores(self) -> None:
        touched = sorted({row[0] for row in self._new})
        if not touched:
            return
        given = {
            "incidents": "{given.open_incidents}", "alerts": "{given.open_alerts}", "faults": "faults",
            "exposed": "{given.exposed}", "unread": "{given.unread}", "scanned_at": "{given.scanned_at}",
        }  # fmt: skip
        expression = f"urgency = {URGENCY_SQL.format(**given)}"
        rows = [_ROW_OF(self.stores[store_id]) for store_id in touched]
        self.bulk.update(table_of(Store), "id", STORE_COLUMNS[1:], rows, (expression,))
        days: list[Row] = []
        for store_id in touched:
            heard, before = self._before[store_id]
            figures = self.stores[store_id].of_day()
            if figures != before or heard is None or self._day_of(heard) != self.day:
                days.append((store_id, self.day, *figures))
        self.bulk.upsert(table_of(DayFigures), _DAY_COLUMNS, days)

    def _day_of(self, moment: datetime) -> date:
        return moment.astimezone(self.received.tzinfo).date()


PARTITIONS_BACK: Final = 24
PARTITIONS_AHEAD: Final = 3
"""Months around the present for whose events a partition is made: a store with a wrong clock makes none."""


def _lock_of(store_id: str) -> int:
    """The number of a store's advisory lock."""
    return int.from_bytes(hashlib.blake2b(store_id.encode(), digest_size=8).digest(), signed=True)
