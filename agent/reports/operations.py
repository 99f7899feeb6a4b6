"""`incident.clocks|drafts|fill|submit|demand|summary|police` and `incident.final.*`: check, do, answer."""

from __future__ import annotations

import os
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, get_args

from agent.approvals import standing
from agent.incident import duties
from agent.incident.clocks import Demand, iso
from agent.incident.moments import parse_moment, zone_of
from agent.incident.operations import text_of
from agent.incident.store import incidents
from agent.incident.view import wording_of
from agent.incident.wording import Wording
from agent.operation import Answer, Request
from agent.reports import final
from agent.reports.drafting import write_drafts
from agent.reports.improvements import add_improvement, change_improvement, improvements_of
from agent.reports.police import make_package
from agent.reports.summary import summary_lines
from config.errors import ClocheError, ExitCode, UsageError
from config.schema import Role
from config.text import LANGUAGES, Text
from containment.atomic import create_file, write_all

if TYPE_CHECKING:
    from agent.wiring import Agent

READERS: Final[tuple[Role, ...]] = get_args(Role)
WRITERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "response_lead", "legal", "privacy_officer",
    "tech_support",
)  # fmt: skip
SUBMITTERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "response_lead", "legal", "privacy_officer",
)  # fmt: skip


def show_clocks(agent: Agent, request: Request) -> Answer:
    """`cloche.incident.clocks/1`: every clock, to whom, how, in whose name, what is missing; and standing duties."""
    request.may(*READERS)
    incident = incidents(agent).get(text_of(request, "id"))
    now, wording = agent.now(), wording_of(agent)
    states = duties.duties_of(agent, incident, now)
    document = {
        "schema": "cloche.incident.clocks/1", "id": incident.id, "kind": incident.kind, "phase": incident.phase,
        "at": iso(now, wording.zone), "duties": [state.document(wording) for state in states],
        "standing": standing_documents(agent, wording),
    }  # fmt: skip
    return Answer(document=document)


def standing_documents(agent: Agent, wording: Wording) -> list[dict[str, Any]]:
    """Duties that no incident starts, as they hold for this store."""
    from agent.incident.standing import standing_duties

    return [entry.document(wording) for entry in standing_duties(agent, agent.now())]


def drafts(agent: Agent, request: Request) -> Answer:
    """`cloche.incident.drafts/1`: bring every draft up to date and list them. Exit 3 while there are gaps."""
    request.may(*WRITERS)
    incident = incidents(agent).get(text_of(request, "id"))
    now, zone = agent.now(), zone_of(agent.settings.store.timezone)
    written = write_drafts(agent, incident, request.caller.user, now)
    rows = [
        {
            "duty": state.clock.key, "title": state.clock.duty.title[agent.text.language],
            "entity": state.one.entity.name, "version": state.draft.version,
            "made_at": iso(state.draft.made_at, zone), "missing": list(state.missing),
            "files": list(state.draft.files), "verified": state.clock.verified,
            "submitted": bool(state.submissions),
        }
        for state in duties.duties_of(agent, incidents(agent).get(incident.id), now)
        if state.draft is not None
    ]  # fmt: skip
    document = {"schema": "cloche.incident.drafts/1", "id": incident.id, "written": written, "drafts": rows}
    gaps = any(row["missing"] for row in rows)
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if gaps else ExitCode.DONE)


def fill(agent: Agent, request: Request) -> Answer:
    """`cloche.incident.fill/1`: a field of the forms, by hand."""
    request.may(*WRITERS)
    incident = incidents(agent).get(text_of(request, "id"))
    name = duties.fill(agent, incident.id, request.caller.user, text_of(request, "field"), text_of(request, "text"))
    document = {
        "schema": "cloche.incident.fill/1", "id": incident.id, "field": name,
        "name": agent.text(f"law.field_{name}"), "text": duties.facts_of(agent, incident.id).get(name, ""),
    }  # fmt: skip
    return Answer(document=document)


