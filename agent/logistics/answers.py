"""Read a filled checklist, however it came back: typed by hand, as the sheet's address, or copied out of a message.

A line is a code, a reply, and what else was said: `A3 是 10:25 已拍照`, `A4: no, door was open`, `A5=yes`. The sheet's
form puts everything into its own address (`…?A1=yes&A1_note=…`), which can be sent as it is: no script, no server.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from agent.logistics.records import Reply

WORDS: Final[dict[str, Reply]] = {
    **dict.fromkeys(("yes", "y", "是", "好", "已", "完成", "已完成", "done", "ok", "on", "√", "✓", "v", "1"), "yes"),
    **dict.fromkeys(("no", "n", "否", "没有", "未", "未完成", "×", "✗", "x", "0"), "no"),
    **dict.fromkeys(("na", "n/a", "无", "不适用", "不涉及", "-"), "na"),
}  # fmt: skip
LONGEST: Final = 1 << 18
_LINE: Final = re.compile(r"\s*[-*•\[\]□☐☑✅ ]*([A-Za-z]{1,2}\d{1,2})\s*[.:：、=,，)）]?\s*(.*)")
_CLOCK: Final = re.compile(r"(?<!\d)([01]?\d|2[0-3])[:：]([0-5]\d)(?!\d)")
_WORD: Final = re.compile(r"([^\s,，.。;；:：]+)[\s,，.。;；:：]*(.*)")

Given = tuple[str, str, str, str]


@dataclass(frozen=True, kw_only=True)
class Read:
    """Code, reply, time as typed ('' for none) and note of each; `refused` are the numbers of lines not understood."""

    answers: list[Given]
    refused: list[int]


def read_answers(text: str, codes: frozenset[str]) -> Read:
    """The answers in a text; of two to one line the later counts."""
    text = unicodedata.normalize("NFKC", text[:LONGEST])
    stripped = text.strip()
    if "\n" not in stripped and "=" in stripped and ("?" in stripped or "&" in stripped):
        return _from_address(stripped, codes)
    found: dict[str, Given] = {}
    refused = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        given = _from_line(line, codes)
        if given is None:
            refused.append(number)
        else:
            found[given[0]] = given
    return Read(answers=list(found.values()), refused=refused)


def _from_line(line: str, codes: frozenset[str]) -> Given | None:
    matched = _LINE.match(line)
    if matched is None or matched[1].upper() not in codes:
        return None
    code, rest = matched[1].upper(), matched[2]
    word = _WORD.match(rest)
    if word is None or word[1].casefold() not in WORDS:
        return None
    clock = _CLOCK.search(word[2])
    note = (word[2][: clock.start()] + word[2][clock.end() :] if clock else word[2]).strip(" ,，;；")
    return code, WORDS[word[1].casefold()], f"{clock[1]}:{clock[2]}" if clock else "", note


def _from_address(address: str, codes: frozenset[str]) -> Read:
    query = urlsplit(address).query or address.partition("?")[2] or address
    values = dict(_fields(query))
    answers: list[Given] = []
    refused = []
    for number, code in enumerate(sorted({name.partition("_")[0] for name in values}), 1):
        if code not in codes:
            refused.append(number)
            continue
        reply, note, at = (values.get(name, "").strip() for name in (code, f"{code}_note", f"{code}_at"))
        if not reply and not note:
            continue
        clock = _CLOCK.fullmatch(at)
        if (reply or "na").casefold() not in WORDS:
            refused.append(number)
            continue
        answers.append((code, WORDS[(reply or "na").casefold()], at if clock else "", note))
    return Read(answers=answers, refused=refused)


def _fields(query: str) -> Iterator[tuple[str, str]]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        return
    for name, value in pairs:
        code, under, rest = name.partition("_")
        yield code.upper() + under + rest, value
