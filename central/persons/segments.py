"""What a store says of an incident's persons, opened and made into marks: nothing of a fingerprint is kept.

A report holds some of the persons: all of them sensitive, or none, so that sensitive persons can be told apart across
stores. The parts of one count carry the same `round`; a later count replaces an earlier one whole, whatever arrives
first.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from cryptography.exceptions import InvalidTag

from central.documents import Persons
from central.persons.keys import MARK_BYTES, SUITE, PersonsKeys
from central.persons.sketch import Sketch
from central.wire import persons_info

PRINT_BYTES: Final = 16
MOST: Final = 150_000
"""Persons of one part: 2.4 MB, 3.2 MB in base64."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One part as it is kept. `marks` is None where it cannot be opened here; then only the sketch counts."""

    incident: str
    part: int
    parts: int
    round: int
    persons: int
    sensitive: int
    key_id: str
    marks: bytes | None = field(repr=False)
    sketch: bytes | None = field(repr=False)


class SegmentError(ValueError):
    """A report of persons that contradicts itself; names the field."""


def open_segment(keys: PersonsKeys, store_id: str, told: Persons) -> Segment:
    """Open what a store sealed, and make marks of it (a second for a million).

    Raises:
        SegmentError: part, count, sketch or content do not fit each other.
    """
    if not 0 <= told.part < told.parts or told.sensitive > told.count or told.count > MOST:
        raise SegmentError("part")
    sketch = _decode(told.sketch, "sketch")
    if sketch is not None:
        try:
            Sketch.unpack(sketch)
        except ValueError as error:
            raise SegmentError("sketch") from error
    sealed, marks = _decode(told.sealed, "sealed"), None
    is_ours = told.key == keys.group_id
    if sealed is not None and is_ours:
        info = persons_info(store_id, told.incident, told.round, told.part)
        try:
            content = SUITE.decrypt(sealed, keys.identity.private_key, info)
        except (InvalidTag, ValueError) as error:
            raise SegmentError("sealed") from error
        if len(content) != PRINT_BYTES * told.count:
            raise SegmentError("count")
        marks = sorted_marks(keys, content)
    return Segment(
        incident=told.incident, part=told.part, parts=told.parts, round=told.round, persons=told.count,
        sensitive=told.sensitive, key_id=keys.marks_id if is_ours else told.key[:40], marks=marks, sketch=sketch,
    )  # fmt: skip


def sorted_marks(keys: PersonsKeys, prints: bytes) -> bytes:
    """Marks of fingerprints, in ascending order, one after another."""
    found = [keys.mark(prints[at : at + PRINT_BYTES]) for at in range(0, len(prints), PRINT_BYTES)]
    found.sort()
    return b"".join(found)


def as_rows(marks: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    """Marks as two big-endian words a row."""
    return np.frombuffer(marks[: len(marks) // MARK_BYTES * MARK_BYTES], ">u8").reshape(-1, 2)


def _decode(text: str | None, name: str) -> bytes | None:
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SegmentError(name) from error
