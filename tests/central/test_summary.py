"""Figures kept beside what stores told: holdings, training, vendors and days that are over, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from postgres import is_usable, run_cluster
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from starlette.datastructures import QueryParams

from central.database.engine import open_database
from central.models import (
    Catalogued,
    DayFigures,
    Entity,
    FleetDay,
    Holding,
    Region,
    Section,
    Snapshot,
    Store,
    StoredDrill,
    TrainingFigures,
)
from central.moments import now
from central.pages.attention import sums, tiles
from central.pages.changes import changes
from central.pages.fleet import assessment, drills, shared_with, training
from central.pages.recurring import calendar_of
from central.pages.remembered import Remembered
from central.pages.search import called
from central.people.rights import Right, Viewer
from central.summary.days import close_day, history, next_open_day
from central.summary.keeper import KINDS, keep, stale
from config.schema import Role

TODAY = date(2026, 3, 10)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def sessions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if request.param == "postgresql" and not is_usable():
        pytest.skip("absent: postgres")
    cluster = run_cluster() if request.param == "postgresql" else nullcontext()
    with cluster as database:
        url = database.create() if database else f"sqlite:///{tmp_path_factory.mktemp('summary') / 'hq.db'}"
        engine = open_database(url, create=True)
        yield sessionmaker(engine)
        engine.dispose()


@pytest.fixture
def session(sessions: Any) -> Iterator[Session]:
    with sessions() as opened:
        yield opened
        opened.rollback()


def viewer(role: Role = "security_lead", scope: str = "all", scope_id: str = "", **agreements: Any) -> Viewer:
    return Viewer(
        person_id="p", name="示例", rights=(Right(role=role, scope=scope, scope_id=scope_id),), agreements=agreements
    )


def add_stores(session: Session) -> None:
    session.add_all([
        Region(id="r-1", name="一区"), Entity(id="e-own", name="直营"),
        Entity(id="e-other", name="加盟", kind="franchise", rights=["export"]),
    ])  # fmt: skip
    session.flush()
    for number in range(6):
        session.add(
            Store(
                id=f"s-{number}", name=f"店 {number}", made_at=now(), heard_at=now(), scanned_at=now(), places=10,
                sealed=10 - number, exposed=number, persons=100, urgency=30 if number else 0,
                region_id="r-1" if number % 2 else None, entity_id="e-other" if number > 3 else "e-own",
            )
        )  # fmt: skip
    session.flush()


def told(session: Session, kind: str, store_id: str, number: int, document: dict[str, Any]) -> None:
    session.merge(Snapshot(store_id=store_id, kind=kind, number=number, written_at=now(), document=document))
    session.flush()


def look(session: Session) -> int:
    """What the keeper does at one look."""
    done = 0
    for kind, (read, _) in KINDS.items():
        found = [(store_id, number, read(session, store_id)) for store_id, number in stale(session, kind, 100)]
        done += keep(session, kind, found)
    session.flush()
    return done


def figures(store_id: str, day: date, exposed: int, **more: Any) -> DayFigures:
    values = {"persons": 100, "places": 10, "sealed": 10 - exposed, "unread": 0, "open_alerts": 0, "open_incidents": 0}
    return DayFigures(store_id=store_id, day=day, exposed=exposed, **(values | {"score": 50} | more))


def test_a_day_that_a_store_was_silent_has_the_figures_of_the_day_before(session: Session) -> None:
    add_stores(session)
    session.add_all([
        figures("s-0", TODAY - timedelta(days=4), 3), figures("s-1", TODAY - timedelta(days=3), 5),
        figures("s-0", TODAY - timedelta(days=2), 1),
    ])  # fmt: skip
    session.flush()
    closed = []
    while (day := next_open_day(session, TODAY)) is not None:
        close_day(session, day)
        session.flush()
        closed.append(day)
    assert closed == [TODAY - timedelta(days=back) for back in (4, 3, 2, 1)]
    rows = session.execute(
        select(DayFigures.day, DayFigures.store_id, DayFigures.exposed).order_by(DayFigures.day, DayFigures.store_id)
    ).all()
    assert [(row[1], row[2]) for row in rows] == [
        ("s-0", 3), ("s-0", 3), ("s-1", 5), ("s-0", 1), ("s-1", 5), ("s-0", 1), ("s-1", 5),
    ]  # fmt: skip
    seen = history(session, viewer(), TODAY - timedelta(days=30), TODAY)
    assert [(row["stores"], row["exposed"]) for row in seen] == [(1, 3), (2, 8), (2, 6), (2, 6), (6, 15)]
    assert [row["scores"] // row["scored"] for row in seen[:-1]] == [50] * 4


def test_closing_a_day_twice_changes_nothing(session: Session) -> None:
    add_stores(session)
    session.add(figures("s-0", TODAY, 3))
    session.flush()
    for _ in range(2):
        close_day(session, TODAY)
        session.flush()
        assert [row.exposed for row in session.scalars(select(FleetDay))] == [3]


def test_sums_of_days_are_of_what_one_may_see(session: Session) -> None:
    add_stores(session)
    for number in range(6):
        session.add(figures(f"s-{number}", TODAY - timedelta(days=1), number))
    session.flush()
    close_day(session, TODAY - timedelta(days=1))
    session.flush()

    def exposed(who: Viewer) -> list[int]:
        return [row["exposed"] for row in history(session, who, TODAY - timedelta(days=3), TODAY)]

    assert exposed(viewer()) == [15, 15]
    assert exposed(viewer(**{"e-other": frozenset({"export"})})) == [6, 6]
    assert exposed(viewer("area_manager", "region", "r-1")) == [9, 9]
    assert exposed(viewer("franchisee", "entity", "e-other", **{"e-other": frozenset()})) == [9, 9]
    assert exposed(viewer("store_manager", "store", "s-5")) == [5, 5]
    assert exposed(viewer("store_manager", "store", "s-none")) == []


def test_what_is_kept_follows_the_newest_report(session: Session) -> None:
    add_stores(session)
    places = [
        {"path": "/a", "kind": "csv", "level": 3, "persons": 5, "state": "plain", "label": "会员名单"},
        {"path": "/b", "kind": "csv", "level": 3, "persons": 7, "state": "sealed", "label": "会员名单"},
        {"path": "/c", "kind": "pdf", "level": 2, "persons": 1, "state": "sealed"},
    ]
    section = Section(
        store_id="s-0", section="all", number=3, digests={}, places=3, document=json.dumps(places).encode()
    )
    session.add(section)
    told(session, "inventory", "s-0", 3, {})
    told(session, "training", "s-0", 4, {"staff": 9, "done": 5, "due": 1, "overdue": 3})
    vendor = {"id": "v", "name": "平台", "shared": 2, "persons": 40, "contract_until": "2026-05-01T00:00:00Z"}
    told(session, "vendors", "s-0", 5, {"vendors": [vendor | {"window_open": True}]})
    told(session, "vendors", "s-1", 5, {"vendors": [vendor | {"contract_until": None}]})
    assert look(session) == 4
    assert look(session) == 0
    rows = session.execute(
        select(Holding.label, Holding.places, Holding.persons, Holding.exposed).order_by(Holding.label)
    )
    assert {tuple(row) for row in rows} == {("", 1, 1, 0), ("会员名单", 2, 12, 1)}
    everything = Store.id.is_not(None)
    (one,) = shared_with(session, everything)
    assert (one.name, one.stores, one.shared, one.persons, one.ends, one.open_now) == (
        "平台", 2, 4, 80, date(2026, 5, 1), 1,
    )  # fmt: skip
    (name,) = called(session, everything, "会员")
    assert (name.stores, name.places, name.holders) == (1, 2, (("s-0", "店 0", 2),))

    told(session, "vendors", "s-0", 6, {"vendors": []})
    section.document = json.dumps(places[2:]).encode()
    told(session, "inventory", "s-0", 7, {})
    assert look(session) == 2
    assert [row.label for row in session.scalars(select(Holding))] == [""]
    assert shared_with(session, everything)[0].stores == 1


def test_a_document_that_cannot_be_read_holds_nobody_up(session: Session) -> None:
    add_stores(session)
    told(session, "training", "s-0", 1, {"staff": "many"})
    told(session, "vendors", "s-0", 2, {"vendors": 7})
    told(session, "training", "s-1", 1, {"staff": 2})
    assert look(session) == 3
    assert list(session.scalars(select(TrainingFigures.store_id))) == ["s-1"]


def test_a_report_that_was_replaced_meanwhile_is_left_for_the_next_look(session: Session) -> None:
    add_stores(session)
    told(session, "training", "s-0", 8, {"staff": 1})
    assert keep(session, "training", [("s-0", 7, KINDS["training"][0](session, "s-0"))]) == 0
    assert session.scalar(select(Catalogued.number)) is None
    assert look(session) == 1


def test_the_first_page_asks_both_databases_the_same(session: Session) -> None:
    add_stores(session)
    moment, everything = now(), Store.revoked_at.is_(None)
    session.add(figures("s-3", TODAY - timedelta(days=1), 0, version="0.0.1"))
    session.flush()
    added = sums(session, everything, moment)
    assert (added.stores, added.needing, added.exposed, added.share) == (6, 5, 15, 75)
    order = [tile.store.id for tile in tiles(session, everything, moment, limit=3, offset=1)]
    assert order == ["s-2", "s-3", "s-4"]
    later = sums(session, everything, moment + timedelta(hours=2))
    assert later.counts["silent"] == 1
    day, found = changes(session, everything, moment, TODAY)
    assert day == TODAY - timedelta(days=1)
    assert {change.kind: change.stores for change in found} == {"needing": 1, "exposed_more": 1}


class _Visit:
    """What the fleet's pages need of a visit."""

    def __init__(self, session: Session, query: str) -> None:
        self.session, self.viewer = session, viewer()
        self.request = type("Asked", (), {"query_params": QueryParams(query), "url": type("U", (), {"path": "/x"})})


