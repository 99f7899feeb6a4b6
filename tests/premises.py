"""The premises that tests of several rooms begin in, as fixtures: a home, a folder of members, a clock that stands.

A test file takes what it needs by its name: `home = premises.home`.
"""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from shops import Clock

from config.home import Home, find_home

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
PLANTED = "13800001111"
CONTENT = "姓名,电话\n" + f"测试甲,{PLANTED}\n" * 50


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home of its own; a fence that the test left in `share` is taken down after it."""
    made = find_home(tmp_path / "home")
    made.create()
    yield made
    for path in (tmp_path / "share").rglob("*"):
        subprocess.run(["chattr", "-i", str(path)], check=False, capture_output=True)


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Three files of members, one with a member's number for its name."""
    folder = tmp_path / "share"
    folder.mkdir()
    for name in ("会员.csv", "预订.csv", f"{PLANTED}.csv"):
        (folder / name).write_text(CONTENT, encoding="utf-8")
        (folder / name).chmod(0o640)
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture(autouse=True)
def no_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports of incidents take seconds each and are tried elsewhere."""
    monkeypatch.setattr("agent.incident.declare.write_documents", lambda *_arguments: 0)
