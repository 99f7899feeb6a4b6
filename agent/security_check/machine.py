"""The machine that is looked at, read carefully: whoever was here may have left files that are meant to be read.

Nothing is followed (symbolic links are told as what they point at), nothing that is no regular file is opened, each
file and folder is bounded, and what may not be read is noted in `denied`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

LARGEST_FILE: Final = 4 << 20
MOST_FILES: Final = 5_000
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(kw_only=True)
class Machine:
    """Files under `root` (another folder in tests) and processes under `proc`."""

    root: Path = Path("/")
    proc: Path = Path("/proc")
    denied: set[str] = field(default_factory=set)

    @property
    def is_this(self) -> bool:
        """The running machine itself: its programs may be asked too."""
        return self.root == Path("/")

    def at(self, path: str) -> Path:
        """Where a path of the machine lies."""
        return self.root / path.lstrip("/")

    def read(self, path: str, limit: int = LARGEST_FILE) -> bytes:
        """Content of a regular file, cut at `limit`; b'' where there is none or it may not be read."""
        try:
            descriptor = os.open(self.at(path), _OPEN)
        except PermissionError:
            self.denied.add(path)
            return b""
        except OSError:
            return b""
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return b""
            pieces, left = [], limit
            while left and (piece := os.read(descriptor, min(left, 1 << 20))):
                pieces.append(piece)
                left -= len(piece)
            return b"".join(pieces)
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def lines(self, path: str, limit: int = LARGEST_FILE) -> list[str]:
        """Lines of a text file."""
        return self.read(path, limit).decode("utf-8", "replace").splitlines()

    def state(self, path: str) -> str:
        """What is told of a file for a comparison: its digest, or where a link points; '' where there is nothing."""
        try:
            facts = os.lstat(self.at(path))
        except OSError:
            return ""
        if stat.S_ISLNK(facts.st_mode):
            try:
                return f"→ {os.readlink(self.at(path))}"
            except OSError:
                return "→"
        if not stat.S_ISREG(facts.st_mode):
            return stat.filemode(facts.st_mode)[0]
        return hashlib.sha256(self.read(path)).hexdigest()[:16] + f" {facts.st_size}"

    def files(self, folder: str, *, deep: int = 0) -> Iterator[str]:
        """Paths of files and links in a folder, sorted; `deep` further levels."""
        found = []
        try:
            with os.scandir(self.at(folder)) as entries:
                for number, entry in enumerate(entries):
                    if number >= MOST_FILES:
                        break
                    found.append((entry.name, entry.is_dir(follow_symlinks=False)))
        except PermissionError:
            self.denied.add(folder)
        except OSError:
            return
        for name, is_folder in sorted(found):
            path = f"{folder.rstrip('/')}/{name}"
            if not is_folder:
                yield path
            elif deep:
                yield from self.files(path, deep=deep - 1)

    def mode(self, path: str) -> os.stat_result | None:
        """lstat(2) of a path; None where there is nothing."""
        try:
            return os.lstat(self.at(path))
        except OSError:
            return None
