"""What became of a file: which rows a change of state is about.

Several rows may speak of one path: last night's `dump.sql`, sealed since, and tonight's in the open. And a sealed file
is met by scans under its own name, as an item of kind `sealed`, beside the row of what it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from agent.inventory.models import ItemRow
from agent.inventory.records import State
from scanners.records import FileIdentity

HERE: Final[tuple[State, ...]] = ("plain", "fenced")
AWAY: Final[tuple[State, ...]] = ("sealed", "vault")


def change(
    session: Session, target: str | bytes, state: State, sealed_path: bytes | None, identity: FileIdentity | None
) -> int:
    """Change the rows that `target` means; see `Inventory.set_state`."""
    rows = of_key(session, target) if isinstance(target, str) else of_path(session, target, state)
    if state in HERE:
        _make_way(session, rows)
    for row in rows:
        row.state = state
        row.sealed_path = (sealed_path or row.sealed_path) if state in AWAY else None
        if identity is not None:
            row.key, row.mtime_ns = identity.key, identity.mtime_ns
            if row.container is None:
                row.size = identity.size
    return len(rows)


def of_key(session: Session, key: str) -> Sequence[ItemRow]:
    """Every name of a file and all that lies in it; what is gone only if nothing else is left. '' is nobody's key."""
    rows = list(session.scalars(select(ItemRow).where(ItemRow.key == key))) if key else []
    return [row for row in rows if row.state != "gone"] or rows


def of_path(session: Session, path: bytes, state: State) -> Sequence[ItemRow]:
    """The rows that a change of the file at `path` to `state` is about."""
    query = select(ItemRow).where(or_(ItemRow.path == path, ItemRow.container == path, ItemRow.sealed_path == path))
    rows = list(session.scalars(query.order_by(ItemRow.id)))
    inside = [row for row in rows if row.sealed_path == path]
    if inside:  # a sealed file by its own name: what it holds
        if state in HERE:
            for row in rows:
                row.state = "gone" if row not in inside and row.kind == "sealed" else row.state
            return inside
        return rows
    here = [row for row in rows if row.state in HERE]
    away = [row for row in rows if row.state in AWAY]
    if away and (state == "plain" or not here):
        newest = away[-1].sealed_path
        return [row for row in away if row.sealed_path == newest]
    return here or rows


def _make_way(session: Session, rows: Sequence[ItemRow]) -> None:
    """One row a path may lie in the open: what lay there before goes."""
    kept = [row.id for row in rows]
    for row in rows:
        session.execute(
            delete(ItemRow).where(ItemRow.path == row.path, ItemRow.id.not_in(kept), ItemRow.state.in_((*HERE, "gone")))
        )
