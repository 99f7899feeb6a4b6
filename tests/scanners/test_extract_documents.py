"""Documents, slides and PDF."""

from __future__ import annotations

import io
import zipfile

import docx
import pytest


def letter() -> bytes:
    document = docx.Document()
    document.add_paragraph("尊敬的测试甲，您的电话13800001111")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [cell for row in table.rows for cell in row.cells], ["姓名", "电话", "测试乙", "13800001112"], strict=True
    ):
        cell.text = text
    section = document.sections[0]
    section.header.paragraphs[0].text = "页眉13800001113"
    section.footer.paragraphs[0].text = "页脚13800001114"
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def with_part(data: bytes, name: str, content: bytes) -> bytes:
    target = io.BytesIO(data)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(name, content)
    return target.getvalue()


def test_body_tables_header_and_footer_of_a_document_are_read(read):
    reading = read("a.docx", letter())
    seen = reading.of("a.docx")
    assert reading.top.kind == "document"
    assert (seen.columns, seen.rows) == (("姓名", "电话"), [("测试乙", "13800001112")])
    assert all(f"1380000111{last}" in seen.text for last in "134")


def test_comments_links_and_embedded_files_of_a_document_are_read(read):
    data = with_part(
        letter(),
        "word/comments.xml",
        "<w:comments xmlns:w='w'><w:p><w:t>批注13800001115</w:t></w:p></w:comments>".encode(),
    )
    data = with_part(data, "word/_rels/comments.xml.rels", b'<R><R Target="mailto:a@example.com"/></R>')
    data = with_part(data, "word/embeddings/list.csv", "姓名,电话\n测试丙,13800001116\n".encode())
    data = with_part(data, "word/media/image1.png", b"\x89PNG\r\n\x1a\n")
    reading = read("a.docx", data)
    assert "13800001115" in reading.of("a.docx").text
    assert "a@example.com" in reading.of("a.docx").text
    assert reading.of("list.csv").rows == [("测试丙", "13800001116")]
    picture = reading.report("!word/media/image1.png")
    assert (picture.kind, picture.status, picture.reason) == ("image", "unread", "unsupported")


@pytest.mark.parametrize(
    ("name", "part", "content"),
    [
        ("a.pptx", "ppt/slides/slide1.xml", "<a:p xmlns:a='a'><a:r><a:t>客户 13800001111</a:t></a:r></a:p>"),
        ("a.odt", "content.xml", "<text:p xmlns:text='t'>客户 <text:span>13800001111</text:span></text:p>"),
    ],
)
def test_slides_and_open_documents_are_read(read, name, part, content):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("mimetype", "application/x")
        archive.writestr("ppt/presentation.xml" if name.endswith("pptx") else "styles.xml", "<a/>")
        archive.writestr(part, content)
    reading = read(name, target.getvalue())
    assert (reading.top.kind, reading.of(name).text.strip()) == ("document", "客户 13800001111")


def test_a_document_that_defines_entities_is_not_expanded(read):
    bomb = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><w:p xmlns:w="w"><w:t>&b;</w:t></w:p>'
    top = read("a.docx", with_part(letter(), "word/footnotes.xml", bomb)).top
    assert (top.status, top.reason) == ("partial", "malformed")


def pdf(content: bytes, *, trailer: bytes = b"", image: bool = False) -> bytes:
    """A page of PDF 1.4, by hand."""
    resources = b"/XObject << /I 6 0 R >>" if image else b"/Font << /F 5 0 R >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R /Resources << " + resources + b" >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        (
            b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 "
            b"/Length 1 >>\nstream\n\x80\nendstream"
        ),
    ]
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def test_text_of_a_pdf_comes_with_its_page(read):
    seen = read("a.pdf", pdf(b"BT /F 12 Tf 20 200 Td (Tel 13800001111) Tj ET")).of("a.pdf")
    assert "Tel 13800001111" in seen.text
    assert seen.chunks[0].place.page == 1


def test_a_scanned_pdf_is_unread_and_not_called_empty(read):
    top = read("a.pdf", pdf(b"q 300 0 0 300 0 0 cm /I Do Q", image=True)).top
    assert (top.status, top.reason) == ("unread", "unsupported")


def test_an_encrypted_pdf_says_so(read):
    lock = (
        b"/Encrypt << /Filter /Standard /V 1 /R 2 /O <" + b"28" * 32 + b"> /U <" + b"29" * 32 + b"> /P -4 >> "
        b"/ID [<31323334353637383132333435363738> <31323334353637383132333435363738>]"
    )
    top = read("a.pdf", pdf(b"BT ET", trailer=lock)).top
    assert (top.status, top.reason) == ("unread", "encrypted")


def test_a_broken_pdf_is_malformed(read):
    top = read("a.pdf", b"%PDF-1.7\n" + b"x" * 500).top
    assert (top.kind, top.status, top.reason) == ("pdf", "unread", "malformed")
