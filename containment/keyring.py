"""The keys of one store: who files are sealed to, the hour's epoch key, the seal key, and keys held for incidents.

In `folder`: `seal.key` (Ed25519 seed, 0600) and `recipients.json` (public keys only). An epoch key lives in memory
for at most an hour of the machine's time, suspended time included (`CLOCK_BOOTTIME`), and is never written. Keys
held for an incident live 72 h at most and do not survive the process: after a restart a release needs the sheet.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from config.errors import ClocheError, RefusedError, UsageError
from config.identity import KINDS, decode_public, encode_public, key_id, parse_identity, public_key
from containment.atomic import create_file, write_file
from containment.keys import LockedSecret, Recipient, Unlocker, wrap_epoch

EPOCH_SECONDS: Final = 3600.0
HOLD_SECONDS: Final = 72 * 3600.0
SCHEMA: Final = "cloche.recipients/1"
_LARGEST_KEY_FILE: Final = 1 << 16


def boot_time() -> float:
    """Seconds since boot, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """The key of the hour, ready to wrap file keys: `wraps` goes into every sealed file."""

    id: bytes
    key: LockedSecret = field(repr=False)
    wraps: dict[str, bytes] = field(repr=False)
    began: float


@dataclass(kw_only=True)
class _Held:
    until: float
    taking_until: float
    epochs: dict[bytes, LockedSecret]


