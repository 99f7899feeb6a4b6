"""Normal forms and natures of whole columns at once, for cells written plainly; the others are for the detectors.

A form says of each byte what it means in a cell of its entity: kept, changed (to lower case), dropped (separators), a
star, or odd. A cell with an odd byte in it (full-width digits, an extension, a control character, more than 126 bytes)
is not judged here. What is judged comes out exactly as the detector's `normalise` makes it: a test holds them together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from scanners.cell_values import CREDENTIALS_ARE_NOBODY, NOTHING
from scanners.cells import Buffer, Cells, Places
from scanners.detectors import Detector
from scanners.fingerprints import HEADER, Bytes, Fingerprints, Numbers
from scanners.masking import by_entity
from scanners.records import Nature

NATURES: Final[tuple[Nature, ...]] = get_args(Nature)
PERSONAL, MASKED, VIRTUAL, ORGANISATION = (NATURES.index(n) for n in ("personal", "masked", "virtual", "organisation"))
UNKNOWN: Final = -1  # not judged here
NOBODY: Final = -2  # an empty cell or a placeholder

_KEPT, _CHANGED, _DROPPED, _STAR, _ODD = 0, 1, 2, 4, 128
_WIDTHS: Final = (16, 32, 64, 128)
_LOWER: Final = np.frombuffer(bytes(range(256)).lower(), np.uint8)
_UPPER: Final = np.frombuffer(bytes(range(256)).upper(), np.uint8)
_PRINTABLE: Final = bytes(range(0x20, 0x7F))
_DIGITS: Final = b"0123456789"
_SMALL: Final = b"abcdefghijklmnopqrstuvwxyz"
_LARGE: Final = _SMALL.upper()
# Lead bytes of U+4000–9FFF and all continuation bytes: characters that have no other written form.
_CHINESE: Final = bytes([*range(0x80, 0xC0), *range(0xE4, 0xEA)])
_PLACEHOLDERS: Final = np.frombuffer(
    b"".join(word.encode().ljust(16, b"\0") for word in sorted(NOTHING)), np.uint64
).reshape(-1, 2)
_LONGEST_PLACEHOLDER: Final = max(len(word.encode()) for word in NOTHING)

Codes = NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class Form:
    """How cells of one entity are written plainly.

    `plain` judges cells as they are written, `check` in their normal form: it may change them, and their codes.
    """

    roles: Bytes
    change: Bytes
    check: Callable[[Bytes, Places, Codes], None] | None = None
    plain: Callable[[Bytes, Places], NDArray[np.bool_]] | None = None


@cache
def form_of(entity: str) -> Form | None:
    """The form of an entity; None if only its detector knows."""
    if entity in _FORMS:
        return _FORMS[entity]
    detector = by_entity().get(entity)
    if detector is None or type(detector).normalise is not Detector.normalise:
        return None
    other = bytes(set(_PRINTABLE) - set(_DIGITS + _SMALL + _LARGE + b"."))
    roles = _roles(kept=_DIGITS + _LARGE, changed=_SMALL, dropped=other + _CHINESE)
    roles[ord("*")] |= _DROPPED
    return Form(roles=roles, change=_UPPER)


def _roles(*, kept: bytes, changed: bytes = b"", dropped: bytes = b"") -> Bytes:
    roles = np.full(256, _ODD, np.uint8)
    for letters, role in ((kept, _KEPT), (changed, _CHANGED), (dropped, _DROPPED), (b"*", _STAR)):
        roles[list(letters)] = role
    return roles


def judge_column(entity: str, cells: Cells, fingerprints: Fingerprints) -> tuple[Numbers, Codes]:
    """Fingerprint and nature of each cell; the nature is `NOBODY` for placeholders, `UNKNOWN` for odd cells."""
    found = np.zeros(len(cells), np.uint64)
    codes = np.full(len(cells), UNKNOWN, np.int8)
    form = form_of(entity)
    cells = cells.trimmed()
    lengths = cells.ends - cells.starts
    codes[lengths == 0] = NOBODY
    if form is None:
        return found, codes
    for low, width in zip((0, *(w - HEADER for w in _WIDTHS)), _WIDTHS, strict=False):
        rows = np.flatnonzero((lengths > low) & (lengths <= width - HEADER))
        if len(rows):
            group = _Group(form, cells.buffer, cells.starts[rows], lengths[rows], width)
            codes[rows] = group.judge(ORGANISATION if entity in CREDENTIALS_ARE_NOBODY else PERSONAL)
            plain = group.codes >= 0
            if plain.all():
                found[rows] = fingerprints.of_blocks(entity, group.blocks, group.lengths)
            elif plain.any():
                found[rows[plain]] = fingerprints.of_blocks(entity, group.blocks[plain], group.lengths[plain])
    return found, codes


class _Group:
    """Cells of about one length, each in a row of its own with zeros behind it."""

    def __init__(self, form: Form, buffer: Buffer, starts: Places, lengths: Places, width: int) -> None:
        self.form = form
        self.lengths = lengths
        self.width = width
        self.codes: Codes = np.empty(0, np.int8)
        self.blocks = buffer.windows(starts, width)
        inside = self._inside(lengths)
        self.blocks *= inside
        self.roles = form.roles[self.blocks] * inside

    def _inside(self, lengths: Places) -> NDArray[np.bool_]:
        columns = np.arange(self.width, dtype=np.uint8)
        inside: NDArray[np.bool_] = columns < (lengths + HEADER).astype(np.uint8)[:, None]
        inside[:, :HEADER] = False
        return inside

    def judge(self, nature: int) -> Codes:
        """Codes of the cells; `blocks` and `lengths` hold their normal forms then."""
        any_of = np.bitwise_or.reduce(self.roles, axis=1)
        self.codes = np.full(len(any_of), nature, np.int8)
        self.codes[any_of & _STAR != 0] = MASKED
        self.codes[any_of & _ODD != 0] = UNKNOWN
        if self.form.plain is not None:
            self.codes[~self.form.plain(self.blocks, self.lengths)] = UNKNOWN
        self._drop_placeholders()
        if (any_of & _DROPPED).any():
            self._squeeze(np.flatnonzero((any_of & _DROPPED != 0) & (self.codes >= 0)))
        if (any_of & _CHANGED).any():
            self.blocks = self.form.change[self.blocks]
        if self.form.check is not None:
            self.form.check(self.blocks, self.lengths, self.codes)
        return self.codes

    def _drop_placeholders(self) -> None:
        short = np.flatnonzero(self.lengths <= _LONGEST_PLACEHOLDER)
        if not len(short):
            return
        words = np.ascontiguousarray(_LOWER[self.blocks[short, HEADER : HEADER + 10]])
        padded = np.zeros((len(short), 16), np.uint8)
        padded[:, :10] = words
        pairs = padded.view(np.uint64)
        near = np.flatnonzero((pairs[:, :1] == _PLACEHOLDERS[:, 0]).any(axis=1))
        if len(near):
            same = (pairs[near, None, :] == _PLACEHOLDERS).all(axis=2).any(axis=1)
            self.codes[short[near[same]]] = NOBODY

    def _squeeze(self, rows: Places) -> None:
        """Take the dropped bytes out of some rows."""
        inside = self._inside(self.lengths[rows])
        kept = inside & (self.roles[rows] & _DROPPED == 0)
        lengths = kept.sum(axis=1, dtype=np.int64)
        packed = Buffer(self.blocks[rows][kept].tobytes())
        blocks = packed.windows(np.cumsum(lengths) - lengths, self.width)
        self.blocks[rows] = blocks * self._inside(lengths)
        self.lengths[rows] = lengths


def _check_phones(blocks: Bytes, lengths: Places, codes: Codes) -> None:
    """Mobiles with and without 86, landlines with their area code, 400 and 800 numbers, masked ones."""
    first, second, third = (blocks[:, HEADER + index] for index in range(3))
    judged = codes >= 0
    abroad = (lengths == 13) & (first == 0x38) & (second == 0x36) & (third == 0x31)
    rows = np.flatnonzero(judged & abroad & (blocks[:, HEADER + 3] >= 0x33) & (codes == PERSONAL))
    if len(rows):
        blocks[rows, HEADER:-2] = blocks[rows, HEADER + 2 :]
        blocks[rows, -2:] = 0
        lengths[rows] = 11
    first, second, third = (blocks[:, HEADER + index] for index in range(3))
    mobile = (lengths == 11) & (first == 0x31) & (second >= 0x33)
    landline = (lengths >= 10) & (lengths <= 12) & (first == 0x30) & (second != 0x30)
    service = (lengths == 10) & ((first == 0x34) | (first == 0x38)) & (second == 0x30) & (third == 0x30)
    masked = (codes == MASKED) & (lengths >= 5)
    codes[service & (codes == PERSONAL)] = ORGANISATION
    codes[judged & ~(mobile | landline | service | masked)] = UNKNOWN


def _plain_dates(blocks: Bytes, lengths: Places) -> NDArray[np.bool_]:
    """`19900101`, `1990-01-01` and `1990-01-01 00:00:00`."""

    letters = blocks[:, HEADER:]
    between = (letters != 0) & ((letters < 0x30) | (letters > 0x39))
    count = between.sum(axis=1)

    def parted(*places: int) -> NDArray[np.bool_]:
        if letters.shape[1] <= places[-1]:
            return np.zeros(len(blocks), np.bool_)
        there: NDArray[np.bool_] = between[:, list(places)].all(axis=1) & (count == len(places))
        return there

    bare = (lengths == 8) & (count == 0)
    day = (lengths == 10) & parted(4, 7)
    moment = (lengths == 19) & parted(4, 7, 10, 13, 16)
    date: NDArray[np.bool_] = bare | day | moment
    return date


_WORDS: Final = Form(roles=_roles(kept=_PRINTABLE + _CHINESE, changed=_LARGE, dropped=b" "), change=_LOWER)
_FORMS: Final[dict[str, Form]] = {
    "PERSON": _WORDS,
    "ADDRESS": _WORDS,
    "CREDENTIAL": Form(roles=_roles(kept=_PRINTABLE + _CHINESE), change=_LOWER),
    "EMAIL_ADDRESS": Form(roles=_roles(kept=_DIGITS + _SMALL + b"@._%+-", changed=_LARGE), change=_LOWER),
    "IP_ADDRESS": Form(roles=_roles(kept=_DIGITS + _SMALL + b".:", changed=_LARGE), change=_LOWER),
    "WECHAT_ID": Form(roles=_roles(kept=_DIGITS + _SMALL + b"_-", changed=_LARGE), change=_LOWER),
    "CN_LICENSE_PLATE": Form(roles=_roles(kept=_DIGITS + _LARGE + _CHINESE, changed=_SMALL), change=_UPPER),
    "PHONE_NUMBER": Form(roles=_roles(kept=_DIGITS, dropped=b" -.()+/"), change=_LOWER, check=_check_phones),
    "DATE_OF_BIRTH": Form(roles=_roles(kept=_DIGITS, dropped=b"-/.: "), change=_LOWER, plain=_plain_dates),
}
