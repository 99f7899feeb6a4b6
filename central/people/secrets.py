"""Secrets of accounts at rest: TOTP secrets, PKCE verifiers, webhooks' keys.

AES-256-GCM (NIST SP 800-38D) under `keys/accounts.key`, which is never in the database or its backups. The purpose is
bound in as associated data: what was encrypted for one person's second factor opens as nothing else. Nonces are 96
random bits: far from 2^32 messages, the bound for random ones (SP 800-38D, section 8.3).
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select
from sqlalchemy.orm import Session

from central.home import HeadOfficeHome
from central.models import Person
from config.errors import ClocheError, CorruptError, UsageError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
VERSION: Final = b"\x01"


@dataclass(frozen=True)
class Secrets:
    """Encrypts and decrypts under the accounts' key. Several instances of one head office share the key's file."""

    key: bytes = field(repr=False)

    def encrypt(self, plain: bytes, purpose: str) -> bytes:
        """Version, nonce, ciphertext and tag."""
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + nonce + AESGCM(self.key).encrypt(nonce, plain, purpose.encode())

    def decrypt(self, sealed: bytes, purpose: str) -> bytes:
        """What was encrypted for this purpose.

        Raises:
            CorruptError: it was not, not by this key, or it was changed.
        """
        if sealed[:1] != VERSION:
            raise CorruptError("a secret in the database is of an unknown version")
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return AESGCM(self.key).decrypt(nonce, body, purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise CorruptError("a secret in the database does not fit keys/accounts.key") from error


def accounts_key_file(home: HeadOfficeHome) -> Path:
    """Where the key lies."""
    return home.keys / "accounts.key"


def make_accounts_key(home: HeadOfficeHome) -> None:
    """Make the key if there is none.

    Raises:
        ClocheError: the disk refused it.
    """
    file = accounts_key_file(home)
    if not file.exists():
        home.write(file, secrets.token_bytes(KEY_BYTES))


def make_missing_key(home: HeadOfficeHome, session: Session) -> None:
    """Give a head office of an earlier version its key; never a second one where secrets lie under the first.

    Raises:
        ClocheError: the disk refused it.
    """
    if session.scalar(select(Person.id).where(Person.totp.is_not(None)).limit(1)) is None:
        make_accounts_key(home)


def read_secrets(home: HeadOfficeHome) -> Secrets:
    """The key of this head office.

    Raises:
        UsageError: it is missing.
        ClocheError: it cannot be read, or is no key.
    """
    file = accounts_key_file(home)
    try:
        key = file.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"{file}: missing; copy it from another instance or the backup of the folder") from error
    except OSError as error:
        raise ClocheError(f"{file}: cannot be read: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise CorruptError(f"{file}: {len(key)} bytes where {KEY_BYTES} belong")
    return Secrets(key)
