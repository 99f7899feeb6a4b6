"""`inventory list`, `show` and `export`, over a real inventory."""

import json
import os
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from agent.inventory.operations import export_items, list_items, show_item
from agent.inventory.store import Inventory
from agent.operation import Caller, Request
from config.errors import ClocheError, RefusedError, UsageError
from config.text import Text
from scanners.masking import mask_text
from scanners.records import FileIdentity, Finding, Item, Place

OWNER = Caller(uid=0, gid=0, pid=1, user="owner", is_owner=True)
LAWYER = Caller(uid=1000, gid=1000, pid=1, user="lawyer", roles=frozenset({"legal"}))
CLERK = Caller(uid=1001, gid=1001, pid=1, user="clerk", roles=frozenset({"store_manager"}))
FILE = b"/srv/13800001111.db"


@pytest.fixture
def agent(tmp_path):
    acts = []
    with Inventory(tmp_path / "inventory.db") as inventory:
        identity = FileIdentity(
            filesystem="", inode=7, birth_ns=0, device=1, mtime_ns=1, size=9, links=1, uid=0, mode=0o100600
        )
        phones = Finding(
            entity="PHONE_NUMBER", count=9, distinct=7, confidence=1.0, samples=("138****2222",),
            place=Place(table="13900003333", column="mobile", line=1),
        )  # fmt: skip
        items = [
            Item(path=FILE, kind="sqlite", status="read", identity=identity, level=3),
            Item(path=FILE + b"#users", kind="table", status="read", level=3, persons=7, findings=(phones,)),
            Item(path=FILE + b"#menu", kind="table", status="read"),
        ]
        inventory.record_run(items, roots=[b"/srv"], at=datetime(2026, 11, 23, tzinfo=UTC))
        audit = SimpleNamespace(append=lambda act, actor, **details: acts.append((act, actor, details)))
        yield SimpleNamespace(inventory=inventory, text=Text("en"), mask=mask_text, audit=audit, acts=acts)


def ask(operation, agent, caller=OWNER, **arguments):
    return operation(agent, Request(arguments=arguments, caller=caller)).document


@pytest.mark.parametrize("operation", [list_items, export_items])
def test_nobody_without_a_role_may_read_the_inventory(agent, operation):
    with pytest.raises(RefusedError, match="clerk"):
        ask(operation, agent, CLERK)
    with pytest.raises(RefusedError, match="clerk"):
        ask(show_item, agent, CLERK, path=os.fsdecode(FILE))


def test_the_list_holds_what_holds_something_and_all_of_it_when_asked(agent):
    assert [item["path"] for item in ask(list_items, agent)["items"]] == ["/srv/13800001111.db#users"]
    assert len(ask(list_items, agent, all=True)["items"]) == 3
    assert ask(list_items, agent)["scanned_at"] == "2026-11-23T00:00:00+00:00"


def test_no_sample_comes_out_of_the_inventory(agent):
    for operation in (list_items, export_items):
        assert "138****2222" not in json.dumps(ask(operation, agent))
    assert "138****2222" not in json.dumps(ask(show_item, agent, path=os.fsdecode(FILE)))


def test_a_role_sees_masked_names_and_tables_the_owner_real_ones_and_an_export_is_always_masked(agent):
    for document in (
        ask(list_items, agent, LAWYER), ask(show_item, agent, LAWYER, path=os.fsdecode(FILE)),
        ask(export_items, agent, OWNER),
    ):  # fmt: skip
        assert "13800001111" not in json.dumps(document)
        assert "13900003333" not in json.dumps(document)
    assert "13800001111" in json.dumps(ask(list_items, agent))
    assert agent.acts == [("inventory.exported", "owner", {"items": 1})]


def test_a_file_is_shown_with_what_lies_in_it_and_where_its_sealed_form_is(agent):
    shown = ask(show_item, agent, path=os.fsdecode(FILE))
    assert [part["path"] for part in shown["inside"]] == ["/srv/13800001111.db#users", "/srv/13800001111.db#menu"]
    agent.inventory.set_state(FILE, "sealed", sealed_path=FILE + b".cloche")
    shown = ask(show_item, agent, path=os.fsdecode(FILE + b".cloche"))
    assert (shown["item"]["state"], shown["sealed_path"]) == ("sealed", "/srv/13800001111.db.cloche")
    assert len(shown["inside"]) == 2
    assert agent.inventory.item_at(FILE + b".cloche").path == FILE


def test_an_unknown_path_is_named_masked_and_a_relative_one_refused(agent):
    with pytest.raises(ClocheError, match=r"139\*\*\*\*4444: not in the inventory"):
        ask(show_item, agent, path="/srv/13900004444")
    with pytest.raises(UsageError, match="not an absolute path"):
        ask(list_items, agent, under="srv")
