"""A store that holds drills, and what a drill is told of it: what the tests of drills share.

A test file takes what it needs by its name: `home = drill_shop.home`, and `place`, which the others stand on.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from agent.drill.carrying import Order, carry_out
from agent.drill.enclosure import facts_of, real_places
from agent.operation import Caller, Request
from agent.operations import find_operation
from agent.wiring import build_agent
from config.home import find_home
from config.schema import Settings

PLANTED = "13800001111"
OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
LEADER = Caller(uid=7, gid=7, pid=1, user="lead", roles=frozenset({"security_lead"}))
STRANGER = Caller(uid=8, gid=8, pid=1, user="guest")
PEOPLE = [
    {"name": "李样例", "roles": ["response_lead"], "user": "lead", "email": "lead@example.com", "phone": "13800000001",
     "contact": "138 0000 0001", "substitute": "王测试"},
    {"name": "王测试", "roles": ["security_lead", "tech_support"], "email": "wang@example.com"},
    {"name": "张演示", "roles": ["legal", "customer_service"], "email": "zhang@example.com"},
    {"name": "陈模拟", "roles": ["store_manager"]},
]  # fmt: skip
NOON = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
FULL_TIER = ("root", "fanotify")


@pytest.fixture
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("d")  # short: a guard's socket has a name of 108 bytes at most
    yield folder
    subprocess.run(["chattr", "-R", "-f", "-i", str(folder)], check=False, capture_output=True)


@pytest.fixture
def home(place):
    found = find_home(place / "h")
    found.create()
    return found


@pytest.fixture
def shop(place):
    folder = place / "shop"
    folder.mkdir()
    for name in ("会员.csv", f"{PLANTED}.txt"):
        (folder / name).write_text(f"姓名,电话\n测试甲,{PLANTED}\n" * 20, encoding="utf-8")
    return folder


def settings_for(shop=None, **more):
    values = {"store": {"name": "测试一店"}, "people": PEOPLE, **more}
    if shop is not None:
        values["scan"] = {"roots": [str(shop)]}
    return Settings.model_validate(values)


@contextlib.contextmanager
def opened(home, settings=None, clock=None):
    with build_agent(home, settings or settings_for(), **({"now": clock} if clock else {})) as agent:
        yield agent


def call(agent, operation_name, caller=OWNER, /, **arguments):
    return find_operation(operation_name).load()(agent, Request(arguments=arguments, caller=caller))


def order(home, settings, scenario, **more):
    values = {"size": 0.01, "drafts": False, **more}
    return Order(
        folder=home.state / "drills" / "D1", scenario=scenario, facts=facts_of(settings),
        real=real_places(settings, home), **values,
    )  # fmt: skip


def played(home, settings, scenario, **more):
    (home.state / "drills").mkdir(mode=0o711, exist_ok=True)
    steps: list[str] = []
    return carry_out(order(home, settings, scenario, **more), steps.append), steps


def everything_in(folder):
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path, path.read_bytes()


def cloche(home, *arguments, **environment):
    program = os.path.join(os.path.dirname(sys.executable), "cloche")
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "CLOCHE_HOME": str(home.state), **environment},
    )  # fmt: skip


def write_settings(home, shop):
    people = "".join(
        "[[people]]\n" + "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in person.items())
        for person in PEOPLE
    )
    home.settings_file.write_text(f'[store]\nname = "测试一店"\n[scan]\nroots = ["{shop}"]\n{people}', encoding="utf-8")


def result_of(**measured):
    values = {"contain": 5.0, "report_draft": 3.0, "notify_draft": 9.0, "restored": 1.0, "recorded": 1.0, **measured}
    return {"measured": values, "persons": 10, "tier": "none", "blocking": False, "samba": False, "steps": [],
            "timeline": [], "notes": [], "incident": "I1", "declared_by": "person",
            "confinement": {"files": "kernel", "network": "namespace", "exposed": []}}  # fmt: skip
