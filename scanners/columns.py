"""What a column holds: decided by its name, its comment, a sample of its values, its neighbours and its table.

A name that says so decides where the values do not speak against it; values alone decide where they are unmistakable;
a plain `name` is a person's only if its values look so, or if its table's rows are people. What a name says is
`scanners.column_names`, what values look like `scanners.column_values`, whose it is `scanners.column_tables`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from scanners.column_bare import bare_numbers, latin_names
from scanners.column_names import BARE, Reading, read_comment, read_name
from scanners.column_people import is_person
from scanners.column_tables import TableContext
from scanners.column_texts import is_address, is_mixed
from scanners.column_values import HASH, SALTED, are_a_counter, are_diverse, is_dummy, share, tidy
from scanners.column_words import OTHER, PROSE, load_columns
from scanners.detectors import DETECTORS, Detector
from scanners.records import Subject
from scanners.written import to_plain

MOST_VALUES: Final = 60
OURS: Final = frozenset(detector.entity for detector in DETECTORS)
ACCOUNT_NUMBER: Final = re.compile(r"[0-9*][0-9* \-]{6,28}[0-9]")
CARD_NUMBER: Final = re.compile(r"(?:62[0-9]{14,17}|[45][0-9]{15})")
ID_NUMBER: Final = re.compile(r"[1-9][0-9]{16}[0-9Xx]|[1-9][0-9]{14}|[1-9][0-9*]{4,16}[0-9*Xx]{1,3}")
# Share of values that must agree, by how surely a name says it.
NEEDED: Final = {"sure": 0.3, "maybe": 0.5, "inside": 0.6}
FORMLESS: Final = 0.75  # an account or a foreign number may be anything: a column of mobiles called 微信 holds mobiles
# Entities whose values are unmistakable by themselves, with the shape's score and the fewest values that takes.
BY_VALUES: Final = {
    "EMAIL_ADDRESS": (0.5, 1), "CN_RESIDENT_ID": (0.85, 1), "CREDIT_CARD": (0.7, 3), "CARD_TRACK_DATA": (0.5, 1),
    "IP_ADDRESS": (0.5, 1), "PHONE_NUMBER": (0.5, 2),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A decision: `entity` fills its cells; `mixed` ones are running text; else nothing is looked for in it."""

    entity: str | None = None
    mixed: bool = False
    score: float = 0.0
    subject: Subject = "unknown"


def decide(
    table: str,
    names: Sequence[str],
    comments: Sequence[str],
    samples: Sequence[Sequence[str]],
    detectors: Sequence[Detector] = DETECTORS,
) -> list[Column]:
    """One decision a column.

    Args:
        table: the table's, sheet's or file's name.
        names: the columns' names; those of a table without a header say nothing.
        comments: the columns' comments where a schema gives them; may be shorter than `names`.
        samples: distinct non-empty values of each column, of which the first 60 count.
        detectors: those that the settings ask for. Entities of their own are looked for in each cell of a column that
            holds one, so that allow-lists count there too.
    """
    told = [read_name(name) for name in names]
    said = [read_comment(comments[i]) if i < len(comments) else Reading() for i in range(len(names))]
    values = [[tidy(to_plain(v[:2000]).text) for v in sample[:MOST_VALUES]] for sample in samples]
    context = TableContext(table, told, said)
    decided = [judge(*column, context, detectors) for column in zip(told, said, values, strict=True)]
    known = frozenset(column.entity for column in decided if column.entity)
    for index, column in enumerate(decided):
        score = is_person(told[index], said[index], values[index], context, known) if column.entity is None else 0.0
        if score:
            decided[index] = Column(entity="PERSON", score=score)
    bare = [BARE.fullmatch(name.strip().lower()) is not None for name in names]
    for index in latin_names([decided[i].entity is None and bare[i] for i in range(len(names))], values, context):
        decided[index] = Column(entity="PERSON", score=0.6)
    known = frozenset(column.entity for column in decided if column.entity)
    if {"PERSON", "ADDRESS"} <= known and "PHONE_NUMBER" not in known:
        for index in bare_numbers([column.entity is None for column in decided], values):
            decided[index] = Column(entity="PHONE_NUMBER", score=0.6)
    return [
        replace(column, subject=context.subject_of(told[i], said[i])) if column.entity or column.mixed else column
        for i, column in enumerate(decided)
    ]


