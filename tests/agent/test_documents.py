"""One document, three formats: the same words in each, pages that can be printed, and nothing in it that acts."""

import io
import itertools
import re
import struct
import subprocess
import time
import zlib
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import unescape

import docx
import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from docx.oxml.ns import qn
from printed import shapes_of

from agent.documents.docx import as_docx
from agent.documents.html import as_html
from agent.documents.model import (
    Bullets,
    Document,
    Facts,
    Heading,
    PageBreak,
    Paragraph,
    Picture,
    Table,
)
from agent.documents.pdf import as_pdf
from agent.documents.plain import plain
from agent.documents.typeset import NoFontError, as_png
from agent.documents.write import missing_formats, version_of, write_versions
from agent.wiring import build_agent
from config.errors import ClocheError
from config.home import find_home
from config.schema import Settings
from config.text import LANGUAGES, Text

HOSTILE = (
    '#pagebreak() *粗* $x$ <script>alert("x")</script>\x1b[31m\x00\ud800 \u202ecod.exe @ref \\ #{1+1} {{ 7*7 }} %PDF //'
)
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 90"><rect width="600" height="90" fill="#f1f4f8"/>'
    '<text x="20" y="50" font-family="Noto Sans CJK SC, WenQuanYi Micro Hei" font-size="24">顾客名单</text></svg>'
).encode()


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\x30\x60\xc0" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def sample(language="zh-CN", rows=60, **more):
    """Every kind of block, with what documents really hold: paths, masked values, hashes, what somebody typed."""
    values = {
        "language": language, "title": "事故报告（首次）", "subtitle": "测试一店 · I20261126-0001",
        "lead": "08:58 发现内部人员事件，涉及 2 个文件、30,480 人。",
        "notices": ("个人信息已去标识化。", "护客协助处置。"),
        "blocks": (
            Heading(text="基本情况"),
            Facts(rows=(("编号", "I20261126-0001"), ("地点", "收银台后办公室\n二楼"), ("描述", HOSTILE))),
            Heading(text="Impact and measures"),
            Paragraph(text="涉及的文件如下："),
            Table(
                header=("文件", "人数", "类型", "状态"), widths=(44, 12, 24, 20), marked=frozenset({1}),
                rows=tuple(
                    (f"/srv/share/会员/会员名单{n}.xlsx", f"{n * 37:,}", "names, phone numbers", "已进隔离区")
                    for n in range(rows)
                ),
            ),
            Paragraph(text="另有 970 个文件未列出。", small=True),
            Heading(text="次级标题", level=2),
            Bullets(items=("第一条", "b" * 200, HOSTILE)),
            Table(
                header=("时间", "措施"), widths=(24, 76),
                rows=(("08:58:01", "经过" * 1200), ("08:58:02", "/srv/" + "x" * 300), ("0123456789abcdef" * 4, "完")),
            ),
            Picture(svg=SVG, caption="事件时间线"),
            Picture(png=png(300, 100), caption="二维码", width_mm=60),
            PageBreak(),
            Heading(text="最后一页"),
            Paragraph(text="完毕。"),
        ),
    }  # fmt: skip
    return Document(**{**values, **more})


def said(document):
    """All that a document says, block by block, as every format must show it."""
    yield from (document.title, document.subtitle, document.lead, *document.notices)
    for block in document.blocks:
        match block:
            case Heading() | Paragraph():
                yield block.text
            case Bullets():
                yield from block.items
            case Facts():
                yield from itertools.chain(*block.rows)
            case Table():
                yield from itertools.chain(block.header, *block.rows)
            case Picture():
                yield block.caption
    yield from (document.stamp, document.running, document.head)


def bare(text):
    """Without white space, for every format breaks lines where it likes."""
    return re.sub(r"\s", "", text)


def words_of_html(content):
    text = content.decode()
    body = text[text.index("<main>") :]
    return unescape(re.sub(r"<[^>]+>", "", body))


