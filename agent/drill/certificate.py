"""应急演练证明: that a drill was held, how it went, and the record that GB/T 35273 ch. 10 asks for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.documents.model import Block, Bullets, Document, Facts, Heading, Paragraph, Table
from agent.documents.write import write_versions
from agent.drill.records import Drill
from agent.drill.scenarios import Words, find_scenario, load_plan
from agent.drill.scoring import compared
from agent.drill.store import DrillStore
from agent.drill.view import note_words, number_words, value_words
from agent.incident.wording import Wording
from config.text import Text

if TYPE_CHECKING:
    from agent.wiring import Agent

LISTED_STEPS = 60


def write_certificate(agent: Agent, drill: Drill) -> list[Path]:
    """The next version, in both languages and every format.

    Raises:
        ClocheError: it cannot be written.
    """
    certificate = Certificate(agent, drill)
    folder = agent.home.documents / drill.id
    return write_versions(agent, folder, agent.text("drill.doc_title"), certificate.build)


class Certificate:
    """The document of one drill."""

    def __init__(self, agent: Agent, drill: Drill) -> None:
        self._agent = agent
        self._drill = drill
        self._scenario = find_scenario(drill.scenario)
        self._before = DrillStore(agent).before(drill)
        self._now = agent.now()

    def build(self, wording: Wording, version: int) -> Document:
        """In one language."""
        text, drill = wording.text, self._drill
        words = self._scenario.words(text.language)
        store = self._agent.settings.store.name
        made = text("drill.doc_made", store=store, id=drill.id, time=wording.moment(self._now), version=version)
        key = "drill.doc_lead_passed" if drill.passed else "drill.doc_lead_failed"
        return Document(
            language=text.language, title=text("drill.doc_title"), subtitle=made, running=made,
            stamp=text("drill.doc_stamp"),
            lead=text(key, store=store, time=wording.moment(drill.at), title=words.title, score=f"{drill.score:.0f}"),
            notices=(text("drill.doc_notice"), text("incident.assists")),
            blocks=tuple(self._blocks(wording, words)),
        )  # fmt: skip

    def _blocks(self, wording: Wording, words: Words) -> Iterator[Block]:
        text = wording.text
        yield from self._facts(wording, words)
        yield from self._measures(text)
        yield from self._people(wording)
        yield from self._record(wording)
        yield from self._improve(text, words)
        yield from self._course(wording)
        yield Heading(text=text("drill.h_signed"))
        yield Facts(
            rows=tuple((text(f"drill.sign_{who}"), "\u3000\n\u3000") for who in ("lead", "human_resources", "observer"))
        )

    def _facts(self, wording: Wording, words: Words) -> Iterator[Block]:
        text, drill, result = wording.text, self._drill, self._drill.result
        store, rule = self._agent.settings.store, load_plan().basis
        verified = text("incident.verified" if rule.verified else "incident.unverified")
        confinement: dict[str, Any] = result.get("confinement") or {}
        kept = f"{confinement.get('files', 'checks')}_{confinement.get('network', 'checks')}"
        yield Heading(text=text("drill.h_facts"))
        yield Facts(
            rows=(
                (text("drill.f_store"), f"{store.name} {store.legal_entity}".strip()),
                (text("drill.f_scenario"), words.title),
                (text("drill.f_story"), words.story),
                (text("drill.f_when"), f"{wording.moment(drill.at)} – {wording.moment(drill.ended_at)}"),
                (text("drill.f_by"), drill.by),
                (text("drill.f_how"), text("drill.how_live" if drill.live else "drill.how_quiet")),
                (text("drill.f_tier"), text(f"watch.tier_{result.get('tier', 'none')}")),
                (text("drill.f_data"), text("drill.made_up", persons=f"{int(result.get('persons') or 0):,}")),
                (text("drill.f_kept"), text(f"drill.kept_{kept}")),
                (text("drill.f_basis"), f"{rule.source} ({rule.date}; {verified})"),
            )
        )

    def _measures(self, text: Text) -> Iterator[Block]:
        drill, before = self._drill, self._before
        changes = compared(drill.measures, before.measures) if before else {}
        yield Heading(text=text("drill.h_measures"))
        yield Table(
            header=tuple(text(f"drill.t_{name}") for name in ("measure", "value", "target", "points", "change")),
            rows=tuple(
                (
                    text(f"drill.measure_{m.name}"), value_words(text, m), number_words(text, m.name, m.target),
                    f"{m.points:.1f} / {m.worth:.1f}",
                    f"{'+' if changes[m.name] > 0 else ''}{number_words(text, m.name, changes[m.name])}"
                    if m.name in changes else "–",
                )
                for m in drill.measures
            ),
            widths=(34, 18, 16, 16, 16),
            marked=frozenset(index for index, m in enumerate(drill.measures) if not m.met),
        )  # fmt: skip
        if before:
            yield Paragraph(text=text("drill.compared", id=before.id, score=f"{before.score:.0f}"), small=True)
        else:
            yield Paragraph(text=text("drill.first"), small=True)

    def _people(self, wording: Wording) -> Iterator[Block]:
        text, drill = wording.text, self._drill
        yield Heading(text=text("drill.h_people"))
        if not drill.asked:
            yield Paragraph(text=text("drill.nobody_was_asked"))
            return
        given = {ack.person: ack for ack in drill.acknowledged}
        rows = []
        for name in drill.asked:
            person, ack = self._agent.people.named(name), given.get(name)
            when = wording.moment(ack.at) if ack else text("drill.not_acknowledged")
            how = text(f"drill.ack_{ack.how}") if ack else "–"
            rows.append((name, wording.roles(person.roles) if person else "–", when, how))
        yield Table(
            header=tuple(text(f"drill.t_{name}") for name in ("person", "roles", "acknowledged", "how")),
            rows=tuple(rows), widths=(18, 42, 26, 14),
            marked=frozenset(
                index for index, name in enumerate(drill.asked)
                if name not in given or given[name].at > drill.ack_until
            ),
        )  # fmt: skip
        yield Paragraph(text=text("drill.until", time=wording.moment(drill.ack_until)), small=True)

    def _record(self, wording: Wording) -> Iterator[Block]:
        """The record of an incident as GB/T 35273 lists it, of the one that was played."""
        text, result = wording.text, self._drill.result
        counted: dict[str, Any] = next(
            (note["values"] for note in result.get("notes", ()) if note["key"] == "counted"), {}
        )
        behaviour = result.get("declared_by") == "behaviour"
        began = next((step["at"] for step in result.get("timeline", ()) if step["act"] in ("declare", "report")), None)
        yield Heading(text=text("drill.h_record"))
        yield Facts(
            rows=(
                (text("drill.r_finder"), text("drill.finder_machine" if behaviour else "drill.finder_person")),
                (text("drill.r_time"), wording.moment(datetime.fromisoformat(began)) if began else "–"),
                (text("drill.r_place"), self._agent.settings.store.name),
                (text("drill.r_kind"), text(f"incident.kind_{self._scenario.kind}")),
                (text("drill.r_persons"), f"{int(counted.get('persons', 0)):,}"),
                (text("drill.r_system"), text("drill.system")),
                (text("drill.r_linked"), text("drill.linked")),
                (text("drill.r_told"), text("drill.told_nobody")),
                (text("drill.r_incident"), str(result.get("incident") or "–")),
            )
        )

    def _improve(self, text: Text, words: Words) -> Iterator[Block]:
        result = self._drill.result
        found = [note_words(text, note) for note in (*result.get("findings", ()), *result.get("notes", ()))]
        yield Heading(text=text("drill.h_findings"))
        yield Bullets(items=tuple(found) or (text("drill.no_findings"),))
        yield Heading(text=text("drill.h_points"))
        yield Bullets(items=words.points)

    def _course(self, wording: Wording) -> Iterator[Block]:
        text, timeline = wording.text, self._drill.result.get("timeline", ())
        yield Heading(text=text("drill.h_course"))
        yield Table(
            header=(text("drill.t_time"), text("drill.t_what")),
            rows=tuple(
                (wording.moment(datetime.fromisoformat(step["at"])), step["text"][text.language])
                for step in timeline[:LISTED_STEPS]
            ),
            widths=(24, 76),
            marked=frozenset(index for index, step in enumerate(timeline[:LISTED_STEPS]) if not step["ok"]),
        )  # fmt: skip
        if len(timeline) > LISTED_STEPS:
            yield Paragraph(text=text("drill.more_steps", count=len(timeline) - LISTED_STEPS), small=True)
