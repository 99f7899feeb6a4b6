"""二.2 内部人员失误: who else can read what lies there, over the machine, over the network, and on a stick."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar

from agent.assess.look import Look
from agent.assess.records import Result, bad, good, partial, say, unknown
from agent.assess.survey import Held
from agent.sealing.walking import is_under


class WorldReadable:
    """Files that every account of this machine can read, folders on the way included."""

    id: ClassVar[str] = "world_readable"

    def measure(self, look: Look) -> Result:
        """See the class."""
        if look.survey.last_run is None:
            return unknown("cloche scan", say("assess.ev_never_scanned", roots=0))
        passes = cache(lets_pass)
        exposed = [file for file in look.survey.files if is_exposed(file, passes)]
        return judged(look, self.id, exposed, "assess.ev_exposed", "cloche assess dispose --seal --exposed")


class SharedFolders:
    """Files in the open in a folder that Samba or NFS hands out: the usual way in, for staff and for leaks."""

    id: ClassVar[str] = "shared_folders"

    def measure(self, look: Look) -> Result:
        """See the class."""
        if look.survey.last_run is None:
            return unknown("cloche scan", say("assess.ev_never_scanned", roots=0))
        shares = look.machine.shares()
        shared = [file for file in look.survey.strays if any(is_under(file.path, path) for _name, path in shares)]
        return judged(look, self.id, shared, "assess.ev_shared", "cloche assess dispose --seal --shared", len(shares))


class RemovableMedia:
    """Files in the open on media that somebody can carry away."""

    id: ClassVar[str] = "removable_media"

    def measure(self, look: Look) -> Result:
        """See the class."""
        if look.survey.last_run is None:
            return unknown("cloche scan", say("assess.ev_never_scanned", roots=0))
        media = look.machine.removable()
        carried = [file for file in look.survey.strays if any(is_under(file.path, point) for point in media)]
        unscanned = [
            point for point in media
            if not any(is_under(point, root) or is_under(root, point) for root in look.survey.last_run.roots)
        ]  # fmt: skip
        if unscanned and not carried:
            points = " ".join(look.agent.mask(os.fsdecode(point)) for point in unscanned[:2])
            return unknown(f"cloche scan {points}", say("assess.ev_media_unscanned", count=len(unscanned)))
        return judged(
            look, self.id, carried, "assess.ev_media", "cloche assess dispose --vault --removable", len(media)
        )


def judged(look: Look, measure: str, found: Sequence[Held], key: str, command: str, places: int = 0) -> Result:
    """By the share of persons that are not exposed so; never more than `most` while one file is."""
    persons, whole = look.survey.persons_in(found), look.survey.persons_in(look.survey.files)
    evidence = say(key, files=len(found), persons=persons, places=places)
    if not found:
        return good(evidence)
    score = min(1 - persons / max(whole, 1, persons), look.limit(measure, "most"))
    named = look.examples(found)
    return partial(score, command, evidence, *named) if score > 0 else bad(command, evidence, *named)


def is_exposed(file: Held, passes: Callable[[bytes, int], bool] | None = None) -> bool:
    """Whether any account may read it: by its mode for others, or for a group that others are in."""
    if file.is_database or file.state != "plain":
        return False
    passes, folder = passes or lets_pass, os.path.dirname(file.path)
    if file.mode & stat.S_IROTH and passes(folder, stat.S_IXOTH):
        return True
    return bool(file.mode & stat.S_IRGRP) and is_wide(file.gid) and passes(folder, stat.S_IXOTH | stat.S_IXGRP)


def lets_pass(folder: bytes, bits: int) -> bool:
    """Whether every folder down to here has one of these execute bits."""
    while True:
        try:
            if not os.lstat(folder).st_mode & bits:
                return False
        except OSError:
            return False
        if folder in (b"/", b""):
            return True
        folder = os.path.dirname(folder)


@cache
def is_wide(gid: int) -> bool:
    """A group with at least two members, `users` and the like; an account's own group is none."""
    import grp
    import pwd

    try:
        members = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        return False
    members |= {entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == gid}
    return len(members) > 1
