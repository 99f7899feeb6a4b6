"""An answer without end is not read to its end."""

from __future__ import annotations

import socket
import threading
import zlib
from contextlib import suppress

import httpx
import pytest

from agent.link.bounded import MAX_ANSWER, ask

PLAIN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PACKED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"


def flood(listener: socket.socket, head: bytes, pieces: list[int]) -> None:
    """Answer one request for ever; `pieces` counts what could be sent."""
    packer = zlib.compressobj(wbits=31)
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        connection.recv(65_536)
        connection.sendall(head)
        while len(pieces) < 3000:
            piece = bytes(1 << 20)
            if head is PACKED:
                piece = packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            pieces.append(len(piece))


@pytest.mark.parametrize("head", [PLAIN, PACKED], ids=["plain", "packed"])
def test_an_endless_answer_is_cut(head: bytes) -> None:
    pieces: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = threading.Thread(target=flood, args=(listener, head, pieces))
        sender.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=address, timeout=5, trust_env=False) as client:
            answer = ask(client, "GET", "/v1/ca")
        sender.join()
    assert (answer.status, len(answer.body)) == (200, MAX_ANSWER)
    assert len(pieces) < 3000
