"""The report after the event (预案 四.6): course and results, impact, responsibility and improvements, from the record.

A timeline of a hundred thousand steps is not a report: the first and the last ones stand here with all that failed,
and the head of the timeline vouches for the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from agent.documents.model import Block, Bullets, Document, Facts, Heading, PageBreak, Paragraph, Table
from agent.incident.clocks import as_hours
from agent.incident.records import Step
from agent.incident.wording import Wording
from agent.reports.dossier import Dossier
from agent.reports.draft import head_line
from agent.reports.fields import Fields, Filled
from config.forms import FieldName

ASKED: tuple[FieldName, ...] = ("course", "results", "counts", "cause", "responsibility", "improvements")
"""What the plan asks for, and what must be there before the report is complete."""
UNDELIVERED = frozenset({"messages.given_up", "messages.unreachable"})
SHOWN_STEPS = 200
SHOWN_FILES = 30


class FinalReport:
    """The report of one incident in one language."""

    def __init__(self, dossier: Dossier, wording: Wording, annex: Sequence[Block] = ()) -> None:
        """`annex` are the blocks of the investigation, in the same language."""
        self._annex = annex
        self._dossier = dossier
        self._incident = dossier.incident
        self._wording = wording
        self._text = wording.text
        self._fields = Fields(dossier, wording, dossier.entities[0])
        self._asked = {name: filled for name in ASKED if (filled := self._fields.fill(name)) is not None}

    @property
    def gaps(self) -> tuple[str, ...]:
        """What is missing, in words."""
        found = [filled.gap for filled in self._asked.values() if filled.gap]
        if self._incident.counted_at is None and self._incident.items and not self._asked["counts"].by_hand:
            found.append(self._text("reports.gap_counted"))
        return tuple(dict.fromkeys(found))

    def build(self, version: int) -> Document:
        """The document."""
        text, incident = self._text, self._incident
        return Document(
            language=text.language, title=text("reports.final_title"),
            subtitle=text(
                "reports.final_made", store=self._dossier.settings.store.name, id=incident.id, version=version,
                time=self._wording.with_offset(self._dossier.now),
            ),
            lead=text(
                "reports.final_lead", found=self._wording.with_offset(incident.discovered_at),
                kind=text(f"incident.kind_{incident.kind}"), counts=self._asked["counts"].text,
                results=self._asked["results"].text,
            ),
            notices=(text("report.masked"), text("reports.assists"), text("report.clocks_note")),
            blocks=(
                *self._facts(), *self._course(), *self._results(), *self._impact(), *self._cause(),
                *self._improvements(), *self._duties(), *self._orders(), *self._evidence(), *self._missing(),
                *self._investigation(),
            ),
            stamp=text("reports.stamp_final", version=version),
            head=head_line(self._dossier, self._wording),
        )  # fmt: skip

    def _facts(self) -> Iterator[Block]:
        text, incident, moment = self._text, self._incident, self._wording.with_offset
        ended = incident.handling_ended_at
        rows = [
            (text("report.number"), incident.id), (text("report.kind"), text(f"incident.kind_{incident.kind}")),
            (text("reports.level"), self._told("grade")), (text("report.summary"), incident.summary),
            (text("report.place"), incident.place or text("report.unknown")),
            (text("reports.in_name"), text("reports.comma").join(
                " ".join(part for part in (one.entity.name, one.entity.code) if part)
                for one in self._dossier.entities
            )),
            (text("report.occurred"), moment(incident.occurred_at)),
            (text("report.discovered"), moment(incident.discovered_at)),
            (text("report.declared"), moment(incident.declared_at)), (text("reports.ended_at"), moment(ended)),
            (text("reports.duration"), as_hours(ended - incident.discovered_at) if ended else text("report.unknown")),
            (text("report.started_by"), self._wording.actor(incident)),
        ]  # fmt: skip
        yield Heading(text=text("reports.f_facts"))
        yield Facts(rows=tuple(rows))

    def _course(self) -> Iterator[Block]:
        text = self._text
        yield Heading(text=text("reports.f_course"))
        told = [step for step in self._incident.steps if step.act.startswith("messages.")]
        acts = tuple(step for step in self._incident.steps if not step.act.startswith("messages."))
        steps = shortened(acts)
        if steps:
            yield Table(
                header=(text("report.t_time"), text("report.t_measure")),
                rows=tuple((self._wording.moment(step.time), self._wording.step(step)) for step in steps),
                widths=(24, 76), marked=frozenset(number for number, step in enumerate(steps) if not step.ok),
            )  # fmt: skip
        if len(steps) < len(acts):
            yield Paragraph(text=text("reports.omitted", count=len(acts) - len(steps)), small=True)
        if told:
            failed = sum(step.act in UNDELIVERED for step in told)
            yield Paragraph(text=text("reports.messages", count=len(told), failed=failed), small=True)

    def _results(self) -> Iterator[Block]:
        text, incident = self._text, self._incident
        yield Heading(text=text("reports.f_results"))
        yield self._paragraph(self._asked["results"])
        states = Counter(item.state for item in incident.items)
        if states:
            yield Table(
                header=(text("reports.t_state"), text("reports.t_files"), text("report.t_persons")),
                rows=tuple(
                    (
                        text(f"incident.state_{state}"), f"{count:,}",
                        f"{sum(item.persons for item in incident.items if item.state == state):,}",
                    )
                    for state, count in states.most_common()
                ),
                widths=(50, 25, 25),
            )  # fmt: skip
        if incident.failures:
            yield Paragraph(text=text("reports.failures", count=len(incident.failures)))

    def _impact(self) -> Iterator[Block]:
        text = self._text
        yield Heading(text=text("reports.f_impact"))
        names: tuple[FieldName, ...] = ("counts", "types", "harm", "advice", "loss")
        yield Facts(
            rows=tuple((filled.name, self._said(filled)) for name in names if (filled := self._fields.fill(name)))
        )
        worst = sorted(self._incident.items, key=lambda item: (-item.persons, item.name))[:SHOWN_FILES]
        if worst:
            yield Table(
                header=tuple(text(f"report.t_{name}") for name in ("file", "persons", "types", "state")),
                rows=tuple(
                    (item.name, f"{item.persons:,}", self._wording.types(item.types),
                     text(f"incident.state_{item.state}"))
                    for item in worst
                ),
                widths=(44, 12, 24, 20),
            )  # fmt: skip
        if len(self._incident.items) > SHOWN_FILES:
            yield Paragraph(text=text("report.more_files", count=len(self._incident.items) - SHOWN_FILES), small=True)

    def _cause(self) -> Iterator[Block]:
        yield Heading(text=self._text("reports.f_cause"))
        names: tuple[FieldName, ...] = ("cause", "tracing", "responsibility")
        yield Facts(
            rows=tuple((filled.name, self._said(filled)) for name in names if (filled := self._fields.fill(name)))
        )
        yield Paragraph(text=self._text("report.who_note"), small=True)

    def _improvements(self) -> Iterator[Block]:
        text = self._text
        yield Heading(text=text("reports.f_improvements"))
        rows = []
        for entry in self._dossier.improvements:
            done = text("reports.open")
            if entry.done_at is not None:
                done = text("reports.done_at", time=self._wording.with_offset(entry.done_at), by=entry.done_by)
            rows.append((str(entry.number), entry.what, entry.owner, entry.due.isoformat(), done))
        if not rows:
            yield self._paragraph(self._asked["improvements"])
            return
        yield Table(
            header=tuple(text(f"reports.t_{name}") for name in ("number", "what", "owner", "due", "done")),
            rows=tuple(rows), widths=(8, 40, 16, 14, 22),
        )  # fmt: skip

    def _duties(self) -> Iterator[Block]:
        text, language = self._text, self._text.language
        yield Heading(text=text("reports.f_duties"))
        rows: list[tuple[str, ...]] = []
        marked: set[int] = set()
        for clock in self._dossier.clocks:
            handed = [entry for entry in self._dossier.submissions if entry.duty == clock.key]
            told = "\n".join(
                text("reports.told", to=entry.to, time=self._wording.with_offset(entry.at), channel=entry.channel,
                     receipt=entry.receipt or "–")
                for entry in handed
            ) or self._wording.clock(clock)  # fmt: skip
            if clock.was_late:
                marked.add(len(rows))
                told += text("reports.late")
            due = self._wording.with_offset(clock.deadline) if clock.deadline else "–"
            flag = "" if clock.verified else text("reports.flag")
            rows.append((clock.duty.title[language] + flag, clock.duty.authority[language], due, told))
        yield Table(
            header=(text("report.t_duty"), text("reports.head_to"), text("reports.t_due"), text("reports.t_handed")),
            rows=tuple(rows), widths=(28, 22, 20, 30), marked=frozenset(marked),
        )  # fmt: skip

    def _orders(self) -> Iterator[Block]:
        text, moment = self._text, self._wording.with_offset
        yield Heading(text=text("reports.f_orders"))
        rows: list[tuple[str, ...]] = []
        marked: set[int] = set()
        for order in self._dossier.orders:
            answered = text("reports.not_acknowledged")
            if order.acknowledged_at is not None:
                answered = text("reports.acknowledged", time=moment(order.acknowledged_at), by=order.acknowledged_by)
            ended = text("reports.open")
            if order.ended_at is not None:
                ended = text("reports.done_at", time=moment(order.ended_at), by=order.ended_by)
            else:
                marked.add(len(rows))
            owner = order.owner or text(f"incident.role_{order.role}")
            rows.append((order.what, owner, moment(order.due_at), f"{answered}\n{ended}"))
        if not rows:
            yield Paragraph(text=text("reports.no_orders"))
            return
        yield Table(
            header=tuple(text(f"reports.t_{name}") for name in ("what", "owner", "due", "answered")),
            rows=tuple(rows), widths=(36, 14, 20, 30), marked=frozenset(marked),
        )  # fmt: skip

    def _evidence(self) -> Iterator[Block]:
        yield Heading(text=self._text("reports.f_evidence"))
        bundles = self._fields.fill("evidence")
        if bundles is None or not bundles.text:
            yield Paragraph(text=self._text("reports.no_evidence"))
            return
        yield Bullets(items=tuple(bundles.text.splitlines()))

    def _missing(self) -> Iterator[Block]:
        text = self._text
        yield Heading(text=text("reports.f_missing"))
        if not self.gaps:
            yield Paragraph(text=text("reports.no_missing"))
            return
        yield Bullets(items=tuple(text("reports.gap", what=gap) for gap in self.gaps))
        yield Paragraph(text=text("reports.how_to_fill", id=self._incident.id), small=True)

    def _investigation(self) -> Iterator[Block]:
        if self._annex:
            yield PageBreak()
            yield Heading(text=self._text("reports.annex"))
            yield from self._annex

    def _told(self, name: FieldName) -> str:
        filled = self._fields.fill(name)
        return self._said(filled) if filled else ""

    def _said(self, filled: Filled) -> str:
        gap = self._text("reports.gap", what=filled.gap) if filled.gap else ""
        return "\n".join(part for part in (filled.text, gap) if part)

    def _paragraph(self, filled: Filled) -> Paragraph:
        return Paragraph(text=self._said(filled))


def shortened(steps: tuple[Step, ...]) -> list[Step]:
    """At most `SHOWN_STEPS`: failures first of all, then the first and the last steps; in order."""
    if len(steps) <= SHOWN_STEPS:
        return list(steps)
    failed = [number for number, step in enumerate(steps) if not step.ok][-SHOWN_STEPS // 2 :]
    ends = (SHOWN_STEPS - len(failed)) // 2
    chosen = {*failed, *range(ends), *range(len(steps) - ends, len(steps))}
    return [steps[number] for number in sorted(chosen)]
