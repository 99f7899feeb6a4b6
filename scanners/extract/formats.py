"""The formats that are read, in the order in which they are tried. To add one, write its extractor and put it here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scanners.extract.api import Extractor
from scanners.extract.compressed import CompressedExtractor
from scanners.extract.delimited import DelimitedExtractor
from scanners.extract.json_records import JsonExtractor
from scanners.extract.mail import MailExtractor
from scanners.extract.markup import HtmlExtractor
from scanners.extract.office import OfficeExtractor
from scanners.extract.ole import MessageExtractor, OldOfficeExtractor
from scanners.extract.opaque import ANYTHING, ARCHIVES, IMAGES
from scanners.extract.pdf import PdfExtractor
from scanners.extract.rtf import RtfExtractor
from scanners.extract.spreadsheet import SpreadsheetExtractor
from scanners.extract.sql_dump import SqlDumpExtractor
from scanners.extract.sqlite_file import SqliteExtractor, from_snapshot
from scanners.extract.tar_archive import TarExtractor
from scanners.extract.text import TextExtractor
from scanners.extract.zip_archive import ZipExtractor

EXTRACTORS: Final[tuple[Extractor, ...]] = (
    SpreadsheetExtractor(),
    OfficeExtractor(),
    ZipExtractor(),
    CompressedExtractor(),
    MessageExtractor(),
    OldOfficeExtractor(),
    SqliteExtractor(),
    PdfExtractor(),
    RtfExtractor(),
    TarExtractor(),
    IMAGES,
    ARCHIVES,
    MailExtractor(),
    HtmlExtractor(),
    JsonExtractor(),
    SqlDumpExtractor(),
    DelimitedExtractor(),
    TextExtractor(),
    ANYTHING,
)


def database_extractors(log: int, path: str) -> Sequence[Extractor]:
    """For a snapshot of a live SQLite file, with the descriptor of its log (or -1) and its path while it has one."""
    return (from_snapshot(log=log, path=path),)
