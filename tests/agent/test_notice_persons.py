"""Affected persons, counted and listed from real files wherever they are: in place, fenced, in the vault, sealed."""

import json
import os
import random
import sqlite3
import subprocess
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incident.declare import Declaration, declare
from agent.incident.records import Affected, Incident
from agent.incident.store import incidents
from agent.notice.identities import Identities, join
from agent.notice.lists import make_list, people
from agent.notice.persons import count_persons, last_count
from agent.wiring import build_agent
from config.errors import RefusedError
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from containment.keys import Unlocker
from containment.sealing import Sealer
from scanners import persons as persons_module
from scanners.identity import Identities as FileIdentities
from scanners.person_records import MAIL, PHONE, RECORD, SLOTS, WEAK
from scanners.records import Finding, Item

NOW = datetime.now(UTC)
ID_CARD = "11010119900307109X"


@pytest.fixture
def home(tmp_path):
    home = find_home(tmp_path / "home")
    home.create()
    yield home
    for path in (tmp_path / "share").rglob("*"):
        subprocess.run(["chattr", "-i", str(path)], check=False, capture_output=True)


@pytest.fixture
def share(tmp_path):
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


def phone(number):
    return f"138{number:08d}"


def members(path, numbers, *, mails=False, ids=False):
    """A list of members as a till exports it."""
    head = "姓名,手机号" + (",邮箱" if mails else "") + (",身份证号" if ids else "")
    lines = [
        f"王测试,{phone(n)}" + (f",guest{n}@example.com" if mails else "") + (f",{ID_CARD}" if ids and n == 1 else
                                                                              "," if ids else "")
        for n in numbers
    ]  # fmt: skip
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


@contextmanager
def opened(home, settings=None, identity=None):
    values = {"scan": {"names": False}, **(settings or {})}
    with build_agent(home, Settings.model_validate(values)) as agent:
        if not agent.keyring.ready:
            agent.keyring.adopt((identity or make_identity("recovery")).public)
        yield agent


def inventoried(agent, folder):
    identities, items = FileIdentities(), []
    for path in sorted(folder.rglob("*")):
        descriptor = os.open(path, os.O_RDONLY)
        items.append(
            Item(
                path=os.fsencode(path), kind="csv", status="read", size=path.stat().st_size, level=3, score=80,
                persons=10, identity=identities.of(descriptor, os.fstat(descriptor)),
                findings=(Finding(entity="PHONE_NUMBER", count=9, distinct=7, confidence=0.9),),
            )
        )  # fmt: skip
        os.close(descriptor)
    agent.inventory.record_run(items, roots=[os.fsencode(folder)], at=NOW)


def declared(agent, share, **changes):
    inventoried(agent, share)
    values = {"kind": "insider", "summary": "有人在拷贝会员名单", "discovered_at": NOW, "by": "测试甲"}
    return declare(agent, Declaration(**{**values, "paths": (os.fsencode(share),), **changes}))


def incident_record():
    return Incident(
        id="", kind="insider", phase="responding", machine=False, summary="", place="", types=(), by="测试甲",
        scope="named", discovered_at=NOW, occurred_at=None, reported_at=None, declared_at=NOW,
        handling_ended_at=None, closed_at=None, files=4, persons=0,
    )  # fmt: skip


def in_place(agent, share):
    """An incident about files that nobody contained; quicker than a declaration."""
    incident = incidents(agent).add(incident_record(), NOW)
    items = [Affected(key="", path=os.fsencode(path), name=path.name, persons=5) for path in sorted(share.iterdir())]
    incidents(agent).set_items(incident.id, items)
    return incidents(agent).get(incident.id)


def listed(agent, incident, unlocker=None):
    made = make_list(agent, incident.id, unlocker, "测试甲")
    with people(agent, made, unlocker) as found:
        return made, sorted((person.side, *person.phones, *person.mails) for person in found)


