"""Everything that can be told about the files of a folder, for comparing before and after."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

Facts = tuple[str, int, int, int, int, tuple[tuple[str, bytes], ...]]


def facts_of(path: Path) -> Facts:
    """SHA-256, mode, owner, group, modification time in ns and extended attributes of a file."""
    found = path.lstat()
    attributes = tuple(
        (name, os.getxattr(path, name, follow_symlinks=False))
        for name in sorted(os.listxattr(path, follow_symlinks=False))
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return digest, found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, attributes


def tree(folder: Path) -> dict[str, Facts]:
    """Facts of every regular file below `folder`, by relative name."""
    return {
        str(path.relative_to(folder)): facts_of(path)
        for path in sorted(folder.rglob("*"))
        if stat.S_ISREG(path.lstat().st_mode)
    }
