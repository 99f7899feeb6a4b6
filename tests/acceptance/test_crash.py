"""Promise 2 from outside: the daemon is killed with SIGKILL at random moments; every file is whole, in one form.

`CLOCHE_CRASH_ROUNDS=200 make test-crash` for the long run; CI does a few rounds. The seed is printed with a failure.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Shop

BIN = Path(sys.executable).parent
ROUNDS = int(os.environ.get("CLOCHE_CRASH_ROUNDS", "1"))
FILES = 40

pytestmark = pytest.mark.timeout(60 * (ROUNDS + 2))


def fill(folder: Path) -> dict[str, str]:
    """Files of different sizes; their digests by name."""
    digests = {}
    for number in range(FILES):
        content = f"姓名,手机号\n王测试,1380{number:07d}\n".encode() * (1 + 400 * (number % 7))
        (folder / f"导出{number:02d}.csv").write_bytes(content)
        digests[f"导出{number:02d}.csv"] = hashlib.sha256(content).hexdigest()
    return digests


def plain(folder: Path) -> dict[str, str]:
    """Digests of what lies in the open under its own name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.csv")}


def nothing_else(folder: Path) -> None:
    """No temporary, no hidden original, no half file under any name."""
    strange = [path.name for path in folder.iterdir() if not path.name.endswith((".csv", ".csv.cloche", ".已隔离.txt"))]
    assert not strange, strange


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_daemon_killed_while_it_seals_leaves_every_file_in_one_whole_form(shop: Shop, seed: int) -> None:
    digests = fill(shop.folder)
    key = shop.home.parent / "sheet.key"
    assert shop.cloche("keys", "init", "--recovery-file", key).code == 0
    chance = random.Random(seed)
    for verb in (["protect", "--yes"], ["unprotect", "--key-file", str(key)]):
        daemon = shop.start_daemon()
        call = subprocess.Popen(
            [BIN / "cloche", *verb, shop.folder],
            env=shop.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.3, 1.6))
        shop.kill(daemon)
        assert call.wait(30) in (0, 1, 3, 5)
        # a command without a daemon takes the lock, recovers first, and goes on
        status = shop.cloche("keys", "status", "--json")
        assert status.code == 0, status.err
        nothing_else(shop.folder)
        here = plain(shop.folder)
        sealed = {path.name.removesuffix(".cloche") for path in shop.folder.glob("*.cloche")}
        assert not sealed & set(here), "one form, not two"
        assert sealed | set(here) == set(digests), "nothing lost"
        assert all(digests[name] == digest for name, digest in here.items())
    assert shop.cloche("unprotect", shop.folder, "--key-file", key).code == 0
    assert plain(shop.folder) == digests


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_daemon_killed_while_it_isolates_loses_nothing(shop: Shop, seed: int) -> None:
    digests = fill(shop.folder)
    key = shop.home.parent / "sheet.key"
    assert shop.cloche("keys", "init", "--recovery-file", key).code == 0
    daemon = shop.start_daemon()
    call = subprocess.Popen(
        [BIN / "cloche", "incident", "declare", "--kind", "insider", "--summary", "t", "--path", shop.folder, "--yes"],
        env=shop.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(random.Random(seed).uniform(0.3, 2.0))
    shop.kill(daemon)
    call.wait(30)
    daemon = shop.start_daemon()
    nothing_else(shop.folder)
    entries = shop.cloche("quarantine", "list", "--json").document["entries"]
    here = {path.name for path in shop.folder.glob("*.csv")}
    held = {os.path.basename(entry["path"]) for entry in entries if entry["state"] == "vaulted"}
    assert here | held == set(digests), "nothing lost"
    assert not here & held, "one form, not two"
    incidents = shop.cloche("incident", "list", "--json").document["incidents"]
    if incidents:
        undone = shop.cloche("incident", "dismiss", incidents[0]["id"], "--yes", "--key-file", key)
        assert undone.code == 0, undone.err
    assert plain(shop.folder) == digests
    assert shop.cloche("audit", "verify").code == 0
