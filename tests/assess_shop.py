"""A store to assess and a look at it: what tests of the assessment share.

A fixture has another name here than tests ask for it by, so that no argument hides an import.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager

import pytest
from shops import NOW

from agent.assess.look import Look
from agent.assess.machine import Machine
from agent.assess.measures import MEASURES
from agent.operation import Caller, Request
from agent.operations import find_operation
from agent.watch.api import NoWatch
from agent.wiring import build_agent
from config.home import find_home
from config.schema import Settings
from config.text import Text
from scanners.identity import Identities
from scanners.records import Finding, Item

PLANTED = "13800001111"
OWNER = Caller(uid=0, gid=0, pid=1, user="测试甲", is_owner=True)
PEOPLE = [
    {"name": "王测试", "roles": ["security_lead", "response_lead"], "user": "wang", "phone": "13800000000"},
    {"name": "李样例", "roles": ["legal", "store_manager"], "email": "li@example.com", "substitute": "王测试"},
]


@pytest.fixture(name="home")
def a_home(tmp_path):
    home = find_home(tmp_path / "home")
    home.create()
    yield home
    for path in (tmp_path / "share").rglob("*"):
        subprocess.run(["chattr", "-i", str(path)], check=False, capture_output=True)


@pytest.fixture(name="share")
def a_share(tmp_path):
    """A folder that nobody but its owner may enter, with three files that hold customers."""
    folder = tmp_path / "share"
    folder.mkdir(mode=0o700)
    for name in ("会员.csv", "预订.csv", "backup/members.sql"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("姓名,电话\n测试甲,13800001111\n", encoding="utf-8")
        path.chmod(0o600)
    return folder


@contextmanager
def opened(home, watch=None, now=None, **settings):
    clock = {"now": now} if now else {}
    given = {"people": PEOPLE, **settings}
    with build_agent(home, Settings.model_validate(given), watch, **({"now": lambda: now} if clock else {})) as agent:
        yield agent


def inventoried(agent, folder, persons=None, at=None):
    """Record the folder's files as a scan would, with real identities."""
    identities, items = Identities(), []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        descriptor = os.open(path, os.O_RDONLY)
        facts = os.fstat(descriptor)
        items.append(
            Item(
                path=os.fsencode(path), kind="sql_dump" if path.suffix == ".sql" else "csv", status="read",
                size=facts.st_size, level=3, score=80, persons=(persons or {}).get(path.name, 10),
                identity=identities.of(descriptor, facts),
                findings=(Finding(entity="PHONE_NUMBER", count=9, distinct=7, confidence=0.9),),
            )
        )  # fmt: skip
        os.close(descriptor)
    agent.inventory.record_run(items, roots=[os.fsencode(folder)], at=at or NOW)


def looked(agent, tmp_path, now=None, machine=None):
    """A look at a machine that has nothing, unless one is given."""
    nothing = machine or Machine(tmp_path / "nothing", run=lambda _command: None)
    return Look(agent=agent, now=now or agent.now(), machine=nothing)


def result_of(look, name):
    return next(measure for measure in MEASURES if measure.id == name).measure(look)


def words(result, language="zh-CN"):
    from agent.assess.words import spoken

    return "\n".join(spoken(Text(language), saying.document()) for saying in result.evidence)


def call(agent, operation, caller=OWNER, /, **arguments):
    return find_operation(operation).load()(agent, Request(arguments=arguments, caller=caller)).document


class Guarding(NoWatch):
    @property
    def tier(self):
        return "permission"


@pytest.fixture(name="bare_machine")
def a_bare_machine(tmp_path, monkeypatch):
    """Operations look at a machine that has nothing: asking a real one for its updates takes seconds."""
    monkeypatch.setattr(
        "agent.assess.machine.Machine", lambda: Machine(tmp_path / "nothing", run=lambda _command: None)
    )
