"""Reports that wait for head office: signed and numbered by the daemon, read and acknowledged by the link.

A spool of files, one a report, so that the link opens it by directory descriptor and read-only (0750, group
`cloche-link`): a hijacked link can withhold a report, which head office notices by its chain, and can forge none.
`link.state` is the one file that the link writes; a torn one counts as absent and costs a repeated sending,
which head office answers as already known.

Every report names the last *kept* one before it by number and digest. Inventory, health and other pictures of how
things stand (`central.wire.COALESCED`) are not kept: only the newest waiting one of each is sent, so their numbers may
be missing at head office by design.

The spool is bounded, and nothing in it is ever dropped: beyond the bound what can wait where it came from is refused
(`FullError`), scheduled scans pause, and what must not wait (`ALWAYS`) goes in all the same. What lies in the folder is
known in memory, for this is its only writer: a `put` costs the same beside 100,000 waiting reports as beside none.

`rename(2)` makes a report whole or absent; it is durable only after `fsync` of file and folder. The newest report
stays even after it was acknowledged: it says which number comes next and where the chain is, so that a `put` costs one
file. `head` is written only to go ahead of it (a store enrolled anew).
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.link.settings import SETTINGS_FILE, read_enrolment
from agent.link.spool import SIGNATURE_SIZE, STATE_FILE, LinkState, Spool, file_name
from central.wire import COALESCED, MAX_BODY, REPORT_SCHEMA, Kind, digest, report_message
from config.errors import ClocheError, RefusedError
from config.privileges import NOBODY

LINK_ACCOUNT: Final = "cloche-link"
HEAD_FILE: Final = "head"
ALWAYS: Final[frozenset[Kind]] = COALESCED | {"incident", "audit", "order", "alert"}
"""What goes in however full it is: an incident, a stop or an order's answer waits for nobody, and of what is coalesced
there is one. The other kinds wait in the databases that they are made from."""
MOST_BODY: Final = MAX_BODY
MOST_BYTES: Final = 256 << 20
MOST_REPORTS: Final = 100_000


class FullError(ClocheError):
    """The spool holds as much as it may, and this kind of report can wait where it came from."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What is not acknowledged yet. `full`: the bound is reached, and head office is known."""

    reports: int
    bytes: int
    full: bool


