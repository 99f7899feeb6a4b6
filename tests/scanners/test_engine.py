"""The engine on texts and rows: offsets, bounds, counts, persons, and that no value stays readable."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from config.schema import DetectSettings
from scanners.distinct import EXACT, Distinct
from scanners.engine import Analyser, Analysis
from scanners.fingerprints import Fingerprints
from scanners.levels import grade
from scanners.records import Chunk, Place, Rows
from scanners.spots import Located, Spots, settle
from scanners.tally import Value
from scanners.units import read_units

KEY = b"a key of this run"
NAMELESS = Analyser(DetectSettings(), names=False, run_key=KEY)


def analyse(*pieces: Chunk | Rows, analyser: Analyser = NAMELESS) -> Analysis:
    item = analyser.begin("item", "text")
    for piece in pieces:
        item.feed(piece)
    return item.finish()


def test_offsets_are_those_of_the_text_as_given_with_full_width_and_invisible_characters() -> None:
    text = "🙂电话：１３８\u200b００００１１１１。邮箱 ceshi＠163．com"
    spans = {span.entity: text[span.start : span.end] for span in NAMELESS.detect(text)}
    assert spans == {"PHONE_NUMBER": "１３８\u200b００００１１１１", "EMAIL_ADDRESS": "ceshi＠163．com"}


def test_a_number_that_can_be_two_things_keeps_both_labels_and_one_entity_never_overlaps_itself() -> None:
    spans = NAMELESS.detect("邮箱13800001111@qq.com 电话 010-88880000-13800001111")
    assert {"PHONE_NUMBER", "EMAIL_ADDRESS"} <= {span.entity for span in spans}
    for entity in {span.entity for span in spans}:
        own = [span for span in spans if span.entity == entity]
        assert all(one.end <= other.start for one, other in pairwise(own))


def test_of_overlapping_candidates_of_one_entity_the_best_stays() -> None:
    def at(start: int, end: int, score: float, entity: str = "A") -> Located:
        return Located(entity=entity, start=start, end=end, score=score)

    def settled(*found: Located) -> list[Located]:
        return list(settle(Spots.of(["A", "B"], found)))

    assert settled(at(20, 25, 0.5), at(0, 9, 0.5), at(3, 12, 0.8)) == [at(3, 12, 0.8), at(20, 25, 0.5)]
    assert settled(at(0, 4, 0.5), at(0, 9, 0.5)) == [at(0, 9, 0.5)]
    assert settled(at(3, 12, 0.8, "B"), at(0, 9, 0.5)) == [at(0, 9, 0.5), at(3, 12, 0.8, "B")]
    assert settled(at(3, 12, 0.5), at(0, 9, 0.5)) == [at(0, 9, 0.5)]
    assert settled() == []


PLANTED = st.sampled_from(["13800001111", "110101199003074610", "4111111111111111", "ceshi@qq.com", "京A12345"])


@settings(deadline=None)
@given(st.lists(st.one_of(st.text(max_size=20), PLANTED, st.sampled_from(["\x00", "\udcff", "\ud800", "\r", "＋"]))))
def test_any_text_is_taken_and_spans_lie_inside_it(parts: list[str]) -> None:
    text = "".join(parts)
    spans = NAMELESS.detect(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert spans == sorted(spans, key=lambda span: (span.start, span.end, span.entity))


@settings(deadline=None)
@given(st.lists(st.tuples(PLANTED, st.sampled_from([" ", "，", "\n", "，谢谢。", "| "])), min_size=1, max_size=30))
def test_looking_only_at_number_places_loses_nothing(parts: list[tuple[str, str]]) -> None:
    text = "".join(value + gap for value, gap in parts)
    units = read_units(text)
    places = {(spot.entity, spot.start, spot.end) for spot in NAMELESS.search.find(units)}
    for detector in NAMELESS.detectors.values():
        for found in detector.find(units.text, 0, len(units)):
            assert found.score < NAMELESS.threshold or (detector.entity, found.start, found.end) in places


def seconds(text: str) -> float:
    begun = time.process_time()
    NAMELESS.detect(text)
    return time.process_time() - begun


def test_the_time_of_a_text_grows_with_its_length_and_not_with_its_square() -> None:
    for unit in ("电话13800001111,", "1", "a@", "1-", "((86)", "138 ", "::1", "aA1_", "密码=", "138*"):
        once, fourfold = unit * (20_000 // len(unit)), unit * (80_000 // len(unit))
        seconds(once)
        assert min(seconds(fourfold) for _ in range(2)) < 4 * 2.5 * max(0.004, min(seconds(once) for _ in range(3)))


def test_findings_are_summed_by_place_with_the_first_line_and_masked_samples() -> None:
    text = "头\n电话13800001111\n电话 138-0000-1111\n电话13900002222\n"
    found = analyse(Chunk(text=text, place=Place(page=2, line=10)))
    (phone,) = found.findings
    assert (phone.entity, phone.count, phone.distinct) == ("PHONE_NUMBER", 3, 2)
    assert (phone.place.page, phone.place.line) == (2, 11)
    assert phone.samples == ("138****1111", "139****2222")


def test_persons_of_a_text_are_the_most_distinct_values_of_any_one_identifier() -> None:
    found = analyse(Chunk(text="电话13800001111 13900002222 邮箱 a1@qq.com，电话13800001111"))
    assert found.persons == len(found.person_keys) == 2


def test_masked_values_and_service_numbers_are_nobody() -> None:
    found = analyse(Chunk(text="电话138****1111，客服电话400-800-1234"))
    assert {finding.entity for finding in found.findings} == {"PHONE_NUMBER"}
    assert found.persons == 0
    assert found.level <= 2


def test_the_same_phone_in_a_text_and_in_a_table_is_one_person_under_one_run_key() -> None:
    text = analyse(Chunk(text="电话+86 138-0000-1111"))
    table = analyse(Rows(table="member", columns=("姓名", "手机号"), rows=(("张测试", "13800001111"),)))
    other = Analyser(DetectSettings(), names=False, run_key=b"another run")
    assert text.person_keys == table.person_keys != frozenset()
    assert analyse(Chunk(text="电话13800001111"), analyser=other).person_keys.isdisjoint(text.person_keys)


def test_no_value_is_in_the_repr_of_what_comes_out() -> None:
    found = analyse(Chunk(text="电话13800001111，身份证110101199003074610，邮箱ceshi@qq.com，卡号4111111111111111"))
    value = Value(entity="PHONE_NUMBER", text="13800001111", normal="13800001111", score=1.0, nature="personal")
    shown = repr(found) + repr(Chunk(text="电话13800001111")) + repr(value)
    for planted in ("13800001111", "110101199003074610", "ceshi@qq.com", "4111111111111111"):
        assert planted not in shown


def test_the_threshold_decides_what_is_accepted() -> None:
    strict = Analyser(DetectSettings(threshold=0.9), names=False, run_key=KEY)
    assert [span.entity for span in NAMELESS.detect("13800001111")] == ["PHONE_NUMBER"]
    assert strict.detect("13800001111") == []
    assert [span.entity for span in strict.detect("电话13800001111")] == ["PHONE_NUMBER"]


def test_distinct_is_exact_and_beyond_its_bound_within_three_percent() -> None:
    fingerprints, distinct = Fingerprints(KEY), Distinct()
    numbers = fingerprints.of_values("PHONE_NUMBER", [str(number) for number in range(EXACT + 60_000)])
    distinct.add_many(numbers[:1000])
    distinct.add_many(numbers[:1000])
    assert distinct.count == 1000
    for low in range(0, len(numbers), 7_000):
        distinct.add_many(numbers[low : low + 7_000])
        distinct.add_many(numbers[low : low + 7_000])
    assert distinct.count > EXACT
    assert abs(distinct.count / (EXACT + 60_000) - 1) < 0.03


def test_a_record_outranks_an_id_alone_and_more_persons_weigh_more() -> None:
    record = {"PERSON": True, "PHONE_NUMBER": True, "CN_RESIDENT_ID": True}
    assert grade(record, 10)[1] > grade({"CN_RESIDENT_ID": True}, 10)[1]
    assert grade({"PHONE_NUMBER": True}, 5000)[1] > grade({"PHONE_NUMBER": True}, 5)[1]
    assert grade({}, 0) == (1, 0.0)
    assert grade({"PHONE_NUMBER": False}, 0)[0] == 2
    assert [grade({entity: True}, 1)[0] for entity in ("IP_ADDRESS", "PERSON", "PHONE_NUMBER", "CREDIT_CARD")] == [
        1, 2, 3, 4,
    ]  # fmt: skip


def test_a_warm_analyser_opens_no_file_any_more() -> None:
    code = (
        "import sys; from config.schema import DetectSettings; from scanners.engine import Analyser;"
        "from scanners.records import Chunk, Rows;"
        "a = Analyser(DetectSettings(), names=True, run_key=b'run'); a.warm_up();"
        "opened = []; sys.addaudithook(lambda event, args: opened.append(args[0]) if event == 'open' else None);"
        "i = a.begin('x', 'text'); i.feed(Chunk(text='收货人：张测试，电话13800001111'));"
        "row = ('张测试', '13800001111', '找李测试 139****2222');"
        "i.feed(Rows(table='t', columns=('姓名', 'phone', 'remark'), rows=(row,)));"
        "assert i.finish().persons == 1; print(opened)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
