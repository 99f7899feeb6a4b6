"""Afterwards, in the database: nothing lost, nothing doubled, chains whole, the hostile on record, without effect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central.models import Delivery, Fault, Gap, Snapshot, Store, StoredAlert, StoredEvent, StoredReport

HARMLESS: Final = frozenset({"wrong_store", "certificate", "slow", "signature"})
"""What somebody else may cause in a store's name, or a cut line."""
HOSTILE: Final = frozenset({"signature", "conflict", "malformed", "too_large", "wrong_store"})


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the database holds, by store."""

    reports: dict[str, dict[int, str]]
    events: dict[str, int]
    alerts: dict[str, int]
    faults: dict[str, set[str]]
    gaps: dict[str, int]
    pictured: frozenset[str]


def check(session: Session, accounts: Sequence[dict[str, Any]], order_id: str, chosen: Sequence[str]) -> list[str]:
    """Every way in which the database is not what the stores were promised; empty is good."""
    held = _read(session)
    wrong = [line for account in accounts for line in (*_of_reports(held, account), *_of_content(held, account))]
    states = {row.store_id: row.state for row in session.scalars(select(Delivery).where(Delivery.order_id == order_id))}
    not_done = [store for store in chosen if states.get(store) != "done"]
    if not_done or len(states) != len(chosen):
        wrong.append(f"the order is not done at {len(not_done)} of {len(chosen)} stores; {len(states)} deliveries")
    strangers = held.reports.keys() - {account["store"] for account in accounts}
    if strangers:
        wrong.append(f"reports of stores that are none: {sorted(strangers)[:5]}")
    stores = session.scalar(select(func.count()).select_from(Store)) or 0
    if stores != len(accounts):
        wrong.append(f"{stores} stores in place of {len(accounts)}")
    return wrong


def _read(session: Session) -> Held:
    reports: dict[str, dict[int, str]] = defaultdict(dict)
    columns = select(StoredReport.store_id, StoredReport.number, StoredReport.digest)
    for store, number, digest in session.execute(columns):
        reports[store][number] = digest
    faults: dict[str, set[str]] = defaultdict(set)
    for row in session.scalars(select(Fault)):
        faults[row.store_id].add(row.kind)
    pictured = session.scalars(select(Snapshot.store_id).where(Snapshot.kind == "inventory"))
    return Held(
        reports=reports, events=_count(session, StoredEvent.store_id), alerts=_count(session, StoredAlert.store_id),
        faults=faults, gaps=_count(session, Gap.store_id), pictured=frozenset(pictured),
    )  # fmt: skip


def _of_reports(held: Held, account: dict[str, Any]) -> Iterator[str]:
    """Each report that was promised is there once, with the same bytes, and nothing else is."""
    store, promised = account["store"], account["promised"]
    have = held.reports[store]
    other = [number for number in promised.keys() & have.keys() if promised[number] != have[number]]
    for word, numbers in (
        ("lost", promised.keys() - have.keys()), ("never promised", have.keys() - promised.keys()),
        ("other bytes", other),
    ):  # fmt: skip
        if numbers:
            yield f"{store}: {word}: {sorted(numbers)[:5]} ({len(numbers)})"
    if held.gaps.get(store):
        yield f"{store}: {held.gaps[store]} gaps in the chain"


def _of_content(held: Held, account: dict[str, Any]) -> Iterator[str]:
    """What reports say is there once; who attacked is on record, who did not has no fault."""
    store, told = account["store"], account["told"]
    if account["hostile"]:
        if missing := HOSTILE - held.faults[store]:
            yield f"{store}: hostile, and not on record: {sorted(missing)}"
        return
    if bad := held.faults[store] - HARMLESS:
        yield f"{store}: faults {sorted(bad)}"
    for word, counts in (("events", held.events), ("alerts", held.alerts)):
        if counts.get(store, 0) != told[word]:
            yield f"{store}: {counts.get(store, 0)} {word} of {told[word]}"
    if store not in held.pictured:
        yield f"{store}: no inventory"


def _count(session: Session, column: Any) -> dict[str, int]:
    return {row[0]: row[1] for row in session.execute(select(column, func.count()).group_by(column))}
