"""Bring the committed transactions of a write-ahead log into a copy of its database.

After sqlite.org/fileformat2.html#the_write_ahead_log, section 4: a frame counts if its salts are the header's and its
running checksum fits; frames behind the last commit do not count. The copy then says rollback mode (bytes 18, 19), so
that SQLite asks for no log.
"""

from __future__ import annotations

import io
import os
import struct
from typing import BinaryIO, Final

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC_LITTLE: Final = 0x377F0682
_MAGIC_BIG: Final = 0x377F0683
_MASK: Final = 0xFFFFFFFF


def _checksum(data: bytes, first: int, second: int, order: str) -> tuple[int, int]:
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & _MASK
        second = (second + words[index + 1] + first) & _MASK
    return first, second


def apply_log(database: io.FileIO, log: io.FileIO) -> int:
    """Write committed pages into `database`; how many.

    Raises:
        OSError: the copy can't be written.
    """
    log.seek(0)
    with io.BufferedReader(io.FileIO(log.fileno(), "r", closefd=False), 1 << 20) as stream:
        return _apply(database, log, stream)


def _apply(database: io.FileIO, log: io.FileIO, stream: BinaryIO) -> int:
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return 0
    magic, _version, page_size, _checkpoint, salt_1, salt_2, sum_1, sum_2 = _HEADER.unpack(header)
    if magic not in (_MAGIC_LITTLE, _MAGIC_BIG) or not 512 <= page_size <= 65_536:
        return 0
    order = "<" if magic == _MAGIC_LITTLE else ">"
    state = _checksum(header[:24], 0, 0, order)
    if state != (sum_1, sum_2):
        return 0
    pages: dict[int, int] = {}
    waiting: dict[int, int] = {}
    offset = _HEADER.size
    pages_after = 0
    while len(frame := stream.read(_FRAME.size + page_size)) == _FRAME.size + page_size:
        number, commit, frame_1, frame_2, frame_sum_1, frame_sum_2 = _FRAME.unpack_from(frame)
        if (frame_1, frame_2) != (salt_1, salt_2):
            break
        state = _checksum(frame[:8], *state, order)
        state = _checksum(frame[_FRAME.size :], *state, order)
        if state != (frame_sum_1, frame_sum_2):
            break
        waiting[number] = offset + _FRAME.size
        offset += len(frame)
        if commit:
            pages.update(waiting)
            waiting.clear()
            pages_after = commit
    for number, position in pages.items():
        if number <= pages_after:
            page = os.pread(log.fileno(), page_size, position)
            os.pwrite(database.fileno(), page, (number - 1) * page_size)
    if pages_after:
        os.ftruncate(database.fileno(), pages_after * page_size)
    return len(pages)


def say_rollback_mode(database: io.FileIO) -> None:
    """So that SQLite looks for no log beside the copy."""
    os.pwrite(database.fileno(), b"\x01\x01", 18)
