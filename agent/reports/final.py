"""事后报告, the report within 48 h: drafted from the record, commented, approved, and handed in, each version kept.

What is approved is exactly one version: the SHA-256 of its documents. A report with gaps can be handed in only with a
reason. Handing in is recorded, not done: the management group gets it from people.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from agent.approvals import Standing, require, standing
from agent.documents.model import Block
from agent.documents.write import FORMATS, Format, write_versions
from agent.incident.course import Course
from agent.incident.duties import LONGEST_TEXT, Handed, Submission, submissions_of, submit
from agent.incident.entities import concerned
from agent.incident.investigation import findings_of
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.incident.view import wording_of
from agent.incident.wording import Wording
from agent.investigation.document import chapter_of
from agent.reports.dossier import gather, with_head
from agent.reports.drafting import QUICK
from agent.reports.final_document import FinalReport
from agent.reports.models import CommentRow, ReportVersionRow
from config.errors import ClocheError, RefusedError, UsageError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("reports")
DUTY: Final = "the-plan/report-48h"
_WRITING: Final = threading.Lock()
"""A person who drafts and the keeper must not take the same version number."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of the report. `digest` (SHA-256 of its documents) is what is approved; `missing` are its gaps."""

    version: int
    digest: str
    missing: tuple[str, ...]
    by: str
    made_at: datetime
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Comment:
    """What somebody said about a version."""

    version: int
    by: str
    at: datetime
    text: str


def draft(agent: Agent, incident_id: str, actor: str, formats: Sequence[Format] = FORMATS) -> Version:
    """Write the next version from what is known now, in these formats.

    Raises:
        UsageError: no such incident.
        ClocheError: a document cannot be written.
    """
    with _WRITING:
        return _draft(agent, incidents(agent).get(incident_id), actor, formats)


def _draft(agent: Agent, incident: Incident, actor: str, formats: Sequence[Format]) -> Version:
    dossier = with_head(agent, gather(agent, incident, agent.now()))
    gaps = FinalReport(dossier, wording_of(agent)).gaps
    found = findings_of(agent, incident.id)

    def annex(wording: Wording) -> list[Block]:
        chapter = chapter_of(agent, incident, found, wording)
        return [*chapter.scope(), *chapter.manner(), *chapter.pictures(), *chapter.hypotheses(), *chapter.questions()]

    files = write_versions(
        agent, agent.home.documents / incident.id, f"{agent.text('reports.final_title')}-{incident.id}",
        lambda wording, version: FinalReport(dossier, wording, annex(wording)).build(version), formats,
    )  # fmt: skip
    with agent.inventory.sessions.begin() as session:
        last = session.scalar(
            select(func.max(ReportVersionRow.version)).where(ReportVersionRow.incident == incident.id)
        )
        row = ReportVersionRow(
            incident=incident.id, version=(last or 0) + 1, digest=digest_of(files), by=actor, made_at=dossier.now,
            missing=json.dumps(gaps, ensure_ascii=False), files="\n".join(str(path) for path in files),
        )  # fmt: skip
        session.add(row)
        session.flush()
        drafted = _version(row)
    Course(agent, incident.id, actor).record("reports.drafted", version=drafted.version, missing=len(gaps))
    return drafted


