"""Run one task over one hostile file in a process without rights, network or time to spare.

The scan's workers find customer information and nothing else; what else has to be read out of a file that somebody
handed in (a leaked list, a photo, a vendor's table) is a task of the explicit list in `agent.confined_main`. The
process gets descriptors, never a path, answers with one JSON document of bounded size, and is killed after its time.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from config.errors import ClocheError

if TYPE_CHECKING:
    from agent.wiring import Agent

LARGEST_ANSWER: Final = 8 << 20
LARGEST_REQUEST: Final = 64 << 20
START_SECONDS: Final = 60.0
_LENGTH: Final = 4


def run_confined(
    agent: Agent, task: str, arguments: dict[str, Any], descriptors: Sequence[int], *, seconds: float = 120.0
) -> dict[str, Any]:
    """What `task` answers about the files in `descriptors`.

    Args:
        agent: its watch lets the process read, its settings bound the memory.
        task: a name in `agent.confined_main.TASKS`.
        arguments: JSON.
        descriptors: of files, 32 at most; the process may read and write them as they were opened.
        seconds: after which it is killed.

    Raises:
        ClocheError: it ended without an answer, or took too long. The message says nothing of the file's content.
    """
    request = json.dumps({"task": task, "arguments": arguments, "memory_mb": _memory(agent)}).encode("ascii")
    if len(request) > LARGEST_REQUEST:
        raise ClocheError(f"{task}: too much to ask for at once")
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-I", "-m", "agent.confined_main"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # parsers print what they choke on
                cwd="/",
                env={"LANG": "C.UTF-8", "PATH": os.defpath, "OPENBLAS_NUM_THREADS": "1"},
            )
        try:
            agent.watch.exempt(process.pid)
            socket.send_fds(ours, [len(request).to_bytes(_LENGTH, "big")], list(descriptors))
            ours.sendall(request)
            answer = _answer(ours, time.monotonic() + START_SECONDS + seconds)
        except OSError as error:
            raise ClocheError(agent.text("vendor.worker_ended", task=task)) from error
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    if answer is None:
        raise ClocheError(agent.text("vendor.worker_ended", task=task))
    return answer


def _memory(agent: Agent) -> int:
    return max(1024, agent.settings.scan.worker_memory_mb)


def _answer(channel: socket.socket, deadline: float) -> dict[str, Any] | None:
    """The one document; None if the process went away, took too long or talks nonsense."""
    data = bytearray()
    while (left := deadline - time.monotonic()) > 0 and select.select([channel], [], [], left)[0]:
        piece = channel.recv(1 << 16)
        data += piece
        if len(data) > LARGEST_ANSWER + _LENGTH:
            return None
        if not piece or (len(data) >= _LENGTH and len(data) == _LENGTH + int.from_bytes(data[:_LENGTH], "big")):
            break
    try:
        document = json.loads(bytes(data[_LENGTH:]))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
