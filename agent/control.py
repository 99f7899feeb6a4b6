"""The daemon's API: a Unix socket, one operation a connection, the caller known by the kernel's word.

`SO_PEERCRED` gives the account that connected, which may have handed the socket on; that is the account's own doing.
Roles come from root-owned settings by account name. The socket is 0660, group `cloche` where that group exists.

Whoever may connect may also stand still: a frame has a time as a whole, news of progress is left out where nobody
reads it (Ctrl-Z on a command must not hold the lock of whatever moves files), and one account that is not the owner
holds at most a quarter of the places, so that a declaration finds one.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from agent.client import PROTOCOL
from agent.frames import MAX_REQUEST, BrokenConnectionError, has_room, receive_frame, send_frame
from agent.operation import Caller, Request
from agent.operations import Listed, find_operation
from agent.wiring import Agent
from config.errors import ClocheError, ExitCode, UsageError
from config.log import describe, get_logger

log = get_logger("control")
MAX_CONNECTIONS: Final = 16
MAX_OF_ONE_ACCOUNT: Final = MAX_CONNECTIONS // 4
REQUEST_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 60.0


class ControlServer:
    """Serves operations until closed.

    Promise: a request is carried out once or refused; a client that goes away does not stop what it began. Limit: what
    a killed daemon was doing is taken up by recovery at its next start, and the client is told that it went away.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        find: Callable[[str], Listed] = find_operation,
        changed: Callable[[], None] = lambda: None,
        acted: Callable[[], None] = lambda: None,
    ) -> None:
        self._agent = agent
        self._find = find
        self._changed, self._acted = changed, acted
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._threads: set[threading.Thread] = set()
        self._accounts: Counter[int] = Counter()
        self._counting = threading.Lock()
        path = agent.home.control_socket
        with suppress(FileNotFoundError):
            path.unlink()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        previous = os.umask(0o177)
        try:
            self._listener.bind(str(path))
        finally:
            os.umask(previous)
        with suppress(KeyError, PermissionError):
            os.chown(path, -1, grp.getgrnam("cloche").gr_gid)
            path.chmod(0o660)
        self._listener.listen(MAX_CONNECTIONS)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def close(self) -> None:
        """Accept no more and wait for what is under way."""
        self._agent.home.control_socket.unlink(missing_ok=True)
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for thread in tuple(self._threads):
            thread.join(timeout=30)

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            _pid, uid, _gid = _peer(connection)
            if not self._admit(uid):
                connection.close()
                continue
            self._slots.acquire()
            thread = threading.Thread(target=self._serve, args=(connection, uid), name="operation", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _admit(self, uid: int) -> bool:
        """Count a connection of this account; False if it has its share of them already."""
        with self._counting:
            if not _is_owner(uid) and self._accounts[uid] >= MAX_OF_ONE_ACCOUNT:
                return False
            self._accounts[uid] += 1
            return True

    def _serve(self, connection: socket.socket, uid: int) -> None:
        try:
            with connection, suppress(BrokenConnectionError):
                frame, descriptors = receive_frame(
                    connection, limit=MAX_REQUEST, descriptors=True, seconds=REQUEST_SECONDS
                )
                try:
                    connection.settimeout(ANSWER_SECONDS)
                    send_frame(connection, self._carry_out(connection, frame, descriptors))
                finally:
                    for descriptor in descriptors:
                        os.close(descriptor)
        finally:
            with self._counting:
                self._accounts -= Counter({uid: 1})
            self._threads.discard(threading.current_thread())
            self._slots.release()

    def _carry_out(
        self, connection: socket.socket, frame: dict[str, Any], descriptors: tuple[int, ...]
    ) -> dict[str, Any]:
        """Run the operation a frame asks for; the frame that answers it."""

        def tell(update: dict[str, Any]) -> None:
            if has_room(connection):
                with suppress(BrokenConnectionError):
                    send_frame(connection, {"progress": update})

        try:
            if frame.get("v") != PROTOCOL or not isinstance(frame.get("arguments"), dict):
                raise UsageError(f"this daemon speaks control protocol {PROTOCOL}: restart it after an upgrade")
            listed = self._find(str(frame.get("operation")))
            request = Request(
                arguments=frame["arguments"],
                caller=self._caller(connection),
                descriptors=descriptors,
                progress=tell,
            )
            function = listed.load()
            if listed.changes_files:
                with self._agent.exclusive:
                    answer = function(self._agent, request)
            else:
                answer = function(self._agent, request)
        except ClocheError as error:
            return {"error": str(error), "exit_code": int(error.exit_code)}
        except Exception as error:  # noqa: BLE001  the boundary: type and place only, arguments may hold text
            log.error("operation failed", operation=str(frame.get("operation")), error=describe(error))
            message = self._agent.text("cli.internal_error", what=describe(error))
            return {"error": message, "exit_code": int(ExitCode.FAILED)}
        finally:
            self._acted()
        if listed.tells_head_office:
            self._changed()
        return {"document": answer.document, "exit_code": int(answer.exit_code)}

    def _caller(self, connection: socket.socket) -> Caller:
        pid, uid, gid = _peer(connection)
        try:
            user = pwd.getpwuid(uid).pw_name
        except KeyError:
            user = str(uid)
        roles = frozenset(
            role for person in self._agent.settings.people if person.user == user for role in person.roles
        )
        return Caller(uid=uid, gid=gid, pid=pid, user=user, roles=roles, is_owner=_is_owner(uid))


def _peer(connection: socket.socket) -> tuple[int, int, int]:
    """pid, uid and gid of who connected."""
    size = struct.calcsize("3i")
    pid, uid, gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return pid, uid, gid


def _is_owner(uid: int) -> bool:
    return uid in (0, os.geteuid())
