"""A stand-in till: rings up orders in its SQLite database, prints each to a spool file, and times every sale.

`till.py DATABASE SPOOL TIMES` runs until SIGTERM; TIMES gets a line a sale: seconds since the epoch, milliseconds.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

PAUSE = 0.02


def main(database_file: str, spool: str, times: str) -> None:
    """Sell until told to stop."""
    going = True

    def stop(_number: int, _frame: object) -> None:
        nonlocal going
        going = False

    signal.signal(signal.SIGTERM, stop)
    chance = random.Random(3)
    number = 0
    with Path(times).open("a", buffering=1) as record:
        while going:
            began = time.perf_counter()
            # a till opens its database for each sale: the worst case for whoever watches opens
            database = sqlite3.connect(database_file, timeout=5)
            with database:
                database.execute(
                    "INSERT INTO orders (order_sn, customer_id, dish, cents, made_at) VALUES (?,?,?,?,?)",
                    (f"{time.time_ns()}", chance.randrange(600), "红烧肉", 1800, time.time()),
                )
            database.close()
            with Path(spool).open("a") as printer:
                printer.write(f"order {number} printed\n")
            record.write(f"{time.time():.6f} {(time.perf_counter() - began) * 1000:.4f}\n")
            number += 1
            time.sleep(PAUSE)


if __name__ == "__main__":
    main(*sys.argv[1:4])
