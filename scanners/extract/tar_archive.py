"""Tar archives, read as a stream: every regular member is an item; links and devices hold nothing."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Any, cast

from config.schema import ItemKind
from scanners.extract.api import Member, Metered, Notes, Piece, Refused, Source


class TarExtractor:
    """POSIX, GNU and old tar (pax(1), tar(5)); compressed ones come out of `CompressedExtractor`."""

    kind: ItemKind = "archive"

    def matches(self, source: Source) -> bool:
        """By the magic of its first header, or a header whose checksum fits (old tar has no magic)."""
        head = source.head
        if len(head) < tarfile.BLOCKSIZE:
            return False
        if head[257:262] == b"ustar":
            return True
        if not any(head[:100]):
            return False
        try:
            tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            return False
        return True

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Members in their order."""
        del notes
        with tarfile.open(fileobj=source.stream(), mode="r|", errors="surrogateescape") as archive:
            for info in archive:
                if not info.isreg():
                    continue
                stream = archive.extractfile(info)
                if stream is None:
                    raise Refused("malformed")
                member = Source(
                    name=info.name.rpartition("/")[2] or info.name,
                    stream=io.BufferedReader(Metered(stream, source.budget), 1 << 16),  # type: ignore[arg-type]
                    size=info.size,
                    seekable=False,
                    budget=source.budget,
                )
                yield Member(name=info.name, source=member, size=info.size)
                cast("Any", archive).members.clear()  # it would keep every header in memory
