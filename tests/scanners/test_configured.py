"""What the settings say of detection, from the settings to the findings, in texts and in tables."""

from __future__ import annotations

from config.schema import CustomDetector, DetectSettings
from scanners.engine import Analyser
from scanners.records import Chunk, Finding, Rows

TEXT = "电话13800001111，客服4008001234，会员号VIP100001，工号E-1001，邮箱ceshi@qq.com"
ROWS = Rows(
    table="会员",
    columns=("姓名", "手机号", "工号", "备注"),
    rows=(
        ("张测试", "13800001111", "E-1001", "会员号VIP100001"),
        ("李测试", "138 0000 2222", "E-1002", ""),
        ("王测试", "13800003333", "E-1003", "工号E-1004"),
    ),
)


def counts(settings: DetectSettings, *pieces: Chunk | Rows, names: bool = False) -> dict[str, int]:
    item = Analyser(settings, names=names, run_key=b"run").begin("item", "text")
    for piece in pieces:
        item.feed(piece)
    found: dict[str, int] = {}
    findings: tuple[Finding, ...] = item.finish().findings
    for finding in findings:
        found[finding.entity] = found.get(finding.entity, 0) + finding.count
    return found


def test_member_numbers_are_looked_for_once_their_pattern_is_given() -> None:
    assert "MEMBER_ID" not in counts(DetectSettings(), Chunk(text=TEXT), ROWS)
    assert counts(DetectSettings(member_pattern="VIP[0-9]{6}"), Chunk(text=TEXT), ROWS)["MEMBER_ID"] == 2


def test_a_detector_of_ones_own_finds_its_values_in_texts_and_in_tables() -> None:
    own = CustomDetector(entity="STAFF_NUMBER", pattern="E-[0-9]{4}", words=("工号",), columns=("工号",), score=0.6)
    found = counts(DetectSettings(custom=(own,)), Chunk(text=TEXT), ROWS)
    assert found["STAFF_NUMBER"] == 1 + 4


def test_of_a_value_of_ones_own_entity_no_more_is_shown_than_the_settings_say() -> None:
    for mask, shown in (("all", "*****"), ("ends", "E***1"), ("last4", "*1001")):
        own = CustomDetector(entity="STAFF_NUMBER", pattern="E-[0-9]{4}", columns=("工号",), mask=mask)
        analyser = Analyser(DetectSettings(custom=(own,)), names=False, run_key=b"run")
        item = analyser.begin("item", "text")
        item.feed(Chunk(text="工号E-1001"))
        item.feed(ROWS)
        findings = [f for f in item.finish().findings if f.entity == "STAFF_NUMBER" and f.place.column != "备注"]
        assert {sample for finding in findings for sample in finding.samples[:1]} == {shown}
        assert [span.masked for span in analyser.detect("工号E-1001")] == [shown]


def test_an_allowed_value_is_no_finding_in_any_written_form() -> None:
    every = counts(DetectSettings(), Chunk(text=TEXT), ROWS)
    allowing = DetectSettings(
        allow=("+86 138-0000-1111", "400-800-1234", "13800002222"), allow_patterns=(".{1,64}@qq[.]com",)
    )
    found = counts(allowing, Chunk(text=TEXT), ROWS)
    assert every["PHONE_NUMBER"] == 2 + 3
    assert found["PHONE_NUMBER"] == 1
    assert "EMAIL_ADDRESS" in every
    assert "EMAIL_ADDRESS" not in found


def test_an_allowed_pattern_counts_in_decided_columns_too() -> None:
    assert counts(DetectSettings(allow_patterns=("138.{4,8}1",)), ROWS)["PHONE_NUMBER"] == 2


def test_an_excluded_entity_is_looked_for_nowhere() -> None:
    found = counts(DetectSettings(exclude=("PHONE_NUMBER",)), Chunk(text=TEXT), ROWS)
    assert "PHONE_NUMBER" not in found
    assert "EMAIL_ADDRESS" in found


def test_names_that_are_excluded_are_counted_neither_in_texts_nor_in_columns() -> None:
    text = Chunk(text="收货人：张测试，电话13800001111")
    assert counts(DetectSettings(), text, ROWS, names=True)["PERSON"] == 1 + 3
    found = counts(DetectSettings(exclude=("PERSON",)), text, ROWS, names=True)
    assert "PERSON" not in found
    assert found["PHONE_NUMBER"] == 1 + 3
