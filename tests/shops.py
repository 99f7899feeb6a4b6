"""A store of made-up files with the real agent on it: what tests of several rooms share."""

import os
import stat
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from agent.incident.declare import Declaration
from agent.wiring import build_agent
from config.identity import make_identity
from config.schema import Settings
from scanners.identity import Identities
from scanners.records import Finding, Item

NOW = datetime.now(UTC)


class Clock:
    """A clock that a test turns."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def turn(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


def inventoried(agent, folder, persons=None):
    """Record the folder's files as a scan would, with real identities."""
    identities = Identities()
    items = []
    for path in sorted(folder.rglob("*")):
        descriptor = os.open(path, os.O_RDONLY)
        kind = "sqlite" if path.suffix == ".db" else "csv"
        items.append(
            Item(
                path=os.fsencode(path), kind=kind, status="read", size=path.stat().st_size, level=3, score=80,
                persons=(persons or {}).get(path.name, 10), identity=identities.of(descriptor, os.fstat(descriptor)),
                findings=(Finding(entity="PHONE_NUMBER", count=9, distinct=7, confidence=0.9),),
            )
        )  # fmt: skip
        os.close(descriptor)
    agent.inventory.record_run(items, roots=[os.fsencode(folder)], at=NOW)
    return {os.fsdecode(item.path).rsplit("/", 1)[-1]: item.identity.key for item in items}


@contextmanager
def opened(home, *, keys=True, watch=None, settings=None):
    with build_agent(home, Settings.model_validate(settings or {}), watch) as agent:
        if keys:
            agent.keyring.adopt(make_identity("recovery").public)
        yield agent


def declaration(**changes):
    values = {"kind": "insider", "summary": "有人在拷贝会员名单", "discovered_at": NOW, "by": "测试甲"}
    return Declaration(**{**values, **changes})


def snapshot(folder):
    """Everything about a tree that a release must bring back."""
    return {
        path.name: (
            path.read_bytes(), stat.S_IMODE(path.stat().st_mode), path.stat().st_uid, path.stat().st_mtime_ns
        )
        for path in sorted(folder.iterdir())
    }  # fmt: skip
