"""Drafts and pictures of open incidents, so that head office's lawyer reads what the store's manager reads.

What is written for people on the store is masked already; nothing leaves on that word. The text of each paper is looked
through by the detectors, and one that holds a number, a mailbox or a document that is no known contact of the chain's
own stays here and is named on record. PDF and docx are set from the same text as the html beside them and go with it.
Lists of persons are never among the papers: they exist sealed only (`agent.notice.lists`).
"""

from __future__ import annotations

import hashlib
import html
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.incident.store import incidents
from agent.reporting.state import note_reported, reported
from config.errors import ClocheError
from scanners.detectors import DETECTORS

if TYPE_CHECKING:
    from agent.notice.never import Never
    from agent.wiring import Agent

KIND: Final = "paper"
MEDIA: Final[dict[str, str]] = {
    "html": "text/html", "svg": "image/svg+xml", "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}  # fmt: skip
TEXTS: Final = ("html", "svg")
MOST_BYTES: Final = 2 << 20
A_TURN: Final = 20
SETTLED_SECONDS: Final = 5.0
TOLD: Final = "told"
HELD: Final = "held"
CERTAIN: Final = 0.5
_NAME: Final = re.compile(r"(?P<stem>.+?)-(?P<version>\d{2,})\.(?P<language>zh-CN|en)\.(?P<ending>\w+)")
_TAGS: Final = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_HEX: Final = re.compile(r"\b[0-9a-fA-F]{32,}\b")
_NUMBERS: Final = re.compile(r"\+?[0-9][0-9 -]{5,20}[0-9]")
_SHOWN: Final = frozenset({"masked", "organisation"})
_FREE: Final = frozenset({"IP_ADDRESS", "DATE_OF_BIRTH", "LOCATION_COORDINATES"})
"""Addresses of machines and dates say nothing of a customer by themselves, and papers are full of them."""


@dataclass(frozen=True, kw_only=True)
class _Paper:
    """A file of an incident's folder. `text` is the file that shows what it says: itself, or the html beside it."""

    path: Path
    name: str
    language: str
    media: str
    text: Path


def tell_papers(agent: Agent, _now: datetime) -> int:
    """Put what is new among the papers of open incidents, some at a time; how many.

    Raises:
        FullError: too much waits; nothing is lost.
        ClocheError: the disk refused it.
    """
    told = 0
    for incident in incidents(agent).all():
        if incident.phase in ("closed", "dismissed") and reported(agent, KIND, incident.id) == "done":
            continue
        for paper in _papers(agent.home.documents / incident.id):
            if told >= A_TURN:
                return told
            told += _tell(agent, incident.id, paper)
        if incident.phase in ("closed", "dismissed"):
            note_reported(agent, KIND, incident.id, "done")
    return told


def leaks(text: str, never: Never) -> tuple[str, ...]:
    """Entities of which the text holds a value that is neither masked nor the chain's own."""
    plain = _HEX.sub(" ", text)
    found = set()
    for detector in DETECTORS:
        if detector.entity in _FREE:
            continue
        for span in detector.find(plain, 0, len(plain)):
            value = plain[span.start : span.end]
            if span.score < CERTAIN or span.nature in _SHOWN or "*" in value:
                continue
            if not never.covers(detector.entity, detector.normalise(value)):
                found.add(detector.entity)
    return tuple(sorted(found))


def text_of(content: bytes) -> str:
    """What a reader sees of html or svg."""
    return html.unescape(_TAGS.sub("\n", content.decode("utf-8", "replace")))


def _own(agent: Agent) -> Never:
    """Contacts that papers may name: those that are no customer's, and those of the legal entities."""
    from agent.notice.never import MAIL, PHONE, Never, never_of, normal

    never, contacts = never_of(agent), set()
    for entity in agent.settings.entities:
        contacts |= {(PHONE, normal(PHONE, number)) for number in _NUMBERS.findall(entity.contact)}
        contacts |= {(MAIL, normal(MAIL, mail)) for mail in entity.contact.split() if "@" in mail}
    return Never(contacts=never.contacts | contacts, domains=never.domains)


def _tell(agent: Agent, incident_id: str, paper: _Paper) -> bool:
    key = f"{incident_id}/{paper.name}"
    try:
        facts = paper.path.stat()
        word, stamp, digest = _parted(reported(agent, KIND, key))
        fresh = f"{facts.st_size}.{facts.st_mtime_ns}.{paper.text.stat().st_mtime_ns}"
        if stamp == fresh or agent.now().timestamp() - facts.st_mtime < SETTLED_SECONDS:
            return False
        content, text = paper.path.read_bytes(), paper.text.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
    except OSError as error:
        raise ClocheError(f"{paper.path}: cannot be read: {error.strerror}") from error
    if word == TOLD and digest == sha256:
        note_reported(agent, KIND, key, f"{TOLD} {fresh} {sha256}")
        return False
    found = leaks(text_of(text), _own(agent))
    if found or len(content) > MOST_BYTES:
        why = ", ".join(found) if found else f"{len(content)} bytes, over {MOST_BYTES}"
        agent.audit.append("report.paper_held", "cloche", incident=incident_id, paper=agent.mask(paper.name), why=why)
        note_reported(agent, KIND, key, f"{HELD} {fresh} {sha256}")
        return False
    agent.outbox.put(KIND, {
        "incident": incident_id, "name": agent.mask(paper.name)[:200], "title": agent.mask(paper.path.stem)[:200],
        "media": paper.media, "language": paper.language, "sha256": sha256,
        "content": b64encode(content).decode("ascii"),
    })  # fmt: skip
    note_reported(agent, KIND, key, f"{TOLD} {fresh} {sha256}")
    return True


def _parted(said: str | None) -> tuple[str, str, str]:
    """What became of a paper, when it was of which size, and its digest."""
    word, stamp, digest = (said.split(" ") if said else ["", "", ""])[:3]
    return word, stamp, digest


def _papers(folder: Path) -> Iterator[_Paper]:
    """The newest version of each document in each language and form, and pictures."""
    if not folder.is_dir():
        return
    newest: dict[tuple[str, str, str], tuple[int, Path]] = {}
    for path in sorted(folder.rglob("*")):
        ending = path.suffix[1:].lower()
        if ending not in MEDIA or not path.is_file() or path.is_symlink():
            continue
        named = _NAME.fullmatch(path.name)
        stem, version, language = (named["stem"], int(named["version"]), named["language"]) if named else (
            path.stem, 0, ""
        )  # fmt: skip
        key = (str(path.parent / stem), language, ending)
        if version >= newest.get(key, (-1, path))[0]:
            newest[key] = (version, path)
    for (_stem, language, ending), (_version, path) in sorted(newest.items()):
        text = path if ending in TEXTS else path.with_suffix(".html")
        if text.is_file():
            yield _Paper(
                path=path, name=str(path.relative_to(folder)), language=language, media=MEDIA[ending], text=text
            )
