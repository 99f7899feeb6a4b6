"""Decoys: files that look worth stealing and are nobody's to open.

A missing one is made: a member list whose phone numbers start with 100, which no mobile number in mainland China
does (工业和信息化部, 电信网编号计划: mobiles start with 13 to 19), so that no stranger's number stands in it. An
existing file is never written to. Backups open everything: their programs must be exempt by policy.
"""

from __future__ import annotations

import csv
import io
import os
import secrets
import stat
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from agent.watch.api import Watched
from config.errors import ClocheError
from config.log import get_logger
from config.text import Text

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("watch")
_MEMBERS: Final = 240
_FIRST_BIRTHDAY: Final = date(1960, 1, 1)


def plant_decoys(agent: Agent) -> list[Watched]:
    """Make the missing decoys of the policy; what to mark is returned. One that cannot be made is logged and left."""
    found = []
    for name in agent.settings.watch.decoys:
        path = os.fsencode(os.path.abspath(os.path.expanduser(name)))
        try:
            made = plant(path, agent.text)
        except ClocheError as error:
            log.warning("decoy not planted", why=agent.mask(str(error)))
            continue
        if made:
            agent.audit.append("decoy.planted", "cloche", path=agent.mask(os.fsdecode(path)))
        known = agent.inventory.item_at(path)
        key = known.key if known is not None and known.key else f"decoy:{os.lstat(path).st_ino}"
        found.append(Watched(key=key, path=path, persons=0, decoy=True))
    return found


def plant(path: bytes, text: Text) -> bool:
    """Make a decoy unless something is there; True if it was made. Owner and mode follow the folder.

    Raises:
        ClocheError: no such folder, no permission, a full disk; or what is there is no regular file.
    """
    shown = os.fsdecode(path)
    try:
        folder = os.stat(os.path.dirname(path))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise ClocheError(f"{shown}: is no regular file, so no decoy") from error
        return False
    except OSError as error:
        raise ClocheError(f"{shown}: decoy cannot be made: {error.strerror}") from error
    try:
        with open(descriptor, "wb") as file:
            file.write(member_list(text))
            file.flush()
            if os.geteuid() == 0:
                os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
            os.fchmod(file.fileno(), folder.st_mode & 0o666)
    except OSError as error:
        os.unlink(path)
        raise ClocheError(f"{shown}: decoy cannot be made: {error.strerror}") from error
    return True


def member_list(text: Text) -> bytes:
    """A CSV of made-up members, UTF-8 with BOM and CRLF as tills export it."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(text("watch.decoy_header").split(","))
    for number in range(1, _MEMBERS + 1):
        born = _FIRST_BIRTHDAY + timedelta(days=secrets.randbelow(16_000))
        balance = secrets.randbelow(80_000) / 100
        phone = f"100{secrets.randbelow(10**8):08d}"
        name = text("watch.decoy_member", number=number)
        writer.writerow([f"V{number:06d}", name, phone, born.isoformat(), f"{balance:.2f}"])
    return b"\xef\xbb\xbf" + lines.getvalue().encode("utf-8")
