"""Read one file in a worker: choose the format, feed the analyser, report every item in it.

A hostile file makes a parser raise anything: whatever is raised becomes a reason, and what was fed before is kept.
Time is watched between pieces, so that a slow item ends with what it has; a parser that hangs within one piece is
killed from outside.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, Protocol

from config.schema import ItemKind
from scanners.exports import recognise, with_platform
from scanners.extract.api import Extractor, Member, Notes, Refused, Source, TableRows
from scanners.records import Chunk, Finding, Reason, Rows, Status
from scanners.wire import MAX_ITEMS

MAX_TABLES: Final = 5_000


class _Analysis(Protocol):
    @property
    def findings(self) -> tuple[Finding, ...]: ...
    @property
    def persons(self) -> int: ...
    @property
    def person_keys(self) -> AbstractSet[int]: ...
    @property
    def level(self) -> int: ...
    @property
    def score(self) -> float: ...


class _ItemAnalysis(Protocol):
    def feed(self, piece: Chunk | Rows) -> None: ...
    def finish(self) -> _Analysis: ...


class ItemAnalyser(Protocol):
    """What reading needs of `scanners.engine.Analyser`."""

    def begin(self, name: str, kind: ItemKind) -> _ItemAnalysis:
        """Start on an item."""
        ...


class _DetectorError(Exception):
    """A detector raised: our defect, not the file's."""


@dataclass(frozen=True, kw_only=True)
class ItemReport:
    """What a worker tells of one item; `suffix` is what its path has after the file's."""

    order: int
    suffix: bytes
    kind: ItemKind
    status: Status
    reason: Reason = ""
    encoding: str | None = None
    size: int = 0
    about: str = ""
    records: int = 0
    findings: tuple[Finding, ...] = ()
    persons: int = 0
    person_keys: AbstractSet[int] = field(default=frozenset(), repr=False)
    level: int = 1
    score: float = 0.0


def escape(name: str) -> bytes:
    """A member's or table's name for use in a path: `%`, `!` and `#` percent-escaped, 1,000 bytes at most."""
    escaped = name.replace("%", "%25").replace("!", "%21").replace("#", "%23")
    try:
        raw = escaped.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = escaped.encode("utf-8", "replace")
    return raw[:1000]


