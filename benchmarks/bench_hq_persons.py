"""Distinct persons across stores at head office: seconds and memory, exact to ten million and by sketches beyond.

Two hundred stores of one chain, each with some of its members. Marks are what head office keeps of persons; here they
are made without the stores, for a million of them take a store a minute. Run: `make bench-hq-persons`, or with
`CLOCHEHQ_BENCH_URL=postgresql://…` on that database (emptied first).
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import numpy as np
from sqlalchemy import delete
from sqlalchemy.orm import Session

from central.database.engine import open_database
from central.home import HeadOfficeHome
from central.models import PersonSegment, Store
from central.moments import now
from central.persons.count import distinct
from central.persons.keys import persons_keys
from central.persons.segments import MOST, sorted_marks
from central.persons.sketch import Sketch

STORES = 200


class Peak:
    """The most memory of this process while it is open, looked at every 5 ms."""

    def __enter__(self) -> Self:
        self.before = self.most = _resident()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.005):
            self.most = max(self.most, _resident())


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def fill(session: Session, persons: int, marks: int) -> None:
    """Persons of the chain, spread over its stores so that each is known by `marks / persons` of them on average."""
    random = np.random.default_rng(7)
    known = random.integers(0, 2**63, (persons, 2), dtype=np.uint64) * np.uint64(2)
    each = marks // STORES
    told = 0
    for number in range(STORES):
        # a run of the whole, so that everybody is somewhere, wherever stores overlap
        start = (persons * number) // STORES
        places = (start + np.arange(each)) % persons
        chosen = known[places]
        chosen = chosen[np.lexsort((chosen[:, 1], chosen[:, 0]))].astype(">u8")
        parts = max(1, -(-len(chosen) // MOST))
        for part in range(parts):
            piece = np.ascontiguousarray(chosen[part * MOST : (part + 1) * MOST])
            sketch = Sketch()
            sketch.add(piece.view(np.uint8).reshape(-1, 16))
            session.add(PersonSegment(
                store_id=f"s-{number}", incident_id="I", part=part, parts=parts, round=1, number=part, key_id="k",
                persons=len(piece), sensitive=len(piece) if number % 20 == 0 else 0, received_at=now(),
                marks=piece.tobytes(), sketch=sketch.pack(),
            ))  # fmt: skip
            told += len(piece)
        session.flush()
        session.expunge_all()
    print(f"  {told:,} marks of {persons:,} persons in {STORES} stores")


def main() -> int:
    """Measure, print, and fail where a bound is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--persons", type=int, default=10_000_000)
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        home = HeadOfficeHome(folder=Path(folder) / "office")
        home.create()
        keys = persons_keys(home)
        begun = time.perf_counter()
        sorted_marks(keys, os.urandom(16 * MOST))
        print(f"marks of one part of {MOST:,}: {time.perf_counter() - begun:.2f} s")
        engine = open_database(os.environ.get("CLOCHEHQ_BENCH_URL") or home.database_url, create=True)
        with Session(engine) as session, session.begin():
            session.execute(delete(PersonSegment))
            session.execute(delete(Store).where(Store.id.startswith("s-")))
            session.add_all(Store(id=f"s-{number}", name=f"测试{number}店", made_at=now()) for number in range(STORES))
        asked = [(f"s-{number}", "I") for number in range(STORES)]
        for marks in (options.persons, 3 * options.persons, 6 * options.persons):
            with Session(engine) as session, session.begin():
                session.execute(delete(PersonSegment))
                fill(session, options.persons, marks)
            with Session(engine) as session, Peak() as peak:
                begun = time.perf_counter()
                found = distinct(session, asked)
                seconds = time.perf_counter() - begun
            off = found.persons / options.persons - 1
            grown = (peak.most - peak.before) / 1e6
            how = "exact" if found.exact else f"estimated, error {found.error:.2%}"
            print(
                f"  {how}: {found.persons:,} ({off:+.3%}), sensitive {found.sensitive:,}; {seconds:.1f} s, "
                f"+{grown:.0f} MB ({peak.most / 1e6:.0f} MB in all)"
            )
            failed |= (found.exact and off != 0) or abs(off) > 4 * max(found.error, 1e-12) or grown > 300
        engine.dispose()
    print(f"peak of the whole run: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