class Outbox:
    """Where the daemon puts what head office shall know. One writer: the holder of `home/lock`.

    Promise: when `put` returns, the report is on disk, numbered and signed, and stays until it is acknowledged;
    of what is coalesced only the newest waiting one stays. Limit: a report that the link claims to have
    delivered is dropped on its word.
    """

    def __init__(
        self,
        folder: Path,
        sign: Callable[[bytes], bytes],
        *,
        most_bytes: int = MOST_BYTES,
        most_reports: int = MOST_REPORTS,
    ) -> None:
        """Make the folder and put right what a crash has left.

        Args:
            folder: `home.outbox`.
            sign: Ed25519 by the store's seal key (`Keyring.sign`).
            most_bytes: bound on what waits.
            most_reports: the same, as a number of reports.

        Raises:
            ClocheError: the folder cannot be made or is not a plain folder of ours.
        """
        self._folder = folder
        self._sign = sign
        self._lock = threading.Lock()
        self._most = (most_bytes, most_reports)
        self._there: dict[int, tuple[Kind, int]] = {}  # in ascending order: kind and bytes by number
        self._coalesced: dict[Kind, set[int]] = {kind: set() for kind in COALESCED}
        self._bytes = 0
        self._head: tuple[int, dict[str, Any] | None] | None = None
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
        for number, kind, size in self._spool.sizes():
            self._remember(number, kind, size)

    def close(self) -> None:
        """Give the folder's descriptor back."""
        self._spool.close()

    def put(self, kind: Kind, document: Mapping[str, Any]) -> int:
        """Number, sign and keep one report; its number.

        Raises:
            FullError: too much waits, and this kind may wait where it came from (see `ALWAYS`).
            ClocheError: the disk refused it, or the document is over 4 MB. Nothing is kept then.
        """
        with self._lock:
            acknowledged = self._spool.state().acknowledged
            self._drop(until=acknowledged)
            if kind not in ALWAYS and self._standing(acknowledged).full:
                raise FullError(f"{self._folder}: full: a report of kind {kind} waits until head office takes some")
            number, previous = self._next()
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
            older = tuple(self._coalesced.get(kind, ()))
            self._remember(number, kind, SIGNATURE_SIZE + len(body))
            self._head = number + 1, previous if kind in COALESCED else {"number": number, "digest": digest(body)}
            for old in older:
                self._forget(old)
            return number

    def waiting(self) -> Waiting:
        """How much is not acknowledged yet, and whether that is all that may wait."""
        with self._lock:
            acknowledged = self._spool.state().acknowledged
            self._drop(until=acknowledged)
            return self._standing(acknowledged)

    def enrolled_as(self) -> str:
        """Whose reports these are: the store's identifier at its head office and that one's address; '' for none."""
        try:
            enrolment = read_enrolment(self._folder)
        except ClocheError:
            return ""
        return f"{enrolment.store} {enrolment.url}" if enrolment else ""

    def pending(self) -> list[tuple[int, Kind]]:
        """Number and kind of every report not yet acknowledged, in order."""
        with self._lock:
            acknowledged = self._spool.state().acknowledged
            return [(number, kind) for number, (kind, _size) in self._there.items() if number > acknowledged]

    def link_state(self) -> LinkState:
        """What the link last said of itself."""
        return self._spool.state()

    def continue_at(self, number: int) -> None:
        """Use no number below this: head office knows them from an earlier life of this store.

        Raises:
            ClocheError: the disk refused it.
        """
        with self._lock:
            following, previous = self._next()
            if number > following:
                self._head = number, previous
                self._write_head()

    def place(self, name: str, content: bytes) -> None:
        """Put a file for the link beside the reports (its configuration), whole or not at all.

        Raises:
            ClocheError: the disk refused it.
        """
        with self._lock:
            self._write(name, content, mode=0o640)

    def own_file(self, name: str) -> bytes | None:
        """What `keep` kept; None where there is nothing that can be read."""
        try:
            return (self._folder / name).read_bytes()
        except OSError:
            return None

    def keep(self, name: str, content: bytes) -> None:
        """A file of the daemon's own beside the reports, which the link cannot read.

        Raises:
            ClocheError: the disk refused it.
        """
        with self._lock:
            self._write(name, content, mode=0o600)

    def _standing(self, acknowledged: int) -> Waiting:
        reports, size = len(self._there), self._bytes
        newest = next(reversed(self._there), 0)
        if 0 < newest <= acknowledged:  # kept for its number alone
            reports, size = reports - 1, size - self._there[newest][1]
        most_bytes, most_reports = self._most
        full = size >= most_bytes or reports >= most_reports
        return Waiting(reports=reports, bytes=size, full=full and (self._folder / SETTINGS_FILE).exists())

    def _drop(self, *, until: int) -> None:
        """Let go of what was acknowledged; never the newest, by which the next number and the chain are known."""
        newest = next(reversed(self._there), 0)
        done = []
        for number in self._there:
            if number > until or number == newest:
                break
            done.append(number)
        for number in done:
            self._forget(number)

    def _remember(self, number: int, kind: Kind, size: int) -> None:
        self._there[number] = (kind, size)
        self._bytes += size
        if kind in COALESCED:
            self._coalesced[kind].add(number)

    def _forget(self, number: int) -> None:
        kind, size = self._there[number]
        self._spooled_path(number, kind).unlink(missing_ok=True)
        del self._there[number]
        self._bytes -= size
        if kind in COALESCED:
            self._coalesced[kind].discard(number)

    def _next(self) -> tuple[int, dict[str, Any] | None]:
        """The next number and the last kept report: by the newest report here, or by `head` where that is ahead."""
        if self._head is not None:
            return self._head
        number, previous = 1, None
        with contextlib.suppress(FileNotFoundError):
            try:
                head = json.loads((self._folder / HEAD_FILE).read_bytes())
                number, previous = int(head["next"]), head["previous"]
            except (ValueError, KeyError, TypeError) as error:
                raise ClocheError(f"{self._folder / HEAD_FILE}: damaged; remove it and enrol again") from error
        newest = next(reversed(self._there), 0)
        if newest >= number:
            kind = self._there[newest][0]
            report = self._spool.read(newest, kind)
            if report is None:
                raise ClocheError(f"{self._spooled_path(newest, kind)}: is gone: somebody else writes here")
            number = newest + 1
            try:
                named = json.loads(report.body)["previous"]
            except (ValueError, KeyError, TypeError) as error:
                raise ClocheError(f"{self._spooled_path(newest, kind)}: damaged; move it away") from error
            previous = named if kind in COALESCED else {"number": newest, "digest": digest(report.body)}
        self._head = number, previous
        return self._head

    def _spooled_path(self, number: int, kind: Kind) -> Path:
        return self._folder / file_name(number, kind)

    def _write_head(self) -> None:
        following, previous = self._next()
        self._write(HEAD_FILE, json.dumps({"next": following, "previous": previous}).encode(), mode=0o600)

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
