"""One writer a home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.lock import hold_lock
from config.errors import RefusedError
from config.home import find_home
from config.text import Text

HOLDER = """
import sys, time
from agent.lock import hold_lock
from config.home import find_home
from config.text import Text
with hold_lock(find_home(sys.argv[1]), Text("en")):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_told_who_writes_and_a_killed_one_frees_the_lock(tmp_path: Path) -> None:
    home = find_home(tmp_path / "h")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "h")], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RefusedError, match=str(holder.pid)), hold_lock(home, Text("en")):
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with hold_lock(home, Text("en")):
            assert home.lock.read_text() == f"{os.getpid()}\n"


def test_folders_are_for_their_owner(tmp_path: Path) -> None:
    home = find_home(tmp_path / "h")
    with hold_lock(home, Text("en")):
        for folder in (home.state, home.keys, home.vault, home.evidence, home.documents):
            assert folder.stat().st_mode & 0o077 == 0


def test_the_folder_of_the_sockets_can_be_walked_whatever_the_umask_and_is_written_by_its_owner_alone(tmp_path):
    home = find_home(tmp_path / "h")
    before = os.umask(0o077)
    try:
        home.create()
    finally:
        os.umask(before)
    assert home.run.stat().st_mode & 0o777 == 0o755
    assert home.state.stat().st_mode & 0o777 == 0o700
    assert home.evidence.stat().st_mode & 0o777 == 0o700


@pytest.mark.needs("root")
def test_a_folder_that_others_may_write_in_is_refused(tmp_path):
    home = find_home(tmp_path / "h")
    home.create()
    home.run.chmod(0o777)
    with pytest.raises(RefusedError, match="0777"):
        home.create()
