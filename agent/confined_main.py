"""The process of `agent.confined`: load, give up every right, do one task, answer, end.

Run as `python -I -m agent.confined_main` with a Unix socket as standard input.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
from typing import Any, Final

from scanners.sandbox import confine

TASKS: Final[dict[str, str]] = {
    "vendor.plant": "agent.vendors.planting",
    "vendor.search": "agent.vendors.searching",
    "vendor.rows": "agent.vendors.rows",
    "logistics.photo": "agent.logistics.exif",
}
"""Module of each task: it has `warm()`, called while this process may still open files, and `work(arguments,
descriptors)`, which answers with JSON."""

LARGEST_FILE_MB: Final = 512
MOST_DESCRIPTORS: Final = 32


def main() -> int:
    """Serve one request."""
    channel = socket.socket(fileno=os.dup(0))
    parent = os.getppid()
    data, descriptors, _flags, _address = socket.recv_fds(channel, 4, MOST_DESCRIPTORS)
    length = int.from_bytes(data, "big")
    body = b""
    while len(body) < length:
        piece = channel.recv(length - len(body))
        if not piece:
            return 1
        body += piece
    request = json.loads(body)
    module: Any = importlib.import_module(TASKS[request["task"]])
    module.warm()
    confine(memory_mb=request["memory_mb"], file_mb=LARGEST_FILE_MB, parent=parent)
    answer = json.dumps(module.work(request["arguments"], descriptors)).encode("ascii")
    channel.sendall(len(answer).to_bytes(4, "big") + answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
