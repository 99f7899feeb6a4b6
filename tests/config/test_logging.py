"""The one way to log tells type and place of an error, never what it says."""

from __future__ import annotations

import json
import logging

import pytest

from config.log import SILENCED, describe, get_logger, set_up_logging

CANARY = "测试甲13800001111"


def failing() -> None:
    raise ValueError(CANARY)


def test_an_exception_is_logged_without_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(debug=True)
    try:
        failing()
    except ValueError:
        get_logger("test").error("it broke", exc_info=True)
    line = capsys.readouterr().err
    assert CANARY not in line
    assert json.loads(line)["error"].startswith("ValueError at test_logging.py:")


def test_describe_gives_type_and_place() -> None:
    with pytest.raises(ValueError, match=CANARY) as caught:
        failing()
    assert describe(caught.value).startswith("ValueError at test_logging.py:")
    assert CANARY not in describe(caught.value)


@pytest.mark.parametrize("name", SILENCED)
def test_libraries_that_print_what_they_fail_on_are_silent(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(debug=True)
    logging.getLogger(name).error(CANARY)  # noqa: TID251  the very thing under test
    captured = capsys.readouterr()
    assert CANARY not in captured.err + captured.out
