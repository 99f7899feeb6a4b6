"""What the daemon and the guard say to each other: one JSON object a packet on a Unix SOCK_SEQPACKET socket.

A packet keeps its borders (unix(7)), so nothing needs framing; it is at most `PACKET` bytes, and batches are cut to
fit. Requests carry `id` and get one reply with the same `id`; events come without. Paths are text with
surrogateescape. The kernel names the peer (SO_PEERCRED): root only, and one peer at a time.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final

VERSION: Final = 1
PACKET: Final = 128 * 1024  # below net.core.wmem_default (208 KiB) with the kernel's own overhead
BATCH: Final = 100
_UCRED: Final = struct.Struct("=iII")
Message = dict[str, Any]


class ProtocolError(Exception):
    """A packet that this version does not speak; the connection ends."""


def encode(message: Message) -> bytes:
    """One packet.

    Raises:
        ProtocolError: it would be longer than `PACKET`.
    """
    data = json.dumps(message, separators=(",", ":")).encode("ascii")
    if len(data) > PACKET:
        raise ProtocolError(f"{message.get('type')}: {len(data)} bytes are more than a packet")
    return data


def decode(data: bytes) -> Message:
    """The object in a packet.

    Raises:
        ProtocolError: no JSON object with a `type`.
    """
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("not JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("not a message")
    return message


def batches(items: Iterable[Message], *, limit: int = PACKET - 4096) -> Iterator[list[Message]]:
    """Cut into lists of at most `BATCH` that fit a packet."""
    batch: list[Message] = []
    size = 0
    for item in items:
        length = len(json.dumps(item, separators=(",", ":"))) + 1
        if batch and (len(batch) >= BATCH or size + length > limit):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch


def peer(connection: socket.socket) -> tuple[int, int]:
    """pid and uid of the other side, by the kernel's word at the time it connected."""
    pid, uid, _gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(pid), int(uid)


def listen(path: bytes) -> socket.socket:
    """The guard's socket, mode 0600, in place of an old one.

    Raises:
        OSError: it cannot be made there.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        if os.path.lexists(path):
            os.unlink(path)
        before = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(before)
        listener.listen(4)
    except OSError:
        listener.close()
        raise
    return listener
