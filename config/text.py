"""Texts for people, in Chinese and English, from `config/data/text/*.toml`.

A pack is a table a text: `[key]` with `zh-CN` and `en`. The key as seen by code is `<file>.<key>`. Placeholders
are `{name}`, filled by `str.format_map` with plain values: a text never reaches into an object's attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from string import Formatter
from typing import Any, Final, Literal

from config.packs import pack_layers, pack_names

Language = Literal["zh-CN", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh-CN", "en")


class PlainFormatter(Formatter):
    """`{name}` and `{name:spec}` only."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:  # noqa: ARG002  the base class's
        """Refuse `{a.b}` and `{a[b]}`.

        Raises:
            ValueError: the text asks for an attribute or an index.
        """
        if "." in field_name or "[" in field_name:
            raise ValueError(f"placeholder {{{field_name}}} is not a plain name")
        return kwargs[field_name], field_name


FORMATTER: Final = PlainFormatter()


@cache
def load_packs() -> Mapping[str, Mapping[str, str]]:
    """All texts by key; the packs ship with the program and a test checks that both languages are there."""
    texts: dict[str, Mapping[str, str]] = {}
    for name in pack_names("text"):
        for pack in pack_layers("text", name):
            for key, versions in pack.items():
                texts[f"{name.removesuffix('.toml')}.{key}"] = versions
    return texts


def placeholders(words: str) -> set[str]:
    """The names that a text wants filled.

    Raises:
        ValueError: braces that do not match, or a name that is none.
    """
    return {name for _, name, _, _ in FORMATTER.parse(words) if name is not None}


@dataclass(frozen=True)
class Text:
    """Says things in one language."""

    language: Language = "zh-CN"

    def __call__(self, key: str, /, **values: object) -> str:
        """The text `key` (`area.name`) with its placeholders filled.

        Raises:
            KeyError: no such text, or a placeholder without a value: a defect, caught by tests.
        """
        return FORMATTER.vformat(load_packs()[key][self.language], (), values)
