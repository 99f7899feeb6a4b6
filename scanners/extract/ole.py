"""Old binary office files (OLE, [MS-CFB]): which one it is, and Outlook messages.

Workbooks are read as spreadsheets. Word and PowerPoint documents of this kind are named and not read; office files
with a password are OLE containers too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NoReturn

import olefile

from config.schema import ItemKind
from scanners.extract.api import Member, Notes, Piece, Refused, Source
from scanners.extract.text import chunks

MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TEXTS: Final = ("0037", "0C1A", "0C1F", "0E04", "0E03", "0E02", "1000", "3001", "39FE")  # [MS-OXPROPS]
_FILE_PASS: Final = 0x2F
_PART: Final = 64 << 20


def streams_of(source: Source) -> set[str]:
    """Names of the streams at the top; none if the container is broken."""
    try:
        with olefile.OleFileIO(source.file()) as container:
            return {entry[0] for entry in container.listdir(streams=True, storages=False)}
    except (OSError, ValueError, IndexError):  # olefile raises these for broken containers
        return set()


def is_locked_workbook(source: Source) -> bool:
    """Does an old workbook say that it is encrypted (record FilePass, [MS-XLS] 2.4.117)?"""
    if not source.head.startswith(MAGIC):
        return False
    try:
        with olefile.OleFileIO(source.file()) as container:
            name = "Workbook" if container.exists("Workbook") else "Book"
            data = container.openstream(name).read(4096)
    except (OSError, ValueError, IndexError):
        return False
    position = 0
    while position + 4 <= len(data):
        record, length = struct.unpack_from("<HH", data, position)
        if record == _FILE_PASS:
            return True
        position += 4 + length
    return False


class MessageExtractor:
    """Outlook messages ([MS-OXMSG]): sender, recipients, subject, body; attachments are members."""

    kind: ItemKind = "mail"

    def matches(self, source: Source) -> bool:
        """By the streams that hold properties."""
        return source.head.startswith(MAGIC) and any(
            name.startswith("__properties_version1.0") for name in streams_of(source)
        )

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Text properties of the message and its recipients, then attachments."""
        notes.encoding = "utf-16-le"
        with olefile.OleFileIO(source.file()) as container:
            for path in container.listdir(streams=True, storages=False):
                if path[0].startswith("__attach"):
                    if path[-1].startswith("__substg1.0_37010102") and len(path) == 2:
                        yield _attachment(container, path, source)
                    continue
                text = _text(container, path)
                if text.strip():
                    yield from chunks([text + "\n"])


def _text(container: olefile.OleFileIO, path: list[str]) -> str:
    """A text property; '' for any other."""
    name = path[-1].removeprefix("__substg1.0_")
    if name == path[-1] or name[:4] not in _TEXTS or name[4:] not in ("001F", "001E"):
        return ""
    data = container.openstream(path).read(_PART)
    return str(data.decode("utf-16-le" if name.endswith("F") else "gb18030", "replace"))


def _attachment(container: olefile.OleFileIO, path: list[str], source: Source) -> Member:
    name = f"attachment{path[0][-4:]}"
    for part in ("3707001F", "3704001F", "3707001E", "3704001E"):
        candidate = [path[0], f"__substg1.0_{part}"]
        if container.exists(candidate):
            data = container.openstream(candidate).read(1024)
            name = data.decode("utf-16-le" if part.endswith("F") else "gb18030", "replace").rstrip("\0")
            break
    stream = container.openstream(path)
    size = container.get_size(path)
    member = Source(name=name, stream=stream, size=size, seekable=True, budget=source.budget)
    return Member(name=name, source=member, size=size)


class OldOfficeExtractor:
    """Containers that nobody here reads: says whether a password or the format is why."""

    kind: ItemKind = "document"

    def matches(self, source: Source) -> bool:
        """Any OLE file."""
        return source.head.startswith(MAGIC)

    def extract(self, source: Source, notes: Notes) -> NoReturn:
        """Nothing.

        Raises:
            Refused: always.
        """
        del notes
        names = streams_of(source)
        if not names:
            raise Refused("malformed")
        raise Refused("encrypted" if "EncryptedPackage" in names else "unsupported")
