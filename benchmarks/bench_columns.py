"""Column decisions on labelled databases: `bench_columns.py LABELS FOLDER`, where FOLDER holds the SQLite files.

LABELS is JSON lines of `{dump, table, column, comment, label, kind, subject}`. A column counts as found when the
engine, given the table's rows, reports the label's entity there. Labels that are no entity of ours are left out, and so
are mixed columns and columns without values. Whose data it is counts where it was found; a supplier is the labels' `o`.
"""

from __future__ import annotations

import collections
import json
import sqlite3
import sys
from pathlib import Path

from config.schema import DetectSettings
from scanners.engine import Analyser
from scanners.records import Finding, Rows

ENTITIES = {
    "PERSON": "PERSON", "PHONE": "PHONE_NUMBER", "ADDRESS": "ADDRESS", "EMAIL": "EMAIL_ADDRESS",
    "ID_CARD": "CN_RESIDENT_ID", "BANK_CARD": "CREDIT_CARD", "CREDENTIAL": "CREDENTIAL", "DOB": "DATE_OF_BIRTH",
    "IP": "IP_ADDRESS",
}  # fmt: skip
NEUTRAL = {"NICK", "ACCOUNT", "GENDER", "POSTCODE"}
MEASURED = {"PERSON", "PHONE_NUMBER", "ADDRESS", "EMAIL_ADDRESS", "CN_RESIDENT_ID", "CREDIT_CARD", "CREDENTIAL"}
SUBJECTS = {"c": {"customer"}, "s": {"staff"}, "o": {"organisation", "supplier"}}


def findings_of(
    analyser: Analyser, database: sqlite3.Connection, table: str, comments: dict[str, str]
) -> tuple[Finding, ...]:
    """All findings in one table."""
    cursor = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608  a table of a local test file
    columns = tuple(entry[0] for entry in cursor.description)
    item = analyser.begin(table, "table")
    rows = tuple(tuple("" if cell is None else str(cell) for cell in row) for row in cursor)
    item.feed(Rows(table=table, columns=columns, rows=rows, comments=tuple(comments.get(c, "") for c in columns)))
    return item.finish().findings


class Score:
    """Counts for one entity."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.hits = self.false = self.missed = 0

    def __str__(self) -> str:
        """Precision, recall and F1."""
        precision, recall = self.hits / max(1, self.hits + self.false), self.hits / max(1, self.hits + self.missed)
        harmonic = 2 * precision * recall / max(1e-9, precision + recall)
        return f"precision {precision:.3f} recall {recall:.3f} F1 {harmonic:.3f} ({self.hits + self.missed} columns)"


def measure(labels_file: Path, folder: Path, *, verbose: bool) -> None:
    """Print the scores and how often it was told right whose data it is; with `verbose` every column that is wrong."""
    labels = [json.loads(line) for line in labels_file.read_text(encoding="utf-8").splitlines()]
    tables: dict[tuple[str, str], list[dict[str, str]]] = collections.defaultdict(list)
    for label in labels:
        tables[label["dump"], label["table"]].append(label)
    analyser = Analyser(DetectSettings(), names=True, run_key=b"benchmark")
    scores: dict[str, Score] = collections.defaultdict(Score)
    whose: collections.Counter[bool] = collections.Counter()
    for (dump, table), columns in tables.items():
        file = folder / dump.replace(".sql", ".sqlite")
        database = sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)
        found = findings_of(analyser, database, table, {c["column"]: c["comment"] for c in columns})
        database.close()
        for column in columns:
            if column["kind"] == "mixed" or column["label"] in NEUTRAL or not column["nonempty"]:
                continue
            here = [finding for finding in found if finding.place.column == column["column"]]
            got = {finding.entity for finding in here} & MEASURED
            expected = ENTITIES.get(column["label"] or "", "")
            for entity in got - {expected}:
                if verbose:
                    print("false", dump, table, column["column"], entity, column["comment"])
                scores[entity].false += 1
            if expected in MEASURED and expected not in got:
                if verbose:
                    print("missed", dump, table, column["column"], expected, "got", sorted(got))
                scores[expected].missed += 1
            elif expected in MEASURED:
                scores[expected].hits += 1
                told = {finding.subject for finding in here if finding.entity == expected}
                if column["subject"] in SUBJECTS:
                    whose[bool(told & SUBJECTS[column["subject"]])] += 1
    total = Score()
    for entity, score in sorted(scores.items()):
        print(f"{entity}: {score}")
        total.hits, total.false, total.missed = (
            total.hits + score.hits, total.false + score.false, total.missed + score.missed,
        )  # fmt: skip
    print(f"columns: {total}")
    print(f"whose data: {whose[True]} of {whose.total()} told right")


if __name__ == "__main__":
    measure(Path(sys.argv[1]), Path(sys.argv[2]), verbose=True)
