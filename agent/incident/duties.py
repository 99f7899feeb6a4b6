"""What is due, to whom, by which channel and in whose name; what is filled in, what is missing, what was handed in.

A duty is owed by each legal entity that an incident concerns, to the office of that entity's province. What was
submitted is what a person says was submitted, with the time, the channel and the receipt; Cloche itself sends nothing
to an authority. Everything that people do here stands on the incident's timeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import select

from agent.incident.clocks import Circumstances, Clock, Demand, clocks, iso
from agent.incident.course import Course
from agent.incident.duty_models import DemandRow, DraftRow, FactRow, SubmissionRow
from agent.incident.entities import Concerned, concerned, load_offices, office_of
from agent.incident.jumps import judged
from agent.incident.law import Content, Duty, Regime, Words, load_regimes
from agent.incident.records import Incident
from agent.incident.store import family, incidents
from agent.incident.wording import Wording
from config.errors import UsageError
from config.forms import FIELDS, IN_SETTINGS, FieldName

if TYPE_CHECKING:
    from agent.reports.fields import Filled
    from agent.wiring import Agent

LONGEST_TEXT: Final = 4000
LONGEST_WORD: Final = 200


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Something that was handed in. `version` 0: not a draft of ours; `missing`: gaps of that draft."""

    duty: str
    entity: str
    at: datetime
    recorded_at: datetime
    by: str
    to: str
    channel: str
    receipt: str
    version: int
    missing: int


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The newest draft of a duty for one entity. `facts` is the SHA-256 of what it says."""

    version: int
    facts: str
    missing: int
    made_at: datetime
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing that a report must say, with its fields as they stand. Without fields people write it."""

    content: Content
    fields: tuple[Filled, ...]

    @property
    def gaps(self) -> tuple[str, ...]:
        """What is missing, in words; nothing where the part is optional."""
        return () if self.content.optional else tuple(filled.gap for filled in self.fields if filled.gap)


