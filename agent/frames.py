"""Frames of the control socket: a four-byte big-endian length, then that many bytes of JSON.

`recvmsg(2)` may cut a frame anywhere and delivers descriptors with the first byte they were sent with; so descriptors
travel with the first frame of a connection and are closed here if the frame turns out to be bad. They are close-on-exec
from the first moment: a key file lent to the daemon must not be inherited by a worker that starts just then.
"""

from __future__ import annotations

import array
import json
import os
import select
import socket
import struct
import time
from typing import Any, Final

from config.errors import ClocheError

HEADER: Final = struct.Struct(">I")
MAX_REQUEST: Final = 1 << 20
MAX_ANSWER: Final = 1 << 30
MAX_DESCRIPTORS: Final = 16
_INT: Final = array.array("i")


class BrokenConnectionError(ClocheError):
    """The other side went away or sent what is no frame."""


def send_frame(connection: socket.socket, value: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
    """Send one JSON object, with descriptors beside it.

    Raises:
        BrokenConnectionError: the other side is gone.
    """
    body = json.dumps(value, ensure_ascii=True).encode("ascii")
    data = HEADER.pack(len(body)) + body
    try:
        sent = socket.send_fds(connection, [data], list(descriptors)) if descriptors else 0
        if sent < len(data):  # sending nothing fails as well, once the other side has answered and gone
            connection.sendall(data[sent:])
    except OSError as error:
        raise BrokenConnectionError(f"the connection broke while sending: {error.strerror}") from error


def receive_frame(
    connection: socket.socket, *, limit: int, descriptors: bool = False, seconds: float | None = None
) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Receive one JSON object and the descriptors sent with it.

    Args:
        connection: a stream socket.
        limit: largest frame, bytes.
        descriptors: whether any are expected.
        seconds: for the whole frame, not for each of its bytes; None waits as long as it takes.

    Raises:
        BrokenConnectionError: closed, too large, too slow, or not a JSON object.
    """
    end = None if seconds is None else time.monotonic() + seconds
    received: list[int] = []
    try:
        if descriptors:
            _allow(connection, end)
            head = _with_descriptors(connection, received)
        else:
            head = b""
        (size,) = HEADER.unpack(head + _exactly(connection, HEADER.size - len(head), end))
        if size > limit:
            raise BrokenConnectionError(f"a frame of {size} bytes is over the limit of {limit}")
        value = json.loads(_exactly(connection, size, end))
        if not isinstance(value, dict):
            raise BrokenConnectionError("a frame is not a JSON object")
    except BaseException as error:
        for descriptor in received:
            os.close(descriptor)
        if isinstance(error, (OSError, ValueError, RecursionError)):
            raise BrokenConnectionError("the connection broke or carried no JSON") from error
        raise
    return value, tuple(received)


def has_room(connection: socket.socket) -> bool:
    """Whether a small frame can be sent now without waiting for the other side to read."""
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    return any(event & select.POLLOUT for _descriptor, event in poll.poll(0))


def _with_descriptors(connection: socket.socket, received: list[int]) -> bytes:
    """The beginning of a frame; what came with it is added to `received`.

    `socket.recv_fds` of Python 3.11 drops its `flags`, so descriptors would be inheritable.
    """
    space = socket.CMSG_SPACE(MAX_DESCRIPTORS * _INT.itemsize)
    head, messages, _flags, _address = connection.recvmsg(HEADER.size, space, socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in messages:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            received.extend(array.array("i", data[: len(data) - len(data) % _INT.itemsize]))
    return head


def _allow(connection: socket.socket, end: float | None) -> None:
    """Let the next call wait until `end` (monotonic seconds) at most.

    Raises:
        TimeoutError: that is over.
    """
    if end is None:
        return
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)


def _exactly(connection: socket.socket, size: int, end: float | None) -> bytes:
    body = bytearray()
    while len(body) < size:
        _allow(connection, end)
        data = connection.recv(min(size - len(body), 1 << 20))
        if not data:
            raise BrokenConnectionError("the other side closed the connection")
        body += data
    return bytes(body)
