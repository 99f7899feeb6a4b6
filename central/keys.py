"""Keys of the chain: the recovery key, printed and never kept, and the HQ key under a passphrase.

The HQ key's file is AES-256-GCM under Argon2id (RFC 9106, second recommended parameters): whoever has the file has to
guess the passphrase, at 64 MiB a guess. Head office keeps the recovery key's public half only: who loses the sheet
and HQ's passphrase loses what was sealed.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from central.home import HeadOfficeHome
from config.errors import ClocheError, RefusedError
from config.identity import Identity, decode_public, encode_public, make_identity

SCHEMA: Final = "cloche.hq-key/1"
_CONTEXT: Final = b"cloche.hq-key/1"


@dataclass(frozen=True, kw_only=True)
class Recipients:
    """Public keys that stores seal to; None before `keys init`."""

    recovery: bytes | None = None
    hq: bytes | None = None


def read_recipients(home: HeadOfficeHome) -> Recipients:
    """The public keys in head office's folder.

    Raises:
        ClocheError: a file is damaged.
    """
    found: dict[str, bytes] = {}
    for kind in ("recovery", "hq"):
        file = home.keys / f"{kind}.pub"
        try:
            found[kind] = decode_public(file.read_text(encoding="ascii").strip())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise ClocheError(f"{file}: cannot be read as a public key") from error
        except ClocheError as error:
            raise ClocheError(f"{file}: {error}") from error
    return Recipients(recovery=found.get("recovery"), hq=found.get("hq"))


def make_keys(home: HeadOfficeHome, recovery: Identity, passphrase: str) -> Identity:
    """Keep the recovery key's public half, and make and keep the HQ key; the HQ key.

    Raises:
        RefusedError: there are keys already.
        ClocheError: the disk refused it.
    """
    if (home.keys / "recovery.pub").exists():
        raise RefusedError(f"{home.keys}: there are keys already; stores seal to them")
    identity = make_identity("hq")
    home.write(home.keys / "hq.key", lock_identity(identity, passphrase))
    home.write(home.keys / "hq.pub", encode_public(identity.public).encode() + b"\n", mode=0o644)
    home.write(home.keys / "recovery.pub", encode_public(recovery.public).encode() + b"\n", mode=0o644)
    return identity


def lock_identity(identity: Identity, passphrase: str) -> bytes:
    """The HQ key under a passphrase, as JSON."""
    salt, nonce = os.urandom(16), os.urandom(12)
    sealed = AESGCM(_derive(passphrase, salt)).encrypt(nonce, identity.seed, _CONTEXT)
    values = {
        "schema": SCHEMA, "kdf": "argon2id-t3-p4-m65536", "salt": b64encode(salt).decode(),
        "nonce": b64encode(nonce).decode(), "sealed": b64encode(sealed).decode(), "id": identity.id,
    }  # fmt: skip
    return json.dumps(values, indent=1).encode() + b"\n"


def unlock_identity(file: Path, passphrase: str) -> Identity:
    """The HQ key.

    Raises:
        RefusedError: not the passphrase.
        ClocheError: the file is missing or damaged.
    """
    try:
        values = json.loads(file.read_bytes())
        salt, nonce, sealed = (b64decode(values[part]) for part in ("salt", "nonce", "sealed"))
        seed = AESGCM(_derive(passphrase, salt)).decrypt(nonce, sealed, _CONTEXT)
    except InvalidTag as error:
        raise RefusedError(f"{file}: that is not its passphrase") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClocheError(f"{file}: cannot be read as an HQ key") from error
    return Identity("hq", seed)


def _derive(passphrase: str, salt: bytes) -> bytes:
    kdf = Argon2id(salt=salt, length=32, iterations=3, lanes=4, memory_cost=65_536)
    return kdf.derive(passphrase.encode())
