"""Names and addresses in running text, end to end and rule by rule; all of them made up."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.schema import DetectSettings
from scanners.engine import Analyser
from scanners.name_rules import Named, NameRules, settle
from scanners.names import NameFinder
from scanners.tagger import Tagged, Tagger


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return Analyser(DetectSettings(), names=True, run_key=b"run")


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger()


@pytest.fixture(scope="module")
def shared() -> NameFinder:
    return NameFinder()


FOUND = [
    ("收货人：«张测试»，电话13800001111", "PERSON"),
    ("«李测» 13800001111 请送餐", "PERSON"),
    ("«王先生»预订了包间", "PERSON"),
    ("«李女士»您好，您的外卖到了", "PERSON"),
    ("联系人«赵*四»，电话13800001111", "PERSON"),
    ("«赵*四» 138****1111", "PERSON"),
    ("«赵测试» 女 1990-01-01", "PERSON"),
    ("赵测试 女 19900101 «上海市测试区张江路100号»", "ADDRESS"),
    ("用户«欧阳测试»完成实名认证，手机13800001111", "PERSON"),
    ("卡号 6222025518844226 户名«袁测试»", "PERSON"),
    ("(13800001111)和«董测»(13900002222)都来了", "PERSON"),
    ("«陈测»电话13800001111帮我存一下", "PERSON"),
    ("那个«于天测»的电话是13800001111", "PERSON"),
    ("早报记者«官平»", "PERSON"),
    ("«姜山»：周中的比赛怎么看", "PERSON"),
    ("«牛海艇»，男，本科学历；", "PERSON"),
    ("«周云»女士：中国国籍，无境外居留权，", "PERSON"),
    ("总统«安德烈斯»在会上说，双方同意继续谈判", "PERSON"),
    ("«刘»先生现任测试股份有限公司董事长", "PERSON"),
    ("地址：«上海市浦东新区测试路12号3栋201室»，电话13800001111", "ADDRESS"),
    ("快递寄到«朝阳建国路100号»", "ADDRESS"),
    ("本店地址：«测试路12号»，欢迎光临", "ADDRESS"),
    ("居住地«四川省成都市青羊区中山路894号7栋1285室»", "ADDRESS"),
    ("«杭州市余杭区测试街道金城路26号五号仓库后门»", "ADDRESS"),
    ("«江东街道测试新村117栋6单元1347»", "ADDRESS"),
    ("«浙江省-嘉兴市-南湖区示例大厦4楼B座403»", "ADDRESS"),
]

NOBODY = [
    "来一罐王老吉，再来一瓶江小白和一份左宗棠鸡",
    "何氏凉皮和张亮麻辣烫都很好吃",
    "黄山风景区很漂亮，华为公司发布了新产品",
    "谢谢惠顾，方便的话请给好评",
    "联系方式13800001111",
    "招牌菜：东坡肉、宫保鸡丁、麻婆豆腐",
    "店里挂着李白的诗和诸葛亮的画像",
    "车主电话13800001111，车牌苏JJ1RLO挡住了出口",
    "王某带着另外一名男子走进银行",
    "一位李先生告诉记者，他在那里排队两个小时",
    "阿根廷总理访问保加利亚，两国签署协议",
    "本场阿森纳客场挑战费耶诺德，赔率不变",
    "用户登录成功，会员卡余额不足",
    "E com.example.ServiceConnection.removeWindowLocked 失败",
]

NO_ADDRESS = [
    "我在北京，他在杭州市",
    "江西省南昌市",
    "杨国福麻辣烫三号店盘点表",
    "杭州市测试区发生一起交通事故，三人受伤",
    "1997年任天津市政三公司副总工程师，",
    "中国移动通信集团北京有限公司",
]


PIECES = [
    "张测", "王", "先生", "138", "00001111", "*", "市", "测试路", "12号", ",", ":", " ", "(", "\n", "a", "@b.c",
    "\ud800", "😀", "\0", "的", "·", "任",
]  # fmt: skip


def spans_of(analyser: Analyser, text: str, entity: str) -> list[str]:
    return [text[s.start : s.end] for s in analyser.detect(text) if s.entity == entity]


@pytest.mark.parametrize(("marked", "entity"), FOUND)
def test_a_name_or_an_address_is_found_exactly(analyser: Analyser, marked: str, entity: str) -> None:
    start, end = marked.index("«"), marked.index("»") - 1
    text = marked.replace("«", "").replace("»", "")
    found = [(s.start, s.end) for s in analyser.detect(text) if s.entity == entity]
    if marked.startswith("«刘»先生"):  # a surname alone may come with its title
        assert found in ([(start, end)], [(start, end + 2)])
    else:
        assert found == [(start, end)]


@pytest.mark.parametrize("text", NOBODY)
def test_brands_dishes_teams_and_words_are_no_people(analyser: Analyser, text: str) -> None:
    assert spans_of(analyser, text, "PERSON") == []


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_a_town_a_shop_or_a_sentence_about_a_place_is_no_address(analyser: Analyser, text: str) -> None:
    assert spans_of(analyser, text, "ADDRESS") == []


def test_a_street_named_after_a_person_gives_no_person(analyser: Analyser) -> None:
    spans = analyser.detect("送到上海市测试区张衡路100号，电话13800001111")
    assert {span.entity for span in spans} == {"ADDRESS", "PHONE_NUMBER"}


def test_a_person_named_twice_is_found_twice_and_by_the_latin_name_beside(analyser: Analyser) -> None:
    text = "网友“吕建明(jimmytest)”说，吕建明本人没有去"
    assert spans_of(analyser, text, "PERSON") == ["吕建明", "jimmytest", "吕建明"]


def test_without_names_neither_names_nor_addresses_are_found() -> None:
    plain = Analyser(DetectSettings(), names=False, run_key=b"run")
    spans = plain.detect("收货人：张测试，电话13800001111，上海市浦东新区测试路12号")
    assert {span.entity for span in spans} == {"PHONE_NUMBER"}


def test_texts_tagged_together_come_out_as_tagged_alone(tagger: Tagger) -> None:
    texts = ["张测试在上海吃饭", "好", "收货人李测试住在测试路12号，电话13800001111", "", "王老吉"]
    together, alone = tagger.tag(texts), [tagger.tag([text])[0] for text in texts]
    assert [(t.people, t.words) for t in together] == [(t.people, t.words) for t in alone]
    for one, other in zip(together, alone, strict=True):
        for here, there in zip(one.chances, other.chances, strict=True):
            assert here == pytest.approx(there, abs=1e-4)


def test_the_tagger_knows_people_places_and_how_sure_it_is(tagger: Tagger) -> None:
    tagged = tagger.tag(["张伟在上海"])[0]
    assert [(w.start, w.end) for w in tagged.people] == [(0, 2)]
    assert [w.tag for w in tagged.words] == ["PER", "p", "LOC"]
    assert tagged.odds(0, 2) > 2 > -2 > tagged.odds(3, 5)
    assert Tagged().odds(0, 2) < -5


def test_words_of_the_dictionary_are_read_as_words_and_lengths_add_up(tagger: Tagger) -> None:
    for text in ("重庆市政府发布了通知", "A1B2张测试😀", "国"):
        rows, lengths = tagger.readers[0].units(text)
        assert len(rows) == len(lengths)
        assert sum(lengths) == len(text)
    assert max(tagger.readers[0].units("重庆市政府发布了通知")[1]) == 3


def count_tagged(finder: NameFinder, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that the tagger is asked for, in a list that grows."""
    asked: list[str] = []
    tag = Tagger.tag

    def counted(self: Tagger, texts: Sequence[str]) -> list[Tagged]:
        asked.extend(texts)
        return tag(self, texts)

    monkeypatch.setattr(Tagger, "tag", counted)
    return asked


