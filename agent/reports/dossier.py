"""All that is known of an incident at one moment, gathered once for every form that is filled from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agent.audit.verify import Head
from agent.incident.clocks import Clock
from agent.incident.duties import Submission, facts_of, submissions_of
from agent.incident.entities import Concerned, concerned
from agent.incident.first_report import deeds_of
from agent.incident.grading import Graded, law_grade
from agent.incident.orders import Order, orders_of
from agent.incident.records import Incident
from agent.incident.view import bundles, clocks_of
from agent.investigation.people import fold
from agent.investigation.records import Conclusion
from agent.reports.improvements import Improvement, improvements_of
from config.forms import FieldName
from config.schema import Person, Settings
from containment.evidence import MANIFEST

if TYPE_CHECKING:
    from agent.wiring import Agent


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """An evidence bundle: its name, number of files and the SHA-256 (hex) of its manifest."""

    name: str
    files: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Dossier:
    """The gathered facts; everything in it is masked already. `by_hand` is what people filled in, by field."""

    settings: Settings
    incident: Incident
    now: datetime
    clocks: Sequence[Clock]
    entities: Sequence[Concerned]
    by_hand: Mapping[FieldName, str]
    submissions: Sequence[Submission]
    orders: Sequence[Order]
    improvements: Sequence[Improvement]
    evidence: Sequence[Bundle]
    deeds: Sequence[Mapping[str, Any]]
    grade: Graded | None
    conclusion: Conclusion | None = None
    head: Head | None = None
    people: Sequence[Person] = field(default=(), repr=False)

    def person_with(self, *roles: str) -> Person | None:
        """The first person with one of the roles, in the order of `roles`."""
        for role in roles:
            for person in self.people:
                if role in person.roles:
                    return person
        return None


def gather(agent: Agent, incident: Incident, now: datetime) -> Dossier:
    """Everything, as of now; the head of the timeline, which is signed for it, only by `with_head`.

    Raises:
        ClocheError: a database or a timeline cannot be read.
    """
    return Dossier(
        settings=agent.settings, incident=incident, now=now, clocks=clocks_of(agent, incident, now),
        entities=concerned(agent, incident), by_hand=facts_of(agent, incident.id),
        submissions=submissions_of(agent, incident.id), orders=orders_of(agent, incident.id),
        improvements=improvements_of(agent, incident.id), evidence=evidence_of(agent, incident.id),
        deeds=deeds_of(incident), conclusion=fold(incident.steps).conclusion, grade=law_grade(incident),
        people=agent.settings.people,
    )  # fmt: skip


def with_head(agent: Agent, dossier: Dossier) -> Dossier:
    """The same with the timeline's head as it stands now, for printing.

    Raises:
        ClocheError: it cannot be written.
    """
    return replace(dossier, head=agent.timelines.head(dossier.incident.id)) if dossier.incident.steps else dossier


def evidence_of(agent: Agent, incident_id: str) -> list[Bundle]:
    """The bundles that were kept; one whose manifest cannot be read is left out, `incident verify` names it."""
    found = []
    for folder in bundles(agent.home.evidence / incident_id):
        try:
            raw = (folder / MANIFEST).read_bytes()
            files = len(json.loads(raw)["files"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found.append(Bundle(name=folder.name, files=files, sha256=hashlib.sha256(raw).hexdigest()))
    return found
