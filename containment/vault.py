"""The vault: one sealed file an entry, in a folder of its own, and the incident keys that lie apart from it.

Copies are written as `.ID.part` and get their name `ID.cloche` (0600) only once they were read back and decrypted.
The vault may be on another filesystem than what goes into it. An incident's key lies in
`keys/incidents/INCIDENT.key`: every copy is wrapped under it as well, so that destroying that one file destroys the
incident's copies. What destroying does not reach: copies of the key file in backups and snapshots, and freed blocks.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from config.errors import ClocheError, CorruptError, UsageError
from containment import sealed
from containment.atomic import write_file
from containment.keys import OuterKey

SUFFIX: Final = ".cloche"
SCHEMA: Final = "cloche.incident-key/1"
KEY_BYTES: Final = 32
_INCIDENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_ENTRY: Final = re.compile(r"[0-9a-z]{12}")
_PART: Final = re.compile(r"\.([0-9a-z]{12})\.part")
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_BYTES: Final = 1 << 20


class Vault:
    """The folder of sealed copies. Names are entry ids; only the holder of `home/lock` writes.

    Args:
        folder: made (0700) on first need.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, entry_id: str) -> Path:
        """Where the finished copy of an entry lies.

        Raises:
            UsageError: this is no id.
        """
        if not _ENTRY.fullmatch(entry_id):
            raise UsageError(f"{entry_id!r}: no id of an entry")
        return self.folder / f"{entry_id}{SUFFIX}"

    @contextmanager
    def copying(self, entry_id: str) -> Iterator[int]:
        """A new, empty, private file for the copy, open for writing and reading; gone again on an error.

        Raises:
            OSError: it cannot be made, or what the block raises.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._part(entry_id)
        part.unlink(missing_ok=True)  # the holder of the lock is alone here: a leftover of a cut
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def publish(self, entry_id: str) -> None:
        """Give a verified, fsynced copy its name. Durable after `sync`."""
        self._part(entry_id).rename(self.path(entry_id))

    def sync(self) -> None:
        """Make the names in the vault durable."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def open(self, entry_id: str) -> int:
        """A finished copy, open for reading; the caller closes it.

        Raises:
            OSError: it is not there or not readable.
        """
        return os.open(self.path(entry_id), _READ)

    def digest(self, entry_id: str) -> str:
        """SHA-256 (hex) of what a finished copy holds, by its bytes alone; '' where there is none or it is damaged.

        The slots are left out (`containment.sealed.digest`), so that a re-wrap to new keys changes nothing here.

        Raises:
            OSError: it cannot be read.
        """
        try:
            descriptor = self.open(entry_id)
        except FileNotFoundError:
            return ""
        try:
            return sealed.digest(descriptor).hex()
        except CorruptError:
            return ""
        finally:
            os.close(descriptor)

    def discard(self, entry_id: str) -> None:
        """Remove a copy, finished or not. Durable after `sync`."""
        self._part(entry_id).unlink(missing_ok=True)
        self.path(entry_id).unlink(missing_ok=True)

    def blind(self, entry_id: str) -> None:
        """Overwrite, durably, what says how a copy opens: both slots with the file key's wraps, and its sealed core.

        What is left of it is noise to every key. One that is not there is nothing.

        Raises:
            OSError: the disk refuses; the copy may open still.
        """
        try:
            descriptor = os.open(self.path(entry_id), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            size = os.fstat(descriptor).st_size
            try:
                end = sealed.read_core(descriptor).body_at
            except CorruptError:
                end = _READ_BYTES  # a damaged core does not say where its slots are: they lie before the body
            _overwrite(descriptor, min(end, size))
        finally:
            os.close(descriptor)

    def _part(self, entry_id: str) -> Path:
        return self.folder / f".{self.path(entry_id).stem}.part"

    def sweep(self) -> int:
        """Remove unfinished copies that a cut left behind; how many there were."""
        found = 0
        with suppress(FileNotFoundError):
            for entry in list(os.scandir(self.folder)):
                if _PART.fullmatch(entry.name):
                    os.unlink(entry.path)
                    found += 1
        return found


class IncidentKeys:
    """The outer keys of incidents, one credential file (0600) each. Apart from the vault, never in its backups."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def path(self, incident: str) -> Path:
        """The credential file of an incident.

        Raises:
            UsageError: the id is no plain word.
        """
        if not _INCIDENT.fullmatch(incident):
            raise UsageError(f"{incident!r}: an incident's id has letters, digits, '.', '_' and '-' only")
        return self.folder / f"{incident}.key"

    def make(self, incident: str) -> OuterKey:
        """The incident's key; a new one where it has none.

        Raises:
            ClocheError: there is a file and it is no key.
            OSError: it cannot be written.
        """
        with self._lock:
            found = self.find(incident)
            if found is not None:
                return found
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            key = OuterKey(key_id=incident, key=secrets.token_bytes(KEY_BYTES))
            document = {"schema": SCHEMA, "key_id": incident, "key": base64.b64encode(key.key).decode("ascii")}
            write_file(self.path(incident), json.dumps(document).encode("ascii"), 0o600)
            return key

    def find(self, incident: str) -> OuterKey | None:
        """The incident's key, None if it has none (or no longer).

        Raises:
            ClocheError: the file is no key.
        """
        path = self.path(incident)
        try:
            document = json.loads(path.read_bytes())
            key = base64.b64decode(document["key"], validate=True)
            if document["schema"] != SCHEMA or document["key_id"] != incident or len(key) != KEY_BYTES:
                raise ClocheError(f"{path}: is not the key of incident {incident}")
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ClocheError(f"{path}: is not the key of an incident") from error
        return OuterKey(key_id=incident, key=key)

    def destroy(self, incident: str) -> bool:
        """Overwrite an incident's key, durably, and remove it; whether it had one. Done twice it is the same.

        What this does not reach: copies of the file in backups and snapshots, blocks that a disk's own firmware or a
        copying filesystem keeps, and a copy that is in memory at this moment.

        Raises:
            OSError: the disk refuses; the key may be whole still.
        """
        with self._lock:
            path = self.path(incident)
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
            try:
                _overwrite(descriptor, os.fstat(descriptor).st_size)
            finally:
                os.close(descriptor)
            path.unlink()
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            return True


def _overwrite(descriptor: int, size: int) -> None:
    """Random bytes over the first `size`, on the disk when it returns."""
    position = 0
    while position < size:
        position += os.pwrite(descriptor, secrets.token_bytes(min(size - position, _READ_BYTES)), position)
    os.fsync(descriptor)


def file_sha256(descriptor: int) -> str:
    """SHA-256 of a whole file by descriptor, hex; its position does not matter and does not move."""
    content = hashlib.sha256()
    position = 0
    while piece := os.pread(descriptor, _READ_BYTES, position):
        content.update(piece)
        position += len(piece)
    return content.hexdigest()
