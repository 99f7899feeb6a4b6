"""`law.list` and `law.done`: every regime with its flags, and standing duties that were done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from agent.incident.clocks import iso
from agent.incident.entities import load_offices
from agent.incident.law import Duty, Regime, load_regimes
from agent.incident.moments import parse_moment
from agent.incident.operations import text_of
from agent.incident.standing import record_done, standing_duties
from agent.incident.view import wording_of
from agent.incident.workdays import load_calendars
from agent.operation import Answer, Request
from config.schema import Role
from config.text import Language

if TYPE_CHECKING:
    from agent.wiring import Agent

WRITERS: Final[tuple[Role, ...]] = ("security_lead", "security_deputy", "legal", "privacy_officer")


def list_law(agent: Agent, request: Request) -> Answer:
    """`cloche.law/1`: regimes, duties and calendars with source, date and flag; standing duties as they hold here."""
    request.may(*get_args(Role))
    wording = wording_of(agent)
    language = wording.text.language
    document = {
        "schema": "cloche.law/1",
        "regimes": [
            {
                "id": regime.id, "name": regime.name[language], "source": regime.source, "date": regime.date,
                "listed": bool({regime.id} & set(agent.settings.respond.regimes)),
                "duties": [duty_document(regime, duty, language) for duty in regime.duties],
            }
            for regime in load_regimes()
        ],
        "standing": [state.document(wording) for state in standing_duties(agent, agent.now())],
        "calendars": [
            {"country": entry.country, "year": entry.year, "source": entry.source, "date": entry.published,
             "verified": entry.verified}
            for entry in load_calendars()
        ],
        "offices": {"source": load_offices().source, "date": load_offices().date, "verified": load_offices().verified},
    }  # fmt: skip
    return Answer(document=document)


def duty_document(regime: Regime, duty: Duty, language: Language) -> dict[str, Any]:
    """What a duty of an incident is, as JSON."""
    return {
        "key": f"{regime.id}/{duty.id}", "title": duty.title[language], "authority": duty.authority[language],
        "channel": duty.channel[language], "hours": duty.hours, "working_days": duty.working_days,
        "start": duty.start, "from_grade": duty.from_grade, "applies": duty.applies,
        "contents": [content[language] for content in duty.contents], "verified": duty.verified,
        "contents_verified": duty.contents_verified, "threshold_verified": duty.threshold_verified,
    }  # fmt: skip


def done(agent: Agent, request: Request) -> Answer:
    """`cloche.law.done/1`: a standing duty was filed, audited or repeated."""
    request.may(*WRITERS)
    zone = wording_of(agent).zone
    given = text_of(request, "at")
    at = parse_moment(given, "--at", agent.now(), zone) if given else agent.now()
    key = text_of(request, "duty")
    record_done(agent, key, request.caller.user, at, text_of(request, "receipt"))
    state = next((state for state in standing_duties(agent, agent.now()) if state.key == key), None)
    document = {
        "schema": "cloche.law.done/1", "duty": key, "at": iso(at, zone), "due": iso(state.due, zone) if state else None,
    }  # fmt: skip
    return Answer(document=document)
