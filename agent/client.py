"""Carry out an operation: in the daemon if one runs, else here, by the same function under the same lock."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Callable
from typing import Any, Final

from agent.console import Console
from agent.frames import MAX_ANSWER, BrokenConnectionError, receive_frame, send_frame
from agent.operation import Answer, Caller, Request
from agent.operations import find_operation
from config.errors import ClocheError, ExitCode, NoDaemonError, RefusedError
from config.home import Home
from config.load import load_settings

PROTOCOL: Final = 1


class RemoteError(ClocheError):
    """An error that the daemon reports, with its own exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = ExitCode(exit_code)


def connect(home: Home) -> socket.socket | None:
    """A connection to this home's daemon, or None if none runs."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(home.control_socket))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        connection.close()
        return None
    except PermissionError as error:
        connection.close()
        raise RefusedError(f"{home.control_socket}: only the group `cloche` may reach the daemon") from error
    except OSError as error:
        connection.close()
        raise ClocheError(f"{home.control_socket}: cannot be reached: {error.strerror}") from error
    return connection


def daemon_running(home: Home) -> bool:
    """Whether a daemon answers on this home's socket."""
    connection = connect(home)
    if connection is None:
        return False
    connection.close()
    return True


def perform(
    console: Console,
    name: str,
    arguments: dict[str, Any],
    *,
    descriptors: tuple[int, ...] = (),
    progress: Callable[[dict[str, Any]], None] = lambda _update: None,
) -> Answer:
    """Carry out the operation `name`.

    Raises:
        ClocheError: what the operation raised, here or in the daemon.
    """
    listed = find_operation(name)
    connection = connect(console.home)
    if connection is not None:
        with connection:
            return ask(connection, name, arguments, descriptors=descriptors, progress=progress)

    from agent.keeper import tick
    from agent.lock import hold_lock
    from agent.wiring import build_agent

    settings = load_settings(console.home.settings_file, direction=console.home.direction)
    with hold_lock(console.home, console.text), build_agent(console.home, settings) as agent:
        request = Request(arguments=arguments, caller=this_caller(), descriptors=descriptors, progress=progress)
        answer = listed.load()(agent, request)
        if listed.tells_head_office or listed.changes_files:
            tick(agent, agent.now())
        if agent.moved:
            from agent.incident.telling import tell_moved

            tell_moved(agent)
        return answer


def this_caller() -> Caller:
    """Whoever runs this process; owner of the home, for the lock was theirs to take."""
    uid = os.geteuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return Caller(uid=uid, gid=os.getegid(), pid=os.getpid(), user=user, is_owner=True)


def ask(
    connection: socket.socket,
    name: str,
    arguments: dict[str, Any],
    *,
    descriptors: tuple[int, ...] = (),
    progress: Callable[[dict[str, Any]], None] = lambda _update: None,
) -> Answer:
    """Send an operation to the daemon and wait for its answer."""
    send_frame(connection, {"v": PROTOCOL, "operation": name, "arguments": arguments}, descriptors)
    while True:
        try:
            frame, _none = receive_frame(connection, limit=MAX_ANSWER)
        except BrokenConnectionError as error:
            raise NoDaemonError(f"the daemon went away before it answered {name}: {error}") from error
        if "progress" in frame:
            progress(frame["progress"])
        elif "error" in frame:
            raise RemoteError(str(frame["error"]), int(frame["exit_code"]))
        else:
            return Answer(document=frame["document"], exit_code=ExitCode(int(frame["exit_code"])))
