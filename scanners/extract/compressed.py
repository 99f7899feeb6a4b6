"""One compressed stream: gzip, bzip2, xz and LZMA from the standard library. What is in it is one item.

Bytes behind the stream (padding) are ignored where the format allows them; a cut stream gives what it has.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable, Iterator
from typing import Any, Final

from config.schema import ItemKind
from scanners.extract.api import Member, Metered, Notes, Piece, Source

_ENDINGS: Final = {"tgz": "tar", "tbz": "tar", "tbz2": "tar", "txz": "tar", "tlz": "tar", "svgz": "svg"}


class CompressedExtractor:
    """See the module."""

    kind: ItemKind = "archive"

    def matches(self, source: Source) -> bool:
        """By its first bytes."""
        return _opener(source) is not None

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """The one member, called as the file without its last extension."""
        del notes
        opener = _opener(source)
        if opener is None:
            return
        stem, _, ending = source.name.rpartition(".")
        name = stem or source.name
        if ending.lower() in _ENDINGS:
            name = f"{name}.{_ENDINGS[ending.lower()]}"
        stream = io.BufferedReader(Metered(opener(source.stream()), source.budget), 1 << 16)
        member = Source(name=name, stream=stream, size=-1, seekable=False, budget=source.budget)
        yield Member(name=name, source=member)


def _opener(source: Source) -> Callable[[Any], Any] | None:
    head = source.head
    if head.startswith(b"\x1f\x8b\x08"):
        return lambda stream: gzip.GzipFile(fileobj=stream)
    if head[:3] == b"BZh" and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return bz2.BZ2File
    if head.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")) and (
        head[:1] == b"\xfd" or source.suffix in ("lzma", "tlz")
    ):
        return lzma.LZMAFile
    return None
