"""`python -m agent.drill.leash PARENT COMMAND…`: become COMMAND, which the kernel kills when PARENT ends.

PR_SET_PDEATHSIG outlives execve(2) unless the program is set-user-ID; a parent that is gone already is noticed by its
number. So nothing that a drill starts is left running, whatever ends the drill.
"""

from __future__ import annotations

import os
import signal
import sys

from config.privileges import die_with_parent


def main(arguments: list[str]) -> None:
    """Never returns; exits with 1 if the parent is gone."""
    die_with_parent(signal.SIGKILL)
    if os.getppid() != int(arguments[0]):
        sys.exit(1)
    os.execvp(arguments[1], arguments[1:])  # noqa: S606  no shell is wanted


def leashed() -> list[str]:
    """What to put before a command that must not outlive this process."""
    return [sys.executable, "-P", "-m", "agent.drill.leash", str(os.getpid())]


if __name__ == "__main__":
    main(sys.argv[1:])
