"""Column decisions on labelled databases: `bench_columns.py LABELS FOLDER`, where FOLDER holds the SQLite files.

LABELS is JSON lines of `{dump, table, column, comment, label, kind}`. A column counts as found when the engine, given
the table's rows, reports the label's entity there. Labels that are no entity of ours are left out, and so are mixed
columns and columns without values.
"""

from __future__ import annotations

import collections
import json
import sqlite3
import sys
from pathlib import Path

from config.schema import DetectSettings
from scanners.engine import Analyser
from scanners.records import Rows

ENTITIES = {
    "PERSON": "PERSON", "PHONE": "PHONE_NUMBER", "ADDRESS": "ADDRESS", "EMAIL": "EMAIL_ADDRESS",
    "ID_CARD": "CN_RESIDENT_ID", "BANK_CARD": "CREDIT_CARD", "CREDENTIAL": "CREDENTIAL", "DOB": "DATE_OF_BIRTH",
    "IP": "IP_ADDRESS",
}  # fmt: skip
NEUTRAL = {"NICK", "ACCOUNT", "GENDER", "POSTCODE"}
MEASURED = {"PERSON", "PHONE_NUMBER", "ADDRESS", "EMAIL_ADDRESS", "CN_RESIDENT_ID", "CREDIT_CARD", "CREDENTIAL"}


def findings_of(
    analyser: Analyser, database: sqlite3.Connection, table: str, comments: dict[str, str]
) -> set[tuple[str, str]]:
    """(column, entity) of all findings in one table."""
    cursor = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608  a table of a local test file
    columns = tuple(entry[0] for entry in cursor.description)
    item = analyser.begin(table, "table")
    rows = tuple(tuple("" if cell is None else str(cell) for cell in row) for row in cursor)
    item.feed(Rows(table=table, columns=columns, rows=rows, comments=tuple(comments.get(c, "") for c in columns)))
    return {(f.place.column or "", f.entity) for f in item.finish().findings}


def main() -> None:
    """Print what was missed and what was false, then precision, recall and F1."""
    labels = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    tables: dict[tuple[str, str], list[dict[str, str]]] = collections.defaultdict(list)
    for label in labels:
        tables[label["dump"], label["table"]].append(label)
    analyser = Analyser(DetectSettings(), names=True, run_key=b"benchmark")
    hits = false = missed = 0
    for (dump, table), columns in tables.items():
        file = Path(sys.argv[2]) / dump.replace(".sql", ".sqlite")
        database = sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)
        found = findings_of(analyser, database, table, {c["column"]: c["comment"] for c in columns})
        database.close()
        for column in columns:
            if column["kind"] == "mixed" or column["label"] in NEUTRAL or not column["nonempty"]:
                continue
            expected = ENTITIES.get(column["label"] or "")
            got = {entity for name, entity in found if name == column["column"] and entity in MEASURED}
            if expected in MEASURED:
                hits += expected in got
                missed += expected not in got
                if expected not in got:
                    print("missed", dump, table, column["column"], expected, "got", sorted(got))
            wrong = got - {expected}
            false += len(wrong)
            if wrong:
                print("false", dump, table, column["column"], sorted(wrong), column["comment"])
    precision, recall = hits / max(1, hits + false), hits / max(1, hits + missed)
    harmonic = 2 * precision * recall / max(1e-9, precision + recall)
    print(f"columns: precision {precision:.3f} recall {recall:.3f} F1 {harmonic:.3f}")


if __name__ == "__main__":
    main()
