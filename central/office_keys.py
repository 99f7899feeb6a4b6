"""The key that signs what stores are told to do: a file of the home folder, never in the database.

Whoever has the database alone (or its backup) can order a store nothing.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central.home import HeadOfficeHome
from config.errors import ClocheError


def make_office_keys(home: HeadOfficeHome) -> None:
    """Make the key if it is not there yet.

    Raises:
        ClocheError: the disk refused it.
    """
    if not home.order_key.exists():
        key = Ed25519PrivateKey.generate()
        home.write(home.order_key, b64encode(key.private_bytes_raw()) + b"\n")
        home.write(home.keys / "order.pub", b64encode(key.public_key().public_bytes_raw()) + b"\n", mode=0o644)


def read_order_key(home: HeadOfficeHome) -> Ed25519PrivateKey:
    """The key that signs orders.

    Raises:
        ClocheError: the file is missing or damaged.
    """
    return Ed25519PrivateKey.from_private_bytes(_read_seed(home, "order.key"))


def _read_seed(home: HeadOfficeHome, name: str) -> bytes:
    file = home.keys / name
    try:
        seed = b64decode(file.read_bytes().strip(), validate=True)
    except OSError as error:
        raise ClocheError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ClocheError(f"{file}: damaged: put it back from a backup") from error
    if len(seed) != 32:
        raise ClocheError(f"{file}: damaged: put it back from a backup")
    return seed
