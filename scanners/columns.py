"""What a column holds: decided by its name, its comment, a sample of its values, its neighbours and its table.

A name alone decides where the values do not speak against it, values alone where they are unmistakable; a plain `name`
is a person's only if its values look so, or if its table's rows are people. Names come in Chinese, English and pinyin.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from scanners.detectors import DETECTORS
from scanners.name_rules import RULED_ADDRESS, NameRules
from scanners.written import to_plain

Subject = Literal["customer", "staff", "organisation", "unknown"]
MOST_VALUES: Final = 60
LATIN_NAME: Final = re.compile(r"[A-Z][A-Za-z'\u00c0-\u024f.\- ]{1,39}")
LATIN_STREET: Final = re.compile(
    r"\d{1,6}[A-Za-z]?,? .*[A-Za-z]{3}"
    r"|.*\b(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Way|Rua|Av|Rue|Via|Calle)\b.*",
    re.IGNORECASE,
)  # fmt: skip
NANP: Final = re.compile(r"[2-9][0-9]{2}[2-9][0-9]{6}")
NO_SECRET: Final = ("id", "type", "time", "url", "expire", "expires", "count", "key", "seconds", "validity")
CHINESE_STREET: Final = re.compile("[路街道巷弄村区镇县市园苑楼栋幢座厦场号室层]")
WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[\u4e00-\u9fff]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A decision: `entity` fills its cells; `mixed` ones are running text; else nothing is looked for in it."""

    entity: str | None = None
    mixed: bool = False
    score: float = 0.0
    subject: Subject = "unknown"


@cache
def load_columns() -> dict[str, Any]:
    """`config/data/detect/columns.toml`."""
    return tomllib.loads(files("config").joinpath("data", "detect", "columns.toml").read_text(encoding="utf-8"))


@cache
def rules() -> NameRules:
    """Compiled once a process."""
    return NameRules()


def spell(name: str) -> str:
    """`receiverName`, `Receiver-Name` → `receiver_name`."""
    return "_".join(part.lower() for part in WORD.findall(name))


def called(name: str, words: Sequence[str]) -> int:
    """How well a column's name fits: 2 the whole of it, 1 a part of it, 0 not."""
    spelled = spell(name)
    best = 0
    for word in words:
        if word.isascii():
            plain = spell(word)
            if spelled == plain or spelled.replace("_", "") == plain.replace("_", ""):
                return 2
            if f"_{plain}_" in f"_{spelled}_" or f"_{plain}_" in re.sub(r"[0-9]+", "", f"_{spelled}_"):
                best = 1
        elif word in name:
            best = max(best, 2 if name == word else 1)
    return best


def looks_like_name(value: str) -> bool:
    """A Chinese name, with a title or stars perhaps."""
    value = value.strip()
    known = rules()
    if value in known.not_names or value in known.veto or value[:2] in known.not_names:
        return False
    if re.fullmatch("[\u4e00-\u9fff]{2,4}", value) and known.has_surname(value):
        return True
    return bool(known.titled.fullmatch(value) or known.masked.fullmatch(value))


def is_latin_name(value: str) -> bool:
    """Capitalised, letters only."""
    return bool(LATIN_NAME.fullmatch(value))


def looks_like_address(value: str) -> bool:
    """A street or a building and some number or district."""
    if LATIN_STREET.fullmatch(value) and len(value) >= 8:
        return True
    return bool(RULED_ADDRESS.search(value)) or (len(value) >= 5 and len(CHINESE_STREET.findall(value)) >= 2)


def share(values: Sequence[str], test: Callable[[str], bool]) -> float:
    """Part of the values that pass."""
    return sum(1 for value in values if test(value)) / len(values) if values else 0.0