def test_persons_in_several_files_of_the_vault_count_once_and_the_list_is_exact(home, share):
    members(share / "会员.csv", range(1, 101), mails=True, ids=True)
    members(share / "会员-备份.csv", range(51, 151))
    book = openpyxl.Workbook()
    book.active.append(["姓名", "手机号"])
    for number in range(140, 161):
        book.active.append(["李样例", phone(number)])
    book.save(share / "预订.xlsx")
    with opened(home) as agent:
        incident = declared(agent, share)
        assert {item.state for item in incident.items} == {"vault"}
        counted = count_persons(agent, incident.id)
        assert (counted.persons, counted.customers, counted.reachable) == (160, 160, 160)
        assert (counted.sensitive, counted.complete, counted.unreadable) == (1, True, 0)
        assert counted.types == {"CN_RESIDENT_ID": 1, "EMAIL_ADDRESS": 100, "PHONE_NUMBER": 160}
        assert last_count(agent, incident.id) == counted
        after = incidents(agent).get(incident.id)
        assert (after.persons, after.sensitive, after.counted_at) == (160, 1, counted.at)
        made, found = listed(agent, incident)
        assert found == sorted(
            ("customer", phone(n), *((f"guest{n}@example.com",) if n <= 100 else ())) for n in range(1, 161)
        )
        assert (made.persons, made.contacts) == (160, {"phone": 160, "mail": 100})


def test_files_count_wherever_they_lie_and_what_cannot_be_read_is_named(home, share):
    identity = make_identity("recovery")
    members(share / "封存.csv", range(1, 11))
    members(share / "原处.csv", range(11, 21))
    members(share / f"{phone(77)}-已删.csv", range(21, 31))
    with sqlite3.connect(share / "till.db") as till:
        till.execute("PRAGMA journal_mode=WAL")
        till.execute("CREATE TABLE members (name TEXT, mobile TEXT)")
        till.executemany("INSERT INTO members VALUES ('王测试', ?)", [(phone(n),) for n in range(31, 41)])
        till.commit()
        with opened(home, identity=identity) as agent:
            inventoried(agent, share)
            sealer = Sealer(agent.journal, agent.keyring)
            sealed = sealer.seal([os.fsencode(share / "封存.csv")])
            agent.inventory.set_state(os.fsencode(share / "封存.csv"), "sealed", sealed_path=sealed.sealed_paths[0])
            incident = incidents(agent).add(incident_record(), NOW)
            paths = sorted(path for path in share.iterdir() if path.suffix in (".csv", ".db"))
            paths.append(share / "封存.csv")
            items = [Affected(key="", path=os.fsencode(p), name=agent.mask(p.name), persons=5) for p in set(paths)]
            incidents(agent).set_items(incident.id, items)
            (share / f"{phone(77)}-已删.csv").unlink()
            counted = count_persons(agent, incident.id)
            assert (counted.persons, counted.unreadable, counted.complete) == (20, 2, False)
            assert sorted(part.reason for part in counted.unread) == ["gone", "no_key"]
            assert phone(77) not in json.dumps([part.name for part in counted.unread])
            counted = count_persons(agent, incident.id, Unlocker([identity]))
            assert (counted.persons, [part.reason for part in counted.unread]) == (30, ["gone"])
    till.close()


def test_staff_and_customers_of_one_table_are_told_apart_and_virtual_and_masked_numbers_are_nobody(home, share):
    (share / "订单.csv").write_text(
        "订单号,顾客姓名,顾客电话,店员姓名,店员手机\n"
        f"1,王测试,{phone(1)},李样例,{phone(90)}\n"
        f"2,王测试,17012345678转1234,李样例,{phone(90)}\n"
        f"3,王*,138****0009,李样例,{phone(90)}\n"
        f"4,张测试,{phone(2)},李样例,{phone(91)}\n",
        encoding="utf-8",
    )
    members(share / "会员.csv", [90, 3])
    with opened(home) as agent:
        incident = in_place(agent, share)
        counted = count_persons(agent, incident.id)
        assert (counted.customers, counted.staff, counted.virtual, counted.masked) == (3, 2, 1, 1)
        _made, found = listed(agent, incident)
        assert found == [
            ("customer", phone(1)), ("customer", phone(2)), ("customer", phone(3)),
            ("staff", phone(90)), ("staff", phone(91)),
        ]  # fmt: skip


