"""What the name of a column says: read from its end, where Chinese and English both put the noun.

`consignee_mobile`, `linkTel`, `f_shdz` and `receivername` are taken apart into words; the longest known phrase at the
end gives the meaning: 收货人手机号 is a number, 手机号归属地 is none, `ip_address` no address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from scanners.column_words import OTHER, PROSE, Grade, vocabulary

CHINESE: Final = re.compile("[\u4e00-\u9fff]")
CLAUSE: Final = re.compile(r"[,，（(。:：;；\s、|【\[]|——|--")
EITHER: Final = re.compile("[/或和及]")
SOMEBODY: Final = ("人", "员", "者")  # 归属人, 验货员, 反馈者: whoever it is
LONGEST_PHRASE: Final = 4
LONGEST_CHINESE: Final = 8
LONGEST_NAME: Final = 80  # characters of a name or a comment that are looked at
BARE: Final = re.compile(
    r"#?[0-9]+|c(?:ol(?:umn)?)?_?[0-9]+|[a-z]{1,2}|f_?[0-9]+|field_?[0-9]+|列_?[0-9]*|字段_?[0-9]*|unnamed.{0,20}|"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a name says: an entity, `OTHER`, `PROSE` or '' for nothing; how surely; and all its words."""

    meaning: str = ""
    grade: Grade = "none"
    words: tuple[str, ...] = ()


ELSEWHERE: Final = Reading(meaning=OTHER, grade="sure")


def read_name(name: str) -> Reading:
    """What a column's name says."""
    bare = CLAUSE.split(name[:LONGEST_NAME], maxsplit=1)[0] if CHINESE.search(name) else name[:LONGEST_NAME]
    words = vocabulary().split(bare)
    if not words:
        return Reading()
    reading = read_latin(words) if words[-1].isascii() else read_chinese(words)
    weak = len(words) > 1 and words[0] in vocabulary().weak_switches and reading.grade == "sure"
    grade: Grade = "maybe" if weak and reading.meaning not in (OTHER, PROSE, "PERSON") else reading.grade
    return replace(reading, grade=grade, words=tuple(words))


def read_comment(comment: str) -> Reading:
    """What a column's comment says: its first clause; of two nouns (街道/详细地址) the one that is known."""
    clause = CLAUSE.split(comment.strip()[:LONGEST_NAME], maxsplit=1)[0].strip("*# ")
    if not CHINESE.search(clause):
        return read_name(comment.split("(", maxsplit=1)[0])
    readings = [read_name(part) for part in EITHER.split(clause)[:3] if part] or [Reading()]
    return next((reading for reading in readings if reading.meaning not in ("", OTHER, PROSE)), readings[0])


def read_latin(words: list[str]) -> Reading:
    """The longest phrase at the end, then without words that say nothing, then one inside."""
    known = vocabulary()
    if words[0] in known.switches and len(words) > 1:
        return ELSEWHERE
    rest = list(words)
    while rest:
        for length in range(min(LONGEST_PHRASE, len(rest)), 0, -1):
            phrase = "_".join(rest[-length:])
            head = (
                known.heads.get(phrase) or known.heads.get(phrase.replace("_", "")) or known.heads.get(one_of(phrase))
            )
            if head and not (length == 1 and rest[-1] in known.neutral and len(rest) > 1):
                return qualified(head, rest[:-length])
        if rest[-1] not in known.neutral:
            break
        rest.pop()
    for length in range(LONGEST_PHRASE - 1, 0, -1):
        for start in range(len(rest) - length):
            head = known.heads.get("_".join(rest[start : start + length]))
            if head and head[0] not in (OTHER, PROSE) and head[1] == "sure":
                return Reading(meaning=head[0], grade="inside")
    return Reading()


def one_of(phrase: str) -> str:
    """The singular of `pic_urls` and `phones`, or what no phrase is."""
    return phrase[:-1] if phrase.endswith("s") and len(phrase) > 3 else ""


def read_chinese(words: list[str]) -> Reading:
    """The same for a name that ends in Chinese: 收货人手机号码 loses its 号码 and ends with 手机."""
    known = vocabulary()
    text = rest = words[-1]
    if text.startswith(known.switches_chinese):
        return ELSEWHERE
    while rest:
        for length in range(min(LONGEST_CHINESE, len(rest)), 0, -1):
            head = known.heads.get(rest[-length:])
            if head and (length > 1 or len(text) == 1 or head[0] == OTHER or head[1] == "name"):
                return qualified(head, [*words[:-1], rest[:-length]])
        if rest.endswith(SOMEBODY) and len(rest) > 1:
            return Reading(meaning="PERSON", grade="role")
        ending = next((word for word in known.neutral_chinese if rest.endswith(word)), "")
        if not ending:
            break
        rest = rest[: -len(ending)]
    inside = next((phrase for phrase in known.sure_chinese if phrase in rest), "")
    return Reading(meaning=known.heads[inside][0], grade="inside") if inside else Reading()


def qualified(head: tuple[str, Grade], before: list[str]) -> Reading:
    """A head with the words before it: an address of a server is none, a name of a dish is nobody's."""
    meaning, grade = head
    before = [word for word in before if word]
    if meaning == "ADDRESS" and vocabulary().is_no_address(before):
        return ELSEWHERE
    if meaning == "PERSON" and grade == "name" and before:
        grade = named(before[-1])
    return Reading(meaning=meaning, grade=grade)


def named(last: str) -> Grade:
    """`…_name`: a person's after a word for people, a thing's after anything else."""
    known = vocabulary()
    if last in known.accounts:
        return "account"
    if known.is_thing(last) or not (known.is_people(last) or last in known.sent_to or last.endswith(SOMEBODY)):
        return "thing"
    own = last in known.whose["customer"] or last in known.whose["staff"] or known.heads.get(last) == ("PERSON", "sure")
    return "sure" if own and last not in known.sent_to else "role"  # 客户名称 is a firm's as often as a person's