def subject_of(table: str, column: str) -> Subject:
    """Whose data a table holds, as its name says."""
    pack = load_columns()["tables"]
    order: tuple[Subject, ...] = ("staff", "organisation", "customer")
    for word in (table, column):
        for subject in order:
            if called(word, pack[subject]) or called(re.sub(r"s$", "", word), pack[subject]):
                return subject
    return "unknown"


def decide(table: str, names: Sequence[str], comments: Sequence[str], samples: Sequence[Sequence[str]]) -> list[Column]:
    """One decision a column; `samples` holds distinct non-empty values of each."""
    plain = [[to_plain(v).text.strip() for v in sample[:MOST_VALUES]] for sample in samples]
    first = [judge(table, name, comments[i] if i < len(comments) else "", plain[i]) for i, name in enumerate(names)]
    known = {column.entity for column in first if column.entity}
    decided = []
    for index, (name, by_itself) in enumerate(zip(names, first, strict=True)):
        comment = comments[index] if index < len(comments) else ""
        person = by_itself.entity is None and is_person(table, name, comment, plain[index], known)
        decided.append(Column(entity="PERSON", score=0.7, subject=subject_of(table, name)) if person else by_itself)
    return bare_numbers(plain, latin_names(table, names, plain, decided))


def judge(table: str, name: str, comment: str, values: Sequence[str]) -> Column:
    """One column by itself."""
    subject = subject_of(table, name)
    pack = load_columns()
    words = re.split(r"[,，（(。:：;；\s]", comment)[0] if comment else ""
    best = Column()
    for detector in DETECTORS:
        fit = max(called(name, detector.columns), called(words, detector.columns) if len(words) <= 12 else 0)
        shapes = [detector.shape(value) for value in values]
        strong = sum(shape >= 0.5 for shape in shapes) / max(1, len(shapes))
        weak = sum(shape >= 0.25 for shape in shapes) / max(1, len(shapes))
        score = 0.0
        if fit:
            score = 0.9 * max(strong, weak if fit == 2 or weak > 0.6 else 0.0) if values else 0.6
            score = score if score >= 0.3 else 0.0
            score = min(0.95, score + 0.2) if score else 0.0
        elif strong >= 0.7 and detector.entity != "CREDENTIAL" and (len(values) >= 2 or not values[0].isdigit()):
            score = 0.6 + 0.2 * strong
        if (
            detector.entity == "CREDENTIAL"
            and fit
            and called(name, ("id", "type", "time", "url", "expire", "expires", "count", "key", "seconds", "validity"))
        ):
            score = 0.0
        if score > best.score:
            best = Column(entity=detector.entity, score=score, subject=subject)
    if best.score >= 0.5:
        return best
    if is_address(name, words, values, pack["address"]):
        return Column(entity="ADDRESS", score=0.75, subject=subject)
    long = share(values, lambda v: len(v) > (60 if v.isascii() else 24))
    some = any(d.shape(v) >= 0.5 for v in values for d in DETECTORS)
    inside = long > 0.2 or some or share(values, lambda v: bool(re.search(r"[0-9]{7}|@", v))) > 0
    return Column(mixed=bool(values) and inside)


def is_address(name: str, words: str, values: Sequence[str], pack: Any) -> bool:
    """The name says so and the values do not speak against it, or the values say so."""
    refused = called(name, pack["never"]) or any(w in words for w in pack["never"] if not w.isascii())
    fit = 0 if refused else max(called(name, pack["sure"]), called(words, pack["sure"]) if len(words) <= 10 else 0)
    shaped = share(values, looks_like_address)
    if fit:
        against = share(values, lambda v: v.isdigit() or "://" in v or len(v) < 3 or v.startswith("/"))
        return against < 0.5 and (shaped >= 0.3 or fit == 2 or not values)
    if called(name, pack["maybe"]) and not refused:
        return shaped >= 0.5
    return (
        shaped >= 0.8
        and len(values) >= 3
        and share(values, lambda v: bool(re.search("[0-9]", v))) > 0.7
        and share(values, lambda v: len(v) < 60) > 0.9
    )


