"""What becomes of reports of every kind, on both databases: once each, in any order, alone or many together."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ingesting import Writes, add_stores, one_by_one, read, take
from postgres import Cluster
from sqlalchemy import Engine, func, select, text

from central.database.engine import open_database
from central.ingest import urgency
from central.ingest.packed import PackedInventory
from central.models import (
    Anchor,
    DayFigures,
    Fault,
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

NOW = datetime.now(UTC).isoformat()
HEAD, OTHER_HEAD = "ab" * 32, "cd" * 32


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = open_database(database_url, create=True)
    add_stores(opened, "s-1", "s-2")
    yield opened
    opened.dispose()


@pytest.fixture
def write() -> Writes:
    return Writes(store="s-1")


def store_row(engine: Engine, name: str = "s-1") -> Store:
    with read(engine) as session:
        return session.get_one(Store, name)


def faults(engine: Engine) -> dict[str, int]:
    with read(engine) as session:
        return {fault.kind: fault.count for fault in session.scalars(select(Fault))}


def alert(name: str = "1", **more: object) -> dict[str, object]:
    return {"id": name, "at": NOW, "kind": "bound", "open": True} | more


def incident(name: str = "i-1", **more: object) -> dict[str, object]:
    return {"id": name, "kind": "insider", "phase": "responding", "discovered_at": NOW} | more


def places(count: int, seed: int = 1) -> dict[str, list[dict[str, Any]]]:
    generator = random.Random(seed)
    sections: dict[str, list[dict[str, Any]]] = {}
    for place in range(count):
        name = f"{generator.getrandbits(64):016x}"
        sections.setdefault(name[:2], []).append(
            {"id": name, "path": f"/srv/测试/{place}.xlsx", "kind": "xlsx", "level": 2, "persons": place,
             "state": "plain", "label": "会员名单", "entities": ["PERSON"]}
        )  # fmt: skip
    return sections


def picture(sections: dict[str, Any], told: set[str] | None = None) -> dict[str, Any]:
    """An inventory of these sections that brings those in `told` (all of them by default)."""
    return {
        "scanned_at": NOW, "persons": 5, "places": sum(map(len, sections.values())), "sealed": 1, "exposed": 2,
        "coverage": {"listed": 9, "read": 5, "partial": 1, "unread": 3},
        "sections": {name: found for name, found in sections.items() if told is None or name in told},
        "section_digests": {
            name: hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]
            for name, found in sections.items()
        },
    }  # fmt: skip


def held(engine: Engine, name: str = "s-1") -> dict[str, int]:
    """Persons by identifier of all places that the database holds."""
    with read(engine) as session:
        rows = session.scalars(select(Section).where(Section.store_id == name)).all()
        found = [place for row in rows for place in json.loads(row.document)]
        assert sum(row.places for row in rows) == len(found)
        assert sum(len(row.digests) for row in rows) == len({place["id"][:2] for place in found})
    assert len({place["id"] for place in found}) == len(found), "a place twice"
    return {place["id"]: place["persons"] for place in found}


def meant(sections: dict[str, Any]) -> dict[str, int]:
    return {place["id"]: place["persons"] for found in sections.values() for place in found}


def test_every_kind_of_report_finds_its_place(engine: Engine, write: Writes) -> None:
    content = b"<svg/>"
    reports = [
        write("inventory", picture(places(30))),
        write("health", {"version": "1.2", "tier": "full", "mode": "protect", "audit": {"entries": 7, "head": HEAD}}),
        write("alert", alert()), write("incident", incident(case="c-1")), write("audit", {"entries": 8, "head": HEAD}),
        write("events", {"events": [{"at": NOW, "kind": "open", "severity": "low"}] * 3}),
        write("assessment", {"at": NOW, "score": 71, "risks": [{"id": "storage", "score": 40}]}),
        write("drill", {"id": "d-1", "scenario": "export", "at": NOW, "ok": True, "score": 90}),
        write("training", {"staff": 12, "overdue": 2}),
        write("vendors", {"vendors": [{"id": "v", "name": "测试软件"}]}),
        write("paper", {
            "incident": "i-1", "name": "timeline.svg", "media": "image/svg+xml", "language": "zh-CN",
            "sha256": hashlib.sha256(content).hexdigest(), "content": base64.b64encode(content).decode(),
        }),
    ]  # fmt: skip
    assert take(engine, *reports) == ["accepted"] * len(reports)
    row = store_row(engine)
    assert (row.persons, row.places, row.sealed, row.exposed, row.unread, row.listed) == (5, 30, 1, 2, 4, 9)
    assert (row.version, row.tier, row.mode, row.score) == ("1.2", "full", "protect", 71)
    assert (row.open_alerts, row.open_incidents, row.last_number) == (1, 1, len(reports))
    assert row.urgency == urgency.INCIDENT
    assert row.heard_at is not None
    assert not row.wants_inventory
    with read(engine) as session:
        counts = {
            model.__name__: session.scalar(select(func.count()).select_from(model))
            for model in (Snapshot, StoredAlert, StoredIncident, StoredEvent, StoredDrill, Paper, Anchor, DayFigures)
        }
        assert session.scalars(select(Paper.content)).one() == content
        assert session.scalars(select(StoredIncident.case_id)).one() == "c-1"
        day = session.scalars(select(DayFigures)).one()
    assert counts == {
        "Snapshot": 5, "StoredAlert": 1, "StoredIncident": 1, "StoredEvent": 3, "StoredDrill": 1, "Paper": 1,
        "Anchor": 2, "DayFigures": 1,
    }  # fmt: skip
    assert (day.persons, day.score, day.open_incidents, day.version) == (5, 71, 1, "1.2")
    assert faults(engine) == {}
    assert held(engine) == meant(places(30))


def test_the_same_again_changes_nothing_and_other_bytes_are_a_conflict(engine: Engine, write: Writes) -> None:
    first = write("alert", alert())
    other = Writes(store="s-1")("alert", alert(text="other"))
    assert take(engine, first, first, other) == ["accepted", "known", "conflict"]
    assert take(engine, first) == ["known"]
    assert take(engine, other) == ["conflict"]
    assert faults(engine) == {"conflict": 2}
    assert store_row(engine).faults == 1
    with read(engine) as session:
        assert session.scalars(select(StoredAlert)).one().document["text"] == ""


def test_a_store_that_nobody_knows_is_told_so_and_others_are_not_held_up(engine: Engine, write: Writes) -> None:
    assert take(engine, Writes(store="s-none")("alert", alert()), write("alert", alert())) == [
        "unknown_store", "accepted",
    ]  # fmt: skip


@pytest.mark.parametrize("together", [True, False])
def test_any_order_ends_in_the_same_picture(engine: Engine, write: Writes, together: bool) -> None:
    older, newer = places(40, 1), places(40, 2)
    reports = [
        write("inventory", picture(older)), write("inventory", picture(newer)),
        write("incident", incident(phase="responding")), write("incident", incident(phase="cleaning")),
        write("alert", alert()), write("alert", alert(open=False)), write("health", {"version": "1"}),
        write("health", {"version": "2"}), write("assessment", {"at": NOW, "score": 10}),
        write("assessment", {"at": NOW, "score": 20}),
    ]  # fmt: skip
    random.Random(7).shuffle(reports)
    taken = take(engine, *reports) if together else one_by_one(engine, reports)
    assert taken == ["accepted"] * len(reports)
    row = store_row(engine)
    assert (row.version, row.score, row.open_alerts, row.open_incidents) == ("2", 20, 0, 1)
    with read(engine) as session:
        assert session.scalars(select(StoredIncident.phase)).one() == "cleaning"
        assert session.scalars(select(Gap)).all() == []
    assert held(engine) == meant(newer)
    assert not row.wants_inventory
    assert faults(engine) == {}


def test_only_changed_sections_are_needed_and_gone_ones_go(engine: Engine, write: Writes) -> None:
    for count in (60, 900, 5000):  # one shelf, sixteen, one a section
        sections = places(count, count)
        assert take(engine, write("inventory", picture(sections))) == ["accepted"]
        name, gone = sorted(sections)[3], sorted(sections)[5]
        sections[name][0]["persons"] = 777
        take(engine, write("inventory", picture(sections, {name})))
        assert held(engine) == meant(sections)
        del sections[gone]
        take(engine, write("inventory", picture(sections, set())))
        assert held(engine) == meant(sections)
        assert not store_row(engine).wants_inventory


def test_a_section_that_never_came_is_asked_for_until_it_does(engine: Engine, write: Writes) -> None:
    sections = places(60)
    first, second = sorted(sections)[:2]
    take(engine, write("inventory", picture(sections, set(sections) - {first, second})))
    assert store_row(engine).wants_inventory
    take(engine, write("inventory", picture(sections, {first})))
    assert store_row(engine).wants_inventory
    take(engine, write("inventory", picture(sections, {second})))
    assert not store_row(engine).wants_inventory
    assert held(engine) == meant(sections)


def test_a_late_report_brings_what_the_newest_names_and_nothing_else(engine: Engine, write: Writes) -> None:
    sections = places(60)
    name, other = sorted(sections)[:2]
    before = json.loads(json.dumps(sections))
    late = write("inventory", picture(sections, {name}))
    sections[other][0]["persons"] = 4242
    outdated = write("inventory", picture(before, set(before)))
    newest = write("inventory", picture(sections, set(sections) - {name}))
    take(engine, newest)
    assert store_row(engine).wants_inventory
    take(engine, outdated)
    assert not store_row(engine).wants_inventory  # of it, the section that is still the same
    take(engine, late)
    assert held(engine) == meant(sections)


def test_an_inventory_that_waits_is_packed_and_gives_every_place_back(write: Writes) -> None:
    sections = places(60)
    sections.setdefault("ff", [])  # a section may be empty
    first = min(sections)
    sections[first][0]["path"] = "/srv/\u202e测试店/" + "长" * 500
    report = write("inventory", picture(sections))
    packed = report.document
    assert isinstance(packed, PackedInventory)
    assert not packed.counts.sections, "kept once, as JSON"
    assert bytes(report.envelope.document) == b"", "nothing holds the body any more"
    back = packed.sections()
    assert back.keys() == sections.keys()
    assert [[place.id for place in back[name]] for name in sections] == [
        [place["id"] for place in found] for found in sections.values()
    ]
    assert back[first][0].path == ("/srv/\ufffd测试店/" + "长" * 500)[:400]
    assert packed.number == sum(map(len, sections.values()))


def test_an_older_agents_worst_places_are_kept_until_it_tells_sections(engine: Engine, write: Writes) -> None:
    worst = [{"path": "/a", "kind": "csv", "level": 3, "persons": 9, "state": "plain"}]
    take(engine, write("inventory", {"persons": 9, "places": 1, "worst": worst}))
    with read(engine) as session:
        assert [(row.section, row.places) for row in session.scalars(select(Section))] == [("*", 1)]
    assert not store_row(engine).wants_inventory
    take(engine, write("inventory", picture(places(5))))
    assert held(engine) == meant(places(5))


def test_a_withheld_report_is_a_gap_that_its_own_bytes_fill(engine: Engine, write: Writes) -> None:
    withheld, replaced = write("audit", {"entries": 7, "head": HEAD}), write("alert", alert("2"))
    take(engine, write("alert", alert("3")))
    with read(engine) as session:
        assert session.scalars(select(Gap.number)).all() == [2]
    assert store_row(engine).faults == 1
    assert store_row(engine).urgency == urgency.ALERT
    take(engine, Writes(store="s-1", previous={"number": 1, "digest": withheld.digest})("alert", alert("x"), number=2))
    assert faults(engine) == {"chain": 1}
    take(engine, withheld)
    with read(engine) as session:
        assert session.scalars(select(Gap)).all() == []
    assert take(engine, replaced) == ["conflict"]


def test_a_chain_that_begins_anew_or_runs_backwards_is_noticed(engine: Engine, write: Writes) -> None:
    take(engine, write("alert", alert("1")), write("alert", alert("2")))
    take(engine, Writes(store="s-1")("alert", alert("3"), number=3))
    assert faults(engine) == {"restarted": 1}
    backwards = Writes(store="s-1", previous={"number": 900, "digest": HEAD})("alert", alert("4"), number=4)
    take(engine, backwards)
    assert faults(engine) == {"restarted": 1, "chain": 1}
    with read(engine) as session:
        assert session.scalars(select(Gap)).all() == []


def test_a_new_key_may_begin_anew(engine: Engine, write: Writes) -> None:
    take(engine, write("alert", alert("1")))
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO store_keys (store_id, public_key, since, reason) VALUES ('s-1', :key, :since, '')"),
            {"key": b"k", "since": (datetime.now(UTC) + timedelta(seconds=1)).replace(tzinfo=None)},
        )
    take(engine, Writes(store="s-1")("alert", alert("3"), number=3))
    assert faults(engine) == {}


def test_a_rewritten_record_is_noticed_in_one_transaction_or_two(engine: Engine, write: Writes) -> None:
    take(engine, write("audit", {"entries": 5, "head": HEAD}), write("audit", {"entries": 5, "head": OTHER_HEAD}))
    take(engine, write("health", {"audit": {"entries": 5, "head": OTHER_HEAD}}))
    assert faults(engine) == {"audit": 2}


def test_health_closes_the_alerts_told_before_it_alone(engine: Engine, write: Writes) -> None:
    first, second, health = write("alert", alert("1")), write("alert", alert("2")), write("health", {"open_alerts": []})
    take(engine, first)
    take(engine, second, health, write("alert", alert("3")))
    with read(engine) as session:
        assert {row.alert_id: (row.is_open, row.document["open"]) for row in session.scalars(select(StoredAlert))} == {
            "1": (False, False), "2": (False, False), "3": (True, True),
        }  # fmt: skip
    assert store_row(engine).open_alerts == 1


def test_the_nearest_clock_that_runs_is_kept(engine: Engine, write: Writes) -> None:
    soon, later = datetime.now(UTC) + timedelta(hours=2), datetime.now(UTC) + timedelta(hours=9)
    clocks = [
        {"title": "a", "state": "running", "deadline": later.isoformat()},
        {"title": "b", "state": "running", "deadline": soon.isoformat()},
        {"title": "c", "state": "done", "deadline": NOW},
    ]
    take(engine, write("incident", incident(clocks=clocks)))
    with read(engine) as session:
        assert session.scalars(select(StoredIncident.deadline_at)).one() == soon
    take(engine, write("incident", incident(clocks=clocks, phase="closed")))
    row = store_row(engine)
    assert (row.open_incidents, row.urgency) == (0, urgency.UNSCANNED)


@pytest.mark.parametrize(
    ("document", "expected"),
    [({}, urgency.UNSCANNED), ({"scanned_at": NOW}, urgency.FINE), ({"scanned_at": NOW, "exposed": 1}, urgency.EXPOSED),
     ({"scanned_at": NOW, "coverage": {"unread": 1}}, urgency.EXPOSED)],
)  # fmt: skip
def test_urgency_follows_what_lies_open(engine: Engine, write: Writes, document: dict[str, Any], expected: int) -> None:
    take(engine, write("inventory", document))
    assert store_row(engine).urgency == expected
    with engine.begin() as connection:
        in_sql = urgency.URGENCY_SQL.format(
            incidents="open_incidents", alerts="open_alerts", faults="faults", exposed="exposed", unread="unread",
            scanned_at="scanned_at",
        )  # fmt: skip
        again = connection.execute(select(text(in_sql)).select_from(Store).where(Store.id == "s-1"))
        assert again.scalars().all() == [expected]


def test_a_paper_that_is_not_what_it_says_is_not_kept(engine: Engine, write: Writes) -> None:
    paper = {
        "incident": "i-1", "name": "a.pdf", "media": "application/pdf", "sha256": HEAD,
        "content": base64.b64encode(b"%PDF").decode(),
    }  # fmt: skip
    assert take(engine, write("paper", paper), write("paper", paper | {"content": "not base64!"})) == ["accepted"] * 2
    assert faults(engine) == {"paper": 2}
    with read(engine) as session:
        assert session.scalars(select(Paper)).all() == []


def test_an_order_that_was_never_given_is_a_fault(engine: Engine, write: Writes) -> None:
    take(engine, write("order", {"order": "o-1", "delivery": 1, "state": "done"}))
    assert faults(engine) == {"order": 1}


def test_texts_at_their_bounds_fit_the_database(engine: Engine, write: Writes) -> None:
    long = "长" * 5000
    reports = [
        write("alert", alert(long[:80], text=long, user=long, program=long)),
        write("incident", incident(long, kind=long, phase=long, case=long, summary=long)),
        write("health", {"version": long, "tier": long, "mode": long}),
        write("drill", {"id": long, "scenario": long, "at": NOW, "text": long}),
        write("events", {"events": [{"at": NOW, "kind": long, "severity": long, "count": 2**53 - 1}]}),
        write("inventory", {"persons": 2**53 - 1, "coverage": {"unread": 2**53 - 1, "partial": 2**53 - 1}}),
    ]
    assert take(engine, *reports) == ["accepted"] * len(reports)
    with read(engine) as session:
        assert len(session.scalars(select(StoredAlert)).one().document["text"]) == 4000


def test_a_batch_of_many_stores_is_taken_as_one(engine: Engine) -> None:
    names = [f"s-many-{place:03d}" for place in range(200)]
    add_stores(engine, *names)
    reports = [Writes(store=name)("inventory", picture(places(20, place))) for place, name in enumerate(names)]
    assert take(engine, *reports) == ["accepted"] * 200
    assert take(engine, *reports) == ["known"] * 200
    assert held(engine, names[150]) == meant(places(20, 150))


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from ingesting import Writes, take
from central.database.engine import open_database
from central.database.writer import Writer
from central.ingest.take import Taker
from sqlalchemy.orm import sessionmaker
from ingesting import ZONE
engine = open_database(sys.argv[2])
writer = Writer(sessionmaker(engine), take=Taker(ZONE).take_many)
writer.start()
futures = []
for number in range(1, 61):
    for store in ("s-1", "s-2"):
        document = {"id": str(number), "at": "2026-01-01T00:00:00Z", "kind": "b"}
        report = Writes(store=store)("alert", document, number=number)
        futures.append(writer.take(report, 1))
outcomes = [future.result(60) for future in futures]
writer.close()
engine.dispose()
print(" ".join(outcomes))
"""