class Reader:
    """Reads files, one after the other.

    Args:
        analyser: finds entities.
        extractors: in order of trial; the last one matches everything.
        max_depth: archives within archives.
        emit: gets each item when it is finished, members before their container.
    """

    def __init__(
        self,
        *,
        analyser: ItemAnalyser,
        extractors: Sequence[Extractor],
        max_depth: int,
        emit: Callable[[ItemReport], None],
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        self._analyser = analyser
        self._extractors = extractors
        self._max_depth = max_depth
        self._emit_to = emit
        self._opened = opened
        self._order = 0
        self._seconds = 0.0
        self._deadline = 0.0

    def read(self, source: Source, seconds: float) -> None:
        """Report on a file and all in it; `seconds` is what one item may take."""
        self._order = 0
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._read(source, b"", 0)

    def _emit(self, report: ItemReport) -> None:
        self._emit_to(report)
        self._deadline = time.monotonic() + self._seconds

    def _next_order(self) -> int:
        """Raises: Refused: `too_large`, more items than one file may have."""
        if self._order >= MAX_ITEMS:
            raise Refused("too_large")
        self._order += 1
        return self._order - 1

    def _choose(self, source: Source) -> Extractor:
        for extractor in self._extractors:
            if extractor.matches(source):
                return extractor
        raise Refused("unsupported")

    def _read(self, source: Source, suffix: bytes, depth: int) -> Reason:
        """Report on an item; why it was not read whole, or ''."""
        order = self._next_order()
        try:
            extractor = self._choose(source)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  see the module; a panic in Rust is no Exception (PyO3)
            report = ItemReport(
                order=order,
                suffix=suffix,
                kind="other",
                status="unread",
                reason=reason_for(error),
                size=max(source.size, 0),
            )
            self._emit(report)
            return report.reason
        return _OneItem(self, source, extractor, order, suffix).run(depth)

    def check_time(self) -> None:
        """Raises: Refused: `timeout`."""
        if time.monotonic() > self._deadline:
            raise Refused("timeout")

    def begin(self, name: str, kind: ItemKind) -> _ItemAnalysis:
        """Start an analysis.

        Raises:
            _DetectorError: it can't.
        """
        try:
            return self._analyser.begin(name, kind)
        except Exception as error:
            raise _DetectorError from error

    @property
    def max_depth(self) -> int:
        """Archives within archives."""
        return self._max_depth


class _OneItem:
    """One item while it is read."""

    def __init__(self, reader: Reader, source: Source, extractor: Extractor, order: int, suffix: bytes) -> None:
        self._reader = reader
        self._source = source
        self._extractor = extractor
        self._order = order
        self._suffix = suffix
        self._notes = Notes(opened=reader._opened)
        self._tables: dict[str, tuple[int, _ItemAnalysis]] = {}
        self._some = False  # something was read
        self._rows: dict[int, Counter[str]] = {}  # by analysis: rows of tables, by what they are

    def run(self, depth: int) -> Reason:
        """Read it, and report it and its tables; why it was not read whole, or ''."""
        failure: Reason = ""
        analysis: _ItemAnalysis | None = None
        try:
            if self._extractor.kind == "archive" and depth >= self._reader.max_depth:
                raise Refused("too_deep")
            analysis = self._reader.begin(self._source.name, self._extractor.kind)
            self._pieces(analysis, depth)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  see the module; a panic in Rust is no Exception (PyO3)
            failure = reason_for(error)
        failure = failure or self._notes.reason
        for name, (order, table) in self._tables.items():
            self._finish(table, order, b"#" + escape(name), "table", failure)
        self._finish(analysis, self._order, b"", self._extractor.kind, failure)
        return failure

    def _pieces(self, analysis: _ItemAnalysis, depth: int) -> None:
        for piece in self._extractor.extract(self._source, self._notes):
            self._reader.check_time()
            if isinstance(piece, Member):
                self._member(piece, depth)
            elif isinstance(piece, TableRows):
                self._feed(self._table(piece.rows.table), piece.rows)
            else:
                self._feed(analysis, piece)
            self._some = True

    def _member(self, member: Member, depth: int) -> None:
        suffix = self._suffix + b"!" + escape(member.name)
        if member.source is not None:
            try:
                reason = self._reader._read(member.source, suffix, depth + 1)
                if reason == "expansion":  # the budget is one for all of the file: the rest is not read either
                    self._notes.partly(reason)
            finally:
                member.source.close()
            return
        report = ItemReport(
            order=self._reader._next_order(),
            suffix=suffix,
            kind="other",
            status="unread",
            reason=member.reason,
            size=member.size,
        )
        self._reader._emit(report)

    def _table(self, name: str) -> _ItemAnalysis:
        if name not in self._tables:
            if len(self._tables) >= MAX_TABLES:
                raise Refused("too_large")
            analysis = self._reader.begin(name, "table")
            self._tables[name] = (self._reader._next_order(), analysis)
        return self._tables[name][1]

    def _feed(self, analysis: _ItemAnalysis, piece: Chunk | Rows) -> None:
        if isinstance(piece, Rows):
            about = with_platform(recognise(piece.columns), (piece.table, self._source.name))
            self._rows.setdefault(id(analysis), Counter())[about] += len(piece.rows)
        try:
            analysis.feed(piece)
        except MemoryError:
            raise
        except Exception as error:
            raise _DetectorError from error

    def _finish(self, analysis: _ItemAnalysis | None, order: int, part: bytes, kind: ItemKind, failure: Reason) -> None:
        result: _Analysis | None = None
        if analysis is not None:
            try:
                result = analysis.finish()
            except Exception as error:  # noqa: BLE001  a defect in a detector costs its findings, not the run
                failure = reason_for(_DetectorError() if not isinstance(error, MemoryError) else error)
        rows = self._rows.get(id(analysis), Counter())
        about = max((known for known in rows if known), key=lambda known: rows[known], default="")
        some = self._some or bool(part)
        status: Status = "read" if not failure else "partial" if some and result is not None else "unread"
        report = ItemReport(
            order=order,
            suffix=self._suffix + part,
            kind=kind,
            status=status,
            reason=failure,
            encoding=self._notes.encoding,
            size=0 if part else max(self._source.size, 0),
            about=about,
            records=rows[about] if about else 0,
            findings=result.findings if result else (),
            persons=result.persons if result else 0,
            person_keys=result.person_keys if result else frozenset(),
            level=result.level if result else 1,
            score=result.score if result else 0.0,
        )
        self._reader._emit(report)


def reason_for(error: BaseException) -> Reason:
    """The closed-list reason for what was raised over a file."""
    if isinstance(error, Refused):
        return error.reason
    if isinstance(error, _DetectorError):
        return "crashed"
    if isinstance(error, MemoryError):
        return "too_large"
    if isinstance(error, OSError) and error.errno is not None:
        return "io_error"
    return "malformed"
