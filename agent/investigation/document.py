"""技术调查报告: the investigation as a document, and its parts for the reports of other rooms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.documents.model import Block, Bullets, Document, Facts, Heading, Paragraph, Picture, Table
from agent.documents.stamps import head_of
from agent.documents.write import write_versions
from agent.incident.course import Course, Outcome
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.incident.view import clocks_of
from agent.incident.wording import Wording
from agent.investigation.findings import findings_of
from agent.investigation.graph_picture import draw_graph
from agent.investigation.naming import account_words, size_of
from agent.investigation.records import Actor, Hypothesis, Investigation
from agent.investigation.timeline_picture import draw_timeline

if TYPE_CHECKING:
    from agent.incident.clocks import Clock
    from agent.wiring import Agent

LISTED_ACTORS = 30


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """Says an investigation in one language."""

    found: Investigation
    incident: Incident
    clocks: Sequence[Clock]
    wording: Wording

    def blocks(self) -> tuple[Block, ...]:
        """All parts, in order."""
        return (
            *self.scope(), *self.manner(), *self.who(), *self.pictures(), *self.hypotheses(), *self.questions(),
            *self.conclusion(),
        )  # fmt: skip

    def lead(self) -> str:
        """The conclusion, or how things stand."""
        text, found = self.wording.text, self.found
        ended = found.conclusion
        if ended is not None:
            return text(
                "investigation.lead_concluded", by=ended.by, at=self.wording.moment(ended.at), manner=ended.manner,
                cause=ended.cause,
            )  # fmt: skip
        scope, count = found.scope, len(found.open_questions)
        if not scope.suspects:
            return text("investigation.lead_nothing", open=count)
        return text(
            "investigation.lead_open", suspects=scope.suspects, files=scope.left_files,
            persons=f"{scope.left_persons:,}", open=count,
        )  # fmt: skip

    def scope(self) -> Iterator[Block]:
        """How far it reaches, how well it was seen."""
        text, scope, moment = self.wording.text, self.found.scope, self.wording.moment
        blind, none = scope.blind_until, text("investigation.none")
        rows = (
            ("searched", text("investigation.s_span", since=moment(scope.since), until=moment(scope.until))),
            (
                "files",
                text("investigation.s_files_value", files=scope.files, traced=scope.traced, read=scope.read),
            ),
            (
                "persons",
                text(
                    "investigation.s_persons_counted" if scope.counted else "investigation.s_persons_most",
                    persons=f"{scope.persons:,}",
                ),
            ),
            ("types", self.wording.types(scope.types) or text("investigation.unknown")),
            (
                "left",
                text(
                    "investigation.s_left_value", files=scope.left_files, persons=f"{scope.left_persons:,}",
                    size=size_of(scope.left_size),
                ) if scope.suspects else none,
            ),
            ("earliest", moment(scope.earliest) if scope.earliest else none),
            ("watched", moment(scope.watched_since) if scope.watched_since else none),
            (
                "blind",
                text("investigation.s_blind_value", until=moment(blind)) if blind
                else text("investigation.s_blind_none"),
            ),
            (
                "gaps",
                text("investigation.s_gaps_value", count=scope.gaps, first=moment(scope.gap_times[0]))
                if scope.gap_times else none,
            ),
            ("source", text(f"investigation.s_source_{scope.source}", bundles=self.found.bundles)),
        )  # fmt: skip
        yield Heading(text=text("investigation.h_scope"))
        yield Facts(rows=tuple((text(f"investigation.s_{key}"), value) for key, value in rows))

    def manner(self) -> Iterator[Block]:
        """What the traces show."""
        yield Heading(text=self.wording.text("investigation.h_manner"))
        yield Bullets(items=tuple(said.words(self.wording) for said in self.found.manner))

    def who(self) -> Iterator[Block]:
        """Accounts and terminals."""
        text, found = self.wording.text, self.found
        yield Heading(text=text("investigation.h_who"))
        if not found.actors:
            yield Paragraph(text=text("investigation.no_actors"))
            return
        listed = found.actors[:LISTED_ACTORS]
        yield Table(
            header=tuple(text(f"investigation.t_{name}") for name in ("account", "program", "when", "read", "person")),
            rows=tuple(map(self._actor, listed)),
            widths=(23, 23, 17, 22, 15),
            marked=frozenset(number for number, actor in enumerate(listed) if actor.suspect),
        )
        more = len(found.actors) - len(listed) + found.more_actors
        if more:
            events = found.more_events + sum(actor.events for actor in found.actors[LISTED_ACTORS:])
            yield Paragraph(text=text("investigation.more_actors", actors=more, events=events), small=True)
        yield Paragraph(text=text("investigation.no_guilt"), small=True)

    def _actor(self, actor: Actor) -> tuple[str, ...]:
        text = self.wording.text
        mark = f"\n{text('investigation.suspect')}" if actor.suspect else ""
        first, last = self.wording.moment(actor.first), self.wording.moment(actor.last)
        day, _, time = last.partition(" ")
        when = first if first == last else f"{first} –\n{time if first.startswith(day) else last}"
        read = text(
            "investigation.read_value", files=actor.files, persons=f"{actor.persons:,}", refused=actor.refused,
            changed=actor.changed,
        )  # fmt: skip
        person = text("investigation.person_unconfirmed")
        if actor.person:
            person = text("investigation.person_confirmed", person=actor.person, by=actor.confirmed_by)
        account = account_words(text, actor.user, actor.where)
        programs = "\n".join(filter(None, (use.command or use.program for use in actor.programs[:3])))
        programs = programs or text("investigation.unnamed_short")
        return (f"{actor.id}\n{account}{mark}", programs, when, read, person)

    def pictures(self) -> Iterator[Block]:
        """Timeline and graph."""
        text = self.wording.text
        yield Heading(text=text("investigation.h_pictures"))
        yield Picture(
            svg=draw_timeline(self.found, self.incident, self.clocks, self.wording),
            caption=text("investigation.picture_time"),
        )
        if self.found.graph.actors:
            yield Picture(svg=draw_graph(self.found, self.wording), caption=text("investigation.picture_graph"))

    def hypotheses(self) -> Iterator[Block]:
        """Each with its state and its reasons."""
        text = self.wording.text
        yield Heading(text=text("investigation.h_hypotheses"))
        listed = self.found.hypotheses
        yield Table(
            header=tuple(text(f"investigation.t_{name}") for name in ("hypothesis", "state", "evidence")),
            rows=tuple(
                (
                    hypothesis.title(text), text(f"investigation.state_{hypothesis.state}"),
                    "\n".join(self.reasons(hypothesis)),
                )
                for hypothesis in listed
            ),
            widths=(30, 16, 54),
            marked=frozenset(
                number for number, hypothesis in enumerate(listed) if hypothesis.state in ("supported", "confirmed")
            ),
        )  # fmt: skip

    def reasons(self, hypothesis: Hypothesis) -> Iterator[str]:
        """What people said, then what the traces say."""
        text = self.wording.text
        if hypothesis.by:
            at = self.wording.moment(hypothesis.at)
            yield text("investigation.by_word", by=hypothesis.by, at=at, reason=hypothesis.reason or hypothesis.words)
        if hypothesis.state != hypothesis.judged:
            yield text("investigation.judged", state=text(f"investigation.state_{hypothesis.judged}"))
        for said in hypothesis.evidence:
            yield said.words(self.wording)

    def questions(self) -> Iterator[Block]:
        """What is asked, and the answers."""
        text = self.wording.text
        yield Heading(text=text("investigation.h_questions"))
        yield Table(
            header=(text("investigation.t_question"), text("investigation.t_answer")),
            rows=tuple(
                (
                    question.title(self.wording),
                    text("investigation.open") if question.is_open else text(
                        "investigation.by_word", by=question.by, at=self.wording.moment(question.at),
                        reason=question.answer,
                    ),
                )
                for question in self.found.questions
            ),
            widths=(50, 50),
        )  # fmt: skip

    def conclusion(self) -> Iterator[Block]:
        """What people say."""
        yield Heading(text=self.wording.text("investigation.h_conclusion"))
        yield Paragraph(text=self.lead())


def chapter_of(agent: Agent, incident: Incident, found: Investigation, wording: Wording) -> Chapter:
    """The chapter in a language; `blocks()` or single parts go into any document."""
    return Chapter(found=found, incident=incident, clocks=clocks_of(agent, incident, agent.now()), wording=wording)


def build_document(agent: Agent, incident: Incident, found: Investigation, wording: Wording) -> Document:
    """The whole document."""
    text, chapter = wording.text, chapter_of(agent, incident, found, wording)
    store = agent.settings.store
    return Document(
        language=text.language, title=text("investigation.title"),
        subtitle=text(
            "investigation.made", store=store.name, id=incident.id, time=wording.moment(found.at), zone=store.timezone
        ),
        lead=chapter.lead(), notices=(text("investigation.no_guilt"), text("report.masked"), text("incident.assists")),
        blocks=chapter.blocks(), head=head_of(agent, incident.id, text),
    )  # fmt: skip


def write_investigation(agent: Agent, incident_id: str, actor: str) -> bool:
    """Write the next version in both languages; False if a part of it failed, which then stands on the timeline."""
    incident = incidents(agent).get(incident_id)
    found = findings_of(agent, incident.id)

    def write() -> Outcome:
        written = write_versions(
            agent, agent.home.documents / incident.id, f"{agent.text('investigation.file_name')}-{incident.id}",
            lambda wording, _version: build_document(agent, incident, found, wording),
        )  # fmt: skip
        return Outcome(details={"count": len(written)})

    return Course(agent, incident.id, actor).take("investigation.documents", write)
