"""Put canary records into a copy of a table, in memory, keeping its format and its character set.

Runs in the confined process of `agent.confined`: the table may come from anywhere. A delimited file, JSON and an SQL
dump stay as they are to the byte but for the records put in; a workbook is written anew with the values of its visible
sheets (python-calamine reads values alone, and formulas, comments and hidden sheets are nothing that a vendor needs).
"""

from __future__ import annotations

import io
import os
from typing import Any, Final

from agent.vendors.columns import Canary
from agent.vendors.plant_delimited import plant_delimited
from agent.vendors.plant_json import plant_json
from agent.vendors.plant_sql import plant_sql
from agent.vendors.plant_workbook import plant_workbook
from agent.vendors.planted import NotPlanted, Planted
from scanners.extract.api import Budget, Extractor, Source
from scanners.extract.delimited import DelimitedExtractor
from scanners.extract.formats import EXTRACTORS
from scanners.extract.json_records import JsonExtractor
from scanners.extract.spreadsheet import SpreadsheetExtractor
from scanners.extract.sql_dump import SqlDumpExtractor
from scanners.warm import load_everything

LARGEST: Final = 32 << 20
"""Bytes of a file that gets canaries: its rows take some twenty times as much memory (measured: 20 MiB, 550 MB)."""
SAMPLE: Final = b"\xd0\xd5\xc3\xfb,\xb5\xe7\xbb\xb0\r\n" + b"\xc0\xee\xd1\xf9\xc0\xfd,13800000000\r\n" * 6


def warm() -> None:
    """Load every codec, parser and writer."""
    load_everything(_Nothing())
    canary = Canary(name="李样例", phone="13800000001", email="a@example.com")
    plant_delimited(SAMPLE, "a.csv", [canary])
    plant_json(b'[{"mobile": "13800000000"}]', [canary])
    plant_workbook(_workbook(), [canary])


def work(arguments: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
    """`{"files": [{"planted", "tables", "encoding", "name", "why"}]}`.

    Descriptors: for each of the `names` the file and an empty memory file.
    """
    canaries = [Canary(**canary) for canary in arguments["canaries"]]
    pairs = zip(arguments["names"], descriptors[::2], descriptors[1::2], strict=True)
    return {"files": [_one(str(name), source, target, canaries) for name, source, target in pairs]}


def _one(name: str, source: int, target: int, canaries: list[Canary]) -> dict[str, Any]:
    nothing = {"planted": 0, "tables": 0, "encoding": "", "name": name}
    try:
        if os.fstat(source).st_size > LARGEST:
            raise NotPlanted("too_large")
        done = plant(os.pread(source, LARGEST, 0), name, canaries)
    except NotPlanted as error:
        return {**nothing, "why": error.why}
    except MemoryError:
        return {**nothing, "why": "too_large"}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001  a parser may raise anything on a broken file, a panic in Rust included
        return {**nothing, "why": "malformed"}
    with open(target, "wb", closefd=False) as file:
        file.write(done.data)
    return {
        "planted": done.records, "tables": done.tables, "encoding": done.encoding, "why": "",
        "name": name if not done.ending else name.rpartition(".")[0] + done.ending,
    }  # fmt: skip


def plant(data: bytes, name: str, canaries: list[Canary]) -> Planted:
    """The file with all canaries in each of its tables that names people to be reached.

    Raises:
        NotPlanted: it is no table, or none that could hold a canary.
    """
    match format_of(data, name):
        case SpreadsheetExtractor():
            return plant_workbook(data, canaries)
        case JsonExtractor():
            return plant_json(data, canaries)
        case SqlDumpExtractor():
            return plant_sql(data, name, canaries)
        case DelimitedExtractor():
            return plant_delimited(data, name, canaries)
    raise NotPlanted("format")


def format_of(data: bytes, name: str) -> Extractor:
    """As a scan decides it."""
    source = Source(name=name, stream=io.BytesIO(data), size=len(data), seekable=True, budget=Budget(1 << 30))
    return next(extractor for extractor in EXTRACTORS if extractor.matches(source))


class _Nothing:
    """Stands for the analyser when extractors are warmed up."""

    def begin(self, name: str, kind: str) -> Any:  # noqa: ARG002  the reader's
        return self

    def feed(self, piece: object) -> None:
        """Nobody wants it."""

    def finish(self) -> Any:
        return self

    findings: tuple[()] = ()
    persons = 0
    person_keys: frozenset[int] = frozenset()
    level = 1
    score = 0.0


def _workbook() -> bytes:
    """A small workbook, to load what reads and writes them."""
    from datetime import datetime

    from agent.vendors.plant_workbook import write_workbook

    return write_workbook([("a", [["mobile", "day"], ["13800000000", datetime(2026, 1, 1, 12, 0)], [1, True]])])  # noqa: DTZ001  a cell has no zone
