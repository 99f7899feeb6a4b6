"""What the finder of names is made of: places, templates, candidates, evidence, addresses. All names are made up."""

from __future__ import annotations

import pytest

from scanners.address_rules import AddressRules
from scanners.name_candidates import Candidates
from scanners.name_evidence import Evidence, load
from scanners.name_places import LONGEST, NEAR, SHORT_TEXT, NamePlaces, split_pieces
from scanners.name_rules import Named, NameRules
from scanners.name_templates import MASK, fold

RULES = NameRules()
EVIDENCE = Evidence(RULES)
CANDIDATES = Candidates(RULES, load("evidence.toml"))
ADDRESSES = AddressRules()
PROSE = "今天的菜卖得很好,后厨提前备好了第二天的食材\n" * 200


def chosen(text: str, findings: list[tuple[int, int]], *, strict: bool = False) -> list[str]:
    return [text[low:high] for low, high in NamePlaces().choose(text, findings, strict=strict)]


def test_of_a_short_text_every_chinese_line_is_read() -> None:
    assert chosen("第一行\nsecond\n第三行\n李*四", []) == ["第一行", "第三行", "李*四"]


def test_of_long_prose_nothing_is_read() -> None:
    assert len(PROSE) > SHORT_TEXT
    assert chosen(PROSE, []) == []


@pytest.mark.parametrize("line", ["收货人:张测试", "会员 李测", "王女士来了", "本店地址:某处", "在测试路12号"])
def test_a_cue_brings_its_line_and_no_other(line: str) -> None:
    assert chosen(f"{PROSE}{line}\n{PROSE}", []) == [line]


@pytest.mark.parametrize("line", ["客户包括两家", "先生们好", "地址簿", "第12号"])
def test_what_only_begins_like_a_cue_brings_nothing(line: str) -> None:
    assert chosen(f"{PROSE}{line}\n{PROSE}", []) == []


def test_a_finding_brings_its_line() -> None:
    text = f"{PROSE}手机13800001111已经登记\n{PROSE}"
    start = text.index("138")
    assert chosen(text, [(start, start + 11)]) == ["手机13800001111已经登记"]


def test_of_a_line_of_a_log_the_stamp_is_not_read() -> None:
    line = "2026-03-01 12:00:01.000 [INFO] 手机13800001111已经登记"
    text = f"{PROSE}{line}\n{PROSE}"
    start = text.index("138")
    assert chosen(text, [(start, start + 11)]) == ["手机13800001111已经登记"]
    start = text.index("2026")
    assert chosen(text, [(start, start + 10)]) == [line]


def test_findings_of_one_line_bring_it_once_and_ascii_lines_stay_out() -> None:
    text = f"{PROSE}手机13800001111和13900002222\nphone 13800001111\n{PROSE}"
    places = [(i, i + 11) for i in range(len(text)) if text.startswith(("13800001111", "13900002222"), i)]
    assert len(places) == 3
    assert chosen(text, places) == ["手机13800001111和13900002222"]


def test_of_a_line_that_never_ends_only_the_neighbourhood_is_read() -> None:
    text = "菜卖得很好" * 10_000 + "电话13800001111" + "菜卖得很好" * 10_000
    start = text.index("138")
    [piece] = chosen(text, [(start, start + 11)])
    assert "电话13800001111" in piece
    assert len(piece) <= 11 + 4 * NEAR


def test_cells_are_read_only_for_strict_cues() -> None:
    assert chosen("会员卡说明", [], strict=True) == []
    assert chosen("收货人:张测试", [], strict=True) == ["收货人:张测试"]


def test_pieces_cover_a_text_and_none_is_too_long() -> None:
    text = "很长的一行,没有换行" * 100 + "\n\n短"
    pieces = list(split_pieces(text))
    assert "".join(text[low:high] for low, high in pieces) == text.replace("\n", "")
    assert max(high - low for low, high in pieces) <= LONGEST


