"""A document as docx (ISO/IEC 29500) for Word, WPS and LibreOffice.

Word picks a font for Chinese by `w:eastAsia` only; python-docx sets the Latin one alone, and a table's style would
bring its own.
"""

from __future__ import annotations

import io
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
    Block,
    Bullets,
    Document,
    Facts,
    Heading,
    PageBreak,
    Paragraph,
    Picture,
    Table,
)
from agent.documents.plain import plain
from agent.documents.typeset import NoFontError, as_png

LATIN: Final = "Arial"
CHINESE: Final = "Microsoft YaHei"
ACCENT: Final = RGBColor(0xA6, 0x1B, 0x1B)
SOFT: Final = RGBColor(0x5B, 0x66, 0x75)
HEAD_FILL: Final = "F1F4F8"
LINE: Final = "B9C1CC"
MARK_FILL: Final = "FDECEA"
ONE_PIECE: Final = 500
"""Characters of a cell above which its row may be split by the end of a page."""


def as_docx(document: Document) -> bytes:
    """The file's bytes.

    Raises:
        ClocheError: a picture cannot be made.
    """
    target: Any = docx.Document()
    _set_up(target, document)
    title = target.add_paragraph(style="Title")
    title.add_run(plain(document.title))
    if document.subtitle:
        _note(target, document.subtitle)
    if document.lead:
        lead = target.add_paragraph()
        _shade(lead._p.get_or_add_pPr(), MARK_FILL)
        lead.add_run(plain(document.lead)).bold = True
    for notice in document.notices:
        _note(target, notice)
    for block, following in zip(document.blocks, (*document.blocks[1:], None), strict=True):
        _block(target, block, following)
    output = io.BytesIO()
    target.save(output)
    return output.getvalue()


def _block(target: Any, block: Block, following: Block | None) -> None:
    match block:
        case Heading():
            target.add_paragraph(plain(block.text), style=f"Heading {block.level}")
        case Paragraph():
            paragraph = _note(target, block.text) if block.small else target.add_paragraph(plain(block.text))
            if following is not None and not isinstance(following, (Paragraph, PageBreak)):
                paragraph.paragraph_format.keep_with_next = True
        case Bullets():
            for item in block.items:
                target.add_paragraph(plain(item), style="List Bullet")
        case Facts():
            _table(target, Table(header=(), rows=block.rows, widths=(24, 76)), label_column=True)
        case Table():
            _table(target, block, label_column=False)
        case Picture():
            _picture(target, block)
        case PageBreak():
            target.add_page_break()


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
    title = target.styles["Title"].element.get_or_add_pPr()
    for border in title.findall(qn("w:pBdr")):
        title.remove(border)
    target.core_properties.title = plain(document.title)
    target.core_properties.author = "Cloche"
    header = section.header.paragraphs[0]
    if document.stamp:
        stamp = header.add_run(plain(document.stamp))
        stamp.bold = True
        stamp.font.color.rgb = ACCENT
        header.alignment = WD_ALIGN_PARAGRAPH.CENTER
        header = section.header.add_paragraph()
    running = header.add_run(plain(document.running))
    running.font.size = Pt(8)
    running.font.color.rgb = SOFT
    footer = section.footer.paragraphs[0]
    footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = footer.add_run(plain(document.title) + " · ")
    run.font.size = Pt(8)
    _number(footer, "PAGE")
    footer.add_run(" / ").font.size = Pt(8)
    _number(footer, "NUMPAGES")
    if document.head:
        head = section.footer.add_paragraph().add_run(plain(document.head))
        head.font.size = Pt(7)
        head.font.color.rgb = SOFT


def _table(target: Any, block: Table, *, label_column: bool) -> None:
    if not block.rows:
        return
    lines = ([block.header] if block.header else []) + list(block.rows)
    table = target.add_table(rows=len(lines), cols=len(block.widths), style="Table Grid")
    table.alignment = WD_TABLE_ALIGNMENT.CENTER
    table.autofit = False
    _grey_lines(table)
    for column, width in zip(table.columns, block.widths, strict=True):
        column.width = Mm(TEXT_WIDTH_MM * width / 100)  # LibreOffice reads the grid, Word the cells
    for number, (row, line) in enumerate(zip(table.rows, lines, strict=True)):
        is_header = bool(block.header) and number == 0
        properties = row._tr.get_or_add_trPr()
        if max(map(len, line)) <= ONE_PIECE:
            properties.append(OxmlElement("w:cantSplit"))
        if is_header:
            properties.append(OxmlElement("w:tblHeader"))
        marked = number - (1 if block.header else 0) in block.marked and not is_header
        for column, (cell, value) in enumerate(zip(row.cells, line, strict=True)):
            cell.width = Mm(TEXT_WIDTH_MM * block.widths[column] / 100)
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.space_after = Pt(1)
            run = paragraph.add_run(plain(value))
            run.font.size = Pt(9)
            label = is_header or (label_column and column == 0)
            run.bold = label
            if label or marked:
                _shade(cell._tc.get_or_add_tcPr(), HEAD_FILL if label else MARK_FILL)
    target.add_paragraph().paragraph_format.space_after = Pt(2)


def _grey_lines(table: Any) -> None:
    borders = OxmlElement("w:tblBorders")
    for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
        line = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "4"), ("space", "0"), ("color", LINE)):
            line.set(qn(f"w:{name}"), value)
        borders.append(line)
    properties = table._tbl.tblPr
    properties.insert_element_before(borders, "w:shd", "w:tblLayout", "w:tblCellMar", "w:tblLook")


def _picture(target: Any, block: Picture) -> None:
    """Word shows no SVG: it gets a PNG of it, or the caption alone where no font could draw the words."""
    try:
        content = block.png or as_png(block.svg)
    except NoFontError:
        content = b""
    if content:
        paragraph = target.add_paragraph()
        paragraph.paragraph_format.keep_with_next = True
        width = Mm(min(block.width_mm, TEXT_WIDTH_MM))
        shape = paragraph.add_run().add_picture(io.BytesIO(content), width=width)
        shape._inline.docPr.set("descr", plain(block.caption))
    if block.caption:
        _note(target, block.caption)


def _note(target: Any, text: str) -> Any:
    paragraph = target.add_paragraph()
    paragraph.paragraph_format.space_after = Pt(2)
    run = paragraph.add_run(plain(text))
    run.font.size = Pt(8.5)
    run.font.color.rgb = SOFT
    return paragraph


def _shade(properties: Any, fill: str) -> None:
    shading = OxmlElement("w:shd")
    shading.set(qn("w:val"), "clear")
    shading.set(qn("w:color"), "auto")
    shading.set(qn("w:fill"), fill)
    properties.append(shading)


def _number(paragraph: Any, field: str) -> None:
    for kind, text in (("begin", ""), ("", field), ("end", "")):
        run = paragraph.add_run()
        run.font.size = Pt(8)
        if kind:
            element = OxmlElement("w:fldChar")
            element.set(qn("w:fldCharType"), kind)
        else:
            element = OxmlElement("w:instrText")
            element.text = text
        run._r.append(element)
