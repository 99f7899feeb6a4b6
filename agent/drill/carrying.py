"""Start the process of a drill, hear it, and have its result; kill it when it takes too long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config.errors import ClocheError

SECONDS: Final = 600.0
"""Beyond this a drill is killed; on an idle machine it takes some 20 s, on a busy one minutes."""
LARGEST_LINE: Final = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the process is told. `facts` come from `enclosure.facts_of`; `real` must stay out of its reach."""

    folder: Path
    scenario: str
    facts: dict[str, Any]
    real: Sequence[str]
    size: float = 0.1
    names: bool = False
    drafts: bool = True


def carry_out(order: Order, tell: Callable[[str], None]) -> dict[str, Any]:
    """Play a drill in a process of its own; its result.

    Raises:
        ClocheError: it failed, was killed, or took longer than `SECONDS`.
    """
    request = {
        "parent": os.getpid(), "folder": str(order.folder), "scenario": order.scenario, "facts": order.facts,
        "real": list(order.real), "size": order.size, "names": order.names, "drafts": order.drafts,
    }  # fmt: skip
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "agent.drill.runner"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True,
            env={"LANG": "C.UTF-8", "PATH": f"{os.defpath}:/usr/sbin:/sbin", "PYTHONSAFEPATH": "1"},
        )  # fmt: skip
    except OSError as error:
        raise ClocheError(f"the drill cannot be started: {error.strerror}") from error
    late = threading.Timer(SECONDS, process.kill)
    late.start()
    result: dict[str, Any] | None = None
    why = ""
    try:
        with process:
            if process.stdin is None or process.stdout is None:
                raise ClocheError("the drill has no line to its process")
            process.stdin.write(json.dumps(request).encode("ascii"))
            process.stdin.close()
            while line := process.stdout.readline(LARGEST_LINE):
                message = json.loads(line)
                if "step" in message:
                    tell(str(message["step"]))
                elif "failed" in message:
                    why = str(message["failed"])
                elif "result" in message:
                    result = message["result"]
    except (OSError, ValueError) as error:
        raise ClocheError(f"the drill's process said nothing that can be read ({type(error).__name__})") from error
    finally:
        late.cancel()
        late.join()
        process.kill()
    if result is None:
        raise ClocheError(why or f"the drill's process ended with {process.returncode} and without a result")
    return result