def test_lines_that_differ_in_numbers_names_and_addresses_are_one_template() -> None:
    def template(name: str, phone: str, address: str, number: str) -> tuple[str, bool]:
        line = f"单{number} 收货人:{name},电话{phone},地址:{address}"
        at = line.index(name), line.index(address)
        known = [
            Named(entity="PERSON", start=at[0], end=at[0] + len(name), score=0.85),
            Named(entity="ADDRESS", start=at[1], end=at[1] + len(address), score=0.85),
        ]
        return tuple(fold(line, known).template)

    one = template("张测", "13800001111", "上海市测试路1号2室", "7")
    assert one == template("李测", "13912345678", "北京市示例区示例大街100号20栋3单元401", "123")
    assert one != template("李测试", "13912345678", "上海市测试路1号2室", "7")
    assert one[0] == f"单00 收货人:李明,电话00000000000,地址:{MASK}"


def test_what_is_found_in_a_template_leads_back_to_the_line() -> None:
    line = "订单1234567 请a.test@example.com联系张测 手机13800001111 沪A12345"
    folded = fold(line, [])
    text = folded.template.text
    assert "张测" in text
    assert "1234567" not in text
    assert "example" not in text
    assert text.endswith("沪A00000")
    place = text.index("张测")
    back = folded.back(Named(entity="PERSON", start=place, end=place + 2, score=0.5))
    assert line[back.start : back.end] == "张测"
    digits = text.index("00000000000", place)
    back = folded.back(Named(entity="ADDRESS", start=digits + 3, end=digits + 5, score=0.5))
    assert line[back.start : back.end] == "13800001111"


def test_a_template_shows_no_text_and_knows_whether_a_person_can_be_reached() -> None:
    folded = fold("请联系张测 13800001111", [])
    assert folded.template.reached
    assert "张测" not in repr(folded.template)
    assert not fold("请联系张测 1380", []).template.reached


CANDIDATE_CASES = [
    ("周测|试先生:中国国籍", "周测试"),
    ("|周测试女士|现任", "周测试"),
    ("(王测)|和李测|是负责人", "李测"),
    ("那个于|天测|的电话", "于天测"),
    ("请打|赵静电|话", "赵静"),
]


@pytest.mark.parametrize(("marked", "wanted"), CANDIDATE_CASES)
def test_what_the_tagger_cut_wrong_is_made_whole(marked: str, wanted: str) -> None:
    pieces = marked.split("|")
    line = "".join(pieces)
    start, end = (0, len(pieces[0])) if len(pieces) == 2 else (len(pieces[0]), len(pieces[0]) + len(pieces[1]))
    assert wanted in [line[a:b] for a, b in CANDIDATES.find(line, [(start, end)])]


@pytest.mark.parametrize("line", ["姜测:好", "早报记者官测", "副总裁李测试说", "陈测试教授", "王测,男,汉族"])
def test_patterns_find_candidates_that_the_tagger_did_not(line: str) -> None:
    assert [line[a:b] for a, b in CANDIDATES.find(line, [])]


def test_pieces_of_latin_words_are_no_candidates() -> None:
    line = "调用 removeWindowLocked 失败"
    start = line.index("Window")
    assert CANDIDATES.find(line, [(start, start + 6)]) == []


KINDS = [
    ("记者«官测»", {"office", "ends", "surname"}),
    ("«官测»说", {"speaks", "surname"}),
    ("«姜测»:好", {"speaker", "ends", "surname"}),
    ("«阿根廷»总统", {"elsewhere", "bearer"}),
    ("主队«布莱克»主胜", {"elsewhere", "sport", "place_behind", "place_before"}),
    ("«李测»", {"surname"}),
    ("«杨某»来了", {"hidden"}),
    ("一位«王先生»说,他在那里排队两个小时,没有等到", {"bare", "speaks"}),
    ("«王先生»明天来取", set()),
    ("«王先生»预订了包间", set()),
    ("«王»先生现任测试股份有限公司的董事长和总经理", {"single", "bearer", "bare_life"}),
    ("2007年5月起«任测»试有限公司副总经理", {"office_taken", "everyday"}),
    ("《«孔子»》", {"quoted", "vetoed"}),
    ("汉代以后的读书人从小都读«孔子»和他学生们的书", set()),
    ("店里的伙计说招牌上写的是«孔子»和他的学生们", {"vetoed"}),
    ("«黄焖鸡»", {"vetoed"}),
    ("«安德烈斯»在", {"long"}),
    ("«卡洛斯·测试»在", {"dot", "long"}),
    ("«jimmy»在", {"latin", "lower"}),
    ("«赵静电»话", {"cuts", "surname"}),
]


