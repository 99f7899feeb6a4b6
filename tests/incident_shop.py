"""What tests of an incident share: a folder to declare, what was done to files, a watch that remembers its orders."""

import os
from pathlib import Path

import pytest
from premises import PLANTED

from agent.watch.api import NoWatch

PEOPLES = ("grade", "phase", "orders", "messages", "duties", "reports", "notice")


class GuardStandIn(NoWatch):
    """Speaks the watch's protocol and remembers what is denied; blocking itself is tested with the real guard."""

    def __init__(self):
        self.denied = set()
        self.pardoned = []

    @property
    def tier(self):
        return "permission"

    def deny(self, keys):
        self.denied |= set(keys)
        return frozenset(keys)

    def allow(self, keys):
        self.denied -= set(keys)

    def pardon(self, session):
        self.pardoned.append(session)


def acts(incident):
    """What was done to files, in order; what people were told and asked is tested in its own rooms."""
    return [step.act for step in incident.steps if not step.act.startswith(PEOPLES)]


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Files of 300, 40 and one member; mode and times of the first are not those of a new file."""
    folder = tmp_path / "share"
    folder.mkdir()
    for name, count in (("会员.csv", 300), ("预订.csv", 40), (f"{PLANTED}.txt", 1)):
        (folder / name).write_text("姓名,电话\n" + f"测试甲,{PLANTED}\n" * count, encoding="utf-8")
    (folder / "会员.csv").chmod(0o640)
    os.utime(folder / "会员.csv", ns=(1_700_000_000_123_456_789, 1_700_000_001_987_654_321))
    return folder
