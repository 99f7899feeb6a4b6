"""PDF text by pdfium, page by page.

PDF has no reading order and no tables: text comes as it is drawn, in lines. A page that shows a picture and no text
is a scan: its content is not read, and the item is partial (unread if no page has text). Attachments are members.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pypdfium2
import pypdfium2.raw

from config.schema import ItemKind
from scanners.extract.api import Budget, Member, Notes, Piece, Refused, Source
from scanners.extract.text import chunks

_ATTACHMENT: Final = 64 << 20


class PdfExtractor:
    """See the module."""

    kind: ItemKind = "pdf"

    def matches(self, source: Source) -> bool:
        """`%PDF-` within the first 1,024 bytes, as readers accept it (ISO 32000-1, annex H, note 13)."""
        return b"%PDF-" in source.head[:1024]

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Pages, then attachments."""
        try:
            document = pypdfium2.PdfDocument(source.file())
        except pypdfium2.PdfiumError as error:
            if error.err_code in (pypdfium2.raw.FPDF_ERR_PASSWORD, pypdfium2.raw.FPDF_ERR_SECURITY):
                raise Refused("encrypted") from error
            raise
        try:
            if document.formenv is None and document.get_formtype() != pypdfium2.raw.FORMTYPE_NONE:
                document.init_forms()
            yield from _pages(document, notes)
            yield from _attachments(document, source.budget)
        finally:
            document.close()


def _pages(document: Any, notes: Notes) -> Iterator[Piece]:
    any_text = False
    scanned = False
    for number in range(len(document)):
        try:
            page = document[number]
            text_page = page.get_textpage()
        except pypdfium2.PdfiumError:
            notes.partly("malformed")
            continue
        text = text_page.get_text_bounded(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
        text_page.close()
        if text.strip():
            any_text = True
            yield from chunks([text], page=number + 1)
        elif any(True for _ in page.get_objects(filter=(pypdfium2.raw.FPDF_PAGEOBJ_IMAGE,), max_depth=3)):
            scanned = True
        page.close()
    if scanned and not any_text:
        raise Refused("unsupported")
    if scanned:
        notes.partly("unsupported")


def _attachments(document: Any, budget: Budget) -> Iterator[Piece]:
    import io

    for index in range(document.count_attachments()):
        attachment = document.get_attachment(index)
        name = attachment.get_name()
        data = bytes(attachment.get_data())
        if len(data) > _ATTACHMENT:
            yield Member(name=name, source=None, reason="too_large", size=len(data))
            continue
        budget.spend(len(data))
        source = Source(name=name, stream=io.BytesIO(data), size=len(data), seekable=True, budget=budget)
        yield Member(name=name, source=source, size=len(data))
