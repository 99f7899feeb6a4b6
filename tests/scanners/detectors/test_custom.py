"""Detectors from the settings: what they find, what is refused and how it is said, and that no pattern blows up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from config.errors import UsageError
from config.load import load_settings
from config.patterns import MOST_STEPS, check_pattern, literal_in
from config.schema import CustomDetector, DetectSettings
from scanners.detectors import DETECTORS, Allowed, detectors_for
from scanners.detectors.custom import ConfiguredDetector

STAFF = CustomDetector(entity="STAFF_NO", pattern="YG[0-9]{6}", words=("工号",), score=0.4, mask="ends")


def test_a_custom_detector_finds_its_pattern_beside_chinese_and_weighs_the_words_around() -> None:
    detector = ConfiguredDetector(STAFF)
    found = [(c.start, c.end, c.score) for c in detector.find("工号YG123456已到岗", 0, 14)]
    assert found == [(2, 10, 0.7)]
    assert [c.score for c in detector.find("值班YG123456", 0, 10)] == [0.4]
    assert [c.score for c in detector.find("订单号YG123456", 0, 11)] == [pytest.approx(0.1)]
    assert detector.mask("YG123456") == "Y******6"


@pytest.mark.parametrize("text", ["YG1234567", "XYG123456", "yg123456", "YG12345"])
def test_a_match_that_goes_on_in_its_own_kind_is_none(text: str) -> None:
    assert list(ConfiguredDetector(STAFF).find(text, 0, len(text))) == []


def test_member_numbers_are_found_by_the_configured_pattern_only() -> None:
    assert "MEMBER_ID" not in {d.entity for d in detectors_for(DetectSettings())}
    member = detectors_for(DetectSettings(member_pattern="VIP[0-9]{8}"))[-1]
    assert member.entity == "MEMBER_ID"
    assert [c.score for c in member.find("会员号VIP12345678", 0, 14)] == [0.8]
    assert member.mask("VIP12345678") == "V*********8"


def test_what_is_excluded_is_not_looked_for() -> None:
    entities = {d.entity for d in detectors_for(DetectSettings(exclude=("IP_ADDRESS",)))}
    assert entities == {d.entity for d in DETECTORS} - {"IP_ADDRESS"}


def test_what_is_excluded_must_be_something() -> None:
    with pytest.raises(UsageError, match=r"detect\.exclude\.1: nothing is called PHONE"):
        detectors_for(DetectSettings(exclude=("IP_ADDRESS", "PHONE")))
    assert detectors_for(DetectSettings(exclude=("US_SSN",), countries=("US",)))


@pytest.mark.parametrize("entity", ["PHONE_NUMBER", "PERSON", "MEMBER_ID", "STAFF_NO"])
def test_a_name_is_given_once(entity: str) -> None:
    twice = CustomDetector(entity=entity, pattern="YG[0-9]{6}")
    with pytest.raises(UsageError, match=rf"detect\.custom\.1\.entity: {entity} is in use already"):
        detectors_for(DetectSettings(custom=(STAFF, twice)))


def test_allowed_values_are_known_in_any_written_form() -> None:
    settings = DetectSettings(allow=("400-800-1234", "Shop@Example.com"), allow_patterns=("1380000[0-9]{4}",))
    allowed = Allowed(settings, DETECTORS)
    by_entity = {d.entity: d for d in DETECTORS}

    def covers(entity: str, value: str) -> bool:
        return allowed.covers(entity, value, by_entity[entity].normalise(value))

    assert allowed
    assert covers("PHONE_NUMBER", "400 800 1234")
    assert covers("PHONE_NUMBER", "4008001234")
    assert covers("PHONE_NUMBER", "13800001111")
    assert covers("EMAIL_ADDRESS", "SHOP@example.com")
    assert allowed.covers("US_SSN", "400-800-1234", "400-800-1234")
    assert not covers("PHONE_NUMBER", "400-800-1235")
    assert not covers("PHONE_NUMBER", "13900001111")
    assert not Allowed(DetectSettings(), DETECTORS)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("[0-9", "no regular expression"),
        ("(?P<a>x", "no regular expression"),
        ("*a", "no regular expression"),
        ("[[a]]", "no regular expression"),  # will mean something else in a later Python
        ("a" * 501, "500 characters"),
        ("(a+)+b", "no upper bound"),
        ("(a|a)*b", "no upper bound"),
        ("x.*y", "no upper bound"),
        ("a{2,}", "no upper bound"),
        (r"(\d\d)x\1", "back-references"),
        ("(a)?(?(1)b|c)", "back-references"),
        ("(?<=a{1,3})b", "no regular expression"),  # a lookbehind of variable width
        ("[0-9]{0,5}", "empty text"),
        ("a?|b", "empty text"),
        ("[0-9]{300}", "200 are allowed"),
        ("(?:a{1,20}){1,20}b", "200 are allowed"),
        ("(?:a{1,9}){1,9}b", "steps"),
        ("(?:a|a){1,20}b", "steps"),
        ("(?:a?){30}a{30}", "steps"),
        (".{0,60}x.{0,60}y", "steps"),
    ],
)
def test_a_pattern_that_could_blow_up_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_pattern(pattern)


SAFE = ["YG[0-9]{6}", "VIP-?[0-9]{8,12}", "(?:HY|VIP)[A-Z]{0,2}[0-9]{6,10}", r"(?i)emp\d{4}",
        "(?<![0-9])8[0-9]{9}(?![0-9])", "会员[0-9]{6}",
        "[^ ]{1,40}+@shop", "(?>[a-z]{1,30})[0-9]{1,9}", "a{1,9}?b"]  # fmt: skip


@pytest.mark.parametrize("pattern", SAFE)
def test_patterns_that_people_need_are_taken(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


def test_the_worst_pattern_that_is_taken_is_linear() -> None:
    worst = ConfiguredDetector(CustomDetector(entity="WORST", pattern="a{1,28}a{1,28}b"))

    def seconds(size: int) -> float:
        begun = time.process_time()
        assert list(worst.find("a" * size, 0, size)) == []
        return time.process_time() - begun

    seconds(1_000)
    assert min(seconds(16_000) for _ in range(2)) < 4 * 2.5 * max(0.002, min(seconds(4_000) for _ in range(3)))
    with pytest.raises(ValueError, match=f"{MOST_STEPS:,} are allowed"):
        check_pattern("a{1,60}a{1,60}b")


def test_a_text_without_the_patterns_own_letters_is_not_read() -> None:
    assert literal_in("(?:HY|VIP)-NO[0-9]{6}") == "-NO"
    assert literal_in("[0-9]{6}") == ""
    assert literal_in("(?i)emp[0-9]{6}") == ""
    assert ConfiguredDetector(STAFF).hint == "YG"


def test_a_bad_pattern_in_the_settings_file_is_named_by_its_key(tmp_path: Path) -> None:
    file = tmp_path / "cloche.toml"
    file.write_text(
        '[detect]\nmember_pattern = "VIP.*"\nallow_patterns = ["("]\n'
        '[[detect.custom]]\nentity = "staff"\npattern = "(a+)+"\n',
        encoding="utf-8",
    )
    with pytest.raises(UsageError) as raised:
        load_settings(file, {})
    said = str(raised.value)
    assert "detect.member_pattern: a repeat has no upper bound" in said
    assert "detect.allow_patterns.0: no regular expression" in said
    assert "detect.custom.0.pattern: a repeat has no upper bound" in said
    assert "detect.custom.0.entity" in said
