"""If this server were stolen tonight: what a thief could read, which duties of law would start, what would lower it.

A hypothesis only: nothing is recorded as an incident, no clock starts, nobody is told. Counts come from the inventory
and are "at most": whoever counts persons once each (`incident persons`) can only find fewer. What is sealed is out of
a thief's reach as long as the recovery sheet is not stolen with it; a volume encrypted by the system is, while it is
switched off.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from agent.assess.look import Look
from agent.assess.measures.storage import is_backup, is_stale
from agent.assess.survey import Held, kinds_of
from agent.documents.model import Document
from agent.incident.clocks import Circumstances, Clock, clocks
from agent.incident.entities import concerned
from agent.incident.moments import zone_of
from agent.incident.records import Affected, Incident
from agent.incident.wording import Wording
from config.errors import ClocheError
from config.text import LANGUAGES, Language, Text

if TYPE_CHECKING:
    from agent.reports.dossier import Dossier

NUMBER: Final = "HYPOTHETICAL"
LISTED: Final = 30


@dataclass(frozen=True, kw_only=True)
class Lower:
    """Something that would make it less: `persons` fewer at most, by this command."""

    id: str
    files: int
    persons: int
    command: str


@dataclass(frozen=True, kw_only=True)
class Tonight:
    """What a thief would have. Files in the open (`strays`), databases that programs work on (`live`), the rest."""

    at: datetime
    strays: tuple[Held, ...]
    live: tuple[Held, ...]
    locked: tuple[Held, ...]
    sealed: tuple[Held, ...]
    persons: int
    sensitive: int
    incident: Incident
    clocks: tuple[Clock, ...]
    lower: tuple[Lower, ...]

    @property
    def open_to_a_thief(self) -> tuple[Held, ...]:
        """Strays and live databases together."""
        return (*self.strays, *self.live)


def tonight(look: Look) -> Tonight:
    """Work it out. Nothing is changed.

    Raises:
        ClocheError: nothing was ever scanned: the answer would be a guess.
    """
    survey = look.survey
    if survey.last_run is None:
        raise ClocheError(look.agent.text("assess.tonight_unscanned"))
    files = [file for file in survey.files if not file.is_database]
    plain = [file for file in files if file.state in ("plain", "fenced")]
    locked = tuple(file for file in plain if look.machine.is_encrypted(file.path))
    reachable = [file for file in plain if file not in locked]
    strays, live = (
        tuple(file for file in reachable if not file.live),
        tuple(file for file in reachable if file.live),
    )
    persons, sensitive = survey.persons_in(reachable), survey.persons_in(sensitive_of(look, reachable))
    incident = hypothesis(look, reachable, persons, sensitive)
    held = survey.persons_in(survey.files)
    return Tonight(
        at=look.now, strays=strays, live=live, locked=locked,
        sealed=tuple(file for file in files if file.state in ("sealed", "vault")),
        persons=persons, sensitive=sensitive, incident=incident,
        clocks=tuple(clocks(
            incident, look.now, listed=look.agent.settings.respond.regimes,
            circumstances=Circumstances(held_persons=held),
        )),
        lower=tuple(ways_down(look, strays, live)),
    )  # fmt: skip


def sensitive_of(look: Look, files: Sequence[Held]) -> list[Held]:
    """Files with types that the level pack calls sensitive, alone or together."""
    from agent.notice.counting import sensitive_entities, sensitive_together

    pack = look.agent.settings.detect.levels
    alone, together = sensitive_entities(pack), sensitive_together(pack)
    return [
        file for file in files
        if file.entities & alone or any(all(file.entities & group for group in groups) for groups in together)
    ]  # fmt: skip


def hypothesis(look: Look, files: Sequence[Held], persons: int, sensitive: int) -> Incident:
    """The incident that it would be, as if noticed now: a record that is nowhere kept."""
    from agent.incident.grading import law_grade, level_of

    agent = look.agent
    worst = sorted(files, key=lambda file: (-file.persons, file.path))
    found = Incident(
        id=NUMBER, kind="lost_device", phase="responding", machine=False,
        summary=agent.text("assess.tonight_summary"), place=agent.settings.store.name,
        types=tuple(kinds_of(files)), by="cloche", scope="all", discovered_at=look.now, occurred_at=look.now,
        reported_at=None, declared_at=look.now, handling_ended_at=None, closed_at=None, files=len(files),
        persons=persons, sensitive=sensitive,
        items=tuple(
            Affected(
                key=file.key, path=file.path, name=agent.mask(os.fsdecode(file.path)), persons=file.persons,
                types=tuple(sorted(file.entities)), state="plain",
            )
            for file in worst[:LISTED]
        ),
    )  # fmt: skip
    by_law = law_grade(found)
    return replace(found, level=level_of(found).id, law_grade=by_law.grade.id if by_law else "")


def ways_down(look: Look, strays: Sequence[Held], live: Sequence[Held]) -> list[Lower]:
    """What would lower it, by persons: what is left open afterwards is what counts, for people lie in several files."""
    whole = [*strays, *live]
    days = look.limit("stale_exports", "days")
    roots = " ".join(look.agent.settings.scan.roots) or "PATH"
    ways: list[tuple[str, Callable[[Held], bool], str]] = [
        ("seal_strays", lambda file: not file.live, f"cloche protect --only-findings {roots}"),
        ("seal_stale", lambda file: not file.live and is_stale(file, look.now, days),
         f"cloche assess dispose --seal --older-than {days:.0f}"),
        ("seal_backups", lambda file: not file.live and is_backup(file), "cloche assess dispose --seal --backups"),
        ("encrypt_disk", lambda file: file.live, "cryptsetup luksFormat"),
    ]  # fmt: skip
    found = []
    before = look.survey.persons_in(whole)
    for name, chosen, command in ways:
        gone = [file for file in whole if chosen(file)]
        if gone:
            after = look.survey.persons_in([file for file in whole if not chosen(file)])
            found.append(Lower(id=name, files=len(gone), persons=max(before - after, 0), command=command))
    return sorted(found, key=lambda way: -way.persons)


def document_of(found: Tonight, look: Look) -> dict[str, Any]:
    """`cloche.assess.tonight/1`."""
    language, zone = look.agent.text.language, zone_of(look.agent.settings.store.timezone)

    def counted(files: Sequence[Held]) -> dict[str, Any]:
        return {"files": len(files), "persons": look.survey.persons_in(files)}

    return {
        "schema": "cloche.assess.tonight/1", "at": found.at.isoformat(timespec="seconds"), "hypothetical": True,
        "persons": found.persons, "sensitive": found.sensitive, "level": found.incident.level,
        "law_grade": found.incident.law_grade, "strays": counted(found.strays), "live": counted(found.live),
        "encrypted_volume": counted(found.locked), "sealed": counted(found.sealed),
        "types": kinds_of(found.open_to_a_thief),
        "worst": [{"name": item.name, "persons": item.persons} for item in found.incident.items[:5]],
        "duties": [clock.document(language, zone) for clock in found.clocks],
        "drafts": [title for title, _build in drafts(look, found, Wording(look.agent.text, zone))],
        "lower": [vars(way) for way in found.lower],
    }  # fmt: skip


def drafts(look: Look, found: Tonight, wording: Wording) -> list[tuple[str, Document]]:
    """Every draft that would be made, each page stamped as hypothetical: title and document."""
    from agent.incident.first_report import FirstReport
    from agent.reports.draft import forms

    text = wording.text
    stamp = text("assess.hypothetical")
    incident = replace(found.incident, summary=text("assess.tonight_summary"))
    first = FirstReport(incident, found.clocks, look.agent.settings, wording).build(look.now)
    made = [(first.title, first)]
    for clock, one, form in forms(dossier_of(look, found, incident), wording):
        title = (clock.duty.form or clock.duty.title)[text.language]
        made.append((f"{title} · {one.entity.name}" if one.entity.name else title, form.build(1)))
    return [
        (title, replace(document, stamp=stamp, notices=(stamp, *document.notices), head=""))
        for title, document in made
    ]  # fmt: skip


def dossier_of(look: Look, found: Tonight, incident: Incident) -> Dossier:
    """As if gathered from the record; there is none, so what people would fill in is empty."""
    from agent.incident.grading import law_grade
    from agent.reports.dossier import Dossier

    agent = look.agent
    return Dossier(
        settings=agent.settings, incident=incident, now=look.now, clocks=found.clocks,
        entities=concerned(agent, incident), by_hand={}, submissions=(), orders=(), improvements=(), evidence=(),
        deeds=(), grade=law_grade(incident), people=agent.settings.people,
    )  # fmt: skip


def rendered(look: Look, found: Tonight, endings: Sequence[str]) -> dict[str, bytes]:
    """All drafts as files, by name: for the caller's folder; nothing of it is kept here.

    Raises:
        ClocheError: a document cannot be made.
    """
    from agent.documents.write import FORMATS, render
    from agent.reports.drafting import as_name

    zone = zone_of(look.agent.settings.store.timezone)
    files: dict[str, bytes] = {}
    languages: tuple[Language, ...] = LANGUAGES
    for language in languages:
        prefix = Text(language)("assess.hypothetical_prefix")
        for number, (title, document) in enumerate(drafts(look, found, Wording(Text(language), zone)), 1):
            for ending in FORMATS:
                if ending in endings:
                    files[f"{prefix}-{number:02d}-{as_name(title)}.{language}.{ending}"] = render(document, ending)
    return files