def digest_of(files: Sequence[Path]) -> str:
    """SHA-256 (hex) over the names and contents of a version's documents."""
    whole = hashlib.sha256()
    for path in sorted(files):
        whole.update(path.name.encode("utf-8", "surrogateescape") + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def comment(agent: Agent, incident_id: str, actor: str, words: str, version: int = 0) -> Comment:
    """Say something about a version (0: the newest); masked here.

    Raises:
        UsageError: no such version, or no words.
    """
    incident = incidents(agent).get(incident_id)
    about = find_version(agent, incident.id, version)
    text = agent.mask(words.strip()[:LONGEST_TEXT])
    if not text:
        raise UsageError(agent.text("reports.no_comment"))
    found = Comment(version=about.version, by=actor, at=agent.now(), text=text)
    with agent.inventory.sessions.begin() as session:
        session.add(CommentRow(incident=incident.id, version=found.version, by=actor, at=found.at, text=text))
    Course(agent, incident.id, actor).record("reports.commented", version=found.version, text=text)
    return found


def approve(agent: Agent, incident_id: str, actor: str) -> Standing:
    """Approve the newest version, or ask those who may.

    Raises:
        UsageError: there is none, or its documents were changed since.
        RefusedError: words are still missing; who may give them has been asked.
    """
    incident = incidents(agent).get(incident_id)
    newest = find_version(agent, incident.id)
    unchanged(newest)
    about = agent.text("reports.about_final", id=incident.id, version=newest.version, missing=len(newest.missing))
    return require(agent, "report", subject_of(incident.id), newest.digest, about, actor)


def hand_in(agent: Agent, incident_id: str, actor: str, handed: Handed, incomplete: str = "") -> list[Submission]:
    """Record that the newest version was handed in, for every legal entity concerned.

    Args:
        agent: all parts.
        incident_id: or a beginning of it.
        actor: who records it.
        handed: when, to whom, how; its duty and entity are set here.
        incomplete: why it goes out with gaps.

    Raises:
        RefusedError: it is not approved, or has gaps and no reason is given.
        UsageError: handling has not ended, or there is no version.
    """
    incident = incidents(agent).get(incident_id)
    if incident.handling_ended_at is None:
        phase = agent.text(f"incident.phase_{incident.phase}")
        raise UsageError(agent.text("reports.not_ended_yet", id=incident.id, phase=phase))
    newest = find_version(agent, incident.id)
    unchanged(newest)
    given = standing(agent, subject_of(incident.id), newest.digest)
    if given is None or given.missing:
        raise RefusedError(agent.text("reports.not_approved", version=newest.version, id=incident.id))
    if newest.missing:
        if not incomplete.strip():
            names = agent.text("reports.comma").join(newest.missing)
            raise RefusedError(
                agent.text("reports.has_gaps", version=newest.version, count=len(newest.missing), names=names)
            )
        Course(agent, incident.id, actor).record(
            "reports.incomplete", version=newest.version, missing=len(newest.missing),
            reason_given=agent.mask(incomplete.strip()[:LONGEST_TEXT]),
        )  # fmt: skip
    return [
        submit(
            agent, incident.id, actor,
            Handed(duty=DUTY, at=handed.at, channel=handed.channel, receipt=handed.receipt, to=handed.to,
                   entity=one.entity.code or one.entity.name),
        )
        for one in concerned(agent, incident)
    ]  # fmt: skip


def unchanged(version: Version) -> None:
    """What is approved must be what was drafted.

    Raises:
        UsageError: a document is gone or was changed since.
    """
    try:
        same = digest_of([Path(name) for name in version.files]) == version.digest
    except OSError:
        same = False
    if not same:
        raise UsageError(f"version {version.version}: a document was changed or is gone: draft again")


def submitted_at(agent: Agent, incident_id: str) -> datetime | None:
    """When the report was first handed in; None if it was not."""
    times = [entry.at for entry in submissions_of(agent, incident_id) if entry.duty == DUTY]
    return min(times, default=None)


def is_submitted(agent: Agent, incident_id: str) -> bool:
    """Whether the report was handed in."""
    return submitted_at(agent, incident_id) is not None


def subject_of(incident_id: str) -> str:
    """What an approval of the report is called."""
    return f"report:{incident_id}"


def versions_of(agent: Agent, incident_id: str) -> list[Version]:
    """Every version, in order."""
    with agent.inventory.reading() as session:
        rows = session.scalars(
            select(ReportVersionRow).where(ReportVersionRow.incident == incident_id).order_by(ReportVersionRow.version)
        )
        return [_version(row) for row in rows]


def comments_of(agent: Agent, incident_id: str) -> list[Comment]:
    """Every comment, in order."""
    with agent.inventory.reading() as session:
        rows = session.scalars(select(CommentRow).where(CommentRow.incident == incident_id).order_by(CommentRow.id))
        return [Comment(version=row.version, by=row.by, at=row.at, text=row.text) for row in rows]


def find_version(agent: Agent, incident_id: str, version: int = 0) -> Version:
    """A version by its number, 0 for the newest.

    Raises:
        UsageError: there is none.
    """
    known = versions_of(agent, incident_id)
    if not known:
        raise UsageError(agent.text("reports.no_version", id=incident_id))
    for entry in known:
        if entry.version == (version or known[-1].version):
            return entry
    raise UsageError(agent.text("reports.no_such_version", id=incident_id, version=version))


def keep_final(agent: Agent, _now: datetime) -> None:
    """Keeper: once handling has ended there is a first draft to work on."""
    for incident in incidents(agent).all():
        if incident.phase != "reviewing" or incident.handling_ended_at is None or versions_of(agent, incident.id):
            continue
        try:
            draft(agent, incident.id, "cloche", QUICK)
        except ClocheError as error:
            log.warning("the report could not be drafted", incident=incident.id, why=agent.mask(describe(error)))


def _version(row: ReportVersionRow) -> Version:
    return Version(
        version=row.version, digest=row.digest, missing=tuple(json.loads(row.missing)), by=row.by,
        made_at=row.made_at, files=tuple(row.files.splitlines()),
    )  # fmt: skip