def test_fleet_pages_ask_both_databases_the_same(session: Session) -> None:

    add_stores(session)
    told(session, "training", "s-2", 1, {"staff": 9, "done": 5, "due": 1, "overdue": 3})
    look(session)
    _, values = training(_Visit(session, ""))  # type: ignore[arg-type]
    assert (values["overdue"], values["late"], values["telling"], values["rows"][0][0]) == (3, 1, 1, "s-2")
    _, values = training(_Visit(session, "only=overdue"))  # type: ignore[arg-type]
    assert [row[0] for row in values["rows"]] == ["s-2"]
    _, values = drills(Remembered(0), _Visit(session, "only=overdue"))  # type: ignore[arg-type]
    assert (values["late"], len(values["rows"])) == (6, 6)
    for number, (store_id, days, score) in enumerate(
        (("s-1", 9, 80), ("s-2", 5, 20), ("s-2", 90, 99), ("s-3", 1, None))
    ):
        at = now() - timedelta(days=days)
        document = {"id": "d", "scenario": "insider", "at": at.isoformat(), "ok": True, "score": score}
        session.add(StoredDrill(store_id=store_id, drill_id=f"d-{number}", number=number, at=at, document=document))
    session.flush()
    _, values = drills(Remembered(0), _Visit(session, "only=worst"))  # type: ignore[arg-type]
    assert [(row[0], row[2].score) for row in values["rows"]] == [("s-2", 20), ("s-1", 80), ("s-3", None)]
    _, values = drills(Remembered(0), _Visit(session, ""))  # type: ignore[arg-type]
    assert [row[0] for row in values["rows"]] == ["s-0", "s-4", "s-5", "s-1", "s-2", "s-3"]
    session.get_one(Store, "s-4").score = 12
    session.flush()
    _, values = assessment(_Visit(session, ""))  # type: ignore[arg-type]
    assert (values["mean"], values["low"], values["rows"][0][0]) == (12, 1, "s-4")


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Asia/Kathmandu", "UTC"])
def test_standing_duties_are_counted_by_the_day_of_head_office(session: Session, zone: str) -> None:
    add_stores(session)
    here, key = ZoneInfo(zone), "cn-gbt-35273/training"
    edges = [datetime(2027, month, 14, 0, 0, tzinfo=here) for month in (1, 3, 11)]  # America turns its clocks that day
    for number, edge in enumerate(edges):
        for place, moment in enumerate((edge - timedelta(minutes=1), edge)):
            own = moment.astimezone(UTC if place else timezone(timedelta(hours=8)))
            due = own.isoformat().replace("+00:00", "Z")
            duties = [{"key": key, "due": due, "done_at": due}, {"key": "nobody/knows"}, {"key": key, "reached": False}]
            told(session, "health", f"s-{2 * number + place}", 1, {"standing": duties})
    calendar = calendar_of(session, Store.revoked_at.is_(None), here)
    days = [day for edge in edges for day in (edge.date() - timedelta(days=1), edge.date())]
    assert [item.due for item in calendar.coming] == days
    assert [item.named[0].id for item in calendar.coming] == [f"s-{number}" for number in range(6)]
    assert (calendar.told, calendar.stores, calendar.done[key]) == (6, 6, 6)


def test_a_line_of_the_calendar_counts_all_stores_and_names_the_first_three(session: Session) -> None:
    add_stores(session)
    for number in reversed(range(5)):
        duty = {"key": "cn-officer/filing", "reached": None}
        told(session, "health", f"s-{number}", 1, {"standing": [duty]})
    told(session, "health", "s-5", 1, {"standing": "by an older version"})
    calendar = calendar_of(session, Store.id != "s-1", ZoneInfo("Asia/Shanghai"))
    (item,) = calendar.coming
    assert (item.due, item.stores, [one.name for one in item.named]) == (None, 4, ["店 0", "店 2", "店 3"])
    assert (calendar.told, calendar.stores) == (4, 5)