def words_of_docx(content):
    opened = docx.Document(io.BytesIO(content))
    section = opened.sections[0]
    parts = (section.header._element, opened.element.body, section.footer._element)
    return "\n".join(
        "\n" if node.tag == qn("w:br") else node.text or ""
        for part in parts
        for node in part.iter(qn("w:t"), qn("w:br"))
    )


def pages_of(content):
    """The words of each page. pypdfium2 writes U+FFFE for a hyphen at the end of a line."""
    with pypdfium2.PdfDocument(content) as opened:
        found = []
        for page in opened:
            words = page.get_textpage()
            found.append(words.get_text_range().replace("\ufffe", "-"))
            words.close()
            page.close()
        return found


@pytest.fixture
def agent(tmp_path):
    home = find_home(tmp_path / "home")
    home.create()
    with build_agent(home, Settings.model_validate({"store": {"name": "测试一店"}})) as agent:
        yield agent


@pytest.mark.needs("chinese_font")
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_format_says_the_same_words(language):
    document = sample(language, rows=5, stamp="应急演练，非真实事件", running="测试一店 · 01", head="校验值 0a1b")
    long = [block for block in document.blocks if isinstance(block, Table)][1]
    for name, words in (
        ("html", words_of_html(as_html(document))),
        ("docx", words_of_docx(as_docx(document))),
        ("pdf", "".join(pages_of(as_pdf(document)))),
    ):
        shown = bare(words)
        for text in said(document):
            if text == long.rows[0][1]:  # a head and a foot come between its pages
                assert shown.count("经过") == 1200, name
            elif language == "zh-CN" or "\\" not in plain(text):
                assert bare(plain(text)) in shown, (name, text)


@pytest.mark.needs("chinese_font")
def test_a_pdf_is_a4_numbered_repeats_headers_and_embeds_its_fonts():
    content = as_pdf(sample(rows=150, running="测试一店 · 事故报告-01", stamp="应急演练，非真实事件"))
    pages = pages_of(content)
    assert len(pages) >= 6
    for number, words in enumerate(pages, 1):
        assert f"{number}/{len(pages)}" in bare(words)
        assert "测试一店 · 事故报告-01" in words
        assert "应急演练，非真实事件" in words
    middle = [words for words in pages if "会员名单90" in bare(words)]
    assert "文件人数类型状态" in bare(middle[0])
    assert bare(pages[-1]).startswith(bare("应急演练，非真实事件应急演练，非真实事件测试一店 · 事故报告-01最后一页"))
    with pypdfium2.PdfDocument(content) as opened:
        assert [round(side) for side in opened[0].get_size()] == [595, 842]
        fonts = set()
        for item in opened[0].get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT]):
            font = pdfium.FPDFTextObj_GetFont(item.raw)
            fonts.add(pdfium.FPDFFont_GetIsEmbedded(font))
        assert fonts == {1}


@pytest.mark.needs("chinese_font")
@pytest.mark.parametrize("language", LANGUAGES)
def test_characters_are_drawn_and_no_two_are_the_same_box(language):
    with pypdfium2.PdfDocument(as_pdf(sample(language, rows=3))) as opened:
        page = opened[0]
        words = page.get_textpage()
        shapes = shapes_of(page, words)
        words.close()
        page.close()
    assert set("事故报告首次测试一店发现内部人员涉及文件护客协助处置收银台后办公室") <= set(shapes)
    assert len(set(shapes.values())) == len(shapes)
    assert all(any(shape) for shape in shapes.values())


@pytest.mark.needs("chinese_font")
def test_a_heading_never_stands_alone_at_the_end_of_a_page():
    filler = [Paragraph(text=f"段落{n}") for n in range(120)]
    blocks = list(itertools.chain(*((Heading(text=f"标题{n}"), *filler[n * 4 : n * 4 + 4]) for n in range(30))))
    for words in pages_of(as_pdf(sample(blocks=tuple(blocks)))):
        lines = [line for line in words.split("\r\n") if line.strip()]
        assert not lines[-2].startswith("标题"), lines[-3:]


