"""Exports on their way out: from a page's link or the API, at most two at once, each on record before it begins."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final

from starlette.responses import Response, StreamingResponse

from central.api.exports.tables import TABLES, Table
from central.api.exports.writing import MEDIA, XLSX_ROWS, as_csv, as_json, write_xlsx
from central.database.writer import BusyError
from central.moments import now
from central.office import HeadOffice
from central.people.record import note_act
from central.people.rights import Viewer
from config.errors import UsageError
from config.text import Language, Text

AT_ONCE: Final = 2
PIECE: Final = 262_144
NAME: Final = re.compile(r"^([a-z]+)\.(csv|xlsx|json)$")
_slots: Final = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Which table, in what form, with headings in which language; None: the columns' keys, for programs."""

    table: Table
    form: str
    language: Language | None = None

    @property
    def headings(self) -> list[str]:
        """Of the columns."""
        if self.language is None:
            return list(self.table.columns)
        text = Text(self.language)
        return [text(f"hq_api.column_{column}") for column in self.table.columns]


def read_wish(name: str, language: Language | None = None) -> Wish | None:
    """What `stores.csv` means; None where it means nothing."""
    match = NAME.match(name)
    table = TABLES.get(match[1]) if match else None
    return Wish(table=table, form=match[2], language=language) if match and table else None


def send_export(office: HeadOffice, viewer: Viewer, wish: Wish) -> Response:
    """The answer with the file. Blocks until the record has it, and until an xlsx is written.

    Raises:
        RefusedError: no right to it.
        UsageError: too much for xlsx.
        BusyError: two are on their way already.
    """
    viewer.require("export")
    viewer.require(wish.table.right)
    with office.sessions() as session:
        count = wish.table.count(session, viewer)
    if wish.form == "xlsx" and count > XLSX_ROWS:
        raise UsageError(f"{wish.table.name}.xlsx: {count} rows are more than {XLSX_ROWS}: take CSV")
    if not _slots.acquire(blocking=False):
        raise BusyError("exports are on their way")
    slot = Slot()
    try:
        told = f"{wish.table.name}.{wish.form} (about {count} rows)"
        office.writer.submit(lambda session: note_act(session, viewer.person_id, "export", told)).result()
        rows = wish.table.rows(office.sessions, viewer)
        content: Iterator[bytes]
        headers = {"Content-Disposition": f'attachment; filename="{_file_name(wish)}"'}
        match wish.form:
            case "csv":
                content = as_csv(wish.headings, rows, office.timezone)
            case "json":
                content = as_json(wish.table.name, wish.table.columns, rows)
            case _:
                file = _workbook(office, wish, rows)
                headers["Content-Length"] = str(os.fstat(file.fileno()).st_size)
                content = _pieces(file)
        return Export(content, slot.release, media_type=MEDIA[wish.form], headers=headers)
    except BaseException:
        slot.release()
        raise


@dataclass
class Slot:
    """One of the places for exports, given back once."""

    _held: bool = field(default=True)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def release(self) -> None:
        """Let the next one begin."""
        with self._lock:
            if self._held:
                self._held = False
                _slots.release()


class Export(StreamingResponse):
    """A file that is written as it is sent; however that ends, its place is given back."""

    def __init__(self, content: Iterator[bytes], release: Callable[[], None], **options: Any) -> None:
        super().__init__(content, **options)
        self._release = release

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._release()


def _workbook(office: HeadOffice, wish: Wish, rows: Iterable[Any]) -> IO[bytes]:
    file = tempfile.TemporaryFile(prefix="cloche-export-")  # noqa: SIM115  closed by the one who sends it
    try:
        write_xlsx(file, wish.table.name, wish.headings, rows, office.timezone)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


def _file_name(wish: Wish) -> str:
    return f"cloche-{wish.table.name}-{now():%Y%m%d-%H%M}.{wish.form}"
