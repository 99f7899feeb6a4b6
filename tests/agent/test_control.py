"""The daemon's socket: frames, callers, errors, descriptors."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent.client import ask, connect, daemon_running
from agent.control import MAX_OF_ONE_ACCOUNT, ControlServer
from agent.frames import BrokenConnectionError, receive_frame, send_frame
from agent.operation import Answer, Operation, Request
from agent.operations import OPERATIONS, Listed, find_operation
from agent.wiring import Agent
from config.errors import ClocheError, NoDaemonError, RefusedError, UsageError
from config.home import Home, find_home
from config.schema import Person, Settings
from config.text import Text


def echo(agent: Agent, request: Request) -> Answer:
    for step in range(request.arguments.get("steps", 0)):
        request.progress({"step": step})
    content = [os.pread(descriptor, 100, 0).decode() for descriptor in request.descriptors]
    roles = sorted(request.caller.roles)
    return Answer(
        document={"said": request.arguments["say"], "content": content, "uid": request.caller.uid, "roles": roles}
    )


def refuse(agent: Agent, request: Request) -> Answer:
    raise RefusedError("not today")


def break_down(agent: Agent, request: Request) -> Answer:
    raise ValueError("测试甲13800001111")


FINISHED = threading.Event()


def talk(agent: Agent, request: Request) -> Answer:
    for _ in range(2000):
        request.progress({"news": "x" * 1000})
    FINISHED.set()
    return Answer(document={})


def lock_probe(agent: Agent, request: Request) -> Answer:
    free = []
    prober = threading.Thread(target=lambda: free.append(agent.exclusive.acquire(blocking=False)))
    prober.start()
    prober.join()
    return Answer(document={"free": free[0]})


ACTED = threading.Event()
FUNCTIONS: dict[str, Operation] = {
    "echo": echo, "refuse": refuse, "break": break_down, "exclusive": lock_probe,
    "talk": talk,
}  # fmt: skip


class Here(Listed):
    """An operation of this file."""

    def load(self) -> Operation:
        return FUNCTIONS[self.function]


def find(name: str) -> Listed:
    if name not in FUNCTIONS:
        return find_operation(name)
    return Here(module="", function=name, changes_files=name == "exclusive")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = find_home(tmp_path / "h")
    home.create()
    settings = Settings(people=(Person(name="测试店长", roles=("store_manager",), user="root"),))
    agent = cast("Agent", SimpleNamespace(home=home, settings=settings, text=Text("en"), exclusive=threading.RLock()))
    ACTED.clear()
    server = ControlServer(agent, find=find, acted=ACTED.set)
    server.start()
    yield home
    server.close()


def call(home: Home, name: str, arguments: dict[str, Any], **more: Any) -> Answer:
    connection = connect(home)
    assert connection is not None
    with connection:
        return ask(connection, name, arguments, **more)


@pytest.mark.parametrize("operation", ["refuse", "break"])
def test_whoever_tells_head_office_hears_of_every_act_also_of_one_that_was_refused(home: Home, operation: str) -> None:
    with pytest.raises(ClocheError):
        call(home, operation, {})
    assert ACTED.is_set()


def test_an_operation_answers_with_progress_on_the_way(home: Home) -> None:
    updates: list[dict[str, Any]] = []
    answer = call(home, "echo", {"say": "你好", "steps": 3}, progress=updates.append)
    assert answer.document["said"] == "你好"
    assert updates == [{"step": 0}, {"step": 1}, {"step": 2}]


def test_the_caller_is_who_the_kernel_says(home: Home) -> None:
    document = call(home, "echo", {"say": ""}).document
    assert document["uid"] == os.geteuid()
    if os.geteuid() == 0:
        assert document["roles"] == ["store_manager"]


def test_descriptors_travel_with_the_request_and_are_closed_behind_it(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("inside a")
    with (tmp_path / "a").open("rb") as file:
        assert call(home, "echo", {"say": ""}, descriptors=(file.fileno(),)).document["content"] == ["inside a"]


class Quick(socket.socket):
    """A line whose other end has read, answered and gone before the sender has drawn breath."""

    def sendmsg(self, *arguments: Any) -> int:  # type: ignore[override]
        sent = super().sendmsg(*arguments)
        THEIRS.pop().close()
        return sent


THEIRS: list[socket.socket] = []


def test_an_answer_that_came_before_the_sender_was_done_is_no_broken_connection(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    (tmp_path / "a").write_text("inside a")
    THEIRS.append(theirs)
    with Quick(fileno=ours.detach()) as line, (tmp_path / "a").open("rb") as file:
        send_frame(line, {"v": 1}, (file.fileno(),))


def test_an_error_keeps_its_message_and_exit_code(home: Home) -> None:
    with pytest.raises(ClocheError, match="not today") as caught:
        call(home, "refuse", {})
    assert caught.value.exit_code == 4


def test_an_unexpected_error_tells_its_place_and_not_its_words(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ClocheError, match=r"ValueError at test_control\.py") as caught:
        call(home, "break", {})
    assert caught.value.exit_code == 1
    captured = capfd.readouterr()
    assert "13800001111" not in str(caught.value) + captured.err + captured.out


def test_an_unknown_operation_is_refused_by_name(home: Home) -> None:
    with pytest.raises(ClocheError, match="'dance'") as caught:
        call(home, "dance", {})
    assert caught.value.exit_code == 2


def test_operations_that_change_files_hold_the_one_lock(home: Home) -> None:
    assert call(home, "exclusive", {}).document["free"] is False


@pytest.mark.parametrize(
    "raw", [b"", b"\0\0", struct.pack(">I", 1 << 31), struct.pack(">I", 4) + b"nope", struct.pack(">I", 2) + b"[]"]
)
def test_what_is_no_request_harms_nobody(home: Home, raw: bytes) -> None:
    connection = connect(home)
    assert connection is not None
    with connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert call(home, "echo", {"say": "still here"}).document["said"] == "still here"


def test_another_protocol_version_is_told_what_to_do(home: Home) -> None:
    connection = connect(home)
    assert connection is not None
    with connection:
        send_frame(connection, {"v": 99, "operation": "echo", "arguments": {}})
        frame, _ = receive_frame(connection, limit=10_000)
    assert frame["exit_code"] == 2
    assert "restart" in frame["error"]


def test_a_client_that_reads_nothing_holds_nothing_up(home: Home) -> None:
    FINISHED.clear()
    connection = connect(home)
    assert connection is not None
    with connection:
        send_frame(connection, {"v": 1, "operation": "talk", "arguments": {}})
        assert FINISHED.wait(timeout=5)


def test_a_request_that_comes_in_drops_is_cut(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.control.REQUEST_SECONDS", 0.3)
    connection = connect(home)
    assert connection is not None
    with connection:
        for sent, byte in enumerate(struct.pack(">I", 1000) + b" " * 200):
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                assert sent > 5
                return
            time.sleep(0.02)
    pytest.fail("four seconds of single bytes were waited for")


def test_one_account_holds_a_quarter_of_the_places(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.control._is_owner", lambda _uid: False)
    idle = [connect(home) for _ in range(MAX_OF_ONE_ACCOUNT)]
    over = connect(home)
    assert over is not None
    over.settimeout(2)
    assert over.recv(1) == b""
    for connection in (*idle, over):
        assert connection is not None
        connection.close()
    for _ in range(100):
        try:
            assert call(home, "echo", {"say": "again"}).document["said"] == "again"
        except NoDaemonError:  # the server has not seen the ends of the four yet
            time.sleep(0.02)
        else:
            return
    pytest.fail("places do not come free")


def test_lent_descriptors_are_not_inherited(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, (tmp_path / "key").open("w") as file:
        send_frame(ours, {}, (file.fileno(),))
        _frame, (descriptor,) = receive_frame(theirs, limit=100, descriptors=True)
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)


def test_the_socket_is_for_its_owner(home: Home) -> None:
    assert home.control_socket.stat().st_mode & 0o007 == 0


def test_without_a_daemon_nobody_answers(tmp_path: Path) -> None:
    assert not daemon_running(find_home(tmp_path))


def test_a_daemon_that_dies_on_the_way_is_named() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        threading.Thread(target=lambda: (receive_frame(theirs, limit=1000), theirs.close())).start()
        with pytest.raises(NoDaemonError, match="went away"):
            ask(ours, "echo", {})


def test_a_broken_frame_closes_its_descriptors(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, (tmp_path / "x").open("w") as file:
        socket.send_fds(ours, [struct.pack(">I", 3) + b"{]}"], [file.fileno()])
        with pytest.raises(BrokenConnectionError):
            receive_frame(theirs, limit=100, descriptors=True)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_listed_operation_exists(name: str) -> None:
    assert callable(find_operation(name).load())


def test_an_operation_that_is_not_listed_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        find_operation("nothing")


@pytest.mark.needs("root", "setpriv")
def test_who_may_not_reach_the_socket_is_refused(home: Home) -> None:
    for folder in (home.state, home.state.parent, *home.state.parent.parents[:3]):
        if folder != Path("/tmp"):
            folder.chmod(0o755)
    code = (
        "import sys; from agent.client import connect; from config.home import find_home\n"
        "try: connect(find_home(sys.argv[1]))\n"
        "except Exception as error: sys.exit(int(error.exit_code))"
    )
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", sys.executable, "-c", code, str(home.state)], check=False
    )
    assert done.returncode == 4
