"""A document as docx (ISO/IEC 29500) for Word, WPS and LibreOffice.

Word picks a font for Chinese by `w:eastAsia` only; python-docx sets the Latin one alone, and a table's style would
bring its own. Control characters are no XML (https://www.w3.org/TR/xml/#charsets) and are shown as `\\x..`.
"""

from __future__ import annotations

import io
import re
from typing import Any, Final

import docx
from docx.enum.section import WD_ORIENTATION
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from agent.documents.model import (
    TEXT_WIDTH_MM,
    Bullets,
    Document,
    Facts,
    Heading,
    PageBreak,
    Paragraph,
    Picture,
    Table,
)

LATIN: Final = "Arial"
CHINESE: Final = "Microsoft YaHei"
SOFT: Final = RGBColor(0x5B, 0x66, 0x75)
HEAD_FILL: Final = "F1F4F8"
MARK_FILL: Final = "FDECEA"
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def as_docx(document: Document) -> bytes:
    """The file's bytes."""
    target: Any = docx.Document()
    _set_up(target, document)
    title = target.add_paragraph(style="Title")
    title.add_run(_clean(document.title))
    _note(target, document.subtitle)
    lead = target.add_paragraph()
    _shade(lead._p.get_or_add_pPr(), MARK_FILL)
    lead.add_run(_clean(document.lead)).bold = True
    for notice in document.notices:
        _note(target, notice)
    for block in document.blocks:
        match block:
            case Heading():
                target.add_paragraph(_clean(block.text), style=f"Heading {block.level}")
            case Paragraph(small=True):
                _note(target, block.text)
            case Paragraph():
                target.add_paragraph(_clean(block.text)).paragraph_format.keep_with_next = True
            case Bullets():
                for item in block.items:
                    target.add_paragraph(_clean(item), style="List Bullet")
            case Facts():
                _table(target, Table(header=(), rows=block.rows, widths=(24, 76)), label_column=True)
            case Table():
                _table(target, block, label_column=False)
            case Picture():
                _picture(target, block)
            case PageBreak():
                target.add_page_break()
    output = io.BytesIO()
    target.save(output)
    return output.getvalue()


def _set_up(target: Any, document: Document) -> None:
    section = target.sections[0]
    section.orientation = WD_ORIENTATION.PORTRAIT
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(18)
    section.top_margin = section.bottom_margin = Mm(18)
    for name, size in (("Normal", 10), ("Title", 20), ("Heading 1", 13), ("Heading 2", 11), ("List Bullet", 10)):
        style = target.styles[name]
        style.font.size = Pt(size)
        style.font.name = LATIN
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)
        fonts.set(qn("w:eastAsia"), CHINESE)
        style.paragraph_format.space_after = Pt(4)
    language = OxmlElement("w:lang")
    language.set(qn("w:val"), "en-US")
    language.set(qn("w:eastAsia"), "zh-CN")
    target.styles["Normal"].element.get_or_add_rPr().append(language)
    for name in ("Title", "Heading 1", "Heading 2"):
        target.styles[name].font.color.rgb = RGBColor(0x1C, 0x24, 0x30)
        target.styles[name].font.bold = True
    target.styles["Heading 1"].paragraph_format.space_before = Pt(14)
    target.core_properties.title = _clean(document.title)
    target.core_properties.author = "Cloche"
    footer = section.footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = footer.add_run(_clean(document.title) + " · ")
    run.font.size = Pt(8)
    _page_number(footer)


def _table(target: Any, block: Table, *, label_column: bool) -> None:
    if not block.rows:
        return
    lines = ([block.header] if block.header else []) + list(block.rows)
    table = target.add_table(rows=len(lines), cols=len(block.widths), style="Table Grid")
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    table.autofit = False
    for column, width in zip(table.columns, block.widths, strict=True):
        column.width = Mm(TEXT_WIDTH_MM * width / 100)  # LibreOffice reads the grid, Word the cells
    for number, (row, line) in enumerate(zip(table.rows, lines, strict=True)):
        is_header = bool(block.header) and number == 0
        properties = row._tr.get_or_add_trPr()
        properties.append(OxmlElement("w:cantSplit"))
        if is_header:
            properties.append(OxmlElement("w:tblHeader"))
        marked = number - (1 if block.header else 0) in block.marked and not is_header
        for column, (cell, value) in enumerate(zip(row.cells, line, strict=True)):
            cell.width = Mm(TEXT_WIDTH_MM * block.widths[column] / 100)
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.space_after = Pt(1)
            run = paragraph.add_run(_clean(value))
            run.font.size = Pt(9)
            label = is_header or (label_column and column == 0)
            run.bold = label
            if label or marked:
                _shade(cell._tc.get_or_add_tcPr(), HEAD_FILL if label else MARK_FILL)
    target.add_paragraph().paragraph_format.space_after = Pt(2)


def _picture(target: Any, block: Picture) -> None:
    width = Mm(min(block.width_mm, TEXT_WIDTH_MM))
    paragraph = target.add_paragraph()
    paragraph.paragraph_format.keep_with_next = True
    shape = paragraph.add_run().add_picture(io.BytesIO(block.png), width=width)
    shape._inline.docPr.set("descr", _clean(block.caption))
    _note(target, block.caption)


def _note(target: Any, text: str) -> None:
    paragraph = target.add_paragraph()
    paragraph.paragraph_format.space_after = Pt(2)
    run = paragraph.add_run(_clean(text))
    run.font.size = Pt(8.5)
    run.font.color.rgb = SOFT


def _shade(properties: Any, fill: str) -> None:
    shading = OxmlElement("w:shd")
    shading.set(qn("w:val"), "clear")
    shading.set(qn("w:color"), "auto")
    shading.set(qn("w:fill"), fill)
    properties.append(shading)


def _page_number(paragraph: Any) -> None:
    for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
        run = paragraph.add_run()
        run.font.size = Pt(8)
        if kind:
            element = OxmlElement("w:fldChar")
            element.set(qn("w:fldCharType"), kind)
        else:
            element = OxmlElement("w:instrText")
            element.text = text
        run._r.append(element)


def _clean(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