def judge(
    name: Reading, comment: Reading, values: Sequence[str], context: TableContext, detectors: Sequence[Detector]
) -> Column:
    """One column by itself, people's names aside."""
    best = Column()
    strengths = said_by_name(name, comment, detectors)
    if strengths.get("CREDIT_CARD") == "maybe" and context.names_banks and "card" not in name.words:
        strengths["CREDIT_CARD"] = "sure"
    if strengths.get("ADDRESS") == "maybe" and context.rows == "addresses":
        strengths["ADDRESS"] = "sure"
    for detector in detectors:
        if detector.entity not in OURS:
            continue
        grade = strengths.get(detector.entity, "")
        score = named_score(detector, grade, values) if grade else 0.0
        score = score or valued_score(detector, name, comment, values)
        if score > best.score:
            best = Column(entity=detector.entity, score=score)
    if best.entity == "LOCATION_COORDINATES" and context.rows == "things":
        return Column()  # where a city or a shop lies
    if best.entity:
        return best
    if is_address(strengths.get("ADDRESS", ""), name, comment, values, is_log=context.is_log):
        return Column(entity="ADDRESS", score=0.5 if values and share(values, is_dummy) == 1 else 0.8)
    own = [detector for detector in detectors if detector.entity not in OURS]
    configured = any(detector.shape(value) >= 0.5 for detector in own for value in values)
    return Column(mixed=configured or is_mixed(name, comment, values, of_program=context.is_of_program))


def said_by_name(name: Reading, comment: Reading, detectors: Sequence[Detector]) -> dict[str, str]:
    """Entity → grade. A comment or a name that says something else weakens the other."""
    grades: dict[str, str] = {}
    for reading, other in ((comment, name), (name, comment)):
        if reading.meaning in ("", OTHER, PROSE, "PERSON"):
            continue
        grade: str = reading.grade
        if grade == "sure" and other.meaning == OTHER:
            grade = "maybe"
        known = grades.get(reading.meaning)
        if known is None or NEEDED[grade] < NEEDED[known]:
            grades[reading.meaning] = grade
    spelled = ["_" + "_".join(reading.words) for reading in (name, comment)]
    for detector in detectors:  # entities that the pack of names does not know have their own short list
        endings = tuple(f"_{word}" if word.isascii() else word for word in detector.columns)
        if detector.entity not in known_entities() and any(one.endswith(endings) for one in spelled):
            grades.setdefault(detector.entity, "sure")
    return grades


@cache
def known_entities() -> frozenset[str]:
    """Entities whose columns the pack of names knows."""
    return frozenset(load_columns()["meanings"])


def named_score(detector: Detector, grade: str, values: Sequence[str]) -> float:
    """Score of a column that is called like `detector`'s entity; 0 where its values speak against it."""
    if not values:
        return 0.6
    support = share(values, lambda v: fits(detector, v, grade))
    if support >= NEEDED[grade]:
        known = detector.entity in known_entities()
        if detector.entity == "CREDIT_CARD":  # an account's number has no form
            known = share(values, lambda v: detector.shape(v) >= 0.2) >= 0.5
        most = 0.95 if known else FORMLESS
        return min(most, 0.5 + 0.45 * support)
    few_dummies = grade == "sure" and len(values) <= 5 and share(values, is_dummy) == 1
    return 0.5 if few_dummies else 0.0


def fits(detector: Detector, value: str, grade: str) -> bool:
    """A value that may stand in a column called so; less is asked where the name is sure."""
    entity = detector.entity
    if entity == "CREDENTIAL":
        return HASH.fullmatch(value) is not None if grade != "sure" else len(value) <= 512 and " " not in value
    shape = detector.shape(value)
    if entity == "CREDIT_CARD":
        if grade == "sure":
            return shape >= 0.2 or ACCOUNT_NUMBER.fullmatch(value) is not None
        return shape >= 0.3 or CARD_NUMBER.fullmatch(value) is not None
    if entity == "CN_RESIDENT_ID":
        return shape >= 0.25 or (grade == "sure" and ID_NUMBER.fullmatch(value) is not None)
    return shape >= (0.2 if grade == "sure" else 0.35)


def valued_score(detector: Detector, name: Reading, comment: Reading, values: Sequence[str]) -> float:
    """Score by values alone: unmistakable ones whatever the name says, others where it says nothing else."""
    if not values:
        return 0.0
    if detector.entity == "CREDENTIAL":
        return 0.8 if share(values, SALTED.fullmatch) >= 0.7 else 0.0
    least, fewest = BY_VALUES.get(detector.entity, (0.5, 3))
    some = values[: len(values) // 3 + 1]
    if len(values) < fewest or not any(detector.shape(value) >= least for value in some):
        return 0.0  # none in the first third leaves less than .7 of all
    support = share(values, lambda v: detector.shape(v) >= least)
    if support < 0.7:
        return 0.0
    said_other = OTHER in (name.meaning, comment.meaning)
    if are_a_counter(values):
        return 0.0
    if detector.entity == "PHONE_NUMBER" and said_other and not are_diverse(values):
        return 0.0
    if said_other and detector.entity not in BY_VALUES:
        return 0.0
    if said_other and len(values) < 3 and detector.entity not in ("EMAIL_ADDRESS", "IP_ADDRESS"):
        return 0.0
    return 0.55 + 0.25 * support
