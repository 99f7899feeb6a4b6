"""Write a draft of everything that is due, at once after a declaration, and again as facts change.

A version is never written over: somebody may have handed it in. What did not change gets no new version, and what
changes all the time (counts while a scan runs) gets one every few minutes, unless a person asks or has filled
something in since.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from agent.documents.write import FORMATS, Format, write_versions
from agent.incident.course import Course
from agent.incident.duties import Draft, drafts_of, filled_at
from agent.incident.duty_models import DraftRow
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.incident.view import wording_of
from agent.reports.dossier import Dossier, gather, with_head
from agent.reports.draft import Form, forms
from config.errors import ClocheError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("reports")
FOLDER: Final = "drafts"
QUICK: Final[tuple[Format, ...]] = ("html", "docx")
"""What nobody asked for: to read and to edit. Whoever asks gets pages to hand in as well (0.6 s each)."""
_WRITING: Final = threading.Lock()
"""A person who asks and the keeper must not take the same version number."""
PAUSE: Final = timedelta(minutes=10)


def keep_drafts(agent: Agent, now: datetime) -> None:
    """Keeper: every incident that was declared and is not over has current drafts."""
    for incident in incidents(agent).all():
        if incident.declared_at is None or incident.phase in ("closed", "dismissed") or incident.merged_into:
            continue
        try:
            write_drafts(agent, incidents(agent).get(incident.id), "cloche", now, pause=PAUSE, formats=QUICK)
        except ClocheError as error:
            log.warning("drafts could not be written", incident=incident.id, why=agent.mask(describe(error)))


def write_drafts(
    agent: Agent,
    incident: Incident,
    actor: str,
    now: datetime,
    *,
    pause: timedelta = timedelta(),
    formats: Sequence[Format] = FORMATS,
) -> list[str]:
    """Write what has changed; the keys of the duties whose drafts are new.

    Args:
        agent: all parts.
        incident: with its items and steps.
        actor: who asks.
        now: aware.
        pause: a draft younger than this is left as it is, unless a field was filled in since.
        formats: what is written; a draft that lacks one of them is written anew.

    Raises:
        ClocheError: a draft cannot be written; those before it are.
    """
    with _WRITING:
        return _write_all(agent, incident, actor, now, pause, formats)


def _write_all(
    agent: Agent, incident: Incident, actor: str, now: datetime, pause: timedelta, formats: Sequence[Format]
) -> list[str]:
    dossier = gather(agent, incident, now)
    known, filled = drafts_of(agent, incident.id), filled_at(agent, incident.id)
    written: list[str] = []
    missing = 0
    for clock, one, form in forms(dossier, wording_of(agent)):
        last = known.get((clock.key, one.key))
        facts = form.facts
        same = last is not None and last.facts == facts and has(last, formats)
        if last is not None and (same or (_is_young(last, now, pause) and not (filled and filled > last.made_at))):
            continue
        if dossier.head is None:
            dossier = with_head(agent, dossier)
        _write(agent, dossier, form, formats)
        missing = max(missing, len(form.gaps))
        written.append(clock.key)
    if written:
        Course(agent, incident.id, actor).record(
            "law.drafted", count=len(written), duties=list(dict.fromkeys(written)), missing=missing
        )
    return written


def _is_young(draft: Draft, now: datetime, pause: timedelta) -> bool:
    return abs(now - draft.made_at) < pause


def as_name(words: str) -> str:
    """Words as part of a file's name: letters, digits and hyphens."""
    return "".join(letter if letter.isalnum() else "-" for letter in words)[:40]


def has(draft: Draft, formats: Sequence[Format]) -> bool:
    """Whether a draft is there in all of these formats, as far as this machine can make them."""
    from agent.documents.typeset import obstacle

    endings = {path.rpartition(".")[2] for path in draft.files}
    return all(ending in endings or (ending == "pdf" and bool(obstacle())) for ending in formats)


def _write(agent: Agent, dossier: Dossier, form: Form, formats: Sequence[Format]) -> None:
    incident, clock, one = dossier.incident, form.clock, form.one
    stem = f"{as_name(clock.regime.id)}-{as_name(clock.duty.id)}"
    if len(dossier.entities) > 1:
        stem += f"-{as_name(one.key)}"
    files = write_versions(
        agent, agent.home.documents / incident.id / FOLDER, stem,
        lambda wording, version: Form(dossier, clock, one, wording).build(version), formats,
    )  # fmt: skip
    with agent.inventory.sessions.begin() as session:
        last = session.scalar(
            select(func.max(DraftRow.version)).where(
                DraftRow.incident == incident.id, DraftRow.duty == clock.key, DraftRow.entity == one.key
            )
        )
        session.add(
            DraftRow(
                incident=incident.id, duty=clock.key, entity=one.key, version=(last or 0) + 1, facts=form.facts,
                missing=len(form.gaps), made_at=dossier.now, files="\n".join(str(path) for path in files),
            )
        )  # fmt: skip
