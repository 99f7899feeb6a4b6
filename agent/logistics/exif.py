"""When a camera says it took a picture: EXIF DateTimeOriginal, in the confined process of `agent.confined`.

Exif 2.32 (CIPA DC-008): a JPEG's APP1 segment holds a TIFF; tag 0x8769 points to the Exif directory, 0x9003 there is
the time, 0x9011 its offset from UTC. Nothing else is read, nothing is changed, and a time is a claim of the camera.
"""

from __future__ import annotations

import os
import re
import struct
from typing import Any, Final

_HEAD: Final = 1 << 20
_TIME: Final = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")
_OFFSET: Final = re.compile(r"[+-]\d\d:\d\d")
_KINDS: Final = (
    (b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF8", "gif"), (b"BM", "bmp"),
    (b"II*\0", "tiff"), (b"MM\0*", "tiff"),
)  # fmt: skip


def warm() -> None:
    """Nothing to load."""


def work(arguments: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:  # noqa: ARG001  as every task's
    """`{"kind", "taken_at"}`: what sort of picture it is ('' for none), and the camera's time ('' for none)."""
    head = os.pread(descriptors[0], _HEAD, 0)
    kind = kind_of(head)
    try:
        taken = taken_at(head) if kind == "jpeg" else ""
    except (struct.error, IndexError, ValueError):
        taken = ""
    return {"kind": kind, "taken_at": taken}


def kind_of(head: bytes) -> str:
    """By its first bytes."""
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif"):
        return "heic"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return next((kind for mark, kind in _KINDS if head.startswith(mark)), "")


def taken_at(head: bytes) -> str:
    """ISO 8601, with the offset where the camera wrote one; '' where it wrote no time."""
    tiff = _tiff(head)
    if not tiff:
        return ""
    order = "<" if tiff[:2] == b"II" else ">"
    first = struct.unpack_from(order + "I", tiff, 4)[0]
    exif = _tags(tiff, first, order).get(0x8769)
    if exif is None:
        return ""
    tags = _tags(tiff, struct.unpack(order + "I", exif[:4])[0], order)
    found = _TIME.match(_text(tags.get(0x9003, b"")))
    if found is None:
        return ""
    offset = _OFFSET.match(_text(tags.get(0x9011, b"")))
    return "{}-{}-{}T{}:{}:{}".format(*found.groups()) + (offset[0] if offset else "")


def _tiff(head: bytes) -> bytes:
    """The TIFF in the first APP1 segment that is Exif."""
    at = 2
    while head[at : at + 1] == b"\xff" and at + 4 <= len(head):
        marker, size = struct.unpack_from(">BH", head, at + 1)
        if marker in (0xD9, 0xDA):
            break
        if marker == 0xE1 and head[at + 4 : at + 10] == b"Exif\0\0":
            return head[at + 10 : at + 2 + size]
        at += 2 + size
    return b""


def _tags(tiff: bytes, at: int, order: str) -> dict[int, bytes]:
    """Values of a directory by tag; at most 512 entries are looked at."""
    found = {}
    count = struct.unpack_from(order + "H", tiff, at)[0]
    for number in range(min(count, 512)):
        tag, kind, length = struct.unpack_from(order + "HHI", tiff, at + 2 + 12 * number)
        size = length * {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}.get(kind, 0)
        place = at + 10 + 12 * number
        if size > 4:
            place = struct.unpack_from(order + "I", tiff, place)[0]
        if 0 < size <= 64:
            found[tag] = tiff[place : place + size]
        elif size == 0:
            continue
    return found


def _text(value: bytes) -> str:
    return value.split(b"\0")[0].decode("ascii", "replace")
