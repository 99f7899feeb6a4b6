"""Write a scan into the inventory while it runs, in small transactions.

A scan that is cut leaves what it had read so far, and its run without an end; nothing is called gone then. What a
folder that could not be listed held is not called gone either: only what the kernel says is not there any more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session, sessionmaker

from agent.inventory.models import FindingRow, ItemRow, RunRow
from agent.inventory.paths import container_of
from agent.inventory.records import Run
from agent.inventory.rows import from_finding, to_run, write_paths
from config.errors import ClocheError
from scanners.records import Coverage, FileIdentity, Item

BATCH: Final = 500


class Recording:
    """One run, being written. `add` each item, a file before what lies in it, then `finish`."""

    def __init__(self, sessions: sessionmaker[Session], *, roots: tuple[bytes, ...], at: datetime, recipe: str) -> None:
        self._sessions = sessions
        self._roots = roots
        self._recipe = recipe
        self._waiting: list[Item] = []
        self._file: tuple[bytes, FileIdentity | None] = (b"", None)
        self._counts = dict.fromkeys(("read", "partial", "unread", "skipped"), 0)
        self._bytes = 0
        with sessions.begin() as session:
            row = RunRow(
                started_at=at, ended_at=None, roots=write_paths(roots), persons=0, listed=0, bytes=0,
                clean=False, **self._counts,
            )  # fmt: skip
            session.add(row)
            session.flush()
            self.run = row.id

    def add(self, item: Item) -> None:
        """Take one item as the scan lists it."""
        self._waiting.append(item)
        self._counts[item.status] += 1
        if item.identity is not None and item.status in ("read", "partial"):
            self._bytes += item.size
        if len(self._waiting) >= BATCH:
            self._write()

    def finish(self, *, at: datetime, persons: int, coverage: Coverage | None = None) -> Run:
        """End the run: what is no longer there becomes `gone`, within its roots.

        Args:
            at: when the scan ended.
            persons: distinct persons over the whole scan.
            coverage: the scan's own count, where it keeps one; else what was added here.

        Raises:
            ClocheError: the count does not add up to the number of items listed.
        """
        self._write()
        counted = coverage or Coverage(listed=sum(self._counts.values()), bytes=self._bytes, **self._counts)
        parts = counted.read + counted.partial + counted.unread + counted.skipped
        if parts != counted.listed:
            raise ClocheError(f"coverage does not add up: {parts} accounted for of {counted.listed} listed")
        with self._sessions.begin() as session:
            self._mark_gone(session)
            row = session.get_one(RunRow, self.run)
            row.ended_at, row.persons, row.clean = at, persons, counted.clean
            row.listed, row.read, row.partial = counted.listed, counted.read, counted.partial
            row.unread, row.skipped, row.bytes = counted.unread, counted.skipped, counted.bytes
            return to_run(row)

    def _write(self) -> None:
        items, self._waiting = self._waiting, []
        if not items:
            return
        with self._sessions.begin() as session:
            values = {value["path"]: (value, item) for value, item in self._columns(items)}
            known = self._known(session, list(values))
            fresh = [value for path, (value, _item) in values.items() if path not in known]
            changed = [{**value, "row": known[path]} for path, (value, _) in values.items() if path in known]
            if changed:
                numbers = [value["row"] for value in changed]
                session.execute(delete(FindingRow).where(FindingRow.item.in_(numbers)))
                table = ItemRow.__table__
                columns: dict[str, Any] = {
                    name: bindparam(name) for name in changed[0] if name not in ("row", "first_run")
                }
                # a run that began later may have met it by now, and must not take it for gone
                columns["last_run"] = func.max(table.c.last_run, bindparam("last_run"))
                session.connection().execute(
                    update(table).where(table.c.id == bindparam("row")).values(columns),  # type: ignore[arg-type]
                    [{k: v for k, v in value.items() if k != "first_run"} for value in changed],
                )
            if fresh:
                session.connection().execute(insert(ItemRow.__table__), fresh)  # type: ignore[arg-type]
                known |= self._known(session, [value["path"] for value in fresh])
            findings = [
                from_finding(known[path], finding)
                for path, (_value, item) in values.items()
                for finding in item.findings
            ]
            if findings:
                session.connection().execute(insert(FindingRow.__table__), findings)  # type: ignore[arg-type]
            self._see_sealed(session, items)

    def _known(self, session: Session, paths: list[bytes]) -> dict[bytes, int]:
        """The row that a path has: of one that is there, else of the last that went."""
        query = (
            select(ItemRow.path, ItemRow.id)
            .where(ItemRow.path.in_(paths), ItemRow.state.in_(("plain", "fenced", "gone")))
            .order_by(ItemRow.state != "gone", ItemRow.id)
        )
        return {row.path: row.id for row in session.execute(query)}

    def _see_sealed(self, session: Session, items: list[Item]) -> None:
        """A sealed file that is still there keeps what was found in it before it was sealed."""
        sealed = [item.path for item in items if item.kind == "sealed"]
        if sealed:
            session.execute(update(ItemRow).where(ItemRow.sealed_path.in_(sealed)).values(last_run=self.run))

    def _columns(self, items: Iterable[Item]) -> Iterable[tuple[dict[str, Any], Item]]:
        for item in items:
            if item.identity is not None:
                self._file = (item.path, item.identity)
            file, seen = self._file
            container = container_of(item, file)
            identity = item.identity or (seen if container else None)
            yield {
                "path": item.path, "container": container, "key": identity.key if identity else "",
                "kind": item.kind, "status": item.status, "reason": item.reason, "encoding": item.encoding,
                "size": item.identity.size if item.identity else item.size,
                "mtime_ns": identity.mtime_ns if identity else 0,
                "uid": identity.uid if identity else 0, "mode": identity.mode if identity else 0,
                "level": item.level, "score": item.score, "about": item.about, "records": item.records,
                "persons": item.persons, "state": "plain", "sealed_path": None, "recipe": self._recipe,
                "first_run": self.run, "last_run": self.run,
            }, item  # fmt: skip

    def _mark_gone(self, session: Session) -> None:
        query = select(ItemRow.id, ItemRow.path, ItemRow.container, ItemRow.sealed_path).where(
            ItemRow.last_run < self.run, ItemRow.state.in_(("plain", "fenced", "sealed"))
        )
        read = {
            path
            for (path,) in session.execute(
                select(ItemRow.path).where(
                    ItemRow.last_run == self.run, ItemRow.container.is_(None), ItemRow.status == "read"
                )
            )
        }
        gone = [
            number
            for number, path, container, sealed in session.execute(query)
            if self._is_under(path) and (container in read or _missing(sealed or container or path))
        ]
        for start in range(0, len(gone), BATCH):
            session.execute(update(ItemRow).where(ItemRow.id.in_(gone[start : start + BATCH])).values(state="gone"))

    def _is_under(self, path: bytes) -> bool:
        return any(path == root or path.startswith(root.rstrip(b"/") + b"/") for root in self._roots)


def _missing(path: bytes) -> bool:
    """The kernel says that nothing has this name; a refusal or a failing disk says nothing."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