@pytest.mark.needs("chinese_font")
def test_twenty_pages_are_set_in_three_seconds():
    began = time.perf_counter()
    content = as_pdf(sample(rows=780))
    assert time.perf_counter() - began < 3
    assert len(pages_of(content)) >= 20
    assert len(content) < 1_500_000


def test_hostile_words_stay_words():
    document = sample(title=HOSTILE, lead=HOSTILE, stamp=HOSTILE, running=HOSTILE, head=HOSTILE)
    page = as_html(document).decode()
    assert "<script" not in page
    assert "\u202e" not in page
    assert "{{ 7*7 }}" in unescape(page)
    assert "default-src 'none'" in page
    assert bare(plain(HOSTILE)) in bare(words_of_docx(as_docx(document)))


@pytest.mark.needs("chinese_font")
def test_a_table_without_rows_is_shown_nowhere():
    document = sample(blocks=(Table(header=("空表头",), rows=(), widths=(100,)), Facts(rows=()), Paragraph(text="完")))
    for words in (words_of_html(as_html(document)), words_of_docx(as_docx(document)), pages_of(as_pdf(document))[0]):
        assert "空表头" not in words
        assert "完" in words


def test_what_would_be_invisible_is_written_out():
    assert plain("a\x00b\u202ec\n\t会员") == "a\\x00b\\u202ec\n\t会员"


def test_a_picture_needs_content():
    with pytest.raises(ValueError, match="without content"):
        Picture(caption="x")


@pytest.mark.needs("chinese_font")
def test_pictures_are_in_every_format():
    document = sample(rows=1)
    assert b64encode(SVG) in as_html(document)
    opened = docx.Document(io.BytesIO(as_docx(document)))
    assert len(opened.inline_shapes) == 2
    assert opened.inline_shapes[1].width.mm == pytest.approx(60, abs=0.1)
    with pypdfium2.PdfDocument(as_pdf(document)) as written:
        kinds = [item.type for page in written for item in page.get_objects(max_depth=4)]
        words = "".join(page.get_textpage().get_text_range() for page in written)
    assert pdfium.FPDF_PAGEOBJ_IMAGE in kinds
    assert "顾客名单" in bare(words)
    assert as_png(SVG).startswith(b"\x89PNG")


def test_without_a_chinese_font_there_is_no_pdf_and_it_is_said(tmp_path):
    with pytest.raises(NoFontError, match="fonts-noto-cjk"):
        as_pdf(sample(), folders=[tmp_path])


def test_without_a_chinese_font_the_other_formats_are_written(agent, tmp_path, monkeypatch):
    monkeypatch.setattr("agent.documents.pdf.as_pdf", lambda document: as_pdf(document, folders=[tmp_path]))
    written = write_versions(agent, tmp_path / "documents", "报告", lambda wording, _: sample(wording.text.language))
    assert sorted(path.suffix for path in written) == [".docx", ".docx", ".html", ".html"]
    monkeypatch.setattr("agent.documents.write.obstacle", lambda: NoFontError("no font"))
    assert "fonts-noto-cjk" in missing_formats(written, Text("zh-CN"))
    assert missing_formats([*written, tmp_path / "x.pdf"], Text("zh-CN")) == ""
    assert missing_formats([], Text("zh-CN")) == ""


def test_a_format_that_fails_is_named_and_the_others_are_there(agent, tmp_path, monkeypatch):
    def broken(_document):
        raise ClocheError("the typesetter failed with code 1")

    monkeypatch.setattr("agent.documents.pdf.as_pdf", broken)
    folder = tmp_path / "documents"
    with pytest.raises(ClocheError, match="a document is missing: the typesetter failed"):
        write_versions(agent, folder, "报告", lambda wording, _: sample(wording.text.language, rows=1))
    assert len(list(folder.glob("*.docx"))) == 2


