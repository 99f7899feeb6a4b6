"""Levels by packs: every entity has its place in each, and records, crowds and nobody's values weigh as they should."""

from __future__ import annotations

import tomllib

import pytest

from config.schema import DetectSettings, LevelPack
from scanners.detectors import DETECTORS
from scanners.engine import Analyser
from scanners.levels import PACKS, grade, load_levels, own_grade
from scanners.records import Chunk

DESIGN = (
    "PERSON PHONE_NUMBER EMAIL_ADDRESS ADDRESS CREDIT_CARD CARD_TRACK_DATA IBAN_CODE IP_ADDRESS DATE_OF_BIRTH "
    "CREDENTIAL LOCATION_COORDINATES CN_RESIDENT_ID CN_PASSPORT CN_TRAVEL_PERMIT CN_FOREIGNER_ID CN_LICENSE_PLATE "
    "HK_ID_CARD MO_ID_CARD TW_NATIONAL_ID WECHAT_ID QQ_NUMBER MEMBER_ID"
)


@pytest.mark.parametrize("name", PACKS)
def test_every_entity_has_a_place_in_every_pack(name: LevelPack) -> None:
    pack = load_levels(name)
    assert set(pack.rules) == set(DESIGN.split())
    assert {detector.entity for detector in DETECTORS} <= set(pack.rules)
    for rule in (*pack.rules.values(), pack.other):
        assert 1 <= rule.level <= 4
        assert 0 < rule.weight < 1
        assert rule.grade in pack.names
    assert all(set(texts) == {"zh-CN", "en"} for texts in pack.names.values())
    assert {entity for record in pack.records for group in record.groups for entity in group} <= set(pack.rules)


@pytest.mark.parametrize("name", PACKS)
def test_card_track_data_is_the_gravest_find_whoever_stands_behind_it(name: LevelPack) -> None:
    pack = load_levels(name)
    assert grade({"CARD_TRACK_DATA": False}, 0, name)[0] == 4
    weights = {entity: rule.weight for entity, rule in pack.rules.items() if entity != "CARD_TRACK_DATA"}
    assert pack.rule("CARD_TRACK_DATA").weight > max(weights.values())


@pytest.mark.parametrize("name", PACKS)
def test_a_record_outranks_its_parts_and_many_outrank_few(name: LevelPack) -> None:
    record = {"PERSON": True, "PHONE_NUMBER": True, "CN_RESIDENT_ID": True}
    assert grade(record, 1, name)[0] == 4
    assert grade(record, 10, name)[1] > grade({"CN_RESIDENT_ID": True}, 10, name)[1]
    assert grade({"PHONE_NUMBER": True}, 5000, name) > grade({"PHONE_NUMBER": True}, 5, name)
    delivery = {"PERSON": True, "PHONE_NUMBER": True, "ADDRESS": True}
    assert grade(delivery, 99, name)[0] < grade(delivery, 100, name)[0] == 4
    assert grade({}, 0, name) == (1, 0.0)


@pytest.mark.parametrize("name", PACKS)
def test_what_points_to_nobody_weighs_little(name: LevelPack) -> None:
    assert grade({"PHONE_NUMBER": False}, 0, name)[0] == 2
    assert grade({"CREDIT_CARD": False}, 0, name)[1] < grade({"CREDIT_CARD": True}, 0, name)[1] / 2


def test_an_id_number_alone_is_sensitive_by_one_standard_and_not_by_another() -> None:
    assert grade({"CN_RESIDENT_ID": True}, 1, "gbt-35273")[0] == 4
    assert grade({"CN_RESIDENT_ID": True}, 1, "gbt-45574")[0] == 3
    assert own_grade(["CN_RESIDENT_ID"], 1, "gbt-35273") == "sensitive"
    assert own_grade(["CN_RESIDENT_ID"], 1, "gbt-45574") == "personal"
    assert own_grade(["CN_RESIDENT_ID", "CREDIT_CARD"], 1, "gbt-45574") == "sensitive"


def test_each_standard_has_grades_of_its_own() -> None:
    assert own_grade(["PERSON", "PHONE_NUMBER"], 100, "jrt-0197") == "level 3"
    assert own_grade(["CREDENTIAL"], 1, "jrt-0197") == "level 4"
    assert own_grade(["CREDIT_CARD"], 9_999_999, "gbt-43697") == "general"
    assert own_grade(["PERSON"], 10_000_000, "gbt-43697") == "important"
    assert own_grade([], 0, "gbt-43697") == ""


def test_an_entity_of_another_country_is_taken_for_important() -> None:
    assert grade({"US_SSN": True}, 1)[0] == 3


def test_the_default_is_the_setting_s_default_and_no_pack_claims_a_text_that_was_not_read() -> None:
    assert DetectSettings().levels == "gbt-35273" == PACKS[0]
    assert not any(load_levels(name).verified for name in PACKS)


def test_a_pack_that_uses_a_grade_it_does_not_define_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = tomllib.loads
    monkeypatch.setattr(tomllib, "loads", lambda text: real(text.replace('grade = "general"', 'grade = "x"', 1)))
    with pytest.raises(KeyError, match="x"):
        load_levels.__wrapped__("gbt-43697")


def test_the_pack_that_the_settings_name_grades_what_is_found() -> None:
    levels = {}
    for name in PACKS[:2]:
        item = Analyser(DetectSettings(levels=name), names=False, run_key=b"run").begin("a.txt", "text")
        item.feed(Chunk(text="身份证号 110101199003074610"))
        levels[name] = item.finish().level
    assert levels == {"gbt-35273": 4, "gbt-45574": 3}
