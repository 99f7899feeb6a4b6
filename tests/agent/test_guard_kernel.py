"""fanotify through ctypes: reads are asked about on every filesystem, with the mask that each of them has."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.guard.kernel import FAN_OPEN_PERM, Group

pytestmark = pytest.mark.needs("root", "fanotify", "mount")


@pytest.fixture(params=["the folder's own filesystem", "tmpfs"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "here"
    folder.mkdir()
    if request.param == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    (folder / "会员.csv").write_text("测试甲,13800001111\n")
    yield folder / "会员.csv"
    if request.param == "tmpfs":
        subprocess.run(["umount", folder], check=True)


def test_the_tier_is_the_kernels_whatever_filesystem_the_probe_lies_on(file: Path, tmp_path: Path) -> None:
    (tmp_path / "probe").touch()
    with closing(Group.open(os.fsencode(file))) as here, closing(Group.open(os.fsencode(tmp_path / "probe"))) as there:
        assert here.tier == there.tier


def test_a_refused_read_brings_nothing_on_any_filesystem(file: Path, tmp_path: Path) -> None:
    (tmp_path / "probe").touch()
    group = Group.open(os.fsencode(tmp_path / "probe"))
    mask = FAN_OPEN_PERM | group.reads
    try:
        group.mark(os.fsencode(file), mask)
        with subprocess.Popen(["cat", file], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as reader:
            end = time.monotonic() + 5
            while reader.poll() is None and time.monotonic() < end:
                for event in group.events():
                    group.answer(event.descriptor, allow=bool(event.mask & FAN_OPEN_PERM))
                    os.close(event.descriptor)
                    os.close(event.pidfd)
                time.sleep(0.005)
            assert reader.stdout is not None
            assert (reader.wait(5), reader.stdout.read()) == (1, b"")
        group.unmark(os.fsencode(file), mask)
        assert file.read_text() == "测试甲,13800001111\n", "unmarked: nobody is asked"
    finally:
        group.close()
