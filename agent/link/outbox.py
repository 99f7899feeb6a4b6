"""Reports that wait for head office: signed and numbered by the daemon, read and acknowledged by the link.

A spool of files, one a report, so that the link opens it by directory descriptor and read-only (0750, group
`cloche-link`): a hijacked link can withhold a report, which head office notices by its chain, and can forge none.
`link.state` is the one file that the link writes; a torn one counts as absent and costs a repeated sending,
which head office answers as already known.

Every report names the last *kept* one before it by number and digest. Inventory and health are not kept: only
the newest waiting one of each is sent, so their numbers may be missing at head office by design.

`rename(2)` makes a report whole or absent; it is durable only after `fsync` of file and folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.link.spool import STATE_FILE, LinkState, Spool, file_name
from central.wire import COALESCED, MAX_BODY, REPORT_SCHEMA, Kind, digest, report_message
from config.errors import ClocheError, RefusedError
from config.privileges import NOBODY

LINK_ACCOUNT: Final = "cloche-link"
HEAD_FILE: Final = "head"


class Outbox:
    """Where the daemon puts what head office shall know. One writer: the holder of `home/lock`.

    Promise: when `put` returns, the report is on disk, numbered and signed, and stays until it is acknowledged;
    of inventory and health only the newest waiting one stays. Limit: a report that the link claims to have
    delivered is dropped on its word.
    """

    def __init__(self, folder: Path, sign: Callable[[bytes], bytes]) -> None:
        """Make the folder and put right what a crash has left.

        Args:
            folder: `home.outbox`.
            sign: Ed25519 by the store's seal key (`Keyring.sign`).

        Raises:
            ClocheError: the folder cannot be made or is not a plain folder of ours.
        """
        self._folder = folder
        self._sign = sign
        self._lock = threading.Lock()
        self._uid, self._gid = link_owner()
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            facts = folder.lstat()
            if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
                raise RefusedError(f"{folder}: is not a folder of ours")
            os.chown(folder, -1, self._gid)
            folder.chmod(0o750)
            self._spool = Spool(folder)
            self._make_state_file()
        except OSError as error:
            raise ClocheError(f"{folder}: cannot be prepared: {error.strerror}") from error
        for name in os.listdir(folder):
            if name.endswith(".part"):
                (folder / name).unlink()

    def close(self) -> None:
        """Give the folder's descriptor back."""
        self._spool.close()

    def put(self, kind: Kind, document: Mapping[str, Any]) -> int:
        """Number, sign and keep one report; its number.

        Raises:
            ClocheError: the disk refused it, or the document is over 4 MB. Nothing is kept then.
        """
        with self._lock:
            spooled = self._spool.entries()
            number, previous = self._next(spooled)
            body = json.dumps(
                {
                    "schema": REPORT_SCHEMA, "kind": kind, "number": number, "previous": previous,
                    "written_at": datetime.now(UTC).isoformat(timespec="milliseconds"), "document": document,
                },
                ensure_ascii=False, separators=(",", ":"),
            ).encode("utf-8", "backslashreplace")  # fmt: skip
            if len(body) > MAX_BODY:
                raise ClocheError(f"a report of kind {kind} has {len(body)} bytes, over {MAX_BODY}")
            self._write(file_name(number, kind), self._sign(report_message(body)) + body, mode=0o640)
            kept = {"number": number, "digest": digest(body)} if kind not in COALESCED else previous
            self._write_head(number + 1, kept)
            acknowledged = self._spool.state().acknowledged
            for old, old_kind in spooled:
                replaced = old_kind == kind and kind in COALESCED
                if replaced or old <= min(acknowledged, number - 1):
                    self._spooled_path(old, old_kind).unlink(missing_ok=True)
            return number

    def pending(self) -> list[tuple[int, Kind]]:
        """Number and kind of every report not yet acknowledged, in order."""
        return self._spool.pending()

    def link_state(self) -> LinkState:
        """What the link last said of itself."""
        return self._spool.state()

    def continue_at(self, number: int) -> None:
        """Use no number below this: head office knows them from an earlier life of this store.

        Raises:
            ClocheError: the disk refused it.
        """
        with self._lock:
            following, previous = self._next(self._spool.entries())
            if number > following:
                self._write_head(number, previous)

    def place(self, name: str, content: bytes) -> None:
        """Put a file for the link beside the reports (its configuration), whole or not at all.

        Raises:
            ClocheError: the disk refused it.
        """
        with self._lock:
            self._write(name, content, mode=0o640)

    def _next(self, spooled: list[tuple[int, Kind]]) -> tuple[int, dict[str, Any] | None]:
        """The next number and the last kept report: `head`, or what a crash left newer than it in the spool."""
        number, previous = 1, None
        with contextlib.suppress(FileNotFoundError):
            try:
                head = json.loads((self._folder / HEAD_FILE).read_bytes())
                number, previous = int(head["next"]), head["previous"]
            except (ValueError, KeyError, TypeError) as error:
                raise ClocheError(f"{self._folder / HEAD_FILE}: damaged; remove it and enrol again") from error
        for spooled_number, kind in spooled:
            if spooled_number >= number:
                number = spooled_number + 1
                report = self._spool.read(spooled_number, kind)
                if report is not None and kind not in COALESCED:
                    previous = {"number": spooled_number, "digest": digest(report.body)}
        return number, previous

    def _spooled_path(self, number: int, kind: Kind) -> Path:
        return self._folder / file_name(number, kind)

    def _write_head(self, number: int, previous: dict[str, Any] | None) -> None:
        self._write(HEAD_FILE, json.dumps({"next": number, "previous": previous}).encode(), mode=0o600)

    def _write(self, name: str, content: bytes, *, mode: int) -> None:
        """A file under its name, whole and durable, or not there."""
        temporary, final = self._folder / f"{name}.part", self._folder / name
        try:
            with _created(temporary) as file:
                file.write(content)
                file.flush()
                os.fchown(file.fileno(), -1, self._gid)
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            temporary.rename(final)
            _sync_folder(self._folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise ClocheError(f"{final}: cannot be written: {error.strerror}") from error

    def _make_state_file(self) -> None:
        descriptor = os.open(self._folder / STATE_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.fchown(descriptor, self._uid, self._gid)
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _created(path: Path) -> Iterator[Any]:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_owner() -> tuple[int, int]:
    """Whom the link runs as: `cloche-link` under root if that account exists, else nobody; otherwise ourselves."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    try:
        account = pwd.getpwnam(LINK_ACCOUNT)
    except KeyError:
        return NOBODY, NOBODY
    return account.pw_uid, account.pw_gid