@pytest.mark.parametrize(("marked", "wanted"), KINDS)
def test_evidence_is_read_from_what_stands_beside(marked: str, wanted: set[str]) -> None:
    start, end = marked.index("«"), marked.index("»") - 1
    line = marked.replace("«", "").replace("»", "")
    kinds = set(EVIDENCE.kinds(line, start, end))
    assert wanted <= kinds
    if not wanted:
        assert not kinds & {"bare", "bare_life", "vetoed", "hidden", "elsewhere"}


def test_every_weight_is_of_a_kind_and_a_veto_outweighs_any_tagger() -> None:
    weights = EVIDENCE.weights
    assert {"bias", "tagger", "tagger_surname", "reached"} < set(weights)
    assert EVIDENCE.weigh("阿根廷", 0, 3, 9.2) < 0
    assert EVIDENCE.weigh("王老吉", 0, 3, 9.2, reached=True) < 0
    assert EVIDENCE.weigh("官测说", 0, 2, 0.0) > EVIDENCE.weigh("官测说", 0, 2, -2.0)


LINES = [
    "浙江省杭州市余杭区测试街道金城路26号",
    "鄞州区三池路136号测试家园18-119-2692",
    "晨光测试8栋6单元1440",
    "浙江-温州-瓯海区测试镇林桥头西路1133号",
    "上海市测试区某路5弄7号乐语通讯旁",
]
NO_LINES = [
    "我家住在浙江省杭州市余杭区的一条路上",
    "浙江省杭州市余杭区金城路26号,电话13800001111",
    "负责人毕业于上海测试大学",
    "杭州市",
    "牛肉丸 12 份",
    "联系人:张测试,杭州市余杭区金城路26号",
]


@pytest.mark.parametrize("line", LINES)
def test_a_delivery_line_is_told_by_its_parts(line: str) -> None:
    assert ADDRESSES.delivery_line(line) == 0


def test_words_that_lead_to_a_delivery_line_are_no_part_of_it() -> None:
    assert ADDRESSES.delivery_line("快递寄到余杭区测试路26号") == 4
    assert ADDRESSES.delivery_line("收货地址:余杭区测试路26号") == 5


@pytest.mark.parametrize("line", NO_LINES)
def test_a_sentence_is_no_delivery_line(line: str) -> None:
    assert ADDRESSES.delivery_line(line) is None


def test_an_address_with_both_ends_beyond_doubt_needs_no_tagger() -> None:
    line = "地址:上海市测试区张衡路100号3栋201室,电话13800001111,常住地址 江苏省某市"
    assert [line[a:b] for a, b in ADDRESSES.certain(line)] == ["上海市测试区张衡路100号3栋201室"]
    line = "赵测 女 1990-01-01 上海市测试区张衡路100号"
    assert [line[a:b] for a, b in ADDRESSES.certain(line)] == ["上海市测试区张衡路100号"]


@pytest.mark.parametrize("line", ["送到测试路100号", "上海市测试区张衡路100号的店", "上海市测试区"])
def test_an_address_with_an_end_in_doubt_is_left_to_the_tagger(line: str) -> None:
    assert list(ADDRESSES.certain(line)) == []


def test_hostile_lines_cost_no_more_than_their_length() -> None:
    for unit in ("路", "王", "1-", "号", "省市区", "a.b@", "中国市"):
        line = unit * 4000
        for low, high in split_pieces(line):
            ADDRESSES.delivery_line(line[low:high])
            list(ADDRESSES.certain(line[low:high]))
            list(RULES.find(line[low:high]))
            CANDIDATES.find(line[low:high], [(0, min(30, high - low))])
