"""Every paper that an incident leaves, as it would be printed: fonts inside, each character drawn, its words in it."""

import re

import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from printed import shapes_of
from shops import declaration, inventoried, opened

from agent.incident.declare import declare
from agent.operation import Caller, Request
from agent.operations import find_operation
from config.home import find_home

OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
SETTINGS = {
    "store": {"name": "测试一店", "legal_entity": "91310000MA00000000", "province": "上海"},
    "people": [{"name": "王测试", "roles": ["security_lead", "response_lead"], "email": "lead@example.com"}],
}
PAPERS = {
    "事故报告": "已采取的措施", "技术调查": "假设及其状态", "事后报告": "事件经过", "证据移交单": "收银机",
    "cn-pipl-art-57": "联系方式",
}  # fmt: skip
"""By the beginning of the file's name: words that the Chinese version must hold."""


@pytest.fixture
def papers(tmp_path):
    share = tmp_path / "share"
    share.mkdir()
    (share / "会员.csv").write_text("姓名,电话\n" + "测试甲,13800001111\n" * 40, encoding="utf-8")
    home = find_home(tmp_path / "home")
    home.create()
    settings = {**SETTINGS, "scan": {"roots": [str(share)]}, "respond": {"contain": False}}
    with opened(home, settings=settings) as agent:
        inventoried(agent, share)
        number = declare(agent, declaration(scope="strays")).id
        for name, arguments in (
            ("incident.drafts", {}),
            ("incident.investigate.document", {}),
            ("incident.final.draft", {}),
            ("logistics.custody", {"item": "收银机", "giver": "王测试", "taker": "李样例"}),
            ("logistics.custody", {"document": True}),
        ):
            find_operation(name).load()(agent, Request(arguments={"id": number, **arguments}, caller=OWNER))
        yield home.documents / number


@pytest.mark.needs("chinese_font")
def test_every_paper_can_be_printed_and_read(papers):
    for stem, wanted in PAPERS.items():
        for language in ("zh-CN", "en"):
            found = sorted(papers.rglob(f"{stem}*-01.{language}.pdf"))
            assert found, (stem, language)
            words = checked(found[0].read_bytes(), found[0].name)
            assert language == "en" or wanted in words, (stem, words[:300])


def checked(content, name):
    """The words of a PDF without white space. Each page has a number, its fonts inside, and no box for a character."""
    found = []
    with pypdfium2.PdfDocument(content) as opened_file:
        for number, page in enumerate(opened_file, 1):
            words = page.get_textpage()
            text = re.sub(r"\s", "", words.get_text_range())
            found.append(text)
            assert f"{number}/{len(opened_file)}" in text, name
            assert "\ufffd" not in text, name
            for item in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT]):
                assert pdfium.FPDFFont_GetIsEmbedded(pdfium.FPDFTextObj_GetFont(item.raw)) == 1, name
            shapes = shapes_of(page, words)
            assert all(any(shape) for shape in shapes.values()), (name, [c for c, s in shapes.items() if not any(s)])
            # 己 and 已 may fall together at this size; boxes for what a font lacks would be alike by the dozen
            assert len(set(shapes.values())) >= 0.97 * len(shapes), name
            words.close()
            page.close()
    return "".join(found)