def test_several_processes_take_the_same_reports_once(engine: Engine, database_url: str) -> None:
    """Each of the reports is sent to three processes at once, byte for byte the same but for when it was written."""
    tests = str(Path(__file__).resolve().parents[1])
    started = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, tests, database_url], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=100)[0].split() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    for outcomes in zip(*said, strict=True):  # other bytes each time: one is taken, two are refused
        assert sorted(outcomes) == ["accepted", "conflict", "conflict"]
    with read(engine) as session:
        assert session.scalar(select(func.count()).select_from(StoredReport)) == 120
        fault = session.get_one(Fault, ("s-1", "conflict"))
        assert fault.count == 120


@pytest.mark.needs("postgres")
def test_events_lie_in_the_partition_of_their_month(cluster: Cluster) -> None:
    engine = open_database(cluster.create(), create=True)
    add_stores(engine, "s-1")
    write, now = Writes(store="s-1"), datetime.now(UTC)
    times = [
        now,
        now - timedelta(days=40),
        now - timedelta(days=400),
        now - timedelta(days=4000),
        now + timedelta(days=999),
    ]
    document = {"events": [{"at": at.isoformat(), "kind": "open"} for at in times]}
    assert take(engine, write("events", document), write("events", document)) == ["accepted"] * 2
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT tableoid::regclass::text, count(*) FROM events GROUP BY 1")).all()
    found = {str(name): int(count) for name, count in rows}
    expected = {f"events_{at.year:04d}{at.month:02d}" for at in times[:3]}
    assert found == dict.fromkeys(expected, 2) | {"events_other": 4}
    engine.dispose()


@pytest.mark.needs("postgres")
def test_a_month_that_cannot_have_a_partition_loses_no_event(cluster: Cluster) -> None:
    engine = open_database(cluster.create(), create=True)
    add_stores(engine, "s-1")
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO events VALUES ('s-0', :at, 1, 0, 'k', '', '{}')"),
            {"at": datetime.now(UTC).replace(tzinfo=None)},
        )
    assert take(engine, Writes(store="s-1")("events", {"events": [{"at": NOW, "kind": "open"}]})) == ["accepted"]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM events_other")).scalar_one() == 2
    engine.dispose()


@pytest.mark.needs("postgres")
def test_two_that_need_the_same_new_month_both_get_it(cluster: Cluster) -> None:
    engine = open_database(cluster.create(), create=True)
    add_stores(engine, *(f"s-{place}" for place in range(4)))
    outcomes: list[str] = []
    gate = threading.Barrier(4)

    def send(name: str) -> None:
        report = Writes(store=name)("events", {"events": [{"at": NOW, "kind": "open"}]})
        gate.wait()
        outcomes.extend(take(engine, report))

    threads = [threading.Thread(target=send, args=(f"s-{place}",)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["accepted"] * 4
    engine.dispose()
