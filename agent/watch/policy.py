"""The watch's settings in the guard's terms: programs by device and inode, shared servers by base name.

A path can be faked by a bind mount in a user namespace (user_namespaces(7)), device and inode cannot. They are
today's: after an upgrade of a program the policy must be sent anew, which the daemon's next connection does.
"""

from __future__ import annotations

import os
import shutil
from typing import Final

from agent.guard.protocol import Message
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
