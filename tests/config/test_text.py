"""Texts for people: both languages, the same placeholders, nothing but plain names in them."""

from __future__ import annotations

from string import Formatter

import pytest

from config.text import FORMATTER, LANGUAGES, Text, load_packs


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("area", sorted({key.partition(".")[0] for key in load_packs()}))
def test_each_text_of_an_area_exists_in_both_languages_with_the_same_placeholders(area: str) -> None:
    for key, versions in load_packs().items():
        if key.startswith(f"{area}."):
            assert set(versions) == set(LANGUAGES), key
            assert placeholders(versions["zh-CN"]) == placeholders(versions["en"]), key
            assert all(name.isidentifier() for name in placeholders(versions["en"])), key


def test_a_text_never_reaches_into_a_value() -> None:
    with pytest.raises(ValueError, match="not a plain name"):
        FORMATTER.vformat("{a.__class__}", (), {"a": 1})


def test_both_languages_speak() -> None:
    assert "护客" in Text("zh-CN")("cli.no_daemon", socket="/run/x")
    assert "daemon" in Text("en")("cli.no_daemon", socket="/run/x")
