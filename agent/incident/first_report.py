"""The first report (事故报告): time, place, types of information, first impact, what was done, what is due.

What it holds is masked already: names of files, programs and people's words pass `agent.mask` before they reach the
incident's record, and nothing else goes in. The order of its parts follows 顾客信息保护预案 四.1 and PIPL art. 57.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from agent.documents.model import Block, Bullets, Document, Facts, Heading, Paragraph, Table
from agent.incident.clocks import Clock
from agent.incident.law import load_plan
from agent.incident.records import Incident
from agent.incident.wording import Wording
from config.schema import Settings

LISTED_FILES: Final = 30
LISTED_DEEDS: Final = 20


class FirstReport:
    """Builds the document of one incident."""

    def __init__(self, incident: Incident, clocks: Sequence[Clock], settings: Settings, wording: Wording) -> None:
        self._incident = incident
        self._clocks = clocks
        self._settings = settings
        self._wording = wording
        self._text = wording.text

    def build(self, now: datetime, version: int = 1) -> Document:
        """The whole report as of `now`; the first version is the first report."""
        text, incident = self._text, self._incident
        return Document(
            language=text.language,
            title=text("report.title") if version == 1 else text("report.title_later", version=version),
            subtitle=text(
                "report.made", store=self._settings.store.name, id=incident.id, time=self._wording.moment(now),
                zone=self._settings.store.timezone,
            ),
            lead=self._lead(),
            notices=(text("report.masked"), text("incident.assists")),
            blocks=(
                *self._facts(), *self._impact(), *self._measures(), *self._who(), *self._duties(), *self._next(),
                *self._open(),
            ),
        )  # fmt: skip

    def _lead(self) -> str:
        text, incident = self._text, self._incident
        values = {
            "discovered": self._wording.moment(incident.discovered_at),
            "kind": text(f"incident.kind_{incident.kind}"),
        }
        if incident.declared_at is None:
            return text("report.lead_reported", **values)
        contained = sum(item.state == "vault" for item in incident.items)
        first = text(
            "report.lead_declared", files=incident.files, persons=f"{incident.persons:,}", contained=contained,
            **values,
        )  # fmt: skip
        return f"{first} {self._left('report.lead_left') or text('report.lead_left_unknown')}"

    def _left(self, key: str) -> str:
        incident = self._incident
        if incident.left_files is None:
            return ""
        seconds = incident.left_seconds or 0.0
        return self._text(
            key, files=incident.left_files, persons=f"{incident.left_persons or 0:,}", seconds=f"{seconds:.3g}"
        )

    def _facts(self) -> Iterator[Block]:
        text, incident, store, moment = self._text, self._incident, self._settings.store, self._wording.moment
        unknown = text("report.unknown")
        rows = [
            ("number", incident.id),
            ("kind", text(f"incident.kind_{incident.kind}")),
            ("phase", text(f"incident.phase_{incident.phase}")),
            ("summary", incident.summary),
            ("place", incident.place or unknown),
            ("discovered", moment(incident.discovered_at)),
            ("occurred", moment(incident.occurred_at)),
            ("reported", moment(incident.reported_at) if incident.reported_at else ""),
            ("declared", moment(incident.declared_at) if incident.declared_at else ""),
            ("started_by", self._wording.actor(incident)),
            ("store", store.name),
            ("legal_entity", store.legal_entity or unknown),
            ("province", store.province or unknown),
        ]
        yield Heading(text=text("report.h_facts"))
        yield Facts(rows=tuple((text(f"report.{key}"), value) for key, value in rows if value))

    def _impact(self) -> Iterator[Block]:
        text, incident = self._text, self._incident
        scanned = any(item.types or item.persons for item in incident.items) or bool(incident.persons)
        persons = text("report.persons_value", persons=f"{incident.persons:,}")
        if not scanned and incident.items:
            persons = text("report.persons_unscanned")
        yield Heading(text=text("report.h_impact"))
        yield Facts(
            rows=(
                (text("report.types"), self._wording.types(incident.types) or text("report.unknown")),
                (text("report.files"), str(incident.files)),
                (text("report.persons"), persons if incident.items else text("report.unknown")),
                (text("report.left"), self._left("report.left_value") or text("report.unknown")),
            )
        )
        worst = sorted(incident.items, key=lambda item: (-item.persons, item.name))
        if worst:
            yield Table(
                header=tuple(text(f"report.t_{name}") for name in ("file", "persons", "types", "state")),
                rows=tuple(
                    (
                        item.name, f"{item.persons:,}" if item.types or item.persons else text("report.unknown"),
                        self._wording.types(item.types), text(f"incident.state_{item.state}"),
                    )
                    for item in worst[:LISTED_FILES]
                ),
                widths=(44, 12, 24, 20),
                marked=frozenset(
                    number for number, item in enumerate(worst[:LISTED_FILES]) if item.state != "vault"
                ) if incident.declared_at else frozenset(),
            )  # fmt: skip
        if len(worst) > LISTED_FILES:
            yield Paragraph(text=text("report.more_files", count=len(worst) - LISTED_FILES), small=True)

    def _measures(self) -> Iterator[Block]:
        steps = self._incident.steps
        yield Heading(text=self._text("report.h_measures"))
        yield Table(
            header=(self._text("report.t_time"), self._text("report.t_measure")),
            rows=tuple((self._wording.moment(step.time), self._wording.step(step)) for step in steps),
            widths=(24, 76),
            marked=frozenset(number for number, step in enumerate(steps) if not step.ok),
        )

    def _who(self) -> Iterator[Block]:
        text = self._text
        found = deeds_of(self._incident)
        yield Heading(text=text("report.h_who"))
        if not found:
            yield Paragraph(text=text("incident.no_deeds"))
            return
        rows = found[:LISTED_DEEDS]
        yield Table(
            header=tuple(text(f"report.t_{name}") for name in ("user", "program", "client", "when", "read")),
            rows=tuple(
                (
                    text("report.suspect", user=deed["user"]) if deed["suspect"] else deed["user"],
                    deed["command"] or deed["program"], deed["client"] or "–", self._span(deed),
                    text(
                        "report.read_value", files=deed["files"], persons=f"{deed['persons']:,}",
                        refused=deed["refused"],
                    ),
                )
                for deed in rows
            ),
            widths=(13, 27, 18, 18, 24),
            marked=frozenset(number for number, deed in enumerate(rows) if deed["suspect"]),
        )  # fmt: skip
        yield Paragraph(text=text("report.who_note"), small=True)

    def _span(self, deed: dict[str, Any]) -> str:
        first, last = (self._wording.moment(datetime.fromtimestamp(deed[key], UTC)) for key in ("first", "last"))
        return first if first == last else f"{first} – {last.split(' ')[1]}"

    def _duties(self) -> Iterator[Block]:
        text, language = self._text, self._text.language
        yield Heading(text=text("report.h_clocks"))
        rows = []
        for clock in self._clocks:
            due = f"\n{text('report.deadline', time=self._wording.moment(clock.deadline))}" if clock.deadline else ""
            start = text(f"incident.counts_from_{clock.duty.start}")
            basis = text("report.basis", source=clock.regime.source, date=clock.regime.date)
            rows.append((
                f"{clock.duty.title[language]}\n{basis}",
                f"{clock.duty.authority[language]}\n{clock.duty.channel[language]}",
                f"{self._wording.clock(clock)}{due}\n{start}",
                self._wording.verified(clock),
            ))  # fmt: skip
        yield Table(
            header=tuple(text(f"report.t_{name}") for name in ("duty", "to", "clock", "verified")),
            rows=tuple(rows),
            widths=(32, 32, 24, 12),
            marked=frozenset(number for number, clock in enumerate(self._clocks) if clock.state == "overdue"),
        )
        yield Paragraph(text=text("report.clocks_note"), small=True)
        for clock in self._clocks:
            if clock.duty.contents and clock.state in ("running", "overdue"):
                key = "report.contents" if clock.verified else "report.contents_unverified"
                yield Paragraph(text=text(key, duty=clock.duty.title[language]))
                yield Bullets(items=tuple(words[language] for words in clock.duty.contents))

    def _next(self) -> Iterator[Block]:
        duties = [duty for duty in load_plan() if duty.phase == self._incident.phase]
        if not duties:
            return
        yield Heading(text=self._text("report.h_next"))
        yield Bullets(
            items=tuple(
                self._text(
                    "report.next_value", roles=self._wording.roles(duty.roles),
                    people=self._wording.people(duty.roles, self._settings.people),
                    what=duty.text(self._text.language),
                )
                for duty in duties
            )
        )  # fmt: skip

    def _open(self) -> Iterator[Block]:
        text, incident = self._text, self._incident
        questions = [text("report.open_person"), text("report.open_cause")]
        if incident.occurred_at is None:
            questions.append(text("report.open_occurred"))
        questions += [text("report.open_left"), text("report.open_outside")]
        unscanned = sum(not item.types and not item.persons for item in incident.items)
        if unscanned:
            questions.append(text("report.open_unscanned", count=unscanned))
        failed = sum(not step.ok for step in incident.steps)
        if failed:
            questions.append(text("report.open_failed", count=failed))
        yield Heading(text=text("report.h_open"))
        yield Bullets(items=tuple(questions))


def deeds_of(incident: Incident) -> list[dict[str, Any]]:
    """Who did what, as the last evidence step recorded it (masked)."""
    for step in reversed(incident.steps):
        if step.act == "evidence" and "deeds" in step.details:
            return list(step.details["deeds"])
    return []
