"""Opening zip files: office documents and plain archives share what is hostile about them.

The directory at the end is believed only as far as memory allows; sizes in it are hints, what counts is what comes
out (`Budget`). Names without the UTF-8 flag are in the character set of whoever made the archive (APPNOTE 6.3.10, D.1):
for Windows in Chinese that is GBK.
"""

from __future__ import annotations

import io
import zipfile
from typing import BinaryIO, Final

from scanners.extract.api import Budget, Metered, Refused, Source
from scanners.extract.charset import detect

_UTF8: Final = 0x800
_LOCKED: Final = 0x1


def open_zip(source: Source) -> zipfile.ZipFile:
    """The archive.

    Raises:
        zipfile.BadZipFile: it is none.
    """
    return zipfile.ZipFile(source.file())


def names_of(source: Source) -> set[str]:
    """Names of its members; none if it is no zip."""
    try:
        with open_zip(source) as archive:
            return set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError):
        return set()


def open_part(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> BinaryIO:
    """A member's bytes, counted.

    Raises:
        Refused: it is encrypted, or packed by a method that nobody here knows.
    """
    if info.flag_bits & _LOCKED:
        raise Refused("encrypted")
    try:
        stream = archive.open(info)
    except NotImplementedError as error:
        raise Refused("unsupported") from error
    return io.BufferedReader(Metered(stream, budget), 1 << 16)  # type: ignore[arg-type]


def name_of(info: zipfile.ZipInfo, charset: str | None) -> str:
    """Its name as whoever made the archive saw it."""
    if info.flag_bits & _UTF8 or info.orig_filename.isascii():
        return info.filename
    raw = info.filename.encode("cp437", "replace")
    return raw.decode(charset or "cp437", "replace")


def charset_of_names(archive: zipfile.ZipFile) -> str | None:
    """One guess for all names together: a single one is too short."""
    raw = b" ".join(
        info.filename.encode("cp437", "replace")
        for info in archive.infolist()
        if not info.flag_bits & _UTF8 and not info.orig_filename.isascii()
    )
    return detect(raw) if raw else None
