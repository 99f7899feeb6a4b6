"""The inventory: what customer information lies where, in which state, and the alerts about it.

Only the holder of `home/lock` writes. Records go out frozen; no row leaves its session. A scan is recorded through
`agent.inventory.recording`, as it goes, in small transactions, so that an alert never waits for a scan.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from agent.inventory.engine import READING, open_engine
from agent.inventory.live import is_live
from agent.inventory.models import AlertRow, FindingRow, ItemRow, RunRow
from agent.inventory.people import People, by_file
from agent.inventory.recording import Recording
from agent.inventory.records import Alert, Run, State, StoredItem
from agent.inventory.rows import to_alert, to_item, to_run
from agent.inventory.states import HERE, change
from agent.watch.api import Watched
from scanners.records import FileIdentity, Item

BATCH = 500


class Inventory:
    """inventory.db, opened. Safe to use from several threads; a second process must only read.

    Args:
        path: the database; made with its folder where it does not exist.

    Raises:
        CorruptError: it is damaged, no database, or written by a newer Cloche; the message names it.
        ClocheError: it cannot be opened or made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = open_engine(path)
        self.sessions: sessionmaker[Session] = sessionmaker(self.engine, expire_on_commit=False)
        self._readings: sessionmaker[Session] = sessionmaker(
            self.engine.execution_options(**{READING: True}), expire_on_commit=False
        )

    def __enter__(self) -> Self:
        """Use it as a context to have it closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one state of the database and keeps nobody from writing."""
        with self._readings() as session:
            yield session

    # Runs

    def begin_run(self, roots: Sequence[bytes], *, at: datetime, recipe: str) -> Recording:
        """Start to record a scan; see `Recording`."""
        return Recording(self.sessions, roots=tuple(roots), at=at, recipe=recipe)

    def record_run(self, items: Iterable[Item], *, roots: Sequence[bytes], at: datetime, recipe: str = "") -> Run:
        """Record a whole scan whose items are at hand. `at` is taken as its start and its end."""
        recording = self.begin_run(roots, at=at, recipe=recipe)
        people = People()
        for group in by_file(items):
            people.add(group)
            for item in group.items:
                recording.add(group.with_persons(item))
        return recording.finish(at=at, persons=people.count)

    def last_run(self, *, ended: bool = True, covering: Sequence[bytes] = ()) -> Run | None:
        """The newest scan; with `ended` the newest that went through to its end, over all roots in `covering`."""
        query = select(RunRow).order_by(RunRow.id.desc())
        if ended:
            query = query.where(RunRow.ended_at.is_not(None))
        with self.reading() as session:
            runs = (to_run(row) for row in session.scalars(query.execution_options(yield_per=20)))
            return next((run for run in runs if run.covers(covering)), None)

    # Items

    def items(
        self,
        *,
        states: Sequence[State] | None = None,
        kinds: Sequence[str] | None = None,
        min_level: int = 1,
        entity: str | None = None,
        under: bytes | None = None,
    ) -> Iterator[StoredItem]:
        """Items by what they are, worst first (score, level, persons). `under`: a folder or file and what is in it."""
        query = select(ItemRow).where(ItemRow.level >= min_level)
        if states is not None:
            query = query.where(ItemRow.state.in_(states))
        if kinds is not None:
            query = query.where(ItemRow.kind.in_(kinds))
        if entity is not None:
            query = query.where(ItemRow.id.in_(select(FindingRow.item).where(FindingRow.entity == entity)))
        if under is not None:
            folder = under.rstrip(b"/") + b"/"
            query = query.where(
                or_(
                    ItemRow.path == under,
                    ItemRow.container == under,
                    func.substr(ItemRow.path, 1, len(folder)) == folder,
                )
            )
        worst = (ItemRow.score.desc(), ItemRow.level.desc(), ItemRow.persons.desc(), ItemRow.path)
        return self._records(query.order_by(*worst))

    def item_at(self, path: bytes) -> StoredItem | None:
        """The item at a path: what lies there now first, else what was sealed, vaulted or seen there before."""
        query = select(ItemRow).where(or_(ItemRow.path == path, ItemRow.sealed_path == path))
        order = {"plain": 0, "fenced": 1, "sealed": 2, "vault": 3, "gone": 4}

        def rank(item: StoredItem) -> tuple[bool, int, bool, int, int]:
            # what a sealed file holds tells more than the sealed file as a scan met it
            return item.kind == "sealed", order[item.state], item.container is not None, -item.last_run, -item.id

        found = sorted(self._records(query), key=rank)
        return found[0] if found else None

    def items_of(self, key: str) -> tuple[StoredItem, ...]:
        """All items of one file: each of its names (hard links), its members and tables."""
        return tuple(self._records(select(ItemRow).where(ItemRow.key == key).order_by(ItemRow.path)))

    def known(self, path: bytes, identity: FileIdentity, recipe: str = "") -> StoredItem | None:
        """The file at `path` as it was read before, if it has not changed since and was read in full by that recipe.

        A program that writes and then sets the times back is not noticed; `--full` reads everything.
        """
        query = select(ItemRow).where(
            ItemRow.path == path,
            ItemRow.key == identity.key,
            ItemRow.container.is_(None),
            ItemRow.state == "plain",
            ItemRow.mtime_ns == identity.mtime_ns,
            ItemRow.size == identity.size,
            ItemRow.status == "read",
            ItemRow.recipe == recipe,
        )
        return next(self._records(query.limit(1)), None)

    def set_state(
        self,
        target: str | bytes,
        state: State,
        *,
        sealed_path: bytes | None = None,
        identity: FileIdentity | None = None,
    ) -> int:
        """Say what became of a file; its members and tables go with it.

        Args:
            target: a key (every name of the file) or a path (that name alone), original or sealed.
            state: what it is now; `sealed_path` says where, and is forgotten in every state but `sealed` and `vault`.
            identity: the new identity where the bytes lie in a new inode, as after unsealing.

        Returns:
            How many rows changed; 0 for what no scan has met.
        """
        with self.sessions.begin() as session:
            return change(session, target, state, sealed_path, identity)

    def totals(self) -> dict[State, int]:
        """Number of items with findings, by state."""
        query = (
            select(ItemRow.state, func.count(ItemRow.id))
            .where(ItemRow.id.in_(select(FindingRow.item)))
            .group_by(ItemRow.state)
        )
        with self.reading() as session:
            return {cast("State", state): count for state, count in session.execute(query)}

    def watch_list(self, decoys: Sequence[str] = ()) -> Iterator[Watched]:
        """Files in the open that hold customer information, each name of them, with the most that one read can take.

        A file's persons are its own, or those of the fullest table or member in it if that is more.
        """
        fullest = (
            select(ItemRow.container.label("file"), func.max(ItemRow.persons).label("persons"))
            .where(ItemRow.container.is_not(None), ItemRow.state.in_(HERE))
            .group_by(ItemRow.container)
            .subquery()
        )
        query = (
            select(ItemRow, fullest.c.persons)
            .outerjoin(fullest, fullest.c.file == ItemRow.path)
            .where(ItemRow.container.is_(None), ItemRow.state.in_(HERE), ItemRow.key != "")
        )
        marked = {os.fsencode(name) for name in decoys}
        with self.reading() as session:
            for row, inside in session.execute(query).yield_per(BATCH):
                persons = max(row.persons, inside or 0)
                decoy = row.path in marked
                if persons or decoy or row.level > 1:
                    live = is_live(row.path, row.kind)
                    yield Watched(key=row.key, path=row.path, persons=persons, live=live, decoy=decoy)

    def _records(self, query: Select[ItemRow]) -> Iterator[StoredItem]:
        with self.reading() as session:
            for rows in session.scalars(query).yield_per(BATCH).partitions():
                numbers = [row.id for row in rows]
                found: dict[int, list[FindingRow]] = {}
                for finding in session.scalars(
                    select(FindingRow).where(FindingRow.item.in_(numbers)).order_by(FindingRow.id)
                ):
                    found.setdefault(finding.item, []).append(finding)
                for row in rows:
                    yield to_item(row, found.get(row.id, ()))

    # Alerts

    def add_alert(self, alert: Alert) -> Alert:
        """Keep an alert; it comes back with its id."""
        with self.sessions.begin() as session:
            row = AlertRow(
                at=alert.at, kind=alert.kind, severity=alert.severity, text=alert.text,
                keys=json.dumps(alert.keys), session=alert.session, program=alert.program, user=alert.user,
                action=alert.action, stop_ms=alert.stop_ms, open=alert.open,
            )  # fmt: skip
            session.add(row)
            session.flush()
            return to_alert(row)

    def alerts(self, *, open_only: bool = True) -> tuple[Alert, ...]:
        """Alerts, newest first."""
        query = select(AlertRow).order_by(AlertRow.id.desc())
        if open_only:
            query = query.where(AlertRow.open.is_(True))
        with self.reading() as session:
            return tuple(to_alert(row) for row in session.scalars(query))

    def close_alerts(self, ids: Sequence[int]) -> int:
        """Mark alerts as dealt with; how many were open is returned."""
        with self.sessions.begin() as session:
            done = session.execute(
                update(AlertRow).where(AlertRow.id.in_(ids), AlertRow.open.is_(True)).values(open=False)
            )
            return int(done.rowcount)  # type: ignore[attr-defined]
