"""Presidio as oracle for our engine, and its national recognizers in it."""

from __future__ import annotations

import io
import logging
import socket

import pytest

from config.errors import UsageError
from config.schema import DetectSettings
from scanners.engine import Analyser
from scanners.presidio import make_analyzer, national_classes

TEXTS = [
    "寄件人：张测试，联系方式13800001111，取件地址：上海市浦东新区测试路12号",
    "身份证110101199003074610，卡号6212262200000000004，邮箱ceshi@qq.com谢谢",
    "１３８００００１１１１ 138\u200b00001111 +86 138-0000-1111 0571-88880000转801",
    "order_sn=202405171234567890 ts=1700000000000 md5=d41d8cd98f00b204e9800998ecf8427e",
    "2024-05-17 10:00:00 INFO 192.168.1.10 user=13900002222 amount=88.50\n车牌京A12345，护照G12345678",
    "生日1990年3月7日 password=abcd1234 138****1111 400-800-1234",
    "",
]  # fmt: skip


def test_presidios_engine_with_our_recognizers_gives_the_spans_of_our_engine() -> None:
    ours = Analyser(DetectSettings(), names=False, run_key=b"run")
    analyzer = make_analyzer()
    for text in TEXTS:
        mine = {(s.entity, s.start, s.end, s.score) for s in ours.detect(text)}
        oracle = {
            (r.entity_type, r.start, r.end, round(r.score, 3))
            for r in (analyzer.analyze(text, language="zh") if text else ())
        }
        assert mine == oracle


def test_a_failed_checksum_is_not_dropped_by_presidio() -> None:
    found = make_analyzer().analyze("身份证号110101199003071234", language="zh", entities=["CN_RESIDENT_ID"])
    assert [(r.start, r.end) for r in found] == [(4, 22)]


@pytest.mark.parametrize(
    ("country", "entity", "text"),
    [
        ("IN", "IN_PAN", "PAN is ABCPE1234F"),
        ("US", "US_SSN", "my ssn is 078-05-1126"),
        ("es", "ES_NIF", "DNI 12345678Z"),
    ],
)
def test_a_countrys_recognizers_work_once_it_is_configured(country: str, entity: str, text: str) -> None:
    on = Analyser(DetectSettings(countries=(country,)), names=False, run_key=b"run")
    off = Analyser(DetectSettings(), names=False, run_key=b"run")
    assert entity in {span.entity for span in on.detect(text)}
    assert entity not in {span.entity for span in off.detect(text)}


def test_an_unknown_country_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="'XX'"):
        Analyser(DetectSettings(countries=("XX",)), names=False, run_key=b"run")
    assert national_classes("CN") == []


def test_detection_touches_no_network_and_presidios_logger_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_arguments: object, **_named: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    analyser = Analyser(DetectSettings(countries=("US", "IN")), names=False, run_key=b"run")
    analyser.detect("mail ceshi@example.com, ssn 078-05-1126, iban GB00 TEST")
    heard = io.StringIO()
    root = logging.StreamHandler(heard)  # as other programs have; caplog would listen to silenced loggers too
    logging.root.addHandler(root)
    try:
        logger = logging.getLogger("presidio-analyzer")  # noqa: TID251  plays Presidio's own part
        logger.error("ceshi@example.com")
        logger.getChild("child").warning("ceshi@example.com")
    finally:
        logging.root.removeHandler(root)
    out, err = capfd.readouterr()
    assert "ceshi" not in out + err + heard.getvalue()
