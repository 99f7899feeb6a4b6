"""Vendors, contracts, packages, canaries, windows and traces in inventory.db. Each call is one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from agent.vendors.models import (
    CanaryRow,
    ContractRow,
    ReminderRow,
    ShareRow,
    TraceRow,
    VendorRow,
    WindowRow,
)  # fmt: skip
from agent.vendors.records import (
    Contact,
    Contract,
    Planting,
    Share,
    SharedFile,
    State,
    Vendor,
    Window,
)
from config.errors import RefusedError, UsageError
from config.numbering import fresh_letters

if TYPE_CHECKING:
    from agent.wiring import Agent

Row = TypeVar("Row", VendorRow, ShareRow)


class VendorStore:
    """Everything about vendors."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions

    def add(self, vendor: Vendor) -> Vendor:
        """Keep a new vendor under the next number (`V001`).

        Raises:
            UsageError: one of this name is there.
        """
        with self._sessions.begin() as session:
            names = {row.name for row in session.scalars(select(VendorRow))}
            if vendor.name in names:
                raise UsageError(f"a vendor is called {vendor.name} already: see `cloche vendor show {vendor.name}`")
            number = f"V{len(names) + 1:03d}"
            session.add(
                VendorRow(
                    id=number, name=vendor.name, service=vendor.service, contacts=_contacts(vendor.contacts),
                    public_key=vendor.public_key, added_at=vendor.added_at, added_by=vendor.added_by,
                )
            )  # fmt: skip
        return self.get(number)

    def change(
        self, vendor: str, *, contacts: Sequence[Contact] | None, public_key: str | None, service: str | None
    ) -> None:
        """Set what is not None."""
        with self._sessions.begin() as session:
            row = self._one(session, VendorRow, vendor)
            if contacts is not None:
                row.contacts = _contacts(contacts)
            if public_key is not None:
                row.public_key = public_key
            if service is not None:
                row.service = service

    def get(self, wanted: str) -> Vendor:
        """A vendor by number or name; the beginning of a name that fits only one will do.

        Raises:
            UsageError: none, or more than one.
        """
        with self._sessions() as session:
            return _vendor(session, self._one(session, VendorRow, wanted))

    def all(self) -> list[Vendor]:
        """Every vendor, by number."""
        with self._sessions() as session:
            return [_vendor(session, row) for row in session.scalars(select(VendorRow).order_by(VendorRow.id))]

    def put_contract(self, vendor: str, contract: Contract) -> None:
        """Keep a contract; the one of the same number is replaced."""
        with self._sessions.begin() as session:
            row = session.scalars(
                select(ContractRow).where(ContractRow.vendor == vendor, ContractRow.number == contract.number)
            ).first()
            values = {**asdict(contract), "sub_processors": json.dumps(contract.sub_processors, ensure_ascii=False)}
            if row is None:
                session.add(ContractRow(vendor=vendor, **values))
            else:
                for name, value in values.items():
                    setattr(row, name, value)

    def begin_share(self, share: Share, plantings: Iterable[Planting]) -> None:
        """Reserve a package and its canaries before anything is made: a canary is used up even by what was cut off.

        Raises:
            RefusedError: a canary went into another package meanwhile.
        """
        try:
            with self._sessions.begin() as session:
                values = asdict(share)
                values["files"] = json.dumps(values["files"], ensure_ascii=False)
                values["types"] = json.dumps(share.types)
                session.add(ShareRow(**values))
                session.flush()
                session.add_all(CanaryRow(**asdict(planting)) for planting in plantings)
        except IntegrityError as error:
            raise RefusedError("a canary was used by another package meanwhile: try again") from error

    def change_share(self, share_id: str, values: Mapping[str, Any]) -> None:
        """Set fields of a package."""
        with self._sessions.begin() as session:
            row = self._one(session, ShareRow, share_id)
            for name, value in values.items():
                setattr(row, name, value)

    def share(self, wanted: str) -> Share:
        """A package by its id; a beginning that fits only one will do.

        Raises:
            UsageError: none, or more than one.
        """
        with self._sessions() as session:
            return _share(self._one(session, ShareRow, wanted))

    def shares(self, vendor: str = "", states: Sequence[State] = ()) -> list[Share]:
        """Packages, newest first."""
        query = select(ShareRow).order_by(ShareRow.shared_at.desc(), ShareRow.id)
        query = query.where(ShareRow.vendor == vendor) if vendor else query
        query = query.where(ShareRow.state.in_(states)) if states else query
        with self._sessions() as session:
            return [_share(row) for row in session.scalars(query)]

    def plantings(self, share: str = "") -> list[Planting]:
        """Canaries of one package, or of all."""
        query = select(CanaryRow).order_by(CanaryRow.id)
        with self._sessions() as session:
            return [
                Planting(id=row.id, share=row.share, name=row.name, phone=row.phone, email=row.email)
                for row in session.scalars(query.where(CanaryRow.share == share) if share else query)
            ]

    def add_window(self, window: Window) -> Window:
        """Keep a window under a number."""
        values = asdict(window)
        del values["id"]
        with self._sessions.begin() as session:
            row = WindowRow(**values)
            session.add(row)
            session.flush()
            return _window(row)

    def end_window(self, number: int, at: datetime, by: str) -> bool:
        """Put the end of a window on record; False if it has one."""
        with self._sessions.begin() as session:
            row = session.get(WindowRow, number)
            if row is None or row.ended_at is not None:
                return False
            row.ended_at, row.ended_by = at, by
            return True

    def windows(self, vendor: str = "") -> list[Window]:
        """Windows, newest first."""
        query = select(WindowRow).order_by(WindowRow.id.desc())
        with self._sessions() as session:
            return [
                _window(row) for row in session.scalars(query.where(WindowRow.vendor == vendor) if vendor else query)
            ]

    def add_trace(self, row: TraceRow) -> int:
        """Keep a trace; its number."""
        with self._sessions.begin() as session:
            session.add(row)
            session.flush()
            return row.id

    def traces(self) -> list[dict[str, Any]]:
        """Traces, newest first, as documents."""
        with self._sessions() as session:
            return [
                {
                    "id": row.id, "at": row.at.isoformat(), "by": row.by, "name": row.name, "sha256": row.sha256,
                    "incident": row.incident, **json.loads(row.verdict),
                }
                for row in session.scalars(select(TraceRow).order_by(TraceRow.id.desc()))
            ]  # fmt: skip

    def link_trace(self, number: int, incident: str) -> None:
        """Say which report a trace led to."""
        with self._sessions.begin() as session:
            row = session.get(TraceRow, number)
            if row is not None:
                row.incident = incident

    def reminded(self, what: str) -> datetime | None:
        """When this was told last."""
        with self._sessions() as session:
            row = session.get(ReminderRow, what)
            return None if row is None else row.at

    def remind(self, what: str, at: datetime) -> None:
        """It was told now."""
        with self._sessions.begin() as session:
            session.merge(ReminderRow(what=what, at=at))

    @staticmethod
    def _one(session: Session, table: type[Row], wanted: str) -> Row:
        named = VendorRow.name if table is VendorRow else ShareRow.id
        rows = list(session.scalars(select(table).where((table.id == wanted) | (named == wanted))))
        if not rows and wanted:
            rows = list(session.scalars(select(table).where(named.startswith(wanted, autoescape=True))))
        if len(rows) == 1:
            return rows[0]
        what, verb = ("vendor", "list") if table is VendorRow else ("package", "show VENDOR")
        if not rows:
            raise UsageError(f"no {what} is called {wanted!r}: see `cloche vendor {verb}`")
        raise UsageError(f"{wanted!r} fits {len(rows)} of them: give more of it")