def test_a_delivery_line_and_a_line_without_chinese_words_cost_no_tagger(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = NameFinder()
    asked = count_tagged(finder, monkeypatch)
    answers = finder.find(["E 12:00:01 phone=13800001111", "杭州市余杭区测试路26号五号仓库", "会 13800001111"])
    assert [[n.entity for n in found] for found in answers] == [[], ["ADDRESS"], []]
    assert asked == []
    assert finder.tagger is None


def test_the_tagger_reads_a_template_of_a_log_once(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = NameFinder()
    asked = count_tagged(finder, monkeypatch)
    names = ["张测", "李明测", "欧阳测", "赵小测", "钱测"]
    for number in range(1000):
        name = names[number % len(names)]
        line = f"2026-03-0{number % 9 + 1} 12:00:{number % 60:02} 收货人:{name},电话 1380000{number:04},共 {number} 元"
        assert [line[n.start : n.end] for n in finder.find([line])[0]] == [name]
    assert len(asked) <= 8


def test_a_name_that_no_rule_is_sure_of_is_learnt_with_its_template(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = NameFinder()
    asked = count_tagged(finder, monkeypatch)
    lines = [f"INFO {name}下单成功,手机 13800001111" for name in ("张伟", "李娜", "王秀英", "刘洋", "陈秀兰", "杨磊")]
    answers = finder.find(lines)
    assert [[line[n.start : n.end] for n in found] for line, found in zip(lines, answers, strict=True)] == [
        ["张伟"], ["李娜"], ["王秀英"], ["刘洋"], ["陈秀兰"], ["杨磊"],
    ]  # fmt: skip
    assert len(asked) == 2
    assert [n.entity for n in finder.find(["INFO 方式下单成功,手机 13800001111"])[0]] == []


def test_lines_of_one_shape_that_teach_nothing_are_read_in_two_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = NameFinder()
    turns = []
    monkeypatch.setattr(finder, "tag", lambda lines: turns.append(len(lines)) or [Tagged()] * len(lines))
    finder.find([f"他说{first}{second}了 手机 13800001111" for first in "王李张刘" for second in "吃喝看听"])
    assert len(turns) == 2
    assert sum(turns) == 16


def test_the_memory_of_lines_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanners.names.REMEMBERED", 3)
    finder = NameFinder()
    answers = finder.find([f"收货人:张测试,第{word}单" for word in "甲乙丙丁戊己庚辛壬"])
    assert all(answers)
    assert len(finder.seen) == 3


def test_a_long_line_is_read_in_pieces_with_places_of_the_whole() -> None:
    line = "今天的菜卖得很好," * 60 + "收货人:张测试,电话13800001111"
    [found] = NameFinder().find([line])
    assert [line[n.start : n.end] for n in found if n.entity == "PERSON"] == ["张测试"]


SURE = [
    ("姓名:张测试,男", "张测试"),
    ("联系人 李测 ", "李测"),
    ("户名袁测试", "袁测试"),
    ("李测,13800001111", "李测"),
    ("客户李测签收 13800001111", "李测"),
    ("和张测(13800001111)", "张测"),
]
UNSURE = ["现金管理客户包括两家", "成立于1982年", "纪元1404", "姓名:方式", "联系人:", "车牌 苏T6IUUK 13800001111"]


@pytest.mark.parametrize(("line", "name"), SURE)
def test_rules_are_sure_of_labelled_and_reachable_people(line: str, name: str) -> None:
    assert [line[n.start : n.end] for n in NameRules().sure(line)] == [name]


@pytest.mark.parametrize("line", UNSURE)
def test_rules_are_not_sure_of_words_that_only_look_like_names(line: str) -> None:
    assert list(NameRules().sure(line)) == []


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("张测", True),
        ("张测试", True),
        ("张", False),
        ("张测试试", False),
        ("欧阳测试", True),
        ("苏AB", False),
        ("哈测", False),
    ],
)
def test_a_chinese_name_is_a_surname_and_one_or_two_characters(name: str, fits: bool) -> None:
    assert NameRules().has_surname(name) is fits


def test_of_names_that_overlap_the_better_stays() -> None:
    weak, strong, far = (
        Named(entity="PERSON", start=start, end=end, score=score)
        for start, end, score in ((0, 3, 0.5), (1, 3, 0.8), (5, 7, 0.5))
    )
    assert settle([far, weak, strong]) == [strong, far]
    assert far.shift(10) == Named(entity="PERSON", start=15, end=17, score=0.5)


def test_a_first_word_loads_the_model_for_a_worker_that_may_open_no_file_later() -> None:
    finder = NameFinder()
    finder.find(["预热"])
    assert finder.tagger is not None


@given(st.lists(st.sampled_from(PIECES), max_size=60))
@settings(max_examples=60, deadline=None)
def test_whatever_the_line_spans_are_in_it_in_order_and_apart(shared: NameFinder, parts: list[str]) -> None:
    line = "".join(parts)
    [found] = shared.find([line])
    done = {"PERSON": 0, "ADDRESS": 0}
    for named in found:
        assert done[named.entity] <= named.start < named.end <= len(line)
        assert 0 < named.score < 1
        done[named.entity] = named.end
