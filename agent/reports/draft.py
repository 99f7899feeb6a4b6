"""A draft for an authority: what the law asks for, filled from the record, with every gap standing out.

One form for every duty of every regime: its parts are the regime's data. It says in whose name, to whom, by which
channel and until when; that it is a draft; what was not verified; and that Cloche gives no legal advice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from agent.documents.model import Block, Bullets, Document, Facts, Heading, Paragraph, Table
from agent.incident.clocks import Clock
from agent.incident.duties import Part, parts_of
from agent.incident.entities import Concerned, load_offices, office_of
from agent.incident.wording import Wording
from agent.reports.dossier import Dossier
from agent.reports.fields import Fields


class Form:
    """One duty of one entity, in one language."""

    def __init__(self, dossier: Dossier, clock: Clock, one: Concerned, wording: Wording) -> None:
        self._dossier = dossier
        self.clock = clock
        self.one = one
        self._wording = wording
        self._text = wording.text
        self._fields = Fields(dossier, wording, one, clock)
        self.parts: tuple[Part, ...] = parts_of(clock.duty, self._fields)

    @property
    def gaps(self) -> tuple[str, ...]:
        """What is missing, each once, in the order of the form."""
        return tuple(dict.fromkeys(gap for part in self.parts for gap in part.gaps))

    @property
    def facts(self) -> str:
        """SHA-256 of what the form says, whenever it is written."""
        said = [
            [part.content[self._text.language], [[f.name, f.text, f.gap] for f in part.fields]] for part in self.parts
        ]
        head = [self.one.key, self.one.entity.name, *self._office()]
        return hashlib.sha256(json.dumps([head, said], ensure_ascii=False).encode("utf-8", "replace")).hexdigest()

    def build(self, version: int) -> Document:
        """The document."""
        text, duty = self._text, self.clock.duty
        title = (duty.form or duty.title)[text.language]
        return Document(
            language=text.language,
            title=text("reports.draft_title", title=title),
            subtitle=text(
                "reports.draft_made", id=self._dossier.incident.id, version=version,
                time=self._fields.moment(self._dossier.now),
            ),
            lead=self._lead(), notices=tuple(self._notices()), blocks=tuple(self._blocks()),
            stamp=text("reports.stamp_draft", version=version),
            head=head_line(self._dossier, self._wording),
        )  # fmt: skip

    def _office(self) -> tuple[str, bool]:
        duty = self.clock.duty
        verified = duty.office != "province" or load_offices().verified
        return office_of(duty, self.one.entity)[self._text.language], verified

    def _lead(self) -> str:
        gaps = self.gaps
        if not gaps:
            return self._text("reports.complete")
        return self._text("reports.incomplete", count=len(gaps), names=self._text("reports.comma").join(gaps))

    def _notices(self) -> Iterator[str]:
        text, clock = self._text, self.clock
        yield text("reports.by_lawyer")
        yield text("reports.assists")
        yield text("report.masked")
        if not clock.duty.verified or not clock.days_verified:
            yield text("reports.duty_unverified")
        if not clock.duty.contents_verified:
            yield text("reports.contents_unverified")
        if not clock.duty.threshold_verified:
            yield text("reports.threshold_unverified")
        if not self._office()[1]:
            yield text("reports.office_unverified", source=load_offices().source)

    def _blocks(self) -> Iterator[Block]:
        text, language, clock = self._text, self._text.language, self.clock
        flag = "" if clock.verified else text("reports.flag")
        rows = [
            ("to", self._office()[0]), ("channel", clock.duty.channel[language]), ("in_name", self.one.entity.name),
            ("duty", clock.duty.title[language]),
            ("basis", text("report.basis", source=clock.regime.source, date=clock.regime.date) + flag),
            ("clock", self._due()), ("note", clock.duty.note[language] if clock.duty.note else ""),
        ]  # fmt: skip
        yield Facts(rows=tuple((text(f"reports.head_{name}"), value) for name, value in rows if value))
        for number, part in enumerate(self.parts, 1):
            yield Heading(text=text("reports.part", number=number, what=part.content[language]))
            yield self._table(part)
            if part.content.first and number == self._last_first():
                yield Paragraph(text=text("reports.may_go_first"), small=True)
        if self.gaps:
            yield Heading(text=text("reports.h_missing"))
            yield Bullets(items=self.gaps)
            yield Paragraph(text=text("reports.how_to_fill", id=self._dossier.incident.id), small=True)

    def _table(self, part: Part) -> Block:
        text = self._text
        if not part.fields:
            return Paragraph(text=text("reports.by_people"))
        rows = []
        for filled in part.fields:
            gap = text("reports.gap", what=filled.gap) if filled.gap and not part.content.optional else ""
            rows.append((filled.name, "\n".join(entry for entry in (filled.text, gap) if entry)))
        return Table(
            header=(text("reports.t_field"), text("reports.t_content")), rows=tuple(rows), widths=(24, 76),
            marked=frozenset(
                number for number, filled in enumerate(part.fields) if filled.gap and not part.content.optional
            ),
        )  # fmt: skip

    def _due(self) -> str:
        clock, text = self.clock, self._text
        words = [self._wording.clock(clock), text(f"incident.counts_from_{clock.duty.start}")]
        if clock.start is not None:
            words.insert(0, text("reports.started", time=self._fields.moment(clock.start)))
        if clock.deadline is not None:
            words.append(text("report.deadline", time=self._fields.moment(clock.deadline)))
        return "\n".join(words)

    def _last_first(self) -> int:
        return max((number for number, part in enumerate(self.parts, 1) if part.content.first), default=0)


def head_line(dossier: Dossier, wording: Wording) -> str:
    """The timeline's head, printed so that a cut tail shows."""
    head = dossier.head
    return "" if head is None else wording.text("reports.timeline_head", seq=head.seq, hash=head.hash)


def forms(dossier: Dossier, wording: Wording) -> Sequence[tuple[Clock, Concerned, Form]]:
    """A form for every duty that has contents and whose clock runs, for every entity.

    The customers' notice and the report after the event have rooms of their own (`agent.notice`, `final_document`).
    """
    return [
        (clock, one, Form(dossier, clock, one, wording))
        for clock in dossier.clocks
        for one in dossier.entities
        if clock.duty.contents and clock.state in ("running", "overdue") and clock.duty.fulfilled_by == "submission"
    ]
