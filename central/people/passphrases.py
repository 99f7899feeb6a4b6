"""Passphrases: how they are kept, and which are refused.

Argon2id with RFC 9106's second recommended parameters (3 passes, 4 lanes, 64 MiB). The rules follow NIST SP 800-63B,
section 5.1.1.2: a length, no composition rules, no periodic change, and a look at what everybody guesses first.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Iterable
from functools import cache
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from config.errors import UsageError
from config.packs import read_pack

MIN_PASSPHRASE: Final = 12
MAX_PASSPHRASE: Final = 400
LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_AT_ONCE: Final = threading.BoundedSemaphore(2)  # 64 MiB each
_ROWS: Final = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm")


def make_passphrase() -> str:
    """Five groups of four letters and digits: 99 bits, easily read out."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(5))


def check_passphrase(passphrase: str, names: Iterable[str] = ()) -> None:
    """Refuse what is guessed first.

    Args:
        passphrase: as chosen.
        names: of the person, the account, the mailbox, the chain.

    Raises:
        UsageError: too short or long, one of the commonest, a row of keys, or little more than a name.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise UsageError(f"a passphrase needs {MIN_PASSPHRASE} characters")
    if len(passphrase) > MAX_PASSPHRASE:
        raise UsageError(f"a passphrase has at most {MAX_PASSPHRASE} characters")
    core = re.sub(r"[\W_]", "", passphrase.lower())
    if core in commonest() or core.rstrip("0123456789") in commonest():
        raise UsageError("this passphrase is one of the commonest")
    if len(set(core)) < 5 or _is_repeated(core) or _is_row(core):
        raise UsageError("this passphrase is a repetition or a row of keys")
    rest = core
    for name in sorted({re.sub(r"[\W_]", "", name.lower()) for name in names}, key=len, reverse=True):
        if len(name) >= 2:
            rest = rest.replace(name, "")
    if rest != core and len(re.sub(r"\d", "", rest)) < 6:
        raise UsageError("this passphrase is little more than a name")


def hash_passphrase(passphrase: str) -> str:
    """The PHC string to store. Takes about 0.1 s and 64 MiB.

    Raises:
        UsageError: shorter than 12 characters.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise UsageError(f"a passphrase needs {MIN_PASSPHRASE} characters")
    with _AT_ONCE:
        kdf = Argon2id(salt=os.urandom(16), length=32, iterations=3, lanes=4, memory_cost=65_536)
        return kdf.derive_phc_encoded(passphrase.encode())


def passphrase_fits(passphrase: str, stored: str | None) -> bool:
    """Whether this is it. Takes as long for an account that does not exist (`stored` None): about 0.1 s."""
    if stored is None:
        hash_passphrase(passphrase.ljust(MIN_PASSPHRASE)[:MAX_PASSPHRASE])
        return False
    try:
        with _AT_ONCE:
            Argon2id.verify_phc_encoded(passphrase.encode(), stored)
    except InvalidKey:
        return False
    return True


@cache
def commonest() -> frozenset[str]:
    """Letters and digits of passphrases that are tried first."""
    return frozenset(re.sub(r"[\W_]", "", one.lower()) for one in read_pack("people", "passphrases.toml")["commonest"])


def _is_repeated(core: str) -> bool:
    return any(core == (core[:size] * len(core))[: len(core)] for size in range(1, max(2, len(core) // 2 + 1)))


def _is_row(core: str) -> bool:
    """At least three quarters of it run along a row of keys, up or down."""
    steps = sum(
        any(pair in row or pair in row[::-1] for row in _ROWS)
        for pair in (core[place : place + 2] for place in range(len(core) - 1))
    )
    return steps >= (len(core) - 1) * 3 / 4
