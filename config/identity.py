"""Key identities as people and files carry them: a 32-byte seed, its public key, and the printed sheet.

A seed becomes an X-Wing-like pair by HKDF-SHA256 (RFC 5869): 64 bytes for ML-KEM-768 (FIPS 203, the `d || z` seed)
and 32 for X25519 (RFC 7748), used together as HPKE's MLKEM768_X25519. The sheet is four lines of Crockford's base
32, each with 16 check bits, so that a slip of the hand is found in its line. A check of 16 bits finds slips, it is
no proof; `Identity.id` (a digest of the public key) is.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from config.errors import UsageError

IdentityKind = Literal["recovery", "hq", "vendor"]
KINDS: Final[tuple[IdentityKind, ...]] = ("recovery", "hq")
"""Kinds that a store's own files are sealed to; a vendor's key opens packages made for that vendor alone."""
SEED_BYTES: Final = 32
PUBLIC_BYTES: Final = 1184 + 32
_MLKEM_BYTES: Final = 1184
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALIASES: Final = str.maketrans("OILU", "011V")
_LINES: Final = 4
_LINE: Final = re.compile(r"^\s*([1-4])[\s.:)]\s*([0-9A-Za-z\s-]+)$")
_HEADER: Final = re.compile(r"^\s*cloche-(recovery|hq|vendor)-1\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Identity:
    """A private key: who has it opens what was sealed to its public half. The seed has no `repr`."""

    kind: IdentityKind
    seed: bytes = field(repr=False)

    @cached_property
    def private_key(self) -> MLKEM768X25519PrivateKey:
        """The HPKE private key."""
        kem, curve = self._halves()
        return MLKEM768X25519PrivateKey(kem, curve)

    @cached_property
    def public(self) -> bytes:
        """The public key, 1,216 bytes: ML-KEM-768, then X25519."""
        kem, curve = self._halves()
        return kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        """Short name of the key, safe to show: see `key_id`."""
        return key_id(self.public)

    def lines(self) -> tuple[str, ...]:
        """The four lines of the sheet, `XXXX-XXXX-XXXX-XXXX` each."""
        size = SEED_BYTES // _LINES
        return tuple(
            _show_line(self.kind, number, self.seed[(number - 1) * size : number * size])
            for number in range(1, _LINES + 1)
        )

    def sheet(self) -> str:
        """The identity as text: what a recovery file holds and a printed sheet shows."""
        numbered = "".join(f"{number}  {line}\n" for number, line in enumerate(self.lines(), start=1))
        return f"cloche-{self.kind}-1\n{numbered}id {self.id}\n"

    def _halves(self) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
        kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(_derive(self.seed, self.kind, "mlkem768", 64))
        curve = x25519.X25519PrivateKey.from_private_bytes(_derive(self.seed, self.kind, "x25519", 32))
        return kem, curve


def _derive(seed: bytes, kind: str, part: str, length: int) -> bytes:
    info = f"cloche {kind} v1 {part}".encode("ascii")
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info).derive(seed)


def make_identity(kind: IdentityKind) -> Identity:
    """A new identity from the kernel's random numbers."""
    return Identity(kind, secrets.token_bytes(SEED_BYTES))


def key_id(public: bytes) -> str:
    """The first 8 bytes of the SHA-256 of a public key, as 16 hexadecimal digits."""
    return hashlib.sha256(public).hexdigest()[:16]


def public_key(public: bytes) -> MLKEM768X25519PublicKey:
    """The HPKE public key in its 1,216 bytes.

    Raises:
        UsageError: it is none.
    """
    try:
        return MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_BYTES]),
            x25519.X25519PublicKey.from_public_bytes(public[_MLKEM_BYTES:]),
        )
    except ValueError as error:
        raise UsageError(f"not a public key ({len(public)} bytes where {PUBLIC_BYTES} belong)") from error


def encode_public(public: bytes) -> str:
    """A public key as one line of text."""
    return base64.b64encode(public).decode("ascii")


def decode_public(text: str) -> bytes:
    """The public key of `encode_public`.

    Raises:
        UsageError: it is none.
    """
    try:
        public = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise UsageError("not a public key: no base64") from error
    public_key(public)
    return public


def read_line(kind: IdentityKind, number: int, typed: str) -> bytes:
    """The 8 seed bytes of one typed line; case, blanks and hyphens don't matter, O is 0, I and L are 1.

    Raises:
        UsageError: letters are missing or the check bits say that it was mistyped. The line is not quoted.
    """
    letters = re.sub(r"[\s-]", "", typed).upper().translate(_ALIASES)
    if len(letters) != 16 or any(letter not in _ALPHABET for letter in letters):
        raise UsageError(f"line {number}: 16 letters and digits belong there, {len(letters)} were found")
    value = 0
    for letter in letters:
        value = value << 5 | _ALPHABET.index(letter)
    data = value.to_bytes(10, "big")
    if data[8:] != _check(kind, number, data[:8]):
        raise UsageError(f"line {number} is mistyped: its check letters do not fit")
    return data[:8]


def parse_identity(text: str) -> Identity:
    """The identity on a sheet or in a recovery file; other lines are comments.

    Raises:
        UsageError: naming the line that is missing or mistyped; no part of the key is quoted.
    """
    kind: IdentityKind | None = None
    found: dict[int, str] = {}
    shown = ""
    for line in text.splitlines():
        if header := _HEADER.match(line):
            kind = cast("IdentityKind", header[1].lower())
        elif numbered := _LINE.match(line):
            found[int(numbered[1])] = numbered[2]
        elif line.strip().lower().startswith("id "):
            shown = line.split()[1].lower()
    if kind is None:
        raise UsageError("not a key: the line cloche-recovery-1, cloche-hq-1 or cloche-vendor-1 is missing")
    missing = [str(number) for number in range(1, _LINES + 1) if number not in found]
    if missing:
        raise UsageError(f"the key lacks its line {', '.join(missing)}")
    seed = b"".join(read_line(kind, number, found[number]) for number in range(1, _LINES + 1))
    identity = Identity(kind, seed)
    if shown and shown != identity.id:
        raise UsageError(f"the key's lines belong to {identity.id}, its id line says {shown}")
    return identity


def _check(kind: str, number: int, data: bytes) -> bytes:
    return hashlib.sha256(f"cloche {kind} sheet v1 {number} ".encode("ascii") + data).digest()[:2]


def _show_line(kind: str, number: int, data: bytes) -> str:
    value = int.from_bytes(data + _check(kind, number, data), "big")
    letters = "".join(_ALPHABET[value >> shift & 31] for shift in range(75, -1, -5))
    return "-".join(letters[start : start + 4] for start in range(0, 16, 4))
