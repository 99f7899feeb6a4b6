"""Write a document in both languages and every format; what was written once is never written over.

Somebody may have handed a version in: each call leaves the next one (`NAME-02.zh-CN.docx`). A document is known by
its stem; its versions count by themselves, whatever else lies in the folder.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from agent.documents.model import Document
from agent.documents.stamps import drill, is_drill
from agent.documents.typeset import NoFontError, obstacle
from agent.incident.moments import zone_of
from agent.incident.wording import Wording
from config.errors import ClocheError
from config.log import get_logger
from config.text import LANGUAGES, Text
from containment.atomic import write_file

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("documents")

Format = Literal["html", "docx", "pdf"]
FORMATS: Final[tuple[Format, ...]] = ("html", "docx", "pdf")
_TURN: Final = threading.RLock()
"""Two operations of the daemon that write at once must not find the same next version."""


def write_versions(
    agent: Agent,
    folder: Path,
    stem: str,
    build: Callable[[Wording, int], Document],
    formats: Sequence[Format] | None = None,
) -> list[Path]:
    """Write the next version of a document; the paths that were written.

    Without a font for Chinese there is no PDF: `obstacle` says so in words, for answers and for `cloche doctor`.

    Args:
        agent: its settings give the zone and the store's name.
        folder: made if it is not there (0700).
        stem: the file's name without version, language and ending; no `/`.
        build: the document for a language (by its wording) and a version (1, 2, …). Where it names no `running` line,
            each page says the store and the document's number. In a drill each page says so.
        formats: which endings; None: all of `FORMATS`.

    Raises:
        ClocheError: one cannot be written or set; what could be is there.
    """
    with _TURN:
        return _write(agent, folder, stem, build, FORMATS if formats is None else formats)


def _write(
    agent: Agent, folder: Path, stem: str, build: Callable[[Wording, int], Document], formats: Sequence[Format]
) -> list[Path]:
    written: list[Path] = []
    failed: ClocheError | None = None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        version = 1 + max((version_of(path, stem) for path in folder.iterdir()), default=0)
        for language in LANGUAGES:
            document = build(Wording(Text(language), zone_of(agent.settings.store.timezone)), version)
            if not document.running:
                running = f"{agent.settings.store.name} · {stem}-{version:02d}".removeprefix(" · ")
                document = replace(document, running=running)
            if is_drill(agent.home):
                words = (drill(Text(language)), document.stamp)
                document = replace(document, stamp=" · ".join(word for word in words if word))
            for ending in formats:
                path = folder / f"{stem}-{version:02d}.{language}.{ending}"
                try:
                    write_file(path, render(document, ending))
                    written.append(path)
                except NoFontError:
                    log.warning("no font for Chinese: no PDF was made", document=path.name)
                except ClocheError as error:
                    failed = failed or error
    except OSError as error:
        raise ClocheError(f"{folder}: documents cannot be written: {error.strerror}") from error
    if failed is not None:
        raise ClocheError(f"{folder}: a document is missing: {failed}") from failed
    return written


def missing_formats(papers: Iterable[Path], text: Text) -> str:
    """Why there is no PDF beside what was written, in words for an answer; '' where there is one, or nothing at all."""
    endings = {path.suffix for path in papers}
    if ".pdf" in endings or ".docx" not in endings:
        return ""
    why = obstacle()
    if why is None:
        return ""
    return text("documents.no_pdf", why=text("documents.no_font") if isinstance(why, NoFontError) else str(why))


def render(document: Document, ending: Format) -> bytes:
    """The bytes of one format. The renderers are imported here: they are not for an idle daemon's memory."""
    if ending == "html":
        from agent.documents.html import as_html

        return as_html(document)
    if ending == "pdf":
        from agent.documents.pdf import as_pdf

        return as_pdf(document)
    from agent.documents.docx import as_docx

    return as_docx(document)


def version_of(path: Path, stem: str) -> int:
    """The version that a document's name tells, 0 for another document."""
    found = re.fullmatch(re.escape(stem) + r"-(\d{2,})\.[\w-]+\.(?:html|docx|pdf)", path.name)
    return int(found[1]) if found else 0
