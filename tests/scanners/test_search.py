"""The engine's search against the detectors themselves, each reading the whole text: the same places.

The texts are put together from written forms of values, words for and against them, and what lies between.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scanners.context import ENEMIES
from scanners.detectors import DETECTORS
from scanners.judging import FEW
from scanners.places import Runs, number_places
from scanners.search import NUMBERS, Search
from scanners.spots import Located, Spots, settle
from scanners.units import read_units

ENTITIES = sorted(detector.entity for detector in DETECTORS)
SEARCH = Search(DETECTORS, ENTITIES, 0.3)
WORDS = sorted({word for detector in DETECTORS for word in (*detector.words, *detector.anchors)})
VALUES = [
    "13800001111", "138 0000 1111", "138-0000-1111", "+86 13800001111", "8613800001111", "008613800001111",
    "１３８００００１１１１", "138\u200b00001111", "138****1111", "1380000xxxx", "13800001111转1234",
    "13800001111-1234",
    "13800001111,1234", "14900001111x", "0571-88880000", "057188880000", "010 88880000转801", "88880000",
    "400-800-1234", "4008001234", "95013800001111", "+44 20 7946 0958", "110101199003074610",
    "11010119900307002X", "110101 19900307 4610", "110101900307123", "110101199013074610", "990101199003074610",
    "110101********4610", "110101199003071234", "4111111111111111", "4111 1111 1111 1111",
    "6212262200000000004", "6222021234567890", "378282246310005", "30569309025904", "411111******1111",
    "a.b-c@example.com", "A@qq.comhaha", "x@y", "logo@2x.png", "ceshi(at)qq.com", "京A12345", "沪AD12345",
    "E12345678", "H12345678", "A123456(7)", "1234567(8)", "A123456789", "GB82 WEST 1234 5698 7654 32",
    "192.168.1.10", "::ffff:192.0.2.1", "2001:db8::1", "1.2.3.4.5", "116.397128,39.916527", "1990年3月7日",
    "1990-03-07", "20240517123456789012", "2024-05-17 10:30:00.123", "17.05.2024", "1700000000000",
    "6901234567892", "88.50", "123456", "d41d8cd98f00b204e9800998ecf8427e", "0123456789abcdef0123", "v1.2.3",
    "1 2 3 4 5 6 7 8 9 0 1", "12 345 6789 0", "%B4111111111111111^CESHI/JIA^2512101?",
    ";4111111111111111=25121010000?", "abcd1234", "wxid_ceshi001",
]  # fmt: skip
PIECE = st.one_of(
    st.sampled_from(VALUES),
    st.sampled_from(WORDS),
    st.sampled_from(ENEMIES),
    st.sampled_from(
        [" ", "  ", "，", ",", "：", ":", "=", "\n", "\t", "|", "-", ".", "/", "(", ")", '"', "'", "的", "a", "X"]
    ),
    st.text(max_size=3),
)


def by_search(text: str) -> list[Located]:
    return list(settle(SEARCH.find(read_units(text))))


def by_reading_all(text: str) -> list[Located]:
    plain = read_units(text).text
    found = [
        Located(detector.entity, c.start, c.end, c.score, c.nature)
        for detector in DETECTORS
        for c in detector.find(plain, 0, len(plain))
        if c.score >= SEARCH.threshold
    ]
    return list(settle(Spots.of(ENTITIES, found)))


@settings(deadline=None, max_examples=200)
@given(st.lists(PIECE, min_size=1, max_size=40).map("".join))
@example("日本からの電話は+81-90-1234-5678です")
@example("10616\t2005-08-01 14:59:50\t1094\t20\t2005-08-07 11:38:50")
@example("email RO49AAAA1B31007593840000 QA58DOHB00001234567890ABCDEFG")
def test_looking_only_where_something_can_be_finds_what_reading_all_finds(text: str) -> None:
    assert by_search(text) == by_reading_all(text)


@pytest.mark.parametrize("around", ["{}", "手机{}。", "card no: {}", "订单号{}", "{} 身份证", "a{}b", "{}0", "\t{}\t"])
def test_every_written_form_in_every_company(around: str) -> None:
    for value in VALUES:
        text = around.format(value)
        assert by_search(text) == by_reading_all(text), text


def test_many_values_are_judged_as_few_are() -> None:
    line = (
        "张测试,13800001111,110101199003074610,6212262200000000004,a{}@example.com,手机13900002222,订单号13700003333\n"
    )
    text = "".join(line.format(number) for number in range(FEW))
    assert by_search(text) == by_reading_all(text)
    assert len(by_search(text)) == FEW * len(by_search(line.format(10)))


def places(text: str) -> list[str]:
    units = read_units(text)
    spoken_for = SEARCH.index.find(units).having(NUMBERS)
    found = number_places(units, Runs(units), spoken_for)
    return [units.text[start:end] for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-17 10:30:00.123 INFO started in 1234 ms",
        "17.05.2024 3 von 12",
        "192.168.1.10 - 10.0.0.1 v1.2.3",
        "12 345 67 890 12 345 67",
        "1702  2395 D",
        "d41d8cd98f00b204e9800998ecf8427e",
        "",
    ],
)
def test_times_dates_dotted_quads_and_hashes_are_no_places(text: str) -> None:
    assert places(text) == []


def test_a_date_cuts_the_numbers_beside_it_apart_and_stays_in_an_id() -> None:
    assert places("2024-05-17 13800001111") == ["13800001111"]
    assert places("110101-1990-03-07-4610") == ["110101-1990-03-07-4610"]


def test_detectors_are_asked_about_few_places_of_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    search = Search(DETECTORS, ENTITIES, 0.3)
    monkeypatch.setattr(search, "ask_within", lambda detector, *_place: asked.append(detector.entity) or [])
    line = (
        "2024-05-17 10:30:00.123 [worker-3] INFO order_sn=202405171234567890 ts=1700000000000 "
        "md5=d41d8cd98f00b204e980 ok\n"
    )
    assert not list(settle(search.find(read_units(line * 500))))
    assert asked == []
    search.find(read_units(line * 500 + "联系人电话 010-88880000\n"))
    assert 0 < len(asked) < 20
    assert re.fullmatch("[A-Z_]+", asked[0])
