"""尽职证明: what measures are in force and since when, what was done in incidents, and, as plainly, what is missing.

It is made from what is kept (assessments, timelines, the record), says nothing that is not, and promises nothing: it
is for a reviewer, who holds it against the rest of the bundle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.assess.store import AssessmentStore, Kept
from agent.assess.words import spoken
from agent.documents.model import Block, Bullets, Document, Facts, Heading, Paragraph, Table
from agent.incident.clocks import Clock
from agent.incident.moments import zone_of
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.incident.view import clocks_of
from agent.incident.wording import Wording
from config.errors import ClocheError
from config.log import get_logger
from config.text import LANGUAGES, Text

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("audit")
STEM: Final = "diligence/尽职证明"
DEEDS: Final = (
    "scan", "protect", "unprotect", "open", "quarantine.add", "quarantine.release", "keys.init", "keys.rotate",
    "keys.recover", "training.", "drill.", "check.", "vendor.share", "vendor.returned", "vendor.destroyed",
    "assess.run", "assess.attest", "assess.dispose", "audit.export", "audit.purged",
)  # fmt: skip
"""Kinds of act that show care; one that ends in a dot stands for all of its room."""
MISSING: Final = ("bad", "partial", "unknown")


@dataclass(frozen=True, kw_only=True)
class Deeds:
    """Acts of one kind on record: how many, the first and the last."""

    act: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, kw_only=True)
class OnRecord:
    """What the summary is made of: assessments newest first, since when each measure is in force, all incidents."""

    store: str
    legal_entity: str
    at: datetime
    kept: tuple[Kept, ...]
    since: dict[str, datetime]
    incidents: tuple[tuple[Incident, tuple[Clock, ...]], ...]
    acts: tuple[Deeds, ...]


def gather(agent: Agent) -> OnRecord:
    """Everything that is on record."""
    now = agent.now()
    kept = tuple(AssessmentStore(agent.inventory.sessions).assessments())
    store = incidents(agent)
    every = tuple(store.get(one.id) for one in store.all())
    return OnRecord(
        store=agent.settings.store.name, legal_entity=agent.settings.store.legal_entity, at=now, kept=kept,
        since=in_force_since(kept),
        incidents=tuple((one, tuple(clocks_of(agent, one, now))) for one in every),
        acts=deeds_on(agent.home.audit_log),
    )  # fmt: skip


def in_force_since(kept: tuple[Kept, ...]) -> dict[str, datetime]:
    """Measure → the first of the assessments, without a gap up to the last one, that found it in force."""
    since: dict[str, datetime] = {}
    open_still: set[str] | None = None
    for one in kept:  # newest first
        found = {entry["id"] for entry in one.document["measures"] if entry["state"] == "good"}
        open_still = found if open_still is None else open_still & found
        since |= dict.fromkeys(open_still, one.at)
    return since


def deeds_on(log: Path) -> tuple[Deeds, ...]:
    """What was done, by kind (`DEEDS`), from the record; a damaged line says nothing here: `audit verify` names it."""
    times: dict[str, list[datetime]] = {}
    try:
        with log.open("rb") as lines:
            for line in lines:
                try:
                    entry = json.loads(line)
                    act, at = str(entry["act"]), datetime.fromisoformat(entry["time"])
                except (ValueError, KeyError, TypeError):
                    continue
                for kind in DEEDS:
                    if act == kind or (kind.endswith(".") and act.startswith(kind)):
                        times.setdefault(kind, []).append(at)
    except OSError:
        return ()
    return tuple(
        Deeds(act=kind, count=len(times[kind]), first=min(times[kind]), last=max(times[kind]))
        for kind in DEEDS
        if kind in times
    )


class Diligence:
    """Builds the document."""

    def __init__(self, facts: OnRecord) -> None:
        self._facts = facts

    def build(self, wording: Wording) -> Document:
        """In one language."""
        text, facts = wording.text, self._facts
        last = facts.kept[0] if facts.kept else None
        in_force = len(facts.since)
        missing = [one for one in last.document["measures"] if one["state"] in MISSING] if last else []
        lead = (
            text("audit.diligence_lead", score=last.score, force=in_force, missing=len(missing),
                 incidents=len(facts.incidents))
            if last else text("audit.diligence_unassessed", incidents=len(facts.incidents))
        )  # fmt: skip
        return Document(
            language=text.language,
            title=text("audit.diligence_title"),
            subtitle=text("audit.diligence_made", store=facts.store, time=wording.moment(facts.at)),
            lead=lead,
            notices=(text("audit.diligence_notice"), text("incident.assists")),
            blocks=tuple(self._blocks(wording, last, missing)),
            running=facts.store,
        )

    def _blocks(self, wording: Wording, last: Kept | None, missing: list[dict[str, Any]]) -> Iterator[Block]:
        text, facts = wording.text, self._facts
        yield Heading(text=text("audit.h_force"))
        if facts.since:
            yield Table(
                header=(text("audit.t_row"), text("audit.t_measure"), text("audit.t_since")),
                rows=tuple(
                    (one["row"], text(f"assess.measure_{one['id']}"), wording.moment(facts.since[one["id"]])[:10])
                    for one in (last.document["measures"] if last else ())
                    if one["id"] in facts.since
                ),
                widths=(12, 64, 24),
            )
            yield Paragraph(text=text("audit.since_note"), small=True)
        else:
            yield Paragraph(text=text("audit.nothing_in_force"))
        yield Heading(text=text("audit.h_missing"))
        if missing:
            yield Table(
                header=(text("audit.t_row"), text("audit.t_measure"), text("audit.t_state"), text("audit.t_evidence")),
                rows=tuple(
                    (
                        one["row"], text(f"assess.measure_{one['id']}"), text(f"assess.state_{one['state']}"),
                        spoken(text, one["evidence"][0]),
                    )
                    for one in missing
                ),
                widths=(10, 32, 12, 46),
                marked=frozenset(number for number, one in enumerate(missing) if one["state"] == "bad"),
            )  # fmt: skip
        else:
            yield Paragraph(text=text("audit.nothing_missing" if last else "audit.never_assessed"))
        yield from self._deeds(wording)
        yield from self._incidents(wording)
        yield Heading(text=text("audit.h_limits"))
        yield Bullets(items=tuple(text(f"audit.limit_{number}") for number in range(1, 5)))

    def _deeds(self, wording: Wording) -> Iterator[Block]:
        text = wording.text
        yield Heading(text=text("audit.h_deeds"))
        if not self._facts.acts:
            yield Paragraph(text=text("audit.no_deeds"))
            return
        yield Table(
            header=tuple(text(f"audit.t_{name}") for name in ("deed", "count", "first", "last")),
            rows=tuple(
                (
                    text(f"audit.deed_{deed.act.strip('.').replace('.', '_')}"), f"{deed.count:,}",
                    wording.moment(deed.first)[:16], wording.moment(deed.last)[:16],
                )
                for deed in self._facts.acts
            ),
            widths=(46, 10, 22, 22),
        )  # fmt: skip

    def _incidents(self, wording: Wording) -> Iterator[Block]:
        text, facts = wording.text, self._facts
        separator = "；" if text.language == "zh-CN" else "; "
        yield Heading(text=text("audit.h_incidents"))
        if not facts.incidents:
            yield Paragraph(text=text("audit.no_incidents"))
        for incident, clocks in facts.incidents:
            yield Heading(text=f"{incident.id} · {text(f'incident.kind_{incident.kind}')}", level=2)
            moments = [
                ("discovered", incident.discovered_at), ("reported", incident.reported_at),
                ("declared", incident.declared_at), ("handling_ended", incident.handling_ended_at),
                ("closed", incident.closed_at),
            ]  # fmt: skip
            late = [clock.duty.title[text.language] for clock in clocks if clock.state == "overdue"]
            failed = sum(not step.ok for step in incident.steps)
            yield Facts(
                rows=(
                    (text("audit.i_phase"), text(f"incident.phase_{incident.phase}")),
                    *((text(f"audit.i_{name}"), wording.moment(at)) for name, at in moments if at is not None),
                    (text("audit.i_impact"), text("audit.i_impact_value", files=incident.files,
                                                  persons=f"{incident.persons:,}")),
                    (text("audit.i_steps"), text("audit.i_steps_value", steps=len(incident.steps), failed=failed)),
                    (text("audit.i_late"), separator.join(late) or text("audit.none_late")),
                )
            )  # fmt: skip


def write_summary(agent: Agent) -> dict[str, bytes]:
    """The document in every language and format, by its path in the bundle; a format that fails here is left out.

    Raises:
        ClocheError: not even the html can be made.
    """
    from agent.documents.write import FORMATS, render

    facts = gather(agent)
    found: dict[str, bytes] = {}
    for language in LANGUAGES:
        document = Diligence(facts).build(Wording(Text(language), zone_of(agent.settings.store.timezone)))
        for ending in FORMATS:
            try:
                found[f"{STEM}.{language}.{ending}"] = render(document, ending)
            except ClocheError as error:
                if ending == "html":
                    raise
                log.warning("a format of the summary cannot be made", format=ending, why=str(error))
    return found
