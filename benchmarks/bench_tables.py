"""Speed of reading tables, by format: `bench_tables.py [--scan] [MEGABYTES] [FORMAT…]`.

Each format is made from the same invented members (`corpus`), and read as a scan worker reads it: bytes, decoding,
cells, column decisions, counts. Figures are MB of the file a second of processor time of a process of its own, names
off and on, with the cost of twice the size (over 2.1 is not linear) and the peak of resident memory.
`--scan` runs `cloche scan` on a file of that size and on a small one, and gives the difference in wall time.
"""

from __future__ import annotations

import io
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from corpus import KINDS, make_text

from config.schema import DetectSettings
from scanners.engine import Analyser
from scanners.extract.api import Budget, Source
from scanners.extract.formats import EXTRACTORS
from scanners.reading import ItemReport, Reader
from scanners.warm import load_everything

SMALL = 1 << 16


def member_rows(size: int) -> Iterator[list[str]]:
    """Members, header first, for about `size` bytes as CSV."""
    block = make_text("csv", min(size, 4 << 20)).splitlines()
    yield block[0].split(",")
    rows = [line.split(",") for line in block[1:]]
    for _ in range(max(1, size // (4 << 20))):
        yield from rows


def as_csv(size: int) -> bytes:
    """Nothing quoted."""
    header, *rows = make_text("csv", min(size, 4 << 20)).splitlines(keepends=True)
    return (header + "".join(rows) * max(1, size // (4 << 20))).encode()


def as_quoted(size: int) -> bytes:
    """Every cell in quotes."""
    return "".join('"' + '","'.join(row) + '"\r\n' for row in member_rows(size)).encode()


def as_gb18030(size: int) -> bytes:
    """As many tills write it."""
    return as_csv(size).decode().encode("gb18030")


def as_sql(size: int) -> bytes:
    """As mysqldump writes it, in statements of 5,000 rows."""
    rows = member_rows(size)
    names = next(rows)
    parts = ["-- MySQL dump 10.13\nCREATE TABLE `member` (" + ", ".join(f"`{n}` varchar(99)" for n in names) + ");\n"]
    while batch := list(islice(rows, 5000)):
        values = ",".join("(" + ",".join(f"'{cell}'" for cell in row) + ")" for row in batch)
        parts.append(f"INSERT INTO `member` VALUES {values};\n")  # noqa: S608  invented, read by us alone
    return "".join(parts).encode()


def as_jsonl(size: int) -> bytes:
    """An object a line."""
    rows = member_rows(size)
    names = next(rows)
    return "".join(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n" for row in rows).encode()


def as_orders(size: int) -> bytes:
    """Orders with nested lists, an object a line."""
    return make_text("jsonl", size).encode()


def as_sqlite(size: int) -> bytes:
    """One table."""
    rows = member_rows(size)
    names = next(rows)
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE member (" + ", ".join(f'"{name}" TEXT' for name in names) + ")")
    database.executemany("INSERT INTO member VALUES (" + ",".join("?" * len(names)) + ")", rows)  # noqa: S608
    database.commit()
    return database.serialize()


def as_xlsx(size: int) -> bytes:
    """One sheet."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("会员")
    for row in member_rows(size):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_remarks(size: int) -> bytes:
    """A column of running text: one remark in twenty names somebody."""
    random_ = random.Random(5)
    lines, made = ["订单号,备注,金额\n"], 0
    logs, prose = KINDS["log"](random_), KINDS["clean"](random_)
    while made < size:
        text = next(logs) if random_.random() < 0.05 else next(prose)
        lines.append(f"{random_.randrange(10**17)},{text.replace(',', '，')},{random_.randrange(900)}\n")
        made += len(lines[-1].encode())
    return "".join(lines).encode()


FORMATS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "csv": ("a.csv", as_csv), "quoted": ("a.csv", as_quoted), "gb18030": ("a.csv", as_gb18030),
    "remarks": ("a.csv", as_remarks), "sql": ("a.sql", as_sql), "jsonl": ("a.jsonl", as_jsonl),
    "orders": ("a.jsonl", as_orders), "sqlite": ("a.db", as_sqlite), "xlsx": ("a.xlsx", as_xlsx),
}  # fmt: skip


def peak_memory() -> float:
    """Peak of resident memory in MiB; `ru_maxrss` would be that of the process that started this one."""
    facts = Path("/proc/self/status").read_text(encoding="ascii")
    return int(facts.partition("VmHWM:")[2].split()[0]) / 1024


def read(path: str, name: str, *, names: bool) -> dict[str, float]:
    """Read one file; seconds of processor time, peak in MiB, values found, persons."""
    reports: list[ItemReport] = []
    analyser = Analyser(DetectSettings(), names=names, run_key=b"benchmark")
    analyser.warm_up()
    load_everything(analyser)
    reader = Reader(analyser=analyser, extractors=EXTRACTORS, max_depth=4, emit=reports.append)
    size = os.path.getsize(path)
    begun = time.process_time()
    with open(path, "rb", buffering=1 << 16) as stream:
        budget = Budget(1 << 34)
        reader.read(Source(name=name, stream=stream, size=size, seekable=True, budget=budget), 3600.0)
    seconds = time.process_time() - begun
    return {
        "seconds": seconds, "peak": peak_memory(),
        "values": sum(finding.count for report in reports for finding in report.findings),
        "persons": max(report.persons for report in reports),
    }  # fmt: skip


def read_apart(path: str, name: str, *, names: bool) -> dict[str, float]:
    """`read` in a process of its own."""
    code = f"import json, bench_tables; print(json.dumps(bench_tables.read({path!r}, {name!r}, names={names})))"
    folder = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((folder, os.environ.get("PYTHONPATH", ""))),
                   "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    answer: dict[str, float] = json.loads(out.stdout)
    return answer


def measure(kind: str, megabytes: float, folder: str) -> None:
    """One line for a format."""
    name, make = FORMATS[kind]
    once, twice = os.path.join(folder, f"1-{name}"), os.path.join(folder, f"2-{name}")
    for path, times in ((once, 1), (twice, 2)):
        Path(path).write_bytes(make(round(times * megabytes * (1 << 20))))
    size = os.path.getsize(once) / 1e6
    small, large, named = (read_apart(p, name, names=n) for p, n in ((once, False), (twice, False), (once, True)))
    growth = large["seconds"] / small["seconds"] / (os.path.getsize(twice) / 1e6 / size) * 2
    print(
        f"{kind:8} {size:7.1f} MB  off {size / small['seconds']:6.1f} MB/s  on {size / named['seconds']:6.1f} MB/s  "
        f"twice {growth:4.2f}  peak {large['peak']:4.0f} / {named['peak']:4.0f} MiB  "
        f"values {small['values']:.0f} / {named['values']:.0f}  persons {small['persons']:.0f}",
        flush=True,
    )


def scan(kind: str, megabytes: float, folder: str) -> None:
    """`cloche scan` on one file, start-up subtracted."""
    name, make = FORMATS[kind]
    seconds = {}
    for size in (SMALL, round(megabytes * (1 << 20))):
        path = os.path.join(folder, f"{size}-{name}")
        Path(path).write_bytes(make(size))
        command = [str(Path(sys.executable).parent / "cloche"), "--home", os.path.join(folder, "home"), "scan", path]
        begun = time.perf_counter()
        subprocess.run([*command, "--full", "--no-names", "--workers", "1", "--json"], check=True, capture_output=True)
        seconds[size] = time.perf_counter() - begun
    megabytes_read = os.path.getsize(path) / 1e6
    taken = seconds[round(megabytes * (1 << 20))] - seconds[SMALL]
    print(
        f"{kind:8} cloche scan: {megabytes_read:.1f} MB in {taken:.1f} s, {megabytes_read / taken:.1f} MB/s", flush=True
    )


def main() -> None:
    """All formats, or those that are named."""
    words = [word for word in sys.argv[1:] if word != "--scan"]
    megabytes = float(words[0]) if words else 16.0
    with tempfile.TemporaryDirectory() as folder:
        for kind in words[1:] or FORMATS:
            (scan if "--scan" in sys.argv else measure)(kind, megabytes, folder)


if __name__ == "__main__":
    main()