def submit(agent: Agent, request: Request) -> Answer:
    """`cloche.incident.submit/1`: something was handed in to an authority."""
    request.may(*SUBMITTERS)
    incident = incidents(agent).get(text_of(request, "id"))
    handed = read_handed(agent, request, text_of(request, "duty"))
    found = duties.submit(agent, incident.id, request.caller.user, handed)
    _regime, duty = duties.find_duty(agent, found.duty)
    zone = zone_of(agent.settings.store.timezone)
    document = {
        "schema": "cloche.incident.submit/1", "id": incident.id, "title": duty.title[agent.text.language],
        **duties.submission_document(found, zone),
    }  # fmt: skip
    return Answer(document=document)


def demand(agent: Agent, request: Request) -> Answer:
    """`cloche.incident.demand/1`: an authority ordered something."""
    request.may(*SUBMITTERS)
    incident = incidents(agent).get(text_of(request, "id"))
    at = moment_of(agent, request, "at")
    due = future_of(agent, text_of(request, "due"))
    duties.demand(
        agent, incident.id, request.caller.user, text_of(request, "duty"), Demand(at=at, due=due),
        text_of(request, "note"),
    )  # fmt: skip
    regime, duty = duties.find_duty(agent, text_of(request, "duty"))
    zone = zone_of(agent.settings.store.timezone)
    document = {
        "schema": "cloche.incident.demand/1", "id": incident.id, "duty": f"{regime.id}/{duty.id}",
        "title": duty.title[agent.text.language], "at": iso(at, zone), "due": iso(due, zone),
    }  # fmt: skip
    return Answer(document=document)


def summary(agent: Agent, request: Request) -> Answer:
    """`cloche.incident.summary/1`: the page, in both languages."""
    request.may(*READERS)
    incident = incidents(agent).get(text_of(request, "id"))
    now, zone = agent.now(), zone_of(agent.settings.store.timezone)
    lines = {language: summary_lines(agent, incident, now, Wording(Text(language), zone)) for language in LANGUAGES}
    return Answer(document={"schema": "cloche.incident.summary/1", "id": incident.id, "lines": lines})


def police(agent: Agent, request: Request) -> Answer:
    """`cloche.incident.police/1`: the package, to the caller's descriptor, else among the documents."""
    request.may("security_lead", "security_deputy", "response_lead", "legal", "privacy_officer")
    incident = incidents(agent).get(text_of(request, "id"))
    package, facts = make_package(agent, incident.id, request.caller.user)
    path = ""
    try:
        if request.descriptors:
            write_all(request.descriptors[0], package)
            os.fsync(request.descriptors[0])
        else:
            target = agent.home.documents / incident.id / "police" / f"{facts['sha256'][:16]}.zip"
            create_file(target, package)
            path = str(target)
    except OSError as error:
        raise ClocheError(f"the package for the police cannot be written: {error.strerror}") from error
    document = {"schema": "cloche.incident.police/1", "id": incident.id, "path": path, **facts}
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if facts["missing"] else ExitCode.DONE)


def final_show(agent: Agent, request: Request) -> Answer:
    """The report's versions, comments, improvements, approval and submission."""
    request.may(*READERS)
    return Answer(document=final_document(agent, incidents(agent).get(text_of(request, "id")).id))


def final_draft(agent: Agent, request: Request) -> Answer:
    """Draft the next version. Exit 3 while it has gaps."""
    request.may(*WRITERS)
    found = final.draft(agent, incidents(agent).get(text_of(request, "id")).id, request.caller.user)
    document = final_document(agent, incidents(agent).get(text_of(request, "id")).id)
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if found.missing else ExitCode.DONE)


def final_comment(agent: Agent, request: Request) -> Answer:
    """Say something about a version."""
    request.may(*READERS)
    incident = incidents(agent).get(text_of(request, "id"))
    version = number_of(request, "version")
    final.comment(agent, incident.id, request.caller.user, text_of(request, "text"), version)
    return Answer(document=final_document(agent, incident.id))