def test_a_shared_number_makes_no_one_person_of_a_thousand():
    keys = [np.zeros(1000, np.uint64) for _ in SLOTS]
    keys[PHONE][:] = 7
    keys[MAIL][:] = np.arange(1, 1001)
    assert join(keys)[1] == 1000
    keys[MAIL][:] = 0
    keys[WEAK][:] = np.arange(1, 1001)
    assert join(keys)[1] == 1000
    keys[WEAK][:] = np.arange(1000) % 3 + 1
    assert join(keys)[1] == 1


@given(st.lists(st.tuples(*[st.integers(0, 12)] * 4), min_size=1, max_size=60), st.integers(0, 1000))
def test_persons_are_the_connected_records_in_any_order(rows, seed):
    """Against a plain union-find; few enough records a key that none counts as shared."""
    rows = [row for row in rows if any(row)]
    used = Counter((slot, value) for row in rows for slot, value in enumerate(row) if value)
    rows = [row for row in rows if all(used[slot, value] <= 8 for slot, value in enumerate(row) if value)]
    random.Random(seed).shuffle(rows)
    columns = [np.array([row[slot] + 100 * slot if row[slot] else 0 for row in rows], np.uint64) for slot in range(4)]
    keys = [
        columns[0],
        np.zeros(len(rows), np.uint64),
        columns[1],
        columns[2],
        columns[3],
        np.zeros(len(rows), np.uint64),
    ]
    parent = list(range(len(rows)))

    def root(at):
        while parent[at] != at:
            at = parent[at]
        return at

    for first, one in enumerate(rows):
        for second, other in enumerate(rows):
            if any(a and a == b for a, b in zip(one, other, strict=True)):
                parent[root(first)] = root(second)
    people, count = join(keys)
    assert count == len({root(at) for at in range(len(rows))})
    assert all((people[a] == people[b]) == (root(a) == root(b)) for a in range(len(rows)) for b in range(len(rows)))


def test_types_of_equal_records_add_up_and_beyond_the_bound_is_said(monkeypatch):
    monkeypatch.setattr("agent.notice.identities.MOST_RECORDS", 1000)
    found = Identities()
    rows = np.zeros(900, RECORD)
    rows["keys"][:, PHONE] = np.arange(1, 901)
    for types in (1, 2):
        rows["types"] = types
        found.add(("CN_RESIDENT_ID", "PHONE_NUMBER"), rows)
    totals = found.join().totals(frozenset({"CN_RESIDENT_ID"}))
    assert (totals.persons, totals.exact, totals.sensitive, totals.types["PHONE_NUMBER"]) == (900, True, 900, 900)
    more = np.zeros(5000, RECORD)
    more["keys"][:, PHONE] = np.random.default_rng(1).integers(1, 1 << 63, 5000)
    found = Identities()
    found.add(("PHONE_NUMBER",), more)
    totals = found.join().totals(frozenset())
    assert not totals.exact
    assert abs(totals.persons - 5000) < 100


def test_a_worker_that_lies_costs_its_file_and_puts_no_stranger_on_the_list(home, share, monkeypatch):
    members(share / "会员.csv", range(1, 4))
    with opened(home) as agent:
        incident = in_place(agent, share)

        class Lying(persons_module.PersonsReader):
            def read(self, source, on_records, *, values=False):
                def lie(entities, records, told):
                    changed = tuple(("13800009999", "", "", "") for _ in told)
                    on_records(entities, records, changed)

                return super().read(source, lie, values=values)

        monkeypatch.setattr(persons_module, "PersonsReader", Lying)
        made, found = listed(agent, incident)
        assert (made.persons, found) == (0, [])


def test_the_list_is_no_use_without_key_incident_key_or_with_a_byte_changed(home, share):
    identity = make_identity("recovery")
    members(share / "会员.csv", range(1, 4))
    with opened(home, identity=identity) as agent:
        incident = in_place(agent, share)
        made, found = listed(agent, incident)
        assert len(found) == 3
        agent.keyring.drop(incident.id)
        with pytest.raises(RefusedError), people(agent, made, None):
            pass
        with pytest.raises(RefusedError), people(agent, made, Unlocker([make_identity("recovery")])):
            pass
        with people(agent, made, Unlocker([identity])) as everybody:
            assert len(list(everybody)) == 3
        agent.quarantine.keys.path(incident.id).unlink()
        with pytest.raises(RefusedError), people(agent, made, Unlocker([identity])):
            pass
