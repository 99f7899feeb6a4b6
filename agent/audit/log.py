"""Write the audit log: one canonical JSON line an act, chained by hash, fsynced, its head signed as it grows.

`write(2)` with O_APPEND and `fsync(2)` make an entry durable; neither makes it atomic: a crash may leave part of the
last line (also NULs on some filesystems). Such a torn tail is moved aside and recorded when the log is next opened,
never dropped silently. An entry whose `append` returned is never torn.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from agent.audit.standalone import CUT, FIELDS, NO_ENTRY, canonical, entry_hash, signed_bytes
from agent.audit.verify import Head, head_file, read_head
from config.errors import ClocheError
from containment.atomic import write_file

SIGN_EVERY: Final = 16  # entries; signing costs one more fsync
SIGN_AFTER_SECONDS: Final = 60.0


def utc_now() -> datetime:
    """The default clock."""
    return datetime.now(UTC)


class AuditLog:
    """Append-only. The caller masks: the log is shown to auditors, so no detail may hold a customer's value.

    One writer at a time across processes (the holder of `home/lock`); threads of that process may share it.
    """

    def __init__(self, path: Path, sign: Callable[[bytes], bytes], *, now: Callable[[], datetime] = utc_now) -> None:
        """Open lazily: nothing is written before the first `append`.

        Args:
            path: the log; made with mode 0600.
            sign: Ed25519 by this store's seal key, over the bytes given.
            now: clock, aware of its zone.
        """
        self.path = path
        self._sign = sign
        self._now = now
        self._lock = threading.Lock()
        self._size = -1
        self._seq = 0
        self._last_hash = NO_ENTRY
        self._signed_seq = 0
        self._signed_at = datetime.min.replace(tzinfo=UTC)

    def append(self, act: str, actor: str, **details: Any) -> tuple[int, str]:
        """Record that `actor` did `act` (dotted, e.g. `incident.declare`); durable when it returns.

        Returns:
            the entry's number and its hash (hex).

        Raises:
            ClocheError: it could not be written (disk full, I/O error, a value that is no JSON).
        """
        with self._lock:
            try:
                with self._opened() as file:
                    self._write(file, act, actor, details)
                written = self._seq, self._last_hash
            except (OSError, TypeError, ValueError) as error:
                raise ClocheError(f"{self.path}: the act {act} cannot be recorded: {type(error).__name__}") from error
            waited = (self._now() - self._signed_at).total_seconds()
            if self._seq - self._signed_seq >= SIGN_EVERY or waited >= SIGN_AFTER_SECONDS:
                self._sign_head()
            return written

    def sign_head(self) -> Head:
        """Sign the chain as it stands now; what head office and print anchor.

        Raises:
            ClocheError: the head cannot be written.
        """
        with self._lock:
            try:
                with self._opened():
                    return self._sign_head()
            except OSError as error:
                raise ClocheError(f"{head_file(self.path)}: cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Sign what was recorded since the last signature; the log may be used again.

        Raises:
            ClocheError: the head cannot be written.
        """
        if self._seq > self._signed_seq:
            self.sign_head()

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The file for one act, its end known; a log that grew or shrank meanwhile is read anew."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(self.path, flags, 0o600)
        try:
            if os.fstat(file).st_size != self._size:
                os.fchmod(file, 0o600)
                self._sync_folder()
                self._recover(file)
            self._size = -1
            yield file
            self._size = os.fstat(file).st_size
        finally:
            os.close(file)

    def _recover(self, file: int) -> None:
        """Find the end of the chain; set a torn tail aside and record it."""
        last, whole, count = b"", 0, 0
        with open(file, "rb", closefd=False) as log:
            for line in log:
                if line.endswith(b"\n"):
                    last, whole, count = line, whole + len(line), count + 1
                else:
                    write_file(self._aside(), line, 0o600)
        is_entry = self._go_on_from(last, count)
        if os.fstat(file).st_size > whole:
            os.ftruncate(file, whole)
            os.fsync(file)
        if not is_entry:
            self._write(file, "audit.broken", "cloche", {"line": count, "sha256": sha256(last).hexdigest()})
        self._note_cut(file)
        aside = self._aside()
        if aside.exists():
            torn = aside.read_bytes()
            kept = aside.with_name(f"{aside.name}-{self._seq + 1}")
            self._write(
                file, "audit.torn", "cloche",
                {"bytes": len(torn), "sha256": sha256(torn).hexdigest(), "kept_as": kept.name},
            )  # fmt: skip
            aside.rename(kept)
            self._sync_folder()

    def _note_cut(self, file: int) -> None:
        """Put on record that signed entries are gone, before a new head hides it: a head is never ahead of its log."""
        try:
            head = read_head(self.path)
        except (ValueError, OSError):
            return  # `verify` names a head that cannot be read
        if head is not None and head.seq > self._seq:
            self._write(file, CUT, "cloche", {"entries": self._seq, "signed": head.seq, "hash": head.hash})
            self._sign_head()

    def _aside(self) -> Path:
        return self.path.with_name(self.path.name + ".torn")

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _go_on_from(self, line: bytes, count: int) -> bool:
        """Take sequence and hash of the last whole line; False if it is no entry: the chain goes on from its digest.

        The chain is not judged here: a tampered log must not keep an incident from being contained and recorded.
        """
        self._seq, self._last_hash = count, sha256(line).hexdigest() if line else NO_ENTRY
        try:
            entry = json.loads(line or b"null")
            if isinstance(entry, dict) and set(entry) == FIELDS:
                self._seq, self._last_hash = int(entry["seq"]), str(entry["hash"])
                return True
        except (ValueError, TypeError):
            return False
        return not line

    def _write(self, file: int, act: str, actor: str, details: dict[str, Any]) -> None:
        entry: dict[str, Any] = {
            "seq": self._seq + 1, "time": self._now().astimezone(UTC).isoformat(timespec="milliseconds"),
            "act": act, "actor": actor, "details": details, "prev": self._last_hash,
        }  # fmt: skip
        entry["hash"] = entry_hash(entry)
        line = canonical(entry) + b"\n"
        written = os.write(file, line)
        if written != len(line):
            raise OSError(errno.ENOSPC, "short write")
        os.fsync(file)
        self._seq, self._last_hash = self._seq + 1, entry["hash"]

    def _sign_head(self) -> Head:
        now = self._now()
        unsigned = {
            "seq": self._seq, "hash": self._last_hash,
            "time": now.astimezone(UTC).isoformat(timespec="milliseconds"),
        }  # fmt: skip
        head = Head(
            seq=self._seq, hash=self._last_hash, time=str(unsigned["time"]),
            signature=self._sign(signed_bytes(unsigned)).hex(),
        )  # fmt: skip
        write_file(head_file(self.path), canonical(head.document()) + b"\n", 0o600)
        self._signed_seq, self._signed_at = self._seq, now
        return head