def is_person(table: str, name: str, comment: str, values: Sequence[str], known: set[str]) -> bool:
    """See the module; `known` are the entities of the neighbours."""
    pack = load_columns()
    words = re.split(r"[,，（(。:：;；\s]", comment)[0] if comment else ""
    chinese = share(values, looks_like_name)
    latin = share(values, is_latin_name)
    upper = share(values, lambda v: bool(re.fullmatch(r"[A-Z][A-Z'\- ]+", v)))
    fits = max(chinese, latin, upper)
    sure = max(called(name, pack["person"]["sure"]), called(words, pack["person"]["sure"]) if len(words) <= 8 else 0)
    never = called(name, pack["person"]["never"]) or (called(words, pack["person"]["never"]) if words else 0)
    against = share(values, lambda v: bool(re.search(r"[0-9]{4}|[/@<{_:]", v)) or len(v) > 30)
    if sure and not (never and sure < 2):
        odd = share(values, lambda v: bool(re.fullmatch(r"[\u4e00-\u9fffA-Za-z·.*' \-]{1,30}", v)))
        return not values or (against < 0.5 and (fits >= 0.2 or (odd >= 0.6 and sure == 2)))
    if never:
        return False
    people = subject_of(table, "") in ("customer", "staff")
    if called(table, pack["person"]["never"]) and not people:
        return False
    company = bool(known & {"PHONE_NUMBER", "CN_RESIDENT_ID", "DATE_OF_BIRTH", "EMAIL_ADDRESS"})
    if called(name, pack["person"]["maybe"]) == 2 or called(words, pack["person"]["maybe"]):
        account = called(name, ("user_name", "username", "nick_name", "nickname", "昵称"))
        if account:
            return chinese >= 0.6 and len(values) >= 1
        if people and company:
            short = share(values, lambda v: bool(re.fullmatch("[\u4e00-\u9fff]{2,4}", v)))
            return chinese >= 0.3 or latin >= 0.7 or short >= 0.7
        return chinese >= (0.3 if people or company else 0.5)
    return chinese >= 0.8 and len(values) >= 3


def latin_names(
    table: str, names: Sequence[str], values: Sequence[Sequence[str]], decided: list[Column]
) -> list[Column]:
    """Given names and surnames of tables whose headers say nothing (`c1`, `c2`), by a list of common given names."""
    given = frozenset(load_columns()["latin"]["given"])
    for index, sample in enumerate(values):
        bare = re.fullmatch(r"c(?:ol(?:umn)?)?_?[0-9]+|[A-Z]{1,2}|", names[index])
        if not bare or decided[index].entity or len(sample) < 3:
            continue
        if (
            share(sample, lambda v: v.lower() in given) >= 0.3
            and share(sample, lambda v: bool(LATIN_NAME.fullmatch(v))) > 0.9
        ):
            decided[index] = Column(entity="PERSON", score=0.65, subject=subject_of(table, ""))
            after = index + 1
            if (
                after < len(values)
                and not decided[after].entity
                and share(values[after], lambda v: bool(LATIN_NAME.fullmatch(v))) > 0.9
            ):
                decided[after] = Column(entity="PERSON", score=0.6, subject=subject_of(table, ""))
    return decided


def bare_numbers(values: Sequence[Sequence[str]], decided: list[Column]) -> list[Column]:
    """Ten-digit telephone numbers (North American Numbering Plan) in a table that has people and addresses."""
    known = {column.entity for column in decided}
    if not {"PERSON", "ADDRESS"} <= known or "PHONE_NUMBER" in known:
        return decided
    return [
        Column(entity="PHONE_NUMBER", score=0.6, subject=column.subject)
        if column.entity is None and len(sample) >= 3 and share(sample, lambda v: bool(NANP.fullmatch(v))) > 0.9
        else column
        for column, sample in zip(decided, values, strict=True)
    ]
