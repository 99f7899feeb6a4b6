"""Plain text and logs; and the decoding that all text formats share.

A file that starts in one character set may go on in another (logs that two programs write): a line that its set does
not fit is tried in UTF-8 and GB18030, and only what fits none is replaced, which makes the item partial.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO, Final

from config.schema import ItemKind
from scanners.extract.api import CHUNK_CHARACTERS, Notes, Piece, Refused, Source
from scanners.extract.charset import detect
from scanners.records import Chunk, Place

_BLOCK: Final = 1 << 20
_STEP: Final = 1 << 18
_MAX_LINE: Final = 1 << 20  # characters; a longer line is cut, at a space if there is one
_NEAR: Final = 4096
_WIDE: Final = ("utf-16", "utf-32")


def is_text(head: bytes) -> bool:
    """Does it read as text?"""
    return detect(head) is not None


class _Blocks:
    """Blocks of a stream; a failure in it comes after what was read before it has been used."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._failure: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        while self._failure is None:
            block = b"".join(self._steps())
            if not block:
                return
            yield block

    def _steps(self) -> Iterator[bytes]:
        """One block, in steps: what a step had read before it failed is lost."""
        for _ in range(_BLOCK // _STEP):
            try:
                step = self._stream.read(_STEP)
            except Exception as failure:  # noqa: BLE001  raised again by `check`
                self._failure = failure
                return
            if not step:
                return
            yield step

    def check(self) -> None:
        """Raise what the stream raised."""
        if self._failure is not None:
            raise self._failure


def read_text(stream: BinaryIO, notes: Notes) -> Iterator[str]:
    """The text in blocks that end at line ends.

    Raises:
        Refused: `undecodable`, no character set fits.
        Exception: whatever the stream raised, after the text before it.
    """
    blocks = _Blocks(stream)
    iterator = iter(blocks)
    known = False
    rest = b""
    for block in iterator:
        if not known and not _is_plain(block):
            name = detect(block)
            if name is None:
                if notes.encoding is None:
                    raise Refused("undecodable")
                name = "utf-8"
            notes.encoding = name
            known = True
            if name.startswith(_WIDE):
                yield from _wide(chain([rest + block], iterator), name, notes)
                blocks.check()
                return
        elif not known:
            notes.encoding = notes.encoding or "ascii"
        data = rest + block
        cut = data.rfind(b"\n") + 1
        if cut == 0 and len(data) < _MAX_LINE:
            rest = data
        else:
            cut = cut or _cut_long(data, notes.encoding or "utf-8")
            rest = data[cut:]
            yield _by_lines(data[:cut], notes)
    if rest:
        yield _by_lines(rest, notes)
    notes.encoding = notes.encoding or "ascii"
    blocks.check()


def _cut_long(data: bytes, name: str) -> int:
    """Where to cut a line that is too long: between characters, and between words if that is near.

    Bytes below 0x30 are whole characters in UTF-8, GB18030 and Big5.
    """
    low = len(data) - _NEAR
    cut = max(data.rfind(mark, low) for mark in (b" ", b",", b"\t", b"!", b'"', b"&"))
    if cut > 0:
        return cut + 1
    for end in range(len(data), len(data) - 4, -1):
        try:
            data[:end].decode(name)
        except UnicodeDecodeError:
            continue
        return end
    return len(data)


def _is_plain(block: bytes) -> bool:
    return block.isascii() and b"\0" not in block


def _wide(blocks: Iterable[bytes], name: str, notes: Notes) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(name)("replace")
    rest = ""
    for block in blocks:
        text = rest + decoder.decode(block)
        if "\ufffd" in text:
            notes.partly("undecodable")
        cut = text.rfind("\n") + 1
        if cut == 0 and len(text) < _MAX_LINE:
            rest = text
        else:
            cut = cut or len(text)
            rest = text[cut:]
            yield text[:cut]
    if rest:
        yield rest


def _by_lines(data: bytes, notes: Notes) -> str:
    name = notes.encoding or "utf-8"
    if name == "ascii":
        name = "utf-8"
    try:
        return data.decode(name)
    except UnicodeDecodeError:
        return "".join(_line(line, name, notes) for line in data.splitlines(keepends=True))


def _line(line: bytes, name: str, notes: Notes) -> str:
    for candidate in (name, "utf-8", "gb18030"):
        try:
            return line.decode(candidate)
        except UnicodeDecodeError:
            continue
    notes.partly("undecodable")
    return line.decode(name, "replace")


def chunks(blocks: Iterable[str], *, first_line: int = 1, page: int | None = None) -> Iterator[Chunk]:
    """Blocks of text as chunks that end at line ends, with the number of their first line."""
    line = first_line
    for block in blocks:
        position = 0
        while position < len(block):
            end = position + CHUNK_CHARACTERS
            if end < len(block):
                cut = block.rfind("\n", position, end)
                if cut < 0:
                    cut = max(block.rfind(" ", position + 1, end), block.rfind(",", position + 1, end))
                end = cut + 1 if cut > position else end
            text = block[position:end]
            yield Chunk(text=text, place=Place(line=line if page is None else None, page=page))
            line += text.count("\n")
            position = end


class TextExtractor:
    """Whatever reads as text and is nothing else."""

    kind: ItemKind = "text"

    def matches(self, source: Source) -> bool:
        """By content."""
        return is_text(source.head)

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """See `read_text`."""
        yield from chunks(read_text(source.stream(), notes))
