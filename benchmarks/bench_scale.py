"""Cost of twice the input, and memory: `bench_scale.py [LARGEST_MB]` (1024 unless said otherwise).

A log, a dense list of members as CSV, dense text and one line without an end, from 1 MB up, each size twice the one
before, read as a scan worker reads them, names off, in a process of its own each. `twice` is the processor time for
each byte beside that of half the size, times two: 2.0 is linear.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench_tables import read_apart
from corpus import make_text

DENSE = "收货人：张测试，电话13800001111，身份证110101199003074610，卡号6212262200000000004，邮箱ceshi@example.com。\n"
BLOCK = 1 << 20


def blocks(kind: str) -> bytes:
    """About a mebibyte of one kind, to be repeated."""
    if kind == "dense text":
        return (DENSE * (BLOCK // len(DENSE.encode()))).encode()
    if kind == "one line":
        return make_text("log", BLOCK).replace("\n", " ").encode()
    return make_text({"log": "log", "member CSV": "csv"}[kind], BLOCK).encode()


def sizes(largest: int) -> Iterator[int]:
    """1, 2, 4 … MB."""
    size = 1
    while size <= largest:
        yield size
        size *= 2


def write(path: Path, kind: str, megabytes: int) -> None:
    """So many blocks in a file."""
    block = blocks(kind)
    with path.open("wb") as stream:
        for _ in range(megabytes):
            stream.write(block)


def main() -> None:
    """All kinds; one line and dense text to 128 MB at the most."""
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("log", "member CSV", "dense text", "one line"):
            before = 0.0
            for size in sizes(largest if kind in ("log", "member CSV") else min(largest, 128)):
                path = Path(folder, "members.csv" if kind == "member CSV" else "kitchen.log")
                write(path, kind, size)
                figures = read_apart(str(path), path.name, names=False)
                pace = figures["seconds"] / path.stat().st_size
                twice = f"twice {2 * pace / before:4.2f}" if before else " " * 10
                print(
                    f"{kind:12} {size:5} MB  {1e-6 / pace:6.1f} MB/s  {twice}  peak {figures['peak']:4.0f} MiB",
                    flush=True,
                )
                before = pace
                path.unlink()


if __name__ == "__main__":
    main()
