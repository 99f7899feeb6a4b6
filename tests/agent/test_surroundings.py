"""Who started a process and whom it talks to, read off real processes."""

import os
import socket
import subprocess
import sys

import pytest

from agent.incident.surroundings import Surroundings, look_around
from containment.processes import start_time

TALKER = (
    "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); print('x', flush=True); input()"
)


@pytest.fixture
def talker():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        child = subprocess.Popen(
            [sys.executable, "-c", TALKER, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        accepted, _ = server.accept()
        child.stdout.readline()
        yield child, port
        accepted.close()
        child.stdin.close()
        child.wait()
        child.stdout.close()


def test_parents_come_nearest_first_and_connections_with_both_ends(talker):
    child, port = talker
    found = look_around(child.pid, start_time(child.pid))
    assert found.parents[0].pid == os.getpid()
    assert b"pytest" in found.parents[0].command or b"python" in found.parents[0].command
    assert [(end.protocol, end.remote, end.state) for end in found.connections] == [
        ("tcp", f"127.0.0.1:{port}", "established")
    ]
    assert found.connections[0].local.startswith("127.0.0.1:")


def test_another_process_of_the_same_number_is_not_it(talker):
    child, _ = talker
    assert look_around(child.pid, start_time(child.pid) + 1) == Surroundings()
    assert look_around(2**22 + 1, 1) == Surroundings()


def test_command_lines_above_are_masked(talker):
    child, _ = talker
    shown = look_around(child.pid, start_time(child.pid)).document(lambda _text: "masked")
    assert {parent["command"] for parent in shown["parents"]} == {"masked"}
    assert {parent["program"] for parent in shown["parents"]} == {"masked"}
