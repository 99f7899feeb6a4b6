"""Keys for counting persons across stores: files of head office's folder, never in its database or its backups.

- `group.key`: makes fingerprints of persons on every store of the chain alike. Stores get it in memory only, sealed to
  a key of their daemon's; whoever holds it can try every mobile number in minutes.
- `kfinger.key`: head office keeps HMAC(this, fingerprint), so that its database and the group key together still say
  nothing.
- `persons.key`: a seed; fingerprints travel sealed to its public half (HPKE), so that no spool or log holds them.

Lost keys lose no incident: stores count anew under new ones. Marks made under other keys are never counted together
(`PersonSegment.key_id`).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from central.home import HeadOfficeHome
from config.errors import ClocheError
from config.identity import Identity, encode_public

SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
KEY_BYTES: Final = 32
MARK_BYTES: Final = 16
GROUP: Final = "group.key"
FINGER: Final = "kfinger.key"
PERSONS: Final = "persons.key"


@dataclass(frozen=True, kw_only=True)
class PersonsKeys:
    """The three keys; none has a `repr`."""

    group: bytes = field(repr=False)
    finger: bytes = field(repr=False)
    identity: Identity = field(repr=False)

    @property
    def public(self) -> str:
        """What stores seal fingerprints to, in base64: `persons_key` of an enrolment's answer."""
        return encode_public(self.identity.public)

    @cached_property
    def group_id(self) -> str:
        """Name of the group key, safe to show: fingerprints under another one are not comparable."""
        return hmac.digest(self.group, b"cloche group key id", hashlib.sha256).hex()[:16]

    @cached_property
    def marks_id(self) -> str:
        """Name of the pair of keys that made a mark."""
        return self.group_id + hmac.digest(self.finger, b"cloche finger key id", hashlib.sha256).hex()[:16]

    def mark(self, fingerprint: bytes) -> bytes:
        """What is kept of a fingerprint: the first 16 bytes of HMAC-SHA256 under K_hq."""
        return hmac.digest(self.finger, fingerprint, hashlib.sha256)[:MARK_BYTES]


def persons_keys(home: HeadOfficeHome) -> PersonsKeys:
    """The keys of this head office; those that are missing are made.

    Raises:
        ClocheError: a file is damaged, or one cannot be made.
    """
    return PersonsKeys(group=_key(home, GROUP), finger=_key(home, FINGER), identity=Identity("hq", _key(home, PERSONS)))


def _key(home: HeadOfficeHome, name: str) -> bytes:
    file = home.keys / name
    if not file.exists():
        try:
            home.keys.mkdir(mode=0o700, exist_ok=True)
            home.write(file, secrets.token_bytes(KEY_BYTES))
        except OSError as error:
            raise ClocheError(f"{file}: cannot be made: {error.strerror}") from error
        except ClocheError:
            if not file.exists():  # another instance of the same folder was first
                raise
    return _read(file)


def _read(file: Path) -> bytes:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as opened:
            content = opened.read(KEY_BYTES + 1)
    except OSError as error:
        raise ClocheError(f"{file}: cannot be read: {error.strerror}") from error
    if len(content) != KEY_BYTES:
        raise ClocheError(f"{file}: has {len(content)} bytes where {KEY_BYTES} belong: restore it from a safe place")
    return content
