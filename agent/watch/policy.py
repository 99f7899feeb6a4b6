"""The watch's settings in the guard's terms: programs by device and inode, shared servers by base name.

A path can be faked by a bind mount in a user namespace (user_namespaces(7)), device and inode cannot. They are
today's: after an upgrade of a program the policy must be sent anew, which the daemon's next connection does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Final

from agent.guard.protocol import Message
from agent.watch.api import Taught
from agent.watch.own import CARRIERS
from config.schema import WatchSettings

_PLACES: Final = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin"


def policy_message(settings: WatchSettings) -> Message:
    """The policy for the guard. Programs go by device and inode of today's file: it is sent anew after an upgrade."""
    programs: list[tuple[int, int, str]] = []
    names: set[str] = set()
    for role, entries in (
        ("shared", settings.shared_servers),
        ("exempt", settings.exempt_programs),
        ("protected", settings.protected_programs),
    ):
        for entry in entries:
            if "/" not in entry and role == "shared":
                names.add(entry)
            path = entry if "/" in entry else shutil.which(entry, path=_PLACES)
            if path is None:
                continue
            try:
                facts = os.stat(path)
            except OSError:
                continue
            is_samba = role == "shared" and os.path.basename(path) == "smbd"
            programs.append((facts.st_dev, facts.st_ino, "samba" if is_samba else role))
    return {
        "max_files": settings.max_files,
        "max_persons": settings.max_persons,
        "window_seconds": settings.window_seconds,
        "response": settings.response,
        "decoy_response": settings.decoy_response,
        "programs": programs,
        "shared_names": sorted(names),
    }


class OwnMessages:
    """What was taught of live databases, in the guard's terms, as of today's files.

    An inode that a program once had stays its own while this process lives: after an upgrade the old one may still run.
    """

    def __init__(self) -> None:
        """Nothing taught yet."""
        self.taught: Taught | None = None
        self._ids: dict[bytes, set[tuple[int, int]]] = {}
        self._sent: Message = {}

    def teach(self, taught: Taught) -> None:
        """Replace what was taught."""
        self.taught = taught

    def message(self) -> Message:
        """The whole of it; taken as sent."""
        taught = self.taught or Taught()
        own = []
        for program in taught.own:
            known = self._ids.setdefault(program.program, set())
            with contextlib.suppress(OSError):
                facts = os.stat(program.program)
                known.add((facts.st_dev, facts.st_ino))
            own += [[program.key, device, inode, program.uid] for device, inode in sorted(known)]
        self._sent = {
            "own": own, "learning": sorted(taught.learning), "carriers": sorted(map(os.fsdecode, CARRIERS)),
        }  # fmt: skip
        return self._sent

    def news(self) -> Message | None:
        """The whole of it if anything is new since it was last sent."""
        if self.taught is None:
            return None
        before = self._sent
        now = self.message()
        return now if now != before else None
