"""`python -m agent.drill.actor DO FOLDER LOOT`: the one who does it, as a process of its own that dies with the drill.

`copy` reads every file of the folder and writes it to LOOT, as an account of nobody's where it may; `encrypt` reads
each, writes ciphertext under another name and removes the original, as ransomware does (AES-256-GCM under a key that is
thrown away: nothing of it comes back but from a backup). It waits for a line on stdin, so that the drill knows when it
began, and refuses a folder that is not a drill's.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import Final

from config.privileges import NOBODY, die_with_parent

PAUSE: Final = 0.01
MARK: Final = ".drill"
"""A file of this name beside the store says that the store is made up."""


def copy(loot: int) -> None:
    """Carry away every file below the working folder."""
    for number, path in enumerate(files_below()):
        data = path.read_bytes()
        target = os.open(f"{number:04d}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=loot)
        with os.fdopen(target, "wb") as file:
            file.write(data)
        time.sleep(PAUSE)


def encrypt(_loot: int) -> None:
    """Overwrite every file below the working folder."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    box = AESGCM(AESGCM.generate_key(256))
    for path in files_below():
        data = path.read_bytes()
        nonce = secrets.token_bytes(12)
        path.with_name(f"{path.name}.locked").write_bytes(nonce + box.encrypt(nonce, data, None))
        path.unlink()
        time.sleep(PAUSE)


def files_below() -> list[Path]:
    """Every file, named from the working folder: an account of nobody's need not pass the folders above."""
    return sorted(path for path in Path().rglob("*") if path.is_file() and not path.is_symlink())


def main(arguments: list[str]) -> int:
    """Do it; 2 where it must not."""
    die_with_parent(signal.SIGKILL)
    what, folder, loot = arguments[0], Path(arguments[1]), Path(arguments[2])
    store = next((parent for parent in (folder, *folder.parents) if parent.name == "store"), None)
    if store is None or not (store.parent / MARK).is_file() or folder.resolve() != folder:
        return 2
    os.chdir(folder)
    carried = os.open(loot, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if what == "copy" and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        die_with_parent(signal.SIGKILL)  # a change of account clears it (prctl(2))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if not sys.stdin.readline():
        return 1
    {"copy": copy, "encrypt": encrypt}[what](carried)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
