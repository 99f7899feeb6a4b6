"""Affected persons, counted and listed from real files wherever they are: in place, fenced, in the vault, sealed."""

import os
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime

import openpyxl
import pytest

from agent.incident.declare import Declaration, declare
from agent.incident.store import incidents
from agent.notice.lists import make_list, people
from agent.notice.persons import count_persons, last_count
from agent.wiring import build_agent
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from scanners.identity import Identities
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
    identities, items = Identities(), []
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
