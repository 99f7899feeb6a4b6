"""Lend parsed lines to the operation by a descriptor: a list of staff is longer than a request may be."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from config.errors import UsageError

LARGEST: Final = 64 << 20
Line = tuple[int, list[str]]


@contextmanager
def lend(lines: Sequence[Line]) -> Iterator[tuple[int, ...]]:
    """A memory file with the lines in it, for as long as the call takes (memfd_create(2))."""
    descriptor = os.memfd_create("cloche-lines", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(json.dumps(lines, ensure_ascii=False).encode("utf-8", "replace"))
        yield (descriptor,)
    finally:
        os.close(descriptor)


def borrow(descriptor: int) -> list[Line]:
    """The lines of a descriptor; nothing that is there is believed.

    Raises:
        UsageError: it cannot be read, is too large, or holds no lines.
    """
    try:
        size = os.fstat(descriptor).st_size
        if size > LARGEST:
            raise UsageError(f"the list is larger than {LARGEST >> 20} MiB")
        parts = []
        place = 0
        while part := os.pread(descriptor, 1 << 20, place):
            parts.append(part)
            place += len(part)
            if place > LARGEST:
                raise UsageError(f"the list is larger than {LARGEST >> 20} MiB")
        found = json.loads(b"".join(parts))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError("the list that was handed over cannot be read") from error
    if not isinstance(found, list) or not all(_is_line(entry) for entry in found):
        raise UsageError("the list that was handed over holds no lines")
    return [(entry[0], entry[1]) for entry in found]


def _is_line(entry: object) -> bool:
    if not isinstance(entry, list) or len(entry) != 2:
        return False
    number, cells = entry
    return type(number) is int and isinstance(cells, list) and all(isinstance(cell, str) for cell in cells)