def verify_signature(public: bytes, data: bytes, signature: bytes) -> bool:
    """Whether `signature` is the Ed25519 signature (RFC 8032) of `data` by `public` (32 bytes)."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


class Keyring:
    """Keys of one store. Safe among threads; only the holder of `home/lock` has one."""

    def __init__(self, folder: Path, clock: Callable[[], float] = boot_time) -> None:
        """Use the keys in `folder`; nothing is created before it is needed."""
        self.folder = folder
        self._clock = clock
        self._lock = threading.RLock()
        self._epoch: Epoch | None = None
        self._held: dict[str, _Held] = {}
        self._seal_key: Ed25519PrivateKey | None = None

    @property
    def ready(self) -> bool:
        """Whether something may be sealed: a recovery key was made and proved, or head office gave one."""
        return any(recipient.kind == "recovery" for recipient in self.recipients)

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """Who new files are sealed to: recovery first, then HQ.

        Raises:
            ClocheError: the list is damaged.
        """
        document = self._document()
        found = []
        for kind in KINDS:
            text = document.get(kind)
            if text:
                found.append(Recipient(kind=kind, public=decode_public(text)))
        return tuple(found)

    @property
    def former(self) -> tuple[str, ...]:
        """Ids of recovery keys that were rotated out; what was sealed to them stays open to them."""
        return tuple(self._document().get("former", ()))

    def adopt(self, recovery_public: bytes, hq_public: bytes | None = None) -> None:
        """Seal to these public keys from now on (enrolment, `keys init`, `keys rotate`); a new epoch begins.

        Args:
            recovery_public: 1,216 bytes.
            hq_public: 1,216 bytes, or None to keep the one that is there.

        Raises:
            UsageError: one is no public key.
        """
        public_key(recovery_public)
        with self._lock:
            document = self._document()
            old = document.get("recovery")
            document |= {"schema": SCHEMA, "recovery": encode_public(recovery_public)}
            if old and old != document["recovery"]:
                document["former"] = [*document.get("former", ()), key_id(decode_public(old))]
            if hq_public is not None:
                public_key(hq_public)
                document["hq"] = encode_public(hq_public)
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_file(self._recipients_file, json.dumps(document, indent=1).encode("ascii"), 0o600)
            self._epoch = None

    def epoch(self) -> Epoch:
        """The epoch of the hour; after an hour, or when recipients changed, a new one.

        Raises:
            RefusedError: there is no recovery key yet.
        """
        with self._lock:
            now = self._clock()
            if self._epoch is None or not 0 <= now - self._epoch.began < EPOCH_SECONDS:
                if not self.ready:
                    raise RefusedError("nothing can be sealed before there is a recovery key: run `cloche keys init`")
                epoch_id, key = secrets.token_bytes(16), secrets.token_bytes(32)
                wraps = wrap_epoch(epoch_id, key, self.recipients)
                self._epoch = Epoch(id=epoch_id, key=LockedSecret(key), wraps=wraps, began=now)
                for held in self._living(now).values():
                    if now < held.taking_until:
                        held.epochs[epoch_id] = self._epoch.key
            return self._epoch

    def current(self) -> Unlocker:
        """What was sealed in this epoch, opened again (the check after sealing).

        Raises:
            RefusedError: there is no recovery key yet.
        """
        epoch = self.epoch()
        return Unlocker(epochs={epoch.id: epoch.key})

    def hold(self, incident_id: str) -> Unlocker:
        """Keep what releases the files sealed in an incident: the current epoch, and those of the coming hour.

        Call it before each sealing of the incident. It ends 72 h after the first call, or with `drop`.

        Raises:
            RefusedError: there is no recovery key yet.
        """
        with self._lock:
            epoch = self.epoch()
            now = self._clock()
            held = self._living(now).get(incident_id)
            if held is None:
                held = _Held(until=now + HOLD_SECONDS, taking_until=0.0, epochs={})
                self._held[incident_id] = held
            held.taking_until = now + EPOCH_SECONDS
            held.epochs[epoch.id] = epoch.key
            return Unlocker(epochs=held.epochs)

    def held(self, incident_id: str) -> Unlocker | None:
        """The keys held for an incident; None after 72 h, after `drop`, and after a restart."""
        with self._lock:
            held = self._living(self._clock()).get(incident_id)
            return Unlocker(epochs=held.epochs) if held else None

    def lend(self, incident_id: str, epoch_id: bytes, key: bytes) -> None:
        """Hold an epoch's key that a person's key file opened, for an incident: 72 h at most, as with `hold`."""
        with self._lock:
            now = self._clock()
            held = self._living(now).get(incident_id)
            if held is None:
                held = _Held(until=now + HOLD_SECONDS, taking_until=0.0, epochs={})
                self._held[incident_id] = held
            held.epochs.setdefault(epoch_id, LockedSecret(key))

    def drop(self, incident_id: str) -> None:
        """Forget the keys of an incident (closed, dismissed). Keys that nobody else needs are wiped."""
        with self._lock:
            self._forget(incident_id)

    def unlocker(self, source: Path | int) -> Unlocker:
        """Open with a key file, by path or by descriptor (read from its start, left open).

        Raises:
            UsageError: it is no key, or a line of it is mistyped; the message names the file.
            RefusedError: it can't be read.
        """
        name = str(source) if isinstance(source, Path) else "the key file"
        try:
            if isinstance(source, Path):
                data = source.read_bytes()[:_LARGEST_KEY_FILE]
            else:
                data = os.pread(source, _LARGEST_KEY_FILE, 0)
        except OSError as error:
            raise RefusedError(f"{name} can't be read: {error.strerror}") from error
        try:
            return Unlocker([parse_identity(data.decode("utf-8", "replace"))])
        except UsageError as error:
            raise UsageError(f"{name}: {error}") from error

    @property
    def public_key(self) -> bytes:
        """The 32 bytes that verify what this store signed."""
        return self._load_seal_key().public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Sign with the store seal key (Ed25519, 64 bytes), which is made on first need.

        Raises:
            ClocheError: the key is damaged.
        """
        return self._load_seal_key().sign(data)

    def _load_seal_key(self) -> Ed25519PrivateKey:
        with self._lock:
            if self._seal_key is None:
                file = self.folder / "seal.key"
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not file.exists():
                    create_file(file, secrets.token_bytes(32), 0o600)
                seed = file.read_bytes()
                if len(seed) != 32:
                    raise ClocheError(f"{file}: not a seal key ({len(seed)} bytes where 32 belong)")
                self._seal_key = Ed25519PrivateKey.from_private_bytes(seed)
            return self._seal_key

    @property
    def _recipients_file(self) -> Path:
        return self.folder / "recipients.json"

    def _document(self) -> dict[str, Any]:
        try:
            document = json.loads(self._recipients_file.read_bytes())
            if document["schema"] != SCHEMA:
                raise ClocheError(f"{self._recipients_file}: written by a newer version ({document['schema']})")
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            raise ClocheError(f"{self._recipients_file}: is damaged: restore it or enrol again") from error
        return dict(document)

    def _living(self, now: float) -> dict[str, _Held]:
        for incident_id in [name for name, held in self._held.items() if now >= held.until]:
            self._forget(incident_id)
        return self._held

    def _forget(self, incident_id: str) -> None:
        gone = self._held.pop(incident_id, None)
        if gone is None:
            return
        needed = {epoch_id for held in self._held.values() for epoch_id in held.epochs}
        if self._epoch is not None:
            needed.add(self._epoch.id)
        for epoch_id, key in gone.epochs.items():
            if epoch_id not in needed:
                key.wipe()
