"""Zip archives: every member is an item."""

from __future__ import annotations

from collections.abc import Iterator

from config.schema import ItemKind
from scanners.extract.api import Member, Notes, Piece, Refused, Source
from scanners.extract.zip_parts import charset_of_names, name_of, open_part, open_zip


class ZipExtractor:
    """Stored, deflate, bzip2 and LZMA; other methods and encrypted members are named and not read."""

    kind: ItemKind = "archive"

    def matches(self, source: Source) -> bool:
        """By its first bytes, or (self-extracting) by name."""
        return source.head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08PK")) or source.suffix == "zip"

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Members in the order of the directory."""
        with open_zip(source) as archive:
            charset = charset_of_names(archive)
            notes.encoding = charset
            for info in archive.infolist():
                if info.is_dir():
                    continue
                name = name_of(info, charset)
                try:
                    stream = open_part(archive, info, source.budget)
                except Refused as refusal:
                    yield Member(name=name, source=None, reason=refusal.reason, size=info.file_size)
                    continue
                except Exception:  # noqa: BLE001  a broken local header raises anything; the next member may be whole
                    yield Member(name=name, source=None, reason="malformed", size=info.file_size)
                    continue
                member = Source(
                    name=name.rpartition("/")[2] or name,
                    stream=stream,
                    size=info.file_size,
                    seekable=False,
                    budget=source.budget,
                )
                yield Member(name=name, source=member, size=info.file_size)
