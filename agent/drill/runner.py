"""`python -m agent.drill.runner`: one drill, in a process of its own that is shut in before it does anything.

The request comes as JSON on stdin; progress and the result go out as JSON lines. It ends with the process that started
it, whatever ends that one.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from agent.drill.confine import confine
from agent.drill.enclosure import Enclosure
from agent.drill.scenarios import find_scenario
from config.errors import ClocheError
from config.log import describe, set_up_logging
from config.privileges import die_with_parent

SMALL: Final = 0.05
"""A store of this size is read by one worker before a second one has started."""


def main() -> int:
    """Play and say so; 1 where it failed, which is said as well."""
    die_with_parent(signal.SIGKILL)
    request: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    if os.getppid() != request["parent"]:
        return 1
    os.umask(0o022)
    set_up_logging(debug=False, quiet=True)
    try:
        enclosure = Enclosure(Path(os.path.realpath(request["folder"])))
        enclosure.make()
        scenario = find_scenario(request["scenario"])
        kept = confine(enclosure.folder, request["real"])
        tempfile.tempdir = os.environ["TMPDIR"] = str(enclosure.temporary)
        size = float(request["size"])
        workers = 1 if size < SMALL else 2
        settings = enclosure.settings(request["facts"], names=bool(request["names"]), workers=workers)
        from agent.drill.play import play

        result = play(
            enclosure, scenario, settings, lambda key: say(step=key), size=size,
            drafts=bool(request["drafts"]),
        )  # fmt: skip
    except ClocheError as error:
        say(failed=str(error))
        return 1
    except Exception as error:  # noqa: BLE001  the boundary: type and place only
        say(failed=describe(error))
        return 1
    result["confinement"] = {"files": kept.files, "network": kept.network, "exposed": list(kept.exposed)}
    say(result=result)
    return 0


def say(**message: Any) -> None:
    """One JSON line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
