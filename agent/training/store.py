"""Training in inventory.db: staff, sessions, acknowledgements, own courses. Each call is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Database

from agent.training.catalogue import as_document, from_document, merged
from agent.training.models import AcknowledgementRow, LookRow, OwnCourseRow, ReminderRow, SessionRow, StaffRow
from agent.training.records import Acknowledgement, Course, Due, How, Policy, Result, Session, Staff
from config.errors import UsageError

if TYPE_CHECKING:
    from agent.wiring import Agent


class Register:
    """The register of this home."""

    def __init__(self, agent: Agent) -> None:
        self._inventory = agent.inventory
        self._mask = agent.mask

    # staff

    def staff(self, *, left: bool = False, store: str = "", role: str = "") -> list[Staff]:
        """Staff by number; with `left` also who left."""
        wanted = select(StaffRow).order_by(StaffRow.store, StaffRow.number)
        if not left:
            wanted = wanted.where(StaffRow.left.is_(None))
        if store:
            wanted = wanted.where(StaffRow.store == store)
        if role:
            wanted = wanted.where(StaffRow.role == role)
        with self._inventory.reading() as database:
            return [_staff(row) for row in database.scalars(wanted)]

    def named(self, number: str) -> Staff:
        """One by the number.

        Raises:
            UsageError: nobody has it.
        """
        with self._inventory.reading() as database:
            row = database.get(StaffRow, number)
        if row is None:
            raise UsageError(f"{self._mask(number)}: nobody on the list of staff has this number")
        return _staff(row)

    def save(self, people: Iterable[Staff]) -> tuple[int, int, int]:
        """Add or change all of them, or on an error none; how many were added, changed, and already so."""
        added = changed = same = 0
        with self._inventory.sessions.begin() as database:
            for person in people:
                row = database.get(StaffRow, person.number)
                if row is None:
                    database.add(StaffRow(**asdict(person)))
                    added += 1
                    continue
                facts = {name: value for name, value in asdict(person).items() if name != "added"}
                news = {name: value for name, value in facts.items() if getattr(row, name) != value}
                for name, value in news.items():
                    setattr(row, name, value)
                changed += bool(news)
                same += not news
        return added, changed, same

    def leave(self, numbers: Sequence[str], on: date) -> int:
        """Note who left; how many had not before.

        Raises:
            UsageError: nobody has one of the numbers; then nobody is noted.
        """
        with self._inventory.sessions.begin() as database:
            rows = self._rows(database, numbers)
            fresh = [row for row in rows if row.left is None]
            for row in fresh:
                row.left = on
        return len(fresh)

    def _rows(self, database: Database, numbers: Sequence[str]) -> list[StaffRow]:
        rows = {number: database.get(StaffRow, number) for number in dict.fromkeys(numbers)}
        missing = [self._mask(number) for number, row in rows.items() if row is None]
        if missing:
            raise UsageError(f"nobody on the list of staff has the number {', '.join(missing)}")
        return [row for row in rows.values() if row is not None]

    # what is taught and signed

    def catalogue(self) -> tuple[dict[str, Course], dict[str, Policy]]:
        """Courses and policies by id."""
        with self._inventory.reading() as database:
            rows = list(database.scalars(select(OwnCourseRow)))
        own = [from_document(row.kind, row.document) for row in rows]
        courses = [entry for entry in own if isinstance(entry, Course)]
        return merged((courses, [entry for entry in own if isinstance(entry, Policy)]))

    def add_own(self, entries: Iterable[Course | Policy], at: datetime) -> None:
        """Keep the chain's own courses and policies; one of the same id is replaced.

        Raises:
            UsageError: a policy's text changed and its version did not: what was signed would be another text.
        """
        _courses, policies = self.catalogue()
        with self._inventory.sessions.begin() as database:
            for entry in entries:
                kind = "course" if isinstance(entry, Course) else "policy"
                if isinstance(entry, Policy):
                    before = policies.get(entry.id)
                    if before and before.version == entry.version and before.digest != entry.digest:
                        raise UsageError(
                            f"policies.{entry.id}: its text is another one, so it needs a version other than "
                            f"{entry.version}"
                        )
                database.merge(OwnCourseRow(kind=kind, id=entry.id, document=as_document(entry), added_at=at))

    # sessions and acknowledgements

    def record(self, sessions: Iterable[Session]) -> tuple[int, int]:
        """Put sessions on record, all or none; how many are new or corrected, and how many were so already.

        Raises:
            UsageError: nobody has one of the numbers.
        """
        fresh = same = 0
        with self._inventory.sessions.begin() as database:
            taken = list(sessions)
            self._rows(database, [session.number for session in taken])
            for session in taken:
                values = {**asdict(session), "day": session.on}
                values.pop("on")
                row = database.scalars(
                    select(SessionRow).where(
                        SessionRow.number == session.number, SessionRow.course == session.course,
                        SessionRow.day == session.on,
                    )
                ).one_or_none()  # fmt: skip
                facts = ("trainer", "result", "score")
                if row is not None and all(getattr(row, name) == values[name] for name in facts):
                    same += 1
                    continue
                fresh += 1
                if row is None:
                    database.add(SessionRow(**values))
                else:
                    for name in (*facts, "by"):
                        setattr(row, name, values[name])
                database.flush()
        return fresh, same

    def acknowledge(self, given: Iterable[Acknowledgement]) -> tuple[int, int]:
        """Put acknowledgements on record, all or none; how many are new, and how many were there already.

        Raises:
            UsageError: nobody has one of the numbers.
        """
        fresh = same = 0
        with self._inventory.sessions.begin() as database:
            taken = list(given)
            self._rows(database, [entry.number for entry in taken])
            for entry in taken:
                known = database.scalar(
                    select(func.count()).select_from(AcknowledgementRow).where(
                        AcknowledgementRow.number == entry.number, AcknowledgementRow.policy == entry.policy,
                        AcknowledgementRow.version == entry.version, AcknowledgementRow.digest == entry.digest,
                    )
                )  # fmt: skip
                if known:
                    same += 1
                    continue
                values = {**asdict(entry), "day": entry.on}
                values.pop("on")
                database.add(AcknowledgementRow(**values))
                database.flush()
                fresh += 1
        return fresh, same

    def sessions(self, number: str = "") -> list[Session]:
        """Sessions by day; of one person, or of all."""
        wanted = select(SessionRow).order_by(SessionRow.day, SessionRow.id)
        if number:
            wanted = wanted.where(SessionRow.number == number)
        with self._inventory.reading() as database:
            return [
                Session(
                    number=row.number, course=row.course, on=row.day, trainer=row.trainer,
                    result=cast("Result", row.result), score=row.score, by=row.by,
                )
                for row in database.scalars(wanted)
            ]  # fmt: skip

    def acknowledgements(self) -> list[Acknowledgement]:
        """All of them, by day."""
        wanted = select(AcknowledgementRow).order_by(AcknowledgementRow.day, AcknowledgementRow.id)
        with self._inventory.reading() as database:
            return [
                Acknowledgement(
                    number=row.number, policy=row.policy, version=row.version, digest=row.digest, on=row.day,
                    how=cast("How", row.how), by=row.by,
                )
                for row in database.scalars(wanted)
            ]  # fmt: skip

    # reminders

    def reminded(self) -> set[tuple[str, str, str, date, str]]:
        """What was reminded of: number, kind, course or policy, due day, stage."""
        with self._inventory.reading() as database:
            return {
                (row.number, row.kind, row.what, row.due, row.stage) for row in database.scalars(select(ReminderRow))
            }

    def remember(self, stage: str, dues: Iterable[Due], at: datetime) -> None:
        """Note that a stage was told."""
        with self._inventory.sessions.begin() as database:
            for entry in dues:
                database.add(
                    ReminderRow(
                        number=entry.staff.number,
                        kind=entry.kind,
                        what=entry.id,
                        due=entry.due,
                        stage=stage,
                        sent_at=at,
                    )
                )

    def look_due(self, today: date) -> bool:
        """Whether anybody is on the list and nobody has looked today."""
        with self._inventory.reading() as database:
            looked = database.get(LookRow, 1)
            if looked is not None and looked.day >= today:
                return False
            return database.scalar(select(StaffRow.number).limit(1)) is not None

    def looked(self, today: date, at: datetime) -> None:
        """Note that what is due was looked at today."""
        with self._inventory.sessions.begin() as database:
            database.merge(LookRow(id=1, day=today, at=at))


def _staff(row: StaffRow) -> Staff:
    return Staff(
        number=row.number, name=row.name, role=row.role, title=row.title, store=row.store, phone=row.phone,
        since=row.since, left=row.left, added=row.added,
    )  # fmt: skip
