"""Keys in use: HPKE wraps of epoch keys, secrets in locked memory, and what opens a sealed file.

HPKE (RFC 9180) in base mode with MLKEM768_X25519, HKDF-SHA256 and AES-256-GCM, all from `cryptography`. Base mode
says nothing about who sealed: anyone with the public key can. That is why a sealed file carries the store's
signature (`containment.sealed`). Memory is locked with `mlock(2)` and kept out of core dumps as far as the limits
of the process allow; copies that Python makes while a key is in use are not wiped.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from config.errors import CorruptError, RefusedError
from config.identity import Identity, IdentityKind, key_id, public_key

SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_EPOCH_INFO: Final = b"cloche epoch v1 "
_MADV_DONTDUMP: Final = 16
_libc = ctypes.CDLL(None, use_errno=True)


class LockedSecret:
    """A secret in a page of its own, locked and left out of core dumps where the limits allow.

    Limit: `reveal` hands out an ordinary copy, which Python frees without wiping.
    """

    def __init__(self, data: bytes) -> None:
        """Take a copy of `data`, at most one page."""
        self._size = len(data)
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self.locked = _libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE)) == 0
        _libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE), _MADV_DONTDUMP)
        self._page[: self._size] = data

    def reveal(self) -> bytes:
        """The secret."""
        return bytes(self._page[: self._size])

    def wipe(self) -> None:
        """Overwrite it with zeros."""
        self._page[:] = bytes(mmap.PAGESIZE)


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """A public key that epoch keys are wrapped to."""

    kind: IdentityKind
    public: bytes

    @property
    def id(self) -> str:
        """Short name, safe to show."""
        return key_id(self.public)


@dataclass(frozen=True, kw_only=True)
class OuterKey:
    """A second key that is needed *as well* (an incident's): without it the file can never be opened again."""

    key_id: str
    key: bytes

    def __repr__(self) -> str:
        """The name of the key only."""
        return f"OuterKey({self.key_id})"


def wrap_epoch(epoch_id: bytes, key: bytes, recipients: Iterable[Recipient]) -> dict[str, bytes]:
    """The epoch key, encrypted to each recipient: 1,168 bytes by recipient id."""
    return {
        recipient.id: SUITE.encrypt(key, public_key(recipient.public), info=_EPOCH_INFO + epoch_id)
        for recipient in recipients
    }


class Unlocker:
    """What opens sealed files: private identities, epoch keys held in memory, or both."""

    def __init__(self, identities: Iterable[Identity] = (), epochs: Mapping[bytes, LockedSecret] | None = None) -> None:
        """Open with `identities` (a sheet) or with `epochs` (keys by epoch id)."""
        self._identities = {identity.id: identity for identity in identities}
        self._epochs = dict(epochs or {})

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of the identities in it."""
        return tuple(self._identities)

    def opens(self, epoch_id: bytes, wraps: Mapping[str, bytes]) -> bool:
        """Whether the right key is here, by its id alone."""
        return epoch_id in self._epochs or not self._identities.keys().isdisjoint(wraps)

    def epoch_key(self, epoch_id: bytes, wraps: Mapping[str, bytes]) -> bytes:
        """The epoch key of a sealed file.

        Raises:
            RefusedError: no key here fits; the message names the keys that would.
            CorruptError: a key fits by name and the wrap does not open.
        """
        held = self._epochs.get(epoch_id)
        if held is not None:
            return held.reveal()
        for name, wrap in wraps.items():
            identity = self._identities.get(name)
            if identity is None:
                continue
            try:
                return SUITE.decrypt(wrap, identity.private_key, info=_EPOCH_INFO + epoch_id)
            except (InvalidTag, ValueError) as error:
                raise CorruptError(f"the wrap for key {name} is damaged") from error
        wanted = ", ".join(wraps) or "no key"
        if self._identities:
            raise RefusedError(f"sealed to key {wanted}, and the key given is {', '.join(self._identities)}")
        raise RefusedError(f"no key was given; it is sealed to key {wanted}")