@dataclass(frozen=True, kw_only=True)
class DutyState:
    """A duty of one legal entity at one moment. `office_verified` False: its name was not checked."""

    clock: Clock
    one: Concerned
    office: Words
    office_verified: bool
    parts: tuple[Part, ...]
    draft: Draft | None
    submissions: tuple[Submission, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Every gap once, in the order of the form."""
        return tuple(dict.fromkeys(gap for part in self.parts for gap in part.gaps))

    def document(self, wording: Wording) -> dict[str, Any]:
        """As JSON, in one language."""
        language, zone = wording.text.language, wording.zone
        return {
            **self.clock.document(language, zone), "entity": self.one.entity.name, "entity_code": self.one.entity.code,
            "office": self.office[language], "office_verified": self.office_verified,
            "fulfilled_by": self.clock.duty.fulfilled_by, "missing": list(self.missing),
            "parts": [
                {
                    "what": part.content[language], "first": part.content.first, "optional": part.content.optional,
                    "fields": [
                        {"field": filled.field, "name": filled.name, "text": filled.text, "gap": filled.gap,
                         "by_hand": filled.by_hand}
                        for filled in part.fields
                    ],
                }
                for part in self.parts
            ],
            "draft": None if self.draft is None else {
                "version": self.draft.version, "made_at": iso(self.draft.made_at, zone),
                "missing": self.draft.missing, "files": list(self.draft.files),
            },
            "submissions": [submission_document(entry, zone) for entry in self.submissions],
        }  # fmt: skip


def submission_document(entry: Submission, zone: Any) -> dict[str, Any]:
    """As JSON."""
    return {
        "duty": entry.duty, "entity": entry.entity, "at": iso(entry.at, zone),
        "recorded_at": iso(entry.recorded_at, zone), "by": entry.by, "to": entry.to, "channel": entry.channel,
        "receipt": entry.receipt, "version": entry.version, "missing": entry.missing,
    }  # fmt: skip


def circumstances_of(agent: Agent, incident: Incident, now: datetime) -> Circumstances:
    """What was submitted or ordered, and what time it is by the count of seconds that nobody can set.

    A duty counts as submitted once every entity concerned has submitted it, at the time of the last first submission.
    """
    handed: dict[str, dict[str, datetime]] = {}
    for entry in submissions_of(agent, incident.id):
        first = handed.setdefault(entry.duty, {})
        first[entry.entity] = min(entry.at, first.get(entry.entity, entry.at))
    wanted = {one.key for one in concerned(agent, incident)} if handed else set()
    submitted = {duty: max(times.values()) for duty, times in handed.items() if wanted <= set(times)}
    for key, at in fulfilled_elsewhere(agent, incident).items():
        submitted.setdefault(key, at)
    together = family(agent, incident.id)
    with agent.inventory.reading() as session:
        rows = session.scalars(select(DemandRow).where(DemandRow.incident.in_(together)).order_by(DemandRow.id))
        ordered = {row.duty: Demand(at=row.at, due=row.due) for row in rows}
    last = agent.inventory.last_run()
    return Circumstances(
        held_persons=last.persons if last else 0, submitted=submitted, ordered=ordered,
        judged=judged(agent, incident, now),
    )  # fmt: skip


def fulfilled_elsewhere(agent: Agent, incident: Incident) -> dict[str, datetime]:
    """Duties that the customers' notice or the report after the event fulfil, with the time."""
    from agent.reports.final import submitted_at

    final = submitted_at(agent, incident.id)
    notice = _notice_at(agent, incident)
    found: dict[str, datetime] = {}
    for regime in load_regimes():
        for duty in regime.duties:
            at = {"final": final, "notice": notice}.get(duty.fulfilled_by)
            if at is not None:
                found[f"{regime.id}/{duty.id}"] = at
    return found


def _notice_at(agent: Agent, incident: Incident) -> datetime | None:
    """When customers were told, or it was decided that they need not be, or that there is nobody was counted."""
    from agent.notice.campaign import newest_campaign, notice_decided

    newest = newest_campaign(agent, incident.id)
    if newest is not None and newest.state in ("sent", "decided_not"):
        return newest.changed_at
    return incident.counted_at if notice_decided(agent, incident.id) else None


def duties_of(agent: Agent, incident: Incident, now: datetime) -> list[DutyState]:
    """Every duty that the incident brings, for each entity concerned, the most urgent first; in the store's language.

    Args:
        agent: all parts.
        incident: with its items and steps.
        now: aware.
    """
    from agent.reports.dossier import gather
    from agent.reports.fields import Fields

    wording = _wording(agent)
    dossier = gather(agent, incident, now)
    drafts = drafts_of(agent, incident.id)
    return [
        DutyState(
            clock=clock, one=one, office=office_of(clock.duty, one.entity),
            office_verified=clock.duty.office != "province" or load_offices().verified,
            parts=parts_of(clock.duty, Fields(dossier, wording, one, clock)),
            draft=drafts.get((clock.key, one.key)),
            submissions=tuple(
                entry for entry in dossier.submissions if (entry.duty, entry.entity) == (clock.key, one.key)
            ),
        )
        for clock in dossier.clocks
        for one in dossier.entities
    ]  # fmt: skip


def parts_of(duty: Duty, fields: Any) -> tuple[Part, ...]:
    """The contents of a duty, each field filled where it applies (`fields` is an `agent.reports.fields.Fields`)."""
    return tuple(
        Part(
            content=content,
            fields=tuple(filled for name in content.fields if (filled := fields.fill(name)) is not None),
        )
        for content in duty.contents
    )


def find_duty(agent: Agent, key: str) -> tuple[Regime, Duty]:
    """The duty of a key, `<regime>/<duty>` or the end of it that fits one alone.

    Raises:
        UsageError: none, or more than one.
    """
    every = [(regime, duty) for regime in load_regimes() for duty in regime.duties]
    exact = [(regime, duty) for regime, duty in every if f"{regime.id}/{duty.id}" == key]
    found = exact or [(regime, duty) for regime, duty in every if key and key in (regime.id, duty.id)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{regime.id}/{duty.id}" for regime, duty in found or every)
    raise UsageError(agent.text("law.no_duty", key=agent.mask(key[:LONGEST_WORD]), names=names))


@dataclass(frozen=True, kw_only=True)
class Handed:
    """What a person says about a submission. `at` aware; `entity` '' is the only one concerned; `to` '' its office."""

    duty: str
    at: datetime
    channel: str
    receipt: str = ""
    to: str = ""
    entity: str = ""


def submit(agent: Agent, incident_id: str, actor: str, handed: Handed) -> Submission:
    """Record that a duty was handed in; nothing is sent. Words are masked here.

    Raises:
        UsageError: no such duty or entity, no channel, or a time before the incident was discovered.
    """
    incident = incidents(agent).get(incident_id)
    regime, duty = find_duty(agent, handed.duty)
    key = f"{regime.id}/{duty.id}"
    one = entity_named(agent, incident, handed.entity)
    if handed.at < incident.discovered_at:
        raise UsageError(agent.text("law.before_discovery"))
    if not handed.channel.strip():
        raise UsageError(agent.text("law.no_channel"))
    draft = drafts_of(agent, incident.id).get((key, one.key))
    row = SubmissionRow(
        incident=incident.id, duty=key, entity=one.key, at=handed.at, recorded_at=agent.now(), by=actor,
        to=agent.mask(handed.to.strip()[:LONGEST_WORD]) or office_of(duty, one.entity)[agent.text.language],
        channel=agent.mask(handed.channel.strip()[:LONGEST_WORD]),
        receipt=agent.mask(handed.receipt.strip()[:LONGEST_WORD]),
        version=draft.version if draft else 0, missing=draft.missing if draft else 0,
    )  # fmt: skip
    with agent.inventory.sessions.begin() as session:
        session.add(row)
        session.flush()
        found = _submission(row)
    Course(agent, incident.id, actor).record(
        "law.submitted", duty=key, entity=one.entity.name, to=found.to,
        channel=found.channel, receipt=found.receipt or "–", at=_wording(agent).with_offset(found.at),
        version=found.version, missing=found.missing,
    )  # fmt: skip
    return found


def demand(agent: Agent, incident_id: str, actor: str, key: str, order: Demand, note: str) -> None:
    """Record that an authority ordered something: its clock starts then and, if a date was named, ends there.

    Raises:
        UsageError: no such duty, or due before it was ordered.
    """
    incident = incidents(agent).get(incident_id)
    regime, duty = find_duty(agent, key)
    at, due = order.at, order.due
    if due is not None and due < at:
        raise UsageError(agent.text("law.due_before_order"))
    words = agent.mask(note.strip()[:LONGEST_TEXT])
    with agent.inventory.sessions.begin() as session:
        session.add(
            DemandRow(incident=incident.id, duty=f"{regime.id}/{duty.id}", at=at, due=due, by=actor, note=words)
        )
    Course(agent, incident.id, actor).record(
        "law.demanded", duty=f"{regime.id}/{duty.id}",
        at=_wording(agent).with_offset(at), due=_wording(agent).with_offset(due) if due else "–", note=words,
    )  # fmt: skip


def fill(agent: Agent, incident_id: str, actor: str, name: str, words: str) -> FieldName:
    """Fill in a field of the forms by hand; empty words take it back. Masked here.

    Raises:
        UsageError: no such field, or one whose telephone numbers would be masked: those stand in the settings.
    """
    incident = incidents(agent).get(incident_id)
    if name not in FIELDS:
        raise UsageError(agent.text("law.no_field", field=agent.mask(name[:LONGEST_WORD]), names=", ".join(FIELDS)))
    chosen = name
    if chosen in IN_SETTINGS:
        raise UsageError(agent.text("law.in_settings", field=chosen))
    masked = agent.mask(words.strip()[:LONGEST_TEXT])
    with agent.inventory.sessions.begin() as session:
        session.add(FactRow(incident=incident.id, field=chosen, text=masked, by=actor, at=agent.now()))
    Course(agent, incident.id, actor).record("law.filled", field=chosen, text=masked)
    return chosen


def facts_of(agent: Agent, incident_id: str) -> dict[FieldName, str]:
    """What people filled in, the newest of each field; fields that were taken back are not there."""
    together = family(agent, incident_id)
    with agent.inventory.reading() as session:
        rows = session.scalars(select(FactRow).where(FactRow.incident.in_(together)).order_by(FactRow.id))
        found = {cast("FieldName", row.field): row.text for row in rows}
    return {name: text for name, text in found.items() if text}


def filled_at(agent: Agent, incident_id: str) -> datetime | None:
    """When somebody last filled a field in, or took one back."""
    together = family(agent, incident_id)
    with agent.inventory.reading() as session:
        rows = select(FactRow.at).where(FactRow.incident.in_(together)).order_by(FactRow.id.desc()).limit(1)
        return session.scalars(rows).first()


def submissions_of(agent: Agent, incident_id: str) -> Sequence[Submission]:
    """Everything that was handed in, in order of time."""
    together = family(agent, incident_id)
    with agent.inventory.reading() as session:
        rows = session.scalars(
            select(SubmissionRow)
            .where(SubmissionRow.incident.in_(together))
            .order_by(SubmissionRow.at, SubmissionRow.id)
        )
        return [_submission(row) for row in rows]


def drafts_of(agent: Agent, incident_id: str) -> dict[tuple[str, str], Draft]:
    """The newest draft of each duty and entity."""
    with agent.inventory.reading() as session:
        rows = session.scalars(select(DraftRow).where(DraftRow.incident == incident_id).order_by(DraftRow.version))
        return {
            (row.duty, row.entity): Draft(
                version=row.version, facts=row.facts, missing=row.missing, made_at=row.made_at,
                files=tuple(row.files.splitlines()),
            )
            for row in rows
        }  # fmt: skip


def entity_named(agent: Agent, incident: Incident, words: str) -> Concerned:
    """The entity concerned of this name or code; '' is the only one.

    Raises:
        UsageError: none, or '' where there are several.
    """
    ones = concerned(agent, incident)
    found = [one for one in ones if words in (one.entity.name, one.entity.code, "")]
    if len(found) == 1:
        return found[0]
    raise UsageError(agent.text("law.which_entity", names=", ".join(one.entity.name for one in ones)))


def known_clocks(agent: Agent, incident: Incident, now: datetime) -> list[Clock]:
    """The incident's clocks with the store's settings and all circumstances."""
    return clocks(
        incident, now, listed=agent.settings.respond.regimes, circumstances=circumstances_of(agent, incident, now)
    )


def _wording(agent: Agent) -> Wording:
    from agent.incident.view import wording_of

    return wording_of(agent)


def _submission(row: SubmissionRow) -> Submission:
    return Submission(**{name: getattr(row, name) for name in Submission.__dataclass_fields__})
