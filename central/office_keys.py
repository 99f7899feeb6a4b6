"""Keys that head office works with every day: the one that signs orders, the one that opens fingerprints of persons.

Files of the home folder, never the database: whoever has the database alone (or its backup) can neither order a store
anything nor read a fingerprint.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central.home import HeadOfficeHome
from config.errors import ClocheError
from config.identity import SEED_BYTES, Identity, encode_public, make_identity


def make_office_keys(home: HeadOfficeHome) -> None:
    """Make whichever of the two is not there yet.

    Raises:
        ClocheError: the disk refused it.
    """
    if not home.order_key.exists():
        key = Ed25519PrivateKey.generate()
        home.write(home.order_key, b64encode(key.private_bytes_raw()) + b"\n")
        home.write(home.keys / "order.pub", b64encode(key.public_key().public_bytes_raw()) + b"\n", mode=0o644)
    if not home.persons_key.exists():
        identity = make_identity("persons")
        home.write(home.persons_key, b64encode(identity.seed) + b"\n")
        home.write(home.keys / "persons.pub", encode_public(identity.public).encode() + b"\n", mode=0o644)


def read_order_key(home: HeadOfficeHome) -> Ed25519PrivateKey:
    """The key that signs orders.

    Raises:
        ClocheError: the file is missing or damaged.
    """
    return Ed25519PrivateKey.from_private_bytes(_read_seed(home, "order.key"))


def read_persons_identity(home: HeadOfficeHome) -> Identity:
    """The key that opens fingerprints.

    Raises:
        ClocheError: the file is missing or damaged.
    """
    return Identity("persons", _read_seed(home, "persons.key"))


def _read_seed(home: HeadOfficeHome, name: str) -> bytes:
    file = home.keys / name
    try:
        seed = b64decode(file.read_bytes().strip(), validate=True)
    except OSError as error:
        raise ClocheError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ClocheError(f"{file}: damaged: put it back from a backup") from error
    if len(seed) != SEED_BYTES:
        raise ClocheError(f"{file}: damaged: put it back from a backup")
    return seed
