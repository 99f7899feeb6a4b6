"""The tombstone: what somebody finds where a quarantined file was.

`NAME.已隔离.txt`, UTF-8 with a byte order mark and CRLF line ends, for whoever opens it in Notepad over a share. Its
text is generic and says whom to call; nothing of the file's content, its counts or its findings is in it. It never
takes the place of a file that is there, and a long name is cut at a character so that the whole fits NAME_MAX
(255 bytes, pathname(7)). A name in another encoding than UTF-8 keeps its bytes.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from typing import Final

from containment.atomic import rename_exclusive, write_all
from containment.fence import folder
from containment.vault import file_sha256

MARK: Final = ".已隔离"
NAME_MAX: Final = 255
_TRIES: Final = 1000


def content(text: str) -> bytes:
    """The tombstone's bytes for a text with any line ends."""
    lines = text.strip("\r\n").splitlines()
    return codecs.BOM_UTF8 + "".join(f"{line}\r\n" for line in lines).encode()


def digest(data: bytes) -> str:
    """SHA-256 of a tombstone, hex: how an unchanged one is known again."""
    return sha256(data).hexdigest()


def names(name: bytes) -> Iterator[bytes]:
    """Names to try for a file's tombstone, the plain one first."""
    for number in range(1, _TRIES):
        ending = f"{MARK}{'' if number == 1 else f'.{number}'}.txt".encode()
        yield _shortened(name, NAME_MAX - len(ending)) + ending


def place(path: bytes, data: bytes) -> bytes:
    """Write a tombstone beside where `path` was, durable once its folder is synced.

    Doing it again after a cut finds the one that is there: its bytes carry the entry's id.

    Args:
        path: the file's old place, its folder settled.
        data: from `content`.

    Returns:
        Its path.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    head, tail = os.path.split(path)
    expected = digest(data)
    with folder(head) as parent:
        temporary = b".cloche-note-" + expected[:16].encode()
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=parent)
        try:
            write_all(descriptor, data)
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
            for name in names(tail):
                try:
                    rename_exclusive(parent, temporary, parent, name)
                except FileExistsError:
                    if _is(parent, name, expected):
                        return os.path.join(head, name)
                    continue
                return os.path.join(head, name)
            raise FileExistsError(17, "every name for a tombstone is taken")
        finally:
            os.close(descriptor)
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=parent)


def remove(path: bytes, expected: str) -> bool:
    """Take a tombstone away if nobody wrote in it; False if it was changed or is gone."""
    head, tail = os.path.split(path)
    try:
        with folder(head) as parent:
            if not _is(parent, tail, expected):
                return False
            os.unlink(tail, dir_fd=parent)
            return True
    except OSError:
        return False


def _is(parent: int, name: bytes, expected: str) -> bool:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=parent)
    except OSError:
        return False
    try:
        return file_sha256(descriptor) == expected
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _shortened(name: bytes, limit: int) -> bytes:
    if len(name) <= limit:
        return name
    end = limit
    while end > 0 and name[end] & 0xC0 == 0x80:  # the middle of a UTF-8 character (RFC 3629)
        end -= 1
    return name[: end or limit]
