"""inventory.db: real SQLite files in temporary folders."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.inventory.records import Alert
from agent.inventory.store import Inventory
from config.errors import ClocheError, CorruptError
from scanners.records import FileIdentity, Finding, Item, Place

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
PHONES = Finding(
    entity="PHONE_NUMBER", count=9, distinct=7, confidence=0.9, samples=("138****1111",),
    place=Place(table="members", column="mobile"),
)  # fmt: skip


@pytest.fixture
def inventory(tmp_path):
    with Inventory(tmp_path / "state" / "inventory.db") as opened:
        yield opened


def identity(path, inode=None):
    facts = os.lstat(path) if os.path.lexists(path) else None
    return FileIdentity(
        filesystem="", inode=inode or (facts.st_ino if facts else 1), birth_ns=0, device=1,
        mtime_ns=facts.st_mtime_ns if facts else 1, size=facts.st_size if facts else 0, links=1, uid=0, mode=0o100644,
    )  # fmt: skip


def file_item(path, *, persons=0, findings=(), kind="csv", level=1, inode=None, status="read", reason="", keys=()):
    return Item(
        path=os.fsencode(path), kind=kind, status=status, reason=reason, persons=persons, findings=tuple(findings),
        level=level, identity=identity(path, inode), size=3, person_keys=frozenset(keys),
    )  # fmt: skip


def inside(path, *, persons=0, findings=(), kind="table", level=1, keys=()):
    return Item(
        path=os.fsencode(path), kind=kind, status="read", persons=persons, findings=tuple(findings), level=level,
        person_keys=frozenset(keys),
    )  # fmt: skip


@pytest.fixture
def share(tmp_path):
    folder = tmp_path / "share"
    folder.mkdir()
    for name in ("a.csv", "b.csv", "shop.db", "dump.sql"):
        (folder / name).write_text("x")
    return folder


def test_file_and_folder_are_private_whatever_the_umask(tmp_path):
    old = os.umask(0)
    try:
        with Inventory(tmp_path / "state" / "inventory.db") as inventory:
            inventory.add_alert(Alert(at=NOW, kind="bound", severity="critical", text="x"))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert modes
    assert set(modes.values()) == {0o600}


def test_every_commit_is_synchronised_in_full(inventory):
    with inventory.sessions() as session:
        connection = session.connection().connection.dbapi_connection
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_what_is_recorded_comes_back_without_samples(inventory, share):
    run = inventory.record_run(
        [file_item(share / "a.csv", persons=7, findings=[PHONES], level=3)], roots=[os.fsencode(share)], at=NOW
    )
    item = inventory.item_at(os.fsencode(share / "a.csv"))
    assert (item.level, item.persons, item.state, item.first_run, item.last_run) == (3, 7, "plain", run.id, run.id)
    assert item.findings == (Finding(entity="PHONE_NUMBER", count=9, distinct=7, confidence=0.9, place=PHONES.place),)
    assert b"138****1111" not in inventory.path.read_bytes()


def test_no_column_could_hold_a_sample_or_a_key_of_a_person(inventory):
    with sqlite3.connect(inventory.path) as connection:
        names = {
            column[1]
            for table in ("items", "findings", "runs", "alerts")
            for column in connection.execute(f"PRAGMA table_info({table})")
        }
    connection.close()
    assert "path" in names
    assert not {name for name in names if "sample" in name or "person_key" in name or "fingerprint" in name}


def test_coverage_is_counted_and_adds_up(inventory, share):
    run = inventory.record_run(
        [
            file_item(share / "a.csv"),
            file_item(share / "b.csv", status="partial", reason="malformed"),
            file_item(share / "dump.sql", status="unread", reason="permission"),
            file_item(share / "skip", status="skipped", reason="excluded"),
        ],
        roots=[os.fsencode(share)], at=NOW,
    )  # fmt: skip
    coverage = run.coverage
    assert (coverage.listed, coverage.read, coverage.partial, coverage.unread, coverage.skipped) == (4, 1, 1, 1, 1)
    assert not run.clean


def test_a_coverage_that_does_not_add_up_is_refused(inventory, share):
    from scanners.records import Coverage

    recording = inventory.begin_run([os.fsencode(share)], at=NOW, recipe="")
    recording.add(file_item(share / "a.csv"))
    wrong = Coverage(listed=2, read=1, partial=0, unread=0, skipped=0, bytes=3)
    with pytest.raises(ClocheError, match="does not add up"):
        recording.finish(at=NOW, persons=0, coverage=wrong)
    assert inventory.last_run() is None


def test_a_second_scan_updates_instead_of_adding(inventory, share):
    roots = [os.fsencode(share)]
    first = inventory.record_run([file_item(share / "a.csv", findings=[PHONES], persons=7)], roots=roots, at=NOW)
    inventory.record_run([file_item(share / "a.csv")], roots=roots, at=NOW)
    (item,) = inventory.items()
    assert (item.findings, item.persons, item.first_run) == ((), 0, first.id)


def test_what_is_deleted_becomes_gone_within_the_scanned_roots_only(inventory, share, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "c.csv").write_text("x")
    everything = [file_item(share / "a.csv"), file_item(share / "b.csv"), file_item(other / "c.csv")]
    inventory.record_run(everything, roots=[os.fsencode(tmp_path)], at=NOW)
    (share / "a.csv").unlink()
    (other / "c.csv").unlink()
    inventory.record_run([file_item(share / "b.csv")], roots=[os.fsencode(share)], at=NOW)
    states = {os.fsdecode(item.path).rsplit("/", 1)[-1]: item.state for item in inventory.items()}
    assert states == {"a.csv": "gone", "b.csv": "plain", "c.csv": "plain"}


def test_a_folder_beside_a_root_with_a_longer_name_is_not_under_it(inventory, share, tmp_path):
    (tmp_path / "share2").mkdir()
    (tmp_path / "share2" / "x.csv").write_text("x")
    inventory.record_run([file_item(tmp_path / "share2" / "x.csv")], roots=[os.fsencode(tmp_path)], at=NOW)
    (tmp_path / "share2" / "x.csv").unlink()
    inventory.record_run([], roots=[os.fsencode(share)], at=NOW)
    assert next(iter(inventory.items())).state == "plain"


def test_what_a_scan_could_not_list_is_not_called_gone(inventory, share):
    inventory.record_run([file_item(share / "a.csv")], roots=[os.fsencode(share)], at=NOW)
    unread_folder = Item(path=os.fsencode(share), kind="other", status="unread", reason="permission")
    inventory.record_run([unread_folder], roots=[os.fsencode(share)], at=NOW)
    assert inventory.item_at(os.fsencode(share / "a.csv")).state == "plain"


def test_a_scan_that_is_cut_calls_nothing_gone_and_is_no_last_run(inventory, share):
    whole = inventory.record_run([file_item(share / "a.csv")], roots=[os.fsencode(share)], at=NOW)
    (share / "a.csv").unlink()
    cut = inventory.begin_run([os.fsencode(share)], at=NOW, recipe="")
    cut.add(file_item(share / "b.csv"))
    assert inventory.item_at(os.fsencode(share / "a.csv")).state == "plain"
    assert inventory.last_run().id == whole.id
    assert inventory.last_run(ended=False).id == cut.run


def test_a_table_dropped_from_a_database_becomes_gone(inventory, share):
    shop = share / "shop.db"
    roots = [os.fsencode(share)]
    both = [file_item(shop, kind="sqlite"), inside(f"{shop}#users"), inside(f"{shop}#orders")]
    inventory.record_run(both, roots=roots, at=NOW)
    inventory.record_run(both[:2], roots=roots, at=NOW)
    assert inventory.item_at(os.fsencode(f"{shop}#orders")).state == "gone"
    assert inventory.item_at(os.fsencode(f"{shop}#users")).state == "plain"


def test_tables_share_the_key_of_their_file_even_if_its_name_has_marks(inventory, share):
    odd = share / "50%!#.db"
    odd.write_text("x")
    name = f"{share}/50%25%21%23.db#users"
    inventory.record_run([file_item(odd, kind="sqlite"), inside(name)], roots=[os.fsencode(share)], at=NOW)
    table = inventory.item_at(os.fsencode(name))
    assert (table.container, table.key) == (os.fsencode(odd), inventory.item_at(os.fsencode(odd)).key)


def test_the_people_of_a_file_are_those_of_all_its_tables_once_each(inventory, share):
    shop = share / "shop.db"
    items = [
        file_item(shop, kind="sqlite"),
        inside(f"{shop}#users", keys=range(100), persons=100),
        inside(f"{shop}#orders", keys=range(50, 150), persons=100),
    ]
    run = inventory.record_run([*items, file_item(share / "a.csv", keys=range(10), persons=10)], roots=[b"/"], at=NOW)
    assert inventory.item_at(os.fsencode(shop)).persons == 150
    assert run.persons == 150


def test_a_sealed_file_keeps_what_was_found_in_it(inventory, share):
    roots = [os.fsencode(share)]
    plain, sealed = share / "a.csv", share / "a.csv.cloche"
    inventory.record_run([file_item(plain, findings=[PHONES], persons=7, level=3)], roots=roots, at=NOW)
    plain.rename(sealed)
    assert inventory.set_state(os.fsencode(plain), "sealed", sealed_path=os.fsencode(sealed)) == 1
    inventory.record_run([file_item(sealed, kind="sealed")], roots=roots, at=NOW)
    item = inventory.item_at(os.fsencode(plain))
    assert (item.state, item.persons, item.entities, item.place) == (
        "sealed", 7, ("PHONE_NUMBER",), os.fsencode(sealed),
    )  # fmt: skip
    assert inventory.item_at(os.fsencode(sealed)) == item
    assert [other.path for other in inventory.items(kinds=["sealed"])] == [os.fsencode(sealed)]


def test_a_sealed_file_that_was_deleted_becomes_gone(inventory, share):
    roots = [os.fsencode(share)]
    inventory.record_run([file_item(share / "a.csv", findings=[PHONES])], roots=roots, at=NOW)
    inventory.set_state(os.fsencode(share / "a.csv"), "sealed", sealed_path=os.fsencode(share / "a.csv.cloche"))
    (share / "a.csv").unlink()
    inventory.record_run([], roots=roots, at=NOW)
    assert inventory.item_at(os.fsencode(share / "a.csv")).state == "gone"


def test_tonights_dump_and_last_nights_sealed_one_are_both_there(inventory, share):
    dump, roots = share / "dump.sql", [os.fsencode(share)]
    inventory.record_run([file_item(dump, findings=[PHONES], persons=7)], roots=roots, at=NOW)
    inventory.set_state(os.fsencode(dump), "sealed", sealed_path=os.fsencode(f"{dump}.cloche"))
    Path(f"{dump}.cloche").write_text("sealed")
    tonight = file_item(dump, findings=[PHONES], persons=9)
    inventory.record_run([tonight, file_item(f"{dump}.cloche", kind="sealed")], roots=roots, at=NOW)
    known = sorted((item.state, item.persons) for item in inventory.items() if item.path == os.fsencode(dump))
    assert known == [("plain", 9), ("sealed", 7)]


def test_a_state_given_by_key_reaches_every_name_and_every_table(inventory, share):
    shop = share / "shop.db"
    os.link(shop, share / "link.db")
    inventory.record_run(
        [file_item(shop, kind="sqlite"), inside(f"{shop}#users"), file_item(share / "link.db", kind="sqlite")],
        roots=[os.fsencode(share)], at=NOW,
    )  # fmt: skip
    assert inventory.set_state(identity(shop).key, "fenced") == 3
    assert {item.state for item in inventory.items()} == {"fenced"}
    assert inventory.set_state("no such key", "sealed") == 0


def test_what_is_unsealed_has_its_new_identity(inventory, share):
    path = os.fsencode(share / "a.csv")
    inventory.record_run([file_item(path, findings=[PHONES])], roots=[os.fsencode(share)], at=NOW)
    inventory.set_state(path, "sealed", sealed_path=path + b".cloche")
    assert inventory.set_state(path + b".cloche", "plain", identity=identity(share / "b.csv", inode=77)) == 1
    item = inventory.item_at(path)
    assert (item.state, item.sealed_path, item.key) == ("plain", None, ":77:0")


def test_an_unsealed_file_replaces_the_row_of_one_that_went(inventory, share):
    path, roots = os.fsencode(share / "a.csv"), [os.fsencode(share)]
    inventory.record_run([file_item(path, findings=[PHONES], persons=7)], roots=roots, at=NOW)
    inventory.set_state(path, "sealed", sealed_path=path + b".cloche")
    inventory.record_run([file_item(path, persons=9, inode=78)], roots=roots, at=NOW)
    inventory.set_state(path + b".cloche", "plain")
    assert [(item.persons, item.state) for item in inventory.items()] == [(7, "plain")]


def test_sealing_tonights_dump_leaves_last_nights_where_it_is(inventory, share):
    dump, roots = share / "dump.sql", [os.fsencode(share)]
    path = os.fsencode(dump)
    for persons, sealed in ((7, path + b".cloche"), (9, path + b".2.cloche")):
        inventory.record_run([file_item(dump, persons=persons)], roots=roots, at=NOW)
        assert inventory.set_state(path, "sealed", sealed_path=sealed) == 1
    assert {(item.persons, item.sealed_path) for item in inventory.items()} == {
        (7, path + b".cloche"), (9, path + b".2.cloche"),
    }  # fmt: skip
    assert inventory.set_state(path, "plain") == 1
    assert inventory.item_at(path).persons == 9


def test_unsealing_by_the_sealed_name_brings_back_what_it_holds(inventory, share):
    path, roots = os.fsencode(share / "a.csv"), [os.fsencode(share)]
    inventory.record_run([file_item(path, findings=[PHONES], persons=7)], roots=roots, at=NOW)
    inventory.set_state(path, "sealed", sealed_path=path + b".cloche")
    inventory.record_run([file_item(path + b".cloche", kind="sealed")], roots=roots, at=NOW)
    assert inventory.set_state(path + b".cloche", "plain") == 1
    assert {(item.path, item.state) for item in inventory.items()} == {
        (path, "plain"), (path + b".cloche", "gone"),
    }  # fmt: skip


def test_an_item_without_a_key_is_reached_by_its_path_only(inventory):
    unread = Item(path=b"/srv/locked", kind="other", status="unread", reason="permission")
    inventory.record_run([unread], roots=[b"/srv"], at=NOW)
    assert inventory.set_state("", "sealed") == 0
    assert inventory.set_state(b"/srv/locked", "fenced") == 1


def test_known_means_same_path_identity_time_size_and_recipe_and_read_in_full(inventory, share):
    path = os.fsencode(share / "a.csv")
    seen = file_item(path)
    inventory.record_run([seen], roots=[os.fsencode(share)], at=NOW, recipe="r1")
    assert inventory.known(path, seen.identity, "r1").path == path
    assert inventory.known(path, seen.identity, "r2") is None
    assert inventory.known(path + b"2", seen.identity, "r1") is None
    (share / "a.csv").write_text("longer")
    assert inventory.known(path, identity(path), "r1") is None
    inventory.record_run([file_item(path, status="partial", reason="io_error")], roots=[b"/"], at=NOW, recipe="r1")
    assert inventory.known(path, identity(path), "r1") is None


def test_the_watch_list_has_every_open_file_with_people_and_no_other(inventory, share):
    shop = share / "shop.db"
    inventory.record_run(
        [
            file_item(share / "a.csv", persons=7, level=3, inode=11),
            file_item(share / "b.csv", inode=12),
            file_item(shop, kind="sqlite", inode=13),
            inside(f"{shop}#users", keys=range(40), persons=40),
            file_item(share / "dump.sql", persons=5, level=2, inode=14),
        ],
        roots=[os.fsencode(share)], at=NOW,
    )  # fmt: skip
    inventory.set_state(os.fsencode(share / "dump.sql"), "sealed", sealed_path=b"/x.cloche")
    decoys = [str(share / "b.csv")]
    watched = {os.path.basename(entry.path): entry for entry in inventory.watch_list(decoys)}
    assert set(watched) == {b"a.csv", b"b.csv", b"shop.db"}
    assert (watched[b"shop.db"].persons, watched[b"shop.db"].live) == (40, True)
    assert (watched[b"a.csv"].persons, watched[b"a.csv"].live, watched[b"a.csv"].decoy) == (7, False, False)
    assert watched[b"b.csv"].decoy


def test_an_old_database_without_side_files_is_not_live(inventory, share):
    shop = share / "shop.db"
    old = time.time() - 3 * 86_400
    os.utime(shop, (old, old))
    inventory.record_run([file_item(shop, kind="sqlite", persons=9)], roots=[b"/"], at=NOW)
    assert [entry.live for entry in inventory.watch_list()] == [False]
    (share / "shop.db-wal").write_text("")
    assert [entry.live for entry in inventory.watch_list()] == [True]


def test_items_can_be_asked_for_by_state_kind_level_entity_and_folder(inventory, share):
    inventory.record_run(
        [
            file_item(share / "a.csv", findings=[PHONES], persons=7, level=3),
            file_item(share / "dump.sql", kind="sql_dump", persons=9, level=4),
            file_item("/elsewhere/x.csv"),
        ],
        roots=[b"/"], at=NOW,
    )  # fmt: skip

    def names(**wanted):
        return [os.path.basename(item.path) for item in inventory.items(**wanted)]

    assert names(min_level=3) == [b"dump.sql", b"a.csv"]
    assert names(kinds=["sql_dump"]) == [b"dump.sql"]
    assert names(entity="PHONE_NUMBER") == [b"a.csv"]
    assert names(under=os.fsencode(share)) == [b"dump.sql", b"a.csv"]
    assert names(states=["sealed"]) == []


def test_alerts_are_kept_until_closed(inventory):
    first = inventory.add_alert(
        Alert(at=NOW, kind="bound", severity="critical", text="tar", keys=("a:1:0",), session="s1", program="tar",
              user="till", action="stopped", stop_ms=3.2)
    )  # fmt: skip
    second = inventory.add_alert(Alert(at=NOW + timedelta(seconds=1), kind="decoy", severity="warning", text="cp"))
    assert inventory.alerts() == (second, first)
    assert inventory.alerts()[1].at == NOW
    assert inventory.close_alerts([first.id]) == 1
    assert inventory.close_alerts([first.id]) == 0
    assert inventory.alerts() == (second,)
    assert len(inventory.alerts(open_only=False)) == 2


def test_an_alert_without_a_time_zone_is_refused(inventory):
    from sqlalchemy.exc import StatementError

    naive = datetime(2026, 11, 23)  # noqa: DTZ001  the defect under test
    with pytest.raises(StatementError, match="without a zone"):
        inventory.add_alert(Alert(at=naive, kind="bound", severity="notice", text="x"))


def test_an_alert_does_not_wait_for_a_scan_that_is_running(inventory, share):
    recording = inventory.begin_run([os.fsencode(share)], at=NOW, recipe="")
    for _ in range(3):
        recording.add(file_item(share / "a.csv"))
    done = threading.Event()

    def alert():
        inventory.add_alert(Alert(at=NOW, kind="bound", severity="critical", text="x"))
        done.set()

    thread = threading.Thread(target=alert)
    thread.start()
    assert done.wait(1.0)
    thread.join()


def test_a_newer_inventory_is_refused_by_name_and_left_alone(tmp_path):
    path = tmp_path / "inventory.db"
    Inventory(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(CorruptError, match=r"inventory\.db: has version 99"):
        Inventory(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"this is no database, only text of some length", b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_damaged_inventory_is_refused_by_name_and_left_alone(tmp_path, content):
    path = tmp_path / "inventory.db"
    path.write_bytes(content)
    with pytest.raises(CorruptError, match=r"inventory\.db: is damaged or no inventory"):
        Inventory(path)
    assert path.read_bytes() == content


def test_a_damaged_page_is_noticed_at_the_start(tmp_path):
    path = tmp_path / "inventory.db"
    with Inventory(path) as inventory:
        inventory.record_run([file_item(f"/x/{n}", inode=n + 1) for n in range(3000)], roots=[b"/x"], at=NOW)
    content = bytearray(path.read_bytes())
    for page in range(len(content) * 3 // 4 // 4096 * 4096, len(content), 4096):
        content[page : page + 200] = b"\xa5" * 200
    path.write_bytes(content)
    with pytest.raises(CorruptError, match=r"inventory\.db"):
        Inventory(path)


def test_a_link_or_a_folder_in_place_of_the_database_is_refused(tmp_path):
    (tmp_path / "real").write_text("")
    (tmp_path / "link.db").symlink_to(tmp_path / "real")
    (tmp_path / "folder.db").mkdir()
    for name in ("link.db", "folder.db"):
        with pytest.raises(ClocheError, match=name):
            Inventory(tmp_path / name)


def test_a_migration_that_fails_leaves_the_version_it_found(tmp_path):
    from sqlalchemy import text

    from agent.inventory.engine import MIGRATIONS, open_engine

    def broken(connection):
        connection.execute(text("CREATE TABLE half (x)"))
        raise ClocheError("no")

    path = tmp_path / "inventory.db"
    with pytest.raises(ClocheError, match="no"):
        open_engine(path, (*MIGRATIONS, broken))
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name='half'").fetchall()
    connection.close()


def test_an_inventory_of_the_first_version_gets_the_columns_that_came_later(tmp_path):
    path = tmp_path / "inventory.db"
    Inventory(path).close()
    old = sqlite3.connect(path)
    old.execute("ALTER TABLE items DROP COLUMN about")
    old.execute("ALTER TABLE items DROP COLUMN records")
    old.execute("ALTER TABLE findings DROP COLUMN nature")
    old.execute("ALTER TABLE findings DROP COLUMN subject")
    old.execute("PRAGMA user_version=1")
    old.commit()
    old.close()
    inventory = Inventory(path)
    masked = replace(PHONES, nature="masked", subject="customer")
    item = file_item("/srv/orders.xlsx", findings=[masked])
    inventory.record_run([replace(item, about="meituan_orders", records=1204)], roots=[b"/srv"], at=NOW)
    (stored,) = inventory.items()
    assert (stored.about, stored.records) == ("meituan_orders", 1204)
    assert [(finding.nature, finding.subject) for finding in stored.findings] == [("masked", "customer")]
    inventory.close()


def test_a_full_disk_is_told_by_the_databases_name_and_nothing_of_what_was_written(inventory):
    from sqlalchemy import event

    inventory.engine.dispose()
    event.listen(inventory.engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=60"))
    items = (file_item(f"/srv/secret/{n}.csv", findings=[PHONES], inode=n + 1) for n in range(20_000))
    with pytest.raises(ClocheError, match=r"inventory\.db: .*full") as caught:
        inventory.record_run(items, roots=[b"/srv"], at=NOW)
    assert "secret" not in str(caught.value)
    assert inventory.last_run() is None


def test_two_scans_at_once_take_nothing_of_each_other_for_gone(inventory, share, monkeypatch):
    monkeypatch.setattr("agent.inventory.recording.BATCH", 1)
    shop, roots = share / "shop.db", [os.fsencode(share)]
    file, table = file_item(shop, kind="sqlite"), inside(f"{shop}#users")
    first = inventory.begin_run(roots, at=NOW, recipe="")
    second = inventory.begin_run(roots, at=NOW, recipe="")
    second.add(file)
    second.add(table)
    first.add(file)
    first.add(table)
    second.add(file)
    second.finish(at=NOW, persons=0)
    first.finish(at=NOW, persons=0)
    assert {item.state for item in inventory.items()} == {"plain"}


@pytest.mark.slow
def test_a_hundred_thousand_items_are_recorded_in_twenty_seconds_of_one_core(inventory):
    items = (
        file_item(f"/srv/{n % 300}/{n}.csv", findings=[PHONES] if n % 10 == 0 else [], inode=n + 1)
        for n in range(100_000)
    )
    start = time.process_time()
    run = inventory.record_run(items, roots=[b"/srv"], at=NOW)
    assert run.coverage.listed == 100_000
    assert time.process_time() - start < 20


def test_the_inventory_pulls_in_no_extractor_and_no_presidio():
    code = (
        "import sys, agent.inventory.store, agent.inventory.operations, agent.pipeline, agent.schedule\n"
        "heavy = [name for name in sys.modules if name.startswith(('scanners.extract', 'presidio', 'spacy', 'numpy',"
        " 'python_calamine', 'pypdfium2', 'docx', 'jieba', 'agent.summary', 'jinja2'))]\n"
        "print(heavy); sys.exit(bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
