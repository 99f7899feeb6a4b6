"""Text documents and slides: docx, pptx, odt, odp and their kin, as zip and XML.

Body, tables, headers, footers, comments, notes, text boxes, hyperlinks; deleted text that is still in the file too.
Embedded files and pictures are members of the document. Fields are read by their last result, macros are not read.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Final
from xml.parsers.expat import ExpatError

from config.schema import ItemKind
from scanners.extract.api import Member, Notes, Piece, Refused, Source
from scanners.extract.tables import table
from scanners.extract.text import chunks
from scanners.extract.xml_text import Flow, FlowNames, ForbiddenDoctype, parse
from scanners.extract.zip_parts import names_of, open_part, open_zip

_WORD: Final = FlowNames(paragraph="p", table="tbl", row="tr", cell="tc", tab="tab", line="br cr")
_ODF: Final = FlowNames(
    paragraph="p h",
    table="table",
    row="table-row",
    cell="table-cell covered-table-cell",
    tab="tab s",
    line="line-break",
)
_OOXML_LETTERS: Final = frozenset({"t", "delText", "instrText"})
_PARTS: Final = (
    r"word/(?:document|header\d*|footer\d*|comments|footnotes|endnotes|glossary/document)\d*\.xml",
    r"ppt/(?:slides|notesSlides|comments|slideMasters|slideLayouts|handoutMasters)/[^/]*\.xml",
    r"ppt/diagrams/data\d*\.xml",
    r"word/(?:charts|diagrams)/[^/]*\.xml",
    r"(?:.*/)?(?:content|styles)\.xml",
)
_PART: Final = re.compile("|".join(f"(?:{part})" for part in _PARTS))
_INSIDE: Final = re.compile(
    r"(?:word|ppt|xl)/(?:embeddings|media)/[^/]+|Pictures/[^/]+|(?:Object|ObjectReplacements)[^/]*/?.*\.bin"
)
_LINK: Final = re.compile(r'Target="((?:mailto|tel|https?):[^"]*)"')


def part_order(name: str) -> tuple[object, ...]:
    """Slides and sheets by their number."""
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name) if part)


class OfficeExtractor:
    """See the module."""

    kind: ItemKind = "document"

    def matches(self, source: Source) -> bool:
        """A zip that has the main part of such a document."""
        if not source.head.startswith(b"PK\x03\x04"):
            return False
        names = names_of(source)
        return bool(
            names & {"word/document.xml", "ppt/presentation.xml"}
            or {"content.xml", "mimetype"} <= names
            or any(re.fullmatch(r"word/document\d*\.xml", name) for name in names)
        )

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Parts in order; a broken one does not hide the others."""
        notes.encoding = "utf-8"
        with open_zip(source) as archive:
            infos = sorted(
                archive.infolist(), key=lambda info: [str(part).rjust(12) for part in part_order(info.filename)]
            )
            tables = 0
            for info in infos:
                if not _PART.fullmatch(info.filename):
                    continue
                flow = _read_part(archive, info, source, notes)
                yield from chunks(["\n".join(flow.lines)])
                for rows in flow.tables:
                    tables += 1
                    yield from table(f"表{tables}", _numbered(rows))
            yield from links(archive, infos, source)
            yield from inside(archive, infos, source)


def _numbered(rows: Sequence[Sequence[str]]) -> list[tuple[int, Sequence[str]]]:
    return [(number, row) for number, row in enumerate(rows, start=1) if any(row)]


def _read_part(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Source, notes: Notes) -> Flow:
    odf = info.filename.endswith(("content.xml", "styles.xml")) and not info.filename.startswith(("word/", "ppt/"))
    flow = Flow(letters=None if odf else _OOXML_LETTERS, names=_ODF if odf else _WORD)
    try:
        with open_part(archive, info, source.budget) as stream:
            parse(stream, start=flow.start, end=flow.end, text=flow.text)
    except Refused as refusal:
        if refusal.reason == "expansion":
            raise
        notes.partly(refusal.reason)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ExpatError, ForbiddenDoctype):
        notes.partly("malformed")
    flow.finish()
    return flow


def links(archive: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo], source: Source) -> Iterator[Piece]:
    """Targets of hyperlinks: addresses of mail stand there and nowhere else."""
    found = []
    for info in infos:
        if info.filename.endswith(".rels") and info.file_size < 1 << 22:
            with open_part(archive, info, source.budget) as stream:
                found += _LINK.findall(stream.read(1 << 22).decode("utf-8", "replace"))
    if found:
        yield from chunks(["\n".join(found)])


def inside(archive: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo], source: Source) -> Iterator[Piece]:
    """Embedded files and pictures."""
    for info in infos:
        if _INSIDE.fullmatch(info.filename) and not info.is_dir():
            stream = open_part(archive, info, source.budget)
            name = info.filename.rpartition("/")[2]
            member = Source(name=name, stream=stream, size=info.file_size, seekable=False, budget=source.budget)
            yield Member(name=info.filename, source=member, size=info.file_size)