@pytest.mark.needs("chinese_font")
def test_versions_count_by_stem_and_nothing_is_written_over(agent, tmp_path):
    numbers = []

    def build(wording, version):
        numbers.append(version)
        return sample(wording.text.language, rows=1)

    folder = tmp_path / "documents"
    first = write_versions(agent, folder, "报告-I1", build)
    before = {path: path.read_bytes() for path in first}
    write_versions(agent, folder, "报告-I1", build)
    write_versions(agent, folder, "报告-I10", build, formats=("html",))
    assert numbers == [1, 1, 2, 2, 1, 1]
    assert len(first) == 6
    assert {path: path.read_bytes() for path in first} == before
    assert version_of(folder / "报告-I1-02.en.pdf", "报告-I1") == 2
    assert version_of(folder / "报告-I1-02.en.pdf", "报告-I10") == 0
    assert "测试一店 · 报告-I1-01" in first[0].read_text(encoding="utf-8")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_two_that_write_at_once_get_versions_of_their_own(agent, tmp_path):
    folder = tmp_path / "documents"

    def write():
        return write_versions(
            agent, folder, "报告", lambda wording, _: sample(wording.text.language, rows=1), ("html",)
        )

    with ThreadPoolExecutor(4) as threads:
        written = [path for done in [threads.submit(write) for _ in range(8)] for path in done.result()]
    assert len(set(written)) == 16
    assert max(version_of(path, "报告") for path in written) == 8


def test_every_document_of_a_drill_says_so_whoever_wrote_it(tmp_path):
    home = find_home(tmp_path / "state" / "drills" / "d1" / "home")
    home.create()
    with build_agent(home, Settings()) as agent:
        for number, stamp in enumerate(("", "草稿 第 1 版")):
            written = write_versions(
                agent, tmp_path / "documents", f"报告{number}",
                lambda wording, _, stamp=stamp: sample(wording.text.language, rows=1, stamp=stamp), formats=("html",),
            )  # fmt: skip
            assert stamp in written[0].read_text(encoding="utf-8")
            assert "应急演练，非真实事件" in written[0].read_text(encoding="utf-8")
            assert "DRILL – not a real incident" in written[1].read_text(encoding="utf-8")


@pytest.mark.needs("libreoffice", "chinese_font")
@pytest.mark.parametrize("language", LANGUAGES)
def test_libreoffice_shows_a_docx_as_it_was_meant(tmp_path, language):
    document = sample(language, rows=40, stamp="应急演练，非真实事件", running="测试一店 · 01")
    (tmp_path / "report.docx").write_bytes(as_docx(document))
    subprocess.run(
        ["libreoffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "pdf",
         "--outdir", tmp_path, tmp_path / "report.docx"],
        check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    pages = pages_of((tmp_path / "report.pdf").read_bytes())
    shown = bare("".join(pages))
    for text in said(replace(document, blocks=document.blocks[:6])):
        assert bare(plain(text)) in shown, text
    assert all("应急演练，非真实事件" in words for words in pages)
    assert all(f"{number}/{len(pages)}" in bare(words) for number, words in enumerate(pages, 1))
    holding = [words for words in pages if "会员名单3" in bare(words)]
    assert all("文件人数类型状态" in bare(words) for words in holding)


def test_a_docx_names_a_chinese_font_repeats_headers_and_fixes_no_height():
    opened = docx.Document(io.BytesIO(as_docx(sample())))
    for style in ("Normal", "Title", "Heading 1", "Heading 2", "List Bullet"):
        fonts = opened.styles[style].element.rPr.rFonts
        assert fonts.get(qn("w:eastAsia")) == "Microsoft YaHei"
        assert fonts.get(qn("w:asciiTheme")) is None
    headings = [paragraph.text for paragraph in opened.paragraphs if paragraph.style.name == "Heading 1"]
    assert headings == ["基本情况", "Impact and measures", "最后一页"]
    body = opened.element.body
    assert len(list(body.iter(qn("w:tblHeader")))) == 2
    assert not list(body.iter(qn("w:trHeight")))
    section = opened.sections[0]
    assert (round(section.page_width.mm), round(section.page_height.mm)) == (210, 297)
