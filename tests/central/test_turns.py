"""Processes that write take turns."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from central.database.turns import Turn

HOLD = """
import sys
from pathlib import Path
from central.database.turns import Turn

with Turn(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_writes_at_a_time_and_one_that_is_killed_gives_its_turn_up(tmp_path: Path) -> None:
    file = tmp_path / "turn"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    got = threading.Event()

    def wait() -> None:
        with Turn(file):
            got.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not got.wait(0.3)
    os.kill(other.pid, signal.SIGKILL)
    assert got.wait(5)
    waiting.join()
    other.communicate()
    with Turn(file):  # and it was given back
        pass


def test_where_there_can_be_no_turn_writing_goes_on(tmp_path: Path) -> None:
    done = []
    turn = Turn(tmp_path / "gone" / "turn")
    for number in range(2):
        with turn:
            done.append(number)
    assert done == [0, 1]
