"""Forms of the page: 疑似上报 without login. A hostile form makes a masked record, wakes people, and nothing else.

A person's words and contact are masked where they are stored; the form as it was written lies sealed beside the
incident's documents, for whoever holds a key (`cloche open`), where there is a key to seal to. Floods are bounded: the
link takes a few forms an hour, and of those the daemon makes so many incidents an hour and a day; what is beyond is
put on record masked and shortened, and the newest incident of the page counts it.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from agent.incident.course import Course
from agent.incident.declare import report
from agent.incident.moments import parse_moment, zone_of
from agent.incident.operations import MOST_REPORTS
from agent.incident.records import KINDS, Declaration, Incident
from agent.incident.store import incidents
from agent.messages.records import Answer
from config.errors import ClocheError, UsageError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

BY: Final = "page"
MOST_A_DAY: Final = 40
LONGEST_BACK: Final = timedelta(days=30)
LONGEST: Final = {"when": 60, "place": 200, "what": 4000, "name": 60, "contact": 120}

log = get_logger("messages")


def take_report(agent: Agent, answer: Answer) -> Incident | None:
    """Record what the form says; None where too many came already and it is on record alone.

    Raises:
        ClocheError: the disk refused it.
    """
    form = {name: _plain(answer.fields.get(name, ""), most) for name, most in LONGEST.items()}
    lately = _lately(agent)
    hour, now = timedelta(hours=1), agent.now()
    if len(lately) >= MOST_A_DAY or sum(1 for one in lately if _at(one) > now - hour) >= MOST_REPORTS:
        _put_aside(agent, answer, form["what"], lately[0])
        return None
    found_at, said = _discovered(agent, form["when"], answer.at)
    summary = form["what"] or agent.text("messages.report_empty")
    if said:
        summary = f"{summary}\n{agent.text('messages.report_when', when=said)}"
    if form["name"] or form["contact"]:
        summary += "\n" + agent.text("messages.report_by", name=form["name"] or "–", contact=form["contact"] or "–")
    kind = answer.fields.get("kind", "")
    incident = report(
        agent,
        Declaration(
            kind=kind if kind in KINDS else "other", summary=summary, discovered_at=found_at,
            place=form["place"], by=BY,
        ),
    )  # fmt: skip
    Course(agent, incident.id, BY).record("messages.report", receipt=answer.receipt)
    _keep_sealed(agent, incident, answer.receipt, form)
    return incident


def _discovered(agent: Agent, text: str, at: datetime) -> tuple[datetime, str]:
    """When it was noticed: what the form says where that can be, else when it came in, with the words kept."""
    if not text:
        return at, ""
    try:
        moment = parse_moment(text.replace("T", " ").strip(), "when", at, zone_of(agent.settings.store.timezone))
    except UsageError:
        return at, text
    return (moment, "") if moment > at - LONGEST_BACK else (at, text)


def _lately(agent: Agent) -> list[Incident]:
    """What the page reported within a day, newest first."""
    since = agent.now() - timedelta(days=1)
    return [one for one in incidents(agent).all() if one.by == BY and _at(one) > since]


def _at(incident: Incident) -> datetime:
    return incident.reported_at or incident.discovered_at


def _put_aside(agent: Agent, answer: Answer, what: str, newest: Incident) -> None:
    log.warning("more reports than are taken", receipt=answer.receipt)
    agent.audit.append(
        "messages.report_aside", BY, receipt=answer.receipt, incident=newest.id, summary=agent.mask(what[:300])
    )


def _plain(text: str, most: int) -> str:
    """Without control characters, one blank line at most, bounded."""
    kept = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text[: most * 2])
    return "\n".join(line.strip() for line in kept.splitlines() if line.strip())[:most]


def _keep_sealed(agent: Agent, incident: Incident, receipt: str, form: dict[str, str]) -> None:
    """The form as it was written, for whoever may open it. From memory straight into the sealed form."""
    if not agent.keyring.ready:
        return
    from containment import metadata
    from containment.atomic import create_file, write_all
    from containment.sealed import seal

    name = f"{receipt}.txt"
    source, target = os.memfd_create("form", os.MFD_CLOEXEC), os.memfd_create("sealed", os.MFD_CLOEXEC)
    try:
        write_all(source, "\n\n".join(f"{key}: {value}" for key, value in form.items()).encode("utf-8", "replace"))
        folder = agent.home.documents / incident.id
        folder.mkdir(mode=0o700, exist_ok=True)
        seal(source, target, metadata.capture(source, os.fsencode(folder / name)), agent.keyring)
        create_file(folder / f"{name}.cloche", os.pread(target, os.fstat(target).st_size, 0))
    except (ClocheError, OSError) as error:
        log.warning("a form could not be kept sealed", incident=incident.id, error=describe(error))
    finally:
        os.close(source)
        os.close(target)
