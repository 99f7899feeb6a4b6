"""The Chinese of Cloche keeps to the emergency plan's own words (顾客信息保护预案), in every text and every pack."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

GLOSSARY = {
    "false alarm": "误报",
    "quarantine vault": "隔离区",
    "vault": "隔离区",
    "evidence": "证据",
    "drill": "演练",
    "head office": "总部",
    "coverage": "覆盖率",
    "out of sight": "看不到的地方",
    "customer": "顾客",
    "customers": "顾客",
    "vendor": "第三方服务商",
    "vendors": "第三方服务商",
}
"""English term → the word that the plan uses for it."""

OTHER_WORDS = {
    r"客户(?!端)": "顾客",
    r"消费者": "顾客",
    r"分店|店铺|门市": "门店",
    r"总公司": "总部",
    r"收银台|收款机|POS ?机": "收银机",
    r"隔离库|保险库|隔离仓": "隔离区",
    r"虚警|假警报|误警": "误报",
    r"冻结进程|挂起进程": "暂停程序",
    r"演习": "应急演练",
    r"(?<!第三方)服务商": "第三方服务商",
    r"断网隔离|网络隔断": "网络隔离",
    r"盲区|盲点": "看不到的地方",
}
"""What others say, and what the plan says instead."""

ALLOWED = {
    # laws and the plan's own headings keep their names, and who carries SMS is one of its own kind
    "客户通知", "《消费者权益保护法》", "短信服务商",
}  # fmt: skip


def pairs(value: Any, place: str) -> Iterator[tuple[str, str, str]]:
    """Every pair of Chinese and English below a table: where, zh-CN, en."""
    if isinstance(value, dict):
        chinese, english = value.get("zh-CN"), value.get("en")
        if isinstance(chinese, str) and isinstance(english, str):
            yield place, chinese, english
        for name, below in value.items():
            yield from pairs(below, f"{place}.{name}")
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from pairs(below, f"{place}[{number}]")


def packs() -> Iterator[tuple[str, dict[str, Any]]]:
    def below(folder: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for entry in folder.iterdir():
            name = f"{place}/{entry.name}"
            if entry.is_dir():
                yield from below(entry, name)
            elif entry.name.endswith(".toml"):
                yield name, tomllib.loads(entry.read_text(encoding="utf-8"))

    yield from below(files("config").joinpath("data"), "data")


TEXTS = [found for name, pack in packs() for found in pairs(pack, name)]


def without_allowed(text: str) -> str:
    for words in ALLOWED:
        text = text.replace(words, "")
    return text


def test_every_pack_was_looked_at() -> None:
    assert len(TEXTS) > 500
    assert {"data/text", "data/plan", "data/law"} <= {place.rpartition("/")[0] for place, _, _ in TEXTS}


@pytest.mark.parametrize("word", sorted(OTHER_WORDS))
def test_no_text_uses_another_word_than_the_plan(word: str) -> None:
    wrong = [(place, chinese) for place, chinese, _ in TEXTS if re.search(word, without_allowed(chinese))]
    assert wrong == [], f"the plan says {OTHER_WORDS[word]}"


@pytest.mark.parametrize("term", sorted(GLOSSARY))
def test_what_the_english_names_the_chinese_names_in_the_plans_word(term: str) -> None:
    missing = [
        (place, chinese, english)
        for place, chinese, english in TEXTS
        if re.search(rf"\b{term}\b(?! service)", re.sub(r"{\w+[^}]*}|cloche \w+( \w+)?", "", english), re.IGNORECASE)
        and GLOSSARY[term] not in chinese.replace("客户通知", "顾客通知")
    ]
    assert missing == []
