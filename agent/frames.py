"""Frames of the control socket: a four-byte big-endian length, then that many bytes of JSON.

`recvmsg(2)` may cut a frame anywhere and delivers descriptors with the first byte they were sent with; so descriptors
travel with the first frame of a connection and are closed here if the frame turns out to be bad.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any, Final

from config.errors import ClocheError

HEADER: Final = struct.Struct(">I")
MAX_REQUEST: Final = 1 << 20
MAX_ANSWER: Final = 1 << 30
MAX_DESCRIPTORS: Final = 16


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
        connection.sendall(data[sent:])
    except OSError as error:
        raise BrokenConnectionError(f"the connection broke while sending: {error.strerror}") from error


def receive_frame(
    connection: socket.socket, *, limit: int, descriptors: bool = False
) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Receive one JSON object and the descriptors sent with it.

    Raises:
        BrokenConnectionError: closed, too large, or not a JSON object.
    """
    received: list[int] = []
    try:
        if descriptors:
            head, more, _flags, _address = socket.recv_fds(connection, HEADER.size, MAX_DESCRIPTORS)
            received += more
        else:
            head = b""
        (size,) = HEADER.unpack(head + _exactly(connection, HEADER.size - len(head)))
        if size > limit:
            raise BrokenConnectionError(f"a frame of {size} bytes is over the limit of {limit}")
        value = json.loads(_exactly(connection, size))
        if not isinstance(value, dict):
            raise BrokenConnectionError("a frame is not a JSON object")
    except BaseException as error:
        for descriptor in received:
            os.close(descriptor)
        if isinstance(error, (OSError, ValueError)):
            raise BrokenConnectionError("the connection broke or carried no JSON") from error
        raise
    return value, tuple(received)


def _exactly(connection: socket.socket, size: int) -> bytes:
    body = bytearray()
    while len(body) < size:
        data = connection.recv(min(size - len(body), 1 << 20))
        if not data:
            raise BrokenConnectionError("the other side closed the connection")
        body += data
    return bytes(body)
