"""Which files a declaration takes, and whose data counts: by name, by alerts, strays, and what stays where it is."""

import os
import sqlite3
import subprocess
import sys

import incident_shop
import premises
import pytest
from incident_shop import GuardStandIn
from shops import NOW, declaration, inventoried, opened

from agent.incident.declare import declare, preview
from agent.incident.store import incidents
from agent.inventory.records import Alert
from agent.watch.api import AccessEvent, Crossing
from agent.watch.behaviour import respond
from agent.watch.decoys import plant_decoys
from config.errors import UsageError
from scanners.records import FileIdentity, Finding, Item

home = premises.home
share = incident_shop.share


def some_file(inode):
    return FileIdentity(
        filesystem="u", inode=inode, birth_ns=1, device=1, mtime_ns=1, size=1, links=1, uid=0, mode=0o100644
    )


def test_a_declaration_of_a_path_that_does_not_exist_does_nothing(home, share, tmp_path):
    with opened(home) as agent:
        with pytest.raises(UsageError, match="nowhere"):
            declare(agent, declaration(paths=(os.fsencode(share), os.fsencode(tmp_path / "nowhere"))))
        assert incidents(agent).all() == []
    assert "会员.csv" in os.listdir(share)


def test_persons_and_types_of_a_file_count_what_lies_in_it_and_no_person_twice_in_one_scan(home, share):
    with opened(home) as agent:
        items = [
            Item(
                path=path, kind="other", status="read", level=3, persons=persons,
                findings=(Finding(entity=entity, count=1, distinct=1, confidence=0.9),),
                person_keys=frozenset(range(persons)), identity=some_file(inode) if inode else None,
            )
            for path, inode, persons, entity in (
                (b"/s/shop.zip", 1, 0, "PHONE_NUMBER"), (b"/s/shop.zip!a.csv", 0, 70, "CN_RESIDENT_ID"),
                (b"/s/copy.csv", 2, 70, "PHONE_NUMBER"),
            )
        ]  # fmt: skip
        agent.inventory.record_run(items, roots=[b"/s"], at=NOW)
        chosen = preview(agent, declaration(scope="strays"))
        by_path = {item.path: item for item in chosen.items}
        assert by_path[b"/s/shop.zip"].persons == 70
        assert by_path[b"/s/shop.zip"].types == ("CN_RESIDENT_ID", "PHONE_NUMBER")
        assert chosen.persons == 70


def test_the_default_scope_is_alerts_when_nothing_is_named_and_strays_when_there_is_none(home, share):
    with opened(home) as agent:
        keys = inventoried(agent, share)
        assert preview(agent, declaration()).scope == "strays"
        assert len(preview(agent, declaration()).items) == 3
        alert = Alert(at=NOW, kind="bound", severity="critical", text="x", keys=(keys["会员.csv"],), session="c1")
        agent.inventory.add_alert(alert)
        chosen = preview(agent, declaration())
        assert (chosen.scope, [item.path for item in chosen.items]) == ("alerts", [os.fsencode(share / "会员.csv")])
        assert preview(agent, declaration(paths=(os.fsencode(share / "预订.csv"),))).scope == "named"


def test_what_left_out_of_a_live_database_counts_though_it_stays_where_it_is(home, share):
    database = share / "orders.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    connection.close()
    with opened(home) as agent:
        keys = inventoried(agent, share, {"orders.db": 600, "会员.csv": 90})
        touched = (keys["orders.db"], keys["会员.csv"])
        agent.inventory.add_alert(
            Alert(at=NOW, kind="bound", severity="critical", text="x", keys=touched, session="c9")
        )
        for number, key in enumerate(touched):
            agent.events.add(
                AccessEvent(
                    at=NOW.timestamp() - 9 + number, monotonic_ns=number, key=key, path=b"/x", operation="open",
                    session="c9", decision="allow",
                ),
                agent.mask,
            )  # fmt: skip
        incident = declare(agent, declaration())
        assert (incident.files, incident.persons) == (2, 690)
        assert (incident.left_files, incident.left_persons) == (2, 690)
        states = {os.path.basename(item.path): item.state for item in incident.items}
        assert states == {b"orders.db": "left", "会员.csv".encode(): "vault"}
    assert database.exists()


def test_a_live_database_stays_where_it_is_unless_a_person_names_it(home, share):
    database = share / "orders.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    connection.close()
    with opened(home) as agent:
        inventoried(agent, share)
        folder = preview(agent, declaration(paths=(os.fsencode(share),)))
        assert [left.why for left in folder.left_out] == ["live"]
        assert database.name not in {os.fsdecode(os.path.basename(item.path)) for item in folder.items}
        assert preview(agent, declaration()).left_out
        assert not preview(agent, declaration(paths=(os.fsencode(database),))).left_out
        assert not preview(agent, declaration(scope="all")).left_out
        assert preview(agent, declaration(paths=(os.fsencode(database),), machine=True)).left_out
        assert preview(agent, declaration(scope="all", machine=True)).left_out
        incident = declare(agent, declaration(scope="strays"))
        assert incident.complete
    assert database.exists()


def test_a_file_that_the_tills_program_holds_stays_where_it_is(home, share):
    held = share / "会员.csv"
    with held.open("rb") as file:
        till = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE,
                                pass_fds=(file.fileno(),))  # fmt: skip
        try:
            program = os.path.realpath(f"/proc/{till.pid}/exe")
            with opened(home, settings={"watch": {"protected_programs": [program]}}) as agent:
                inventoried(agent, share)
                chosen = preview(agent, declaration())
                assert [left.why for left in chosen.left_out] == ["protected"]
        finally:
            till.communicate()


def test_a_decoy_that_no_scan_met_has_the_strays_contained_not_nothing(home, share, tmp_path):
    decoy = tmp_path / "诱饵.csv"
    settings = {"watch": {"decoys": [str(decoy)], "decoy_response": "declare"}}
    with opened(home, watch=GuardStandIn(), settings=settings) as agent:
        inventoried(agent, share)
        (planted,) = plant_decoys(agent)
        event = AccessEvent(
            at=NOW.timestamp(), monotonic_ns=1, key=planted.key, path=planted.path, operation="open", pid=4_000_000,
            started=1, uid=1001, user="clerk", session="audit:7", decision="deny",
        )  # fmt: skip
        respond(
            agent,
            Crossing(
                event=event, rule="decoy", subject="session", keys=(), persons=0, response="declare", outcome="stopped"
            ),
        )
        (row,) = incidents(agent).all()
        incident = incidents(agent).get(row.id)
        assert (incident.scope, incident.machine) == ("strays", True)
        assert {item.state for item in incident.items} == {"vault"}
        assert len(incident.items) == 3
        assert decoy.exists()
