"""The line, one call an arrow: discover, extract and detect in the workers; record; mark; answer.

The workers' exemption from the watch comes before they read anything, else a scan would trip the bound it guards.
What came of a file is on its way to the inventory before the next is asked for: a scan that is cut keeps what it had.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from agent.inventory.document import SCHEMA, coverage_document, item_document
from agent.inventory.known import Known, recipe_of
from agent.inventory.paths import escape, path_fields, shown_path
from agent.inventory.people import FileGroup, People, by_file
from agent.operation import Answer, Request
from agent.schedule import Breath, is_busy
from agent.sealing.register import SealedRegister
from agent.sealing.walking import is_under
from agent.watch.own import mark
from config.errors import ClocheError, ExitCode, RefusedError, UsageError
from config.log import get_logger
from scanners.records import Coverage, Item

if TYPE_CHECKING:
    from agent.watch.api import Watched
    from agent.wiring import Agent
    from scanners.scan import ScanRequest

log = get_logger("pipeline")
MAY_SCAN: Final = ("security_lead", "security_deputy", "security_member", "response_lead", "privacy_officer")
MAX_WORKERS: Final = 64
PROGRESS_SECONDS: Final = 0.2


def scan(agent: Agent, request: Request) -> Answer:
    """Scan, record, watch what was found, and answer with `cloche.scan/1` (`docs/scan-report.md`).

    Arguments of the request, all optional: `paths` (absolute, surrogateescape; else the settings' roots, of which only
    what has changed is read), `full`, `names`, `workers`, `fail_on_findings`, and `scheduled` from the daemon, which
    makes room for the till and gets no items in its answer.

    Raises:
        RefusedError: the caller is neither the owner nor has a role that may scan, or names something outside the
            scanned folders.
        UsageError: there is nothing to scan, a path does not exist, or the number of workers is out of bounds.
    """
    request.may(*MAY_SCAN)
    line = Line(agent, request)
    mask = None if request.caller.is_owner else agent.mask
    documents = []
    for group in line.run():
        if not line.scheduled:
            documents += [
                item_document(item, group.container_of(item), group.persons_of(item), mask) for item in group.items
            ]
    document = line.document(mask)
    roots = [path_fields(escape(root), agent.mask)["path"] for root in line.roots]
    agent.audit.append("scan", request.caller.user, roots=roots, persons=document["persons"], **document["coverage"])
    if not line.scheduled:
        document["items"] = documents
    return Answer(document=document, exit_code=line.exit_code)


class Line:
    """One scan on its way from the roots to the inventory and the watch."""

    def __init__(self, agent: Agent, request: Request) -> None:
        arguments = request.arguments
        self._agent = agent
        self._progress = Progress(request.progress, agent.mask)
        self.scheduled = bool(arguments.get("scheduled"))
        self._fail_on_findings = bool(arguments.get("fail_on_findings"))
        settings = agent.settings.scan
        self.roots = find_roots(agent, arguments.get("paths") or ())
        if not request.caller.is_owner:
            within = [os.path.realpath(os.fsencode(root)) for root in settings.roots]
            if not all(any(is_under(root, folder) for folder in within) for root in self.roots):
                # what is inventoried may be quarantined: a role must not bring the system's own files there
                raise RefusedError(agent.text("scan.outside", user=request.caller.user))
        self._names: bool = settings.names if arguments.get("names") is None else bool(arguments["names"])
        self._workers: int = settings.workers if arguments.get("workers") is None else int(arguments["workers"])
        if not 1 <= self._workers <= MAX_WORKERS:
            raise UsageError(agent.text("scan.bad_workers", count=self._workers))
        self._recipe = recipe_of(agent.settings, names=self._names)
        reads_all = bool(arguments.get("full") or arguments.get("paths"))
        self._known = Known(None if reads_all else agent.inventory, self._recipe)
        self._people = People()
        self._found = 0
        self._coverage = Coverage(listed=0, read=0, partial=0, unread=0, skipped=0, bytes=0)
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()

    def run(self) -> Iterator[FileGroup]:
        """Everything, file by file; recorded when it has been taken, marked when all has.

        Raises:
            ClocheError: the inventory cannot be written, or the coverage does not add up.
        """
        from scanners.scan import scan as read_all  # starts workers; the daemon imports it when it scans

        breath = Breath(lambda: is_busy(self._agent.settings)) if self.scheduled else None
        before = {watched.key for watched in self._watch_list()}
        there = tuple(root for root in self.roots if os.path.lexists(root))  # what a missing root held is not gone
        recording = self._agent.inventory.begin_run(there, at=self._started, recipe=self._recipe)
        for group in by_file(self._recognised(read_all(self._request()))):
            for item in group.items:
                recording.add(group.with_persons(item))
                self._found += bool(item.findings)
            self._people.add(group)
            self._progress.tell(group, found=self._found, persons=self._people.count)
            yield group
            if breath:
                breath.take()
        self._coverage = recording.finish(at=datetime.now(UTC), persons=self._people.count).coverage
        self._mark(before)

    def document(self, mask: Callable[[str], str] | None) -> dict[str, Any]:
        """`cloche.scan/1` without its items."""
        return {
            "schema": SCHEMA,
            "store": self._agent.settings.store.name,
            "timezone": self._agent.settings.store.timezone,
            "started_at": self._started.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self._clock, 3),
            "roots": [path_fields(escape(root), mask)["path"] for root in self.roots],
            "persons": self._people.count,
            "unchanged": self._known.used,
            "clean": self._coverage.clean,
            "coverage": coverage_document(self._coverage),
        }

    @property
    def exit_code(self) -> ExitCode:
        """10 before 3, as documented for all commands."""
        if self._fail_on_findings and self._found:
            return ExitCode.FINDINGS
        return ExitCode.DONE if self._coverage.clean else ExitCode.INCOMPLETE

    def _recognised(self, items: Iterable[Item]) -> Iterator[Item]:
        """Sealed files that this store sealed are as good as read: what is in them was inventoried before."""
        sealed = frozenset(SealedRegister(self._agent.inventory.sessions).sealed_paths())
        for item in items:
            yield replace(item, status="read", reason="") if item.kind == "sealed" and item.path in sealed else item

    def _watch_list(self) -> Iterator[Watched]:
        return self._agent.inventory.watch_list(self._agent.settings.watch.decoys)

    def _mark(self, before: set[str]) -> None:
        """Watch what holds customers now, and let go of what no longer does."""
        now = list(self._watch_list())
        stale = before.difference(watched.key for watched in now)
        try:
            mark(self._agent, now)
            if stale:
                self._agent.watch.unmark(sorted(stale))
        except ClocheError as error:  # the guard went away: the scan is whole, and the next guard's gap marks all again
            log.warning("not marked", why=self._agent.mask(str(error)))

    def _exempt(self, worker: int) -> None:
        self._agent.watch.exempt(worker)

    def _request(self) -> ScanRequest:
        from scanners.scan import ScanRequest

        home = self._agent.home
        return ScanRequest(
            roots=self.roots,
            settings=self._agent.settings.scan,
            detect=self._agent.settings.detecting,
            names=self._names,
            workers=self._workers,
            reserved=(os.fsencode(home.state), os.fsencode(home.run)),
            on_worker=self._exempt,
            known=self._known,
            spool=home.spool,
        )


class Progress:
    """Tells the caller how far the scan is, a few times a second; names are masked on the way."""

    def __init__(self, tell: Callable[[dict[str, Any]], None], mask: Callable[[str], str]) -> None:
        self._tell = tell
        self._mask = mask
        self._items = 0
        self._bytes = 0
        self._last = 0.0

    def tell(self, group: FileGroup, *, found: int, persons: int) -> None:
        """Count a file; say so if the last word is long enough ago."""
        self._items += len(group.items)
        self._bytes += group.items[0].size
        now = time.monotonic()
        if now - self._last < PROGRESS_SECONDS:
            return
        self._last = now
        name = shown_path(group.items[0].path, None).decode("utf-8", "replace")
        self._tell(
            {
                "stage": "scan",
                "items": self._items,
                "bytes": self._bytes,
                "current": self._mask(name),
                "found": found,
                "persons": persons,
            }
        )


def find_roots(agent: Agent, given: Sequence[str]) -> tuple[bytes, ...]:
    """The roots as the scan will name them: links in them resolved.

    Of the settings' folders one that is missing (a share not mounted) is listed as unread, and the rest is scanned.

    Raises:
        UsageError: there is none, one that was given or all of the settings' do not exist, or one is not absolute.
    """
    listed = given or agent.settings.scan.roots
    if not listed:
        raise UsageError(agent.text("scan.no_path"))
    some_exist = not given and any(os.path.exists(root) for root in listed)
    roots = []
    for text in listed:
        path = os.fsencode(text)
        if not os.path.isabs(path):
            raise UsageError(f"{text}: not an absolute path")
        if not some_exist and not os.path.lexists(os.path.realpath(path)):
            raise UsageError(agent.text("scan.missing_path", path=agent.mask(path.decode("utf-8", "replace"))))
        roots.append(os.path.realpath(path))
    return tuple(dict.fromkeys(roots))
