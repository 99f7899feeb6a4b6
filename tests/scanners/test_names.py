"""Names and addresses in running text; all of them made up."""

from __future__ import annotations

import pytest

from config.schema import DetectSettings
from scanners.engine import Analyser
from scanners.names import NameFinder
from scanners.tagger import Tagger, find_weights


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(DetectSettings(), names=True, run_key=b"run")


FOUND = [
    ("收货人：«张测试»，电话13800001111", "PERSON"),
    ("«李测» 13800001111 请送餐", "PERSON"),
    ("«王先生»预订了包间", "PERSON"),
    ("联系人«赵*四»，电话13800001111", "PERSON"),
    ("用户«欧阳测试»完成实名认证", "PERSON"),
    ("地址：«上海市浦东新区测试路12号3栋201室»，电话13800001111", "ADDRESS"),
    ("快递寄到«朝阳建国路100号»", "ADDRESS"),
]

NOT_PEOPLE = [
    "来一罐王老吉，再来一瓶江小白和一份左宗棠鸡",
    "何氏凉皮和张亮麻辣烫都很好吃",
    "黄山风景区很漂亮，华为公司发布了新产品",
    "谢谢惠顾，方便的话请给好评",
    "联系方式13800001111",
]


@pytest.mark.parametrize(("marked", "entity"), FOUND)
def test_a_name_or_an_address_is_found_exactly(analyser: Analyser, marked: str, entity: str) -> None:
    start, end = marked.index("«"), marked.index("»") - 1
    text = marked.replace("«", "").replace("»", "")
    assert [(s.start, s.end) for s in analyser.detect(text) if s.entity == entity] == [(start, end)]


@pytest.mark.parametrize("text", NOT_PEOPLE)
def test_brands_dishes_and_words_are_no_people(analyser: Analyser, text: str) -> None:
    assert [text[s.start : s.end] for s in analyser.detect(text) if s.entity == "PERSON"] == []


def test_the_name_of_a_town_is_no_address(analyser: Analyser) -> None:
    assert [s for s in analyser.detect("我在北京，他在杭州市") if s.entity == "ADDRESS"] == []


def test_a_street_named_after_a_person_gives_no_person(analyser: Analyser) -> None:
    spans = analyser.detect("送到上海市测试区张衡路100号，电话13800001111")
    assert {span.entity for span in spans} == {"ADDRESS", "PHONE_NUMBER"}


def test_without_names_neither_names_nor_addresses_are_found() -> None:
    plain = Analyser(DetectSettings(), names=False, run_key=b"run")
    spans = plain.detect("收货人：张测试，电话13800001111，上海市浦东新区测试路12号")
    assert {span.entity for span in spans} == {"PHONE_NUMBER"}


def test_texts_tagged_together_come_out_as_tagged_alone() -> None:
    tagger = Tagger(find_weights())
    texts = ["张测试在上海吃饭", "好", "收货人李测试住在测试路12号，电话13800001111", "", "王老吉"]
    assert tagger.tag(texts) == [tagger.tag([text])[0] for text in texts]
    assert [word.tag for word in tagger.tag(["张伟在上海"])[0]] == ["PER", "p", "LOC"]


def test_the_memory_of_lines_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanners.names.REMEMBERED", 3)
    finder = NameFinder()
    answers = finder.find([f"收货人:张测试,第{number}单" for number in range(9)])
    assert all(answers)
    assert len(finder.seen) == 3