def vendors(agent: Agent) -> VendorStore:
    """The vendors of this agent's home."""
    return VendorStore(agent.inventory.sessions)


def new_share_id(now: datetime) -> str:
    """`P20261126-bkrtmz`."""
    return f"P{now:%Y%m%d}-{fresh_letters(6)}"


def _contacts(contacts: Sequence[Contact]) -> str:
    return json.dumps([asdict(contact) for contact in contacts], ensure_ascii=False)


def _vendor(session: Session, row: VendorRow) -> Vendor:
    contracts = session.scalars(select(ContractRow).where(ContractRow.vendor == row.id).order_by(ContractRow.begins))
    return Vendor(
        id=row.id, name=row.name, service=row.service,
        contacts=tuple(Contact(**contact) for contact in json.loads(row.contacts)), public_key=row.public_key,
        added_at=row.added_at, added_by=row.added_by,
        contracts=tuple(
            Contract(
                number=c.number, begins=c.begins, ends=c.ends, report_hours=c.report_hours, audit_right=c.audit_right,
                sub_processors=tuple(json.loads(c.sub_processors)), purpose=c.purpose, recorded_at=c.recorded_at,
                recorded_by=c.recorded_by,
            )
            for c in contracts
        ),
    )  # fmt: skip


def _share(row: ShareRow) -> Share:
    values = {column.name: getattr(row, column.name) for column in ShareRow.__table__.columns}
    values["files"] = tuple(SharedFile(**file) for file in json.loads(row.files))
    values["types"] = tuple(json.loads(row.types))
    values["state"] = cast("State", row.state)
    return Share(**values)


def _window(row: WindowRow) -> Window:
    return Window(**{column.name: getattr(row, column.name) for column in WindowRow.__table__.columns})
