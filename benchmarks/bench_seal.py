"""How fast a file is sealed and brought back in place, beside a plain copy with fsync on the same disk."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from config.identity import make_identity
from containment.journal import Journal
from containment.keyring import Keyring
from containment.keys import Unlocker
from containment.sealing import Sealer
from containment.unsealing import Owner, Unsealer


def seconds(work: Callable[[], object]) -> float:
    """Wall clock of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def copy(source: Path, target: Path) -> None:
    """Copy and wait for the disk."""
    with source.open("rb") as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())


def main() -> None:
    """Usage: python benchmarks/bench_seal.py [FOLDER]; needs 1 GB there."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        base = Path(name)
        identity = make_identity("recovery")
        keyring = Keyring(base / "keys")
        keyring.adopt(identity.public, make_identity("hq").public)
        journal = Journal(base / "journal")
        sealer = Sealer(journal, keyring, samba=frozenset)
        unsealer = Unsealer(journal, keyring, Unlocker([identity]), Owner(uid=os.geteuid(), gid=os.getegid()))
        for size, count in ((256 << 20, 1), (20_000, 100)):
            files = [base / f"file{number}" for number in range(count)]
            for file in files:
                file.write_bytes(os.urandom(1 << 20) * (size >> 20) or os.urandom(size))
            paths = [os.fsencode(file) for file in files]
            copied = seconds(lambda files=files: [copy(file, file.with_suffix(".copy")) for file in files])
            sealed = seconds(lambda paths=paths: [sealer.seal([path]) for path in paths])
            back = seconds(lambda paths=paths: [unsealer.unseal(path + b".cloche") for path in paths])
            for label, took in (("copy and fsync", copied), ("seal", sealed), ("bring back", back)):
                rate = size * count / took / 1e6
                print(f"{count} x {size} bytes: {label}: {took / count * 1000:.1f} ms each, {rate:.0f} MB/s")


if __name__ == "__main__":
    main()