def final_improve(agent: Agent, request: Request) -> Answer:
    """Add an improvement, or say that one is done or dropped."""
    request.may(*WRITERS, "department_head", "store_manager")
    incident = incidents(agent).get(text_of(request, "id"))
    done, drop = number_of(request, "done"), number_of(request, "drop")
    if done or drop:
        change_improvement(agent, incident.id, request.caller.user, done or drop, "done" if done else "drop")
    else:
        add_improvement(
            agent, incident.id, request.caller.user, text_of(request, "text"), text_of(request, "owner"),
            date_of(text_of(request, "due")),
        )  # fmt: skip
    return Answer(document=final_document(agent, incident.id))


def final_approve(agent: Agent, request: Request) -> Answer:
    """Approve the newest version; exit 4 names who still has to."""
    request.may(*READERS)
    incident = incidents(agent).get(text_of(request, "id"))
    final.approve(agent, incident.id, request.caller.user)
    return Answer(document=final_document(agent, incident.id))


def final_submit(agent: Agent, request: Request) -> Answer:
    """The report was handed in to the management group."""
    request.may(*SUBMITTERS)
    incident = incidents(agent).get(text_of(request, "id"))
    final.hand_in(
        agent, incident.id, request.caller.user, read_handed(agent, request, final.DUTY),
        text_of(request, "incomplete"),
    )  # fmt: skip
    return Answer(document=final_document(agent, incident.id))


def final_document(agent: Agent, incident_id: str) -> dict[str, Any]:
    """`cloche.incident.final/1`."""
    zone = zone_of(agent.settings.store.timezone)
    versions = final.versions_of(agent, incident_id)
    given = standing(agent, final.subject_of(incident_id), versions[-1].digest) if versions else None
    return {
        "schema": "cloche.incident.final/1", "id": incident_id,
        "versions": [
            {
                "version": entry.version, "digest": entry.digest, "missing": list(entry.missing), "by": entry.by,
                "made_at": iso(entry.made_at, zone), "files": list(entry.files),
            }
            for entry in versions
        ],
        "comments": [
            {"version": entry.version, "by": entry.by, "at": iso(entry.at, zone), "text": entry.text}
            for entry in final.comments_of(agent, incident_id)
        ],
        "improvements": [
            {
                "number": entry.number, "what": entry.what, "owner": entry.owner, "due": entry.due.isoformat(),
                "done_at": iso(entry.done_at, zone), "done_by": entry.done_by,
            }
            for entry in improvements_of(agent, incident_id)
        ],
        "approved": given is not None and not given.missing,
        "approved_by": [word.person for word in given.given] if given else [],
        "submissions": [
            duties.submission_document(entry, zone)
            for entry in duties.submissions_of(agent, incident_id)
            if entry.duty == final.DUTY
        ],
    }  # fmt: skip


def read_handed(agent: Agent, request: Request, duty: str) -> duties.Handed:
    """What the arguments say of a submission; `at` is now where nobody says.

    Raises:
        UsageError: a time that cannot be.
    """
    return duties.Handed(
        duty=duty, at=moment_of(agent, request, "at"), channel=text_of(request, "channel"),
        receipt=text_of(request, "receipt"), to=text_of(request, "to"), entity=text_of(request, "entity"),
    )  # fmt: skip


def moment_of(agent: Agent, request: Request, name: str) -> datetime:
    """A past time, now by default."""
    text = text_of(request, name)
    zone = zone_of(agent.settings.store.timezone)
    return parse_moment(text, f"--{name}", agent.now(), zone) if text else agent.now()


def future_of(agent: Agent, text: str) -> datetime | None:
    """A time that may lie ahead, in the store's zone unless it names one; a day alone is its end.

    Raises:
        UsageError: no time.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError("--due: not a time (ISO 8601)") from error
    if len(text.strip()) == len("2026-11-26"):
        moment = moment.replace(hour=23, minute=59, second=59)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone_of(agent.settings.store.timezone))


def date_of(text: str) -> date:
    """A day.

    Raises:
        UsageError: it is none.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError("--due: not a day (such as 2026-12-31)") from error


def number_of(request: Request, name: str) -> int:
    """A whole number, 0 where it is absent.

    Raises:
        UsageError: it is none.
    """
    value = request.arguments.get(name) or 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UsageError(f"--{name}: not a number")
    return value
