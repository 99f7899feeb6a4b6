"""What a form asks for, filled from what is known; what is not known stands out and is listed.

A field that people filled in by hand says what they wrote. Otherwise it is told from the record, and where the record
is silent there is a gap. Nothing is guessed: harm and advice by type of information are texts of ours to be checked,
and say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from agent.incident.clocks import CARDS, Clock
from agent.incident.entities import Concerned
from agent.incident.law import load_plan
from agent.incident.records import Step
from agent.incident.wording import Wording
from agent.reports.dossier import Dossier
from config.forms import FieldName

MEASURES: Final = frozenset({
    "deny", "stop", "stop_off", "vault", "vault_off", "release", "allow", "resume", "evidence", "left_out",
})  # fmt: skip
COURSE: Final = frozenset({
    *MEASURES, "report", "declare", "extend", "close", "dismiss", "grade", "merge", "split", "advance",
    "law.submitted", "law.demanded", "law.clock_back", "law.clock_forward", "notice.sent", "notice.decided",
})  # fmt: skip
SHOWN_STEPS: Final = 40
SHOWN_FILES: Final = 8
SHOWN_DEEDS: Final = 6
HARM_BY_TYPE: Final[dict[str, frozenset[str]]] = {
    "card": CARDS,
    "credential": frozenset({"CREDENTIAL"}),
    "identity": frozenset({
        "CN_RESIDENT_ID", "CN_PASSPORT", "CN_TRAVEL_PERMIT", "CN_FOREIGNER_ID", "HK_ID_CARD", "MO_ID_CARD",
        "TW_NATIONAL_ID",
    }),
    "contact": frozenset({"PHONE_NUMBER", "EMAIL_ADDRESS", "WECHAT_ID", "QQ_NUMBER", "PERSON"}),
    "address": frozenset({"ADDRESS", "LOCATION_COORDINATES", "CN_LICENSE_PLATE"}),
}  # fmt: skip
"""Kinds of harm and of advice (`reports.harm_<kind>`, `reports.advice_<kind>`), by entities."""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A field of a form. `gap` says in words what is missing ('': nothing); `text` may be there all the same."""

    field: FieldName
    name: str
    text: str
    gap: str = ""
    by_hand: bool = False


class Fields:
    """Fills fields in one language, for one entity and one duty."""

    def __init__(self, dossier: Dossier, wording: Wording, one: Concerned, clock: Clock | None = None) -> None:
        """`clock` is that of the duty that a form is for: whether it is late, and in which zone its authority is."""
        self._dossier = dossier
        self._incident = dossier.incident
        self._wording = wording
        self._text = wording.text
        self._one = one
        self._clock = clock

    def fill(self, name: FieldName) -> Filled | None:
        """One field; None where it does not apply to this incident."""
        label = self._text(f"law.field_{name}")
        written = self._dossier.by_hand.get(name)
        if written:
            return Filled(field=name, name=label, text=written, by_hand=True)
        if name == "ransom" and self._incident.kind != "ransomware":
            return None
        if name == "late_reason" and not (self._clock is not None and self._clock.was_late):
            return None
        told: Callable[[], tuple[str, str]] | None = getattr(self, f"_{name}", None)
        text, gap = told() if told is not None else ("", label)
        return Filled(field=name, name=label, text=text, gap=gap)

    def moment(self, moment: datetime) -> str:
        """With its offset; in the authority's own time as well, where that is another."""
        shown = self._wording.with_offset(moment)
        zone = ZoneInfo(self._clock.regime.zone) if self._clock is not None and self._clock.regime.zone else None
        if (
            zone is not None
            and moment.astimezone(zone).utcoffset() != moment.astimezone(self._wording.zone).utcoffset()
        ):
            theirs = Wording(self._text, zone).with_offset(moment)
            return self._text("reports.official_time", time=shown, official=theirs)
        return shown

    def _known(self, text: str, name: FieldName) -> tuple[str, str]:
        return text, "" if text else self._text(f"law.field_{name}")

    def _organisation(self) -> tuple[str, str]:
        text, entity = self._text, self._one.entity
        rows = (
            ("name", entity.name), ("code", entity.code), ("province", entity.province), ("address", entity.address),
            ("store", self._dossier.settings.store.name),
        )  # fmt: skip
        told = self._join(text(f"reports.entity_{key}", value=value) for key, value in rows if value)
        return told, "" if entity.code else text("reports.gap_code")

    def _system(self) -> tuple[str, str]:
        text, incident = self._text, self._incident
        if not incident.items:
            return self._known("", "system")
        names = [item.name for item in sorted(incident.items, key=lambda item: -item.persons)[:SHOWN_FILES]]
        return (
            text(
                "reports.system", store=self._dossier.settings.store.name, files=len(incident.items),
                names=text("reports.comma").join(names),
            ),
            "",
        )  # fmt: skip

    def _summary(self) -> tuple[str, str]:
        return self._known(self._incident.summary, "summary")

    def _found(self) -> tuple[str, str]:
        incident = self._incident
        found = self._text("reports.found", time=self.moment(incident.discovered_at))
        if incident.learned_at > incident.discovered_at:
            found += self._text("reports.learned", time=self.moment(incident.learned_at))
        return found, ""

    def _occurred(self) -> tuple[str, str]:
        occurred = self._incident.occurred_at
        return self._known(self.moment(occurred) if occurred else "", "occurred")

    def _finder(self) -> tuple[str, str]:
        return self._wording.actor(self._incident), ""

    def _place(self) -> tuple[str, str]:
        return self._known(self._incident.place, "place")

    def _kind(self) -> tuple[str, str]:
        return self._text(f"incident.kind_{self._incident.kind}"), ""

    def _grade(self) -> tuple[str, str]:
        graded = self._dossier.grade
        if graded is None:
            return self._text("reports.grade_below"), ""
        key = f"reports.grade_by_{graded.by}"
        told = self._text(key, grade=graded.grade.name[self._text.language])
        if not graded.exact:
            told += self._text("reports.grade_at_most")
        return told + ("" if graded.verified else self._text("reports.flag")), ""

    def _impact(self) -> tuple[str, str]:
        parts = [self._counts()[0], self._types()[0], self._left()]
        return self._join(parts), self._counts()[1] or self._types()[1]

    def _types(self) -> tuple[str, str]:
        return self._known(self._wording.types(self._incident.types), "types")

    def _counts(self) -> tuple[str, str]:
        text, incident = self._text, self._incident
        scanned = bool(incident.persons) or any(item.types for item in incident.items)
        if incident.counted_at is not None:
            told = text(
                "reports.counted", persons=f"{incident.persons:,}", sensitive=f"{incident.sensitive or 0:,}",
                files=incident.files,
            )  # fmt: skip
            if incident.virtual:
                told += text("reports.virtual", virtual=f"{incident.virtual:,}")
        elif scanned:
            told = text("reports.at_most", persons=f"{incident.persons:,}", files=incident.files)
        elif incident.items:
            return text("reports.unscanned", files=incident.files), text("law.field_counts")
        else:
            return text("reports.no_files"), text("law.field_counts")
        if len(self._dossier.entities) > 1:
            told += text("reports.share", name=self._one.entity.name, persons=f"{self._one.persons:,}",
                         files=self._one.files)  # fmt: skip
        return told, ""

    def _left(self) -> str:
        incident = self._incident
        if incident.left_files is None:
            return self._text("report.lead_left_unknown")
        return self._text(
            "report.lead_left", files=incident.left_files, persons=f"{incident.left_persons or 0:,}",
            seconds=f"{incident.left_seconds or 0.0:.3g}",
        )  # fmt: skip

    def _measures(self) -> tuple[str, str]:
        steps = [step for step in self._incident.steps if step.act in MEASURES or step.act.startswith("clean.")]
        return self._known(self._listed(steps), "measures")

    def _effect(self) -> tuple[str, str]:
        items = self._incident.items
        if not items or self._incident.declared_at is None:
            return self._known("", "effect")
        contained = sum(item.state not in ("plain", "fenced", "left") for item in items)
        return self._text("reports.effect", contained=contained, files=len(items)), ""

    def _results(self) -> tuple[str, str]:
        incident, text = self._incident, self._text
        if incident.handling_ended_at is None:
            return text("reports.not_ended", phase=text(f"incident.phase_{incident.phase}")), text("law.field_results")
        ended = text("reports.ended", time=self.moment(incident.handling_ended_at))
        return self._join([ended, self._effect()[0]]), ""

    def _course(self) -> tuple[str, str]:
        steps = [step for step in self._incident.steps if step.act in COURSE]
        return self._known(self._listed(steps), "course")

    def _scene(self) -> tuple[str, str]:
        evidence, items = self._dossier.evidence, self._incident.items
        vaulted = sum(item.state == "vault" for item in items)
        if not evidence and not vaulted:
            return self._known("", "scene")
        return self._text("reports.scene", bundles=len(evidence), vaulted=vaulted), ""

    def _evidence(self) -> tuple[str, str]:
        rows = [
            self._text("reports.bundle", name=bundle.name, files=bundle.files, sha256=bundle.sha256)
            for bundle in self._dossier.evidence
        ]
        return self._known("\n".join(rows), "evidence")

    def _cause(self) -> tuple[str, str]:
        said = self._dossier.conclusion
        if said is None:
            return self._known("", "cause")
        return self._text("reports.concluded", manner=said.manner, cause=said.cause, by=said.by), ""

    def _tracing(self) -> tuple[str, str]:
        suspects = [deed for deed in self._dossier.deeds if deed["suspect"]]
        rows = [
            self._text(
                "reports.deed", user=deed["user"] or "–", client=deed["client"] or "–",
                program=deed["command"] or deed["program"] or "–", files=deed["files"],
            )
            for deed in suspects[:SHOWN_DEEDS]
        ]  # fmt: skip
        return self._known("\n".join(rows), "tracing")

    def _harm(self) -> tuple[str, str]:
        return self._by_type("harm")

    def _advice(self) -> tuple[str, str]:
        return self._by_type("advice")

    def _by_type(self, what: FieldName) -> tuple[str, str]:
        types = set(self._incident.types)
        rows = [self._text(f"reports.{what}_{kind}") for kind, of in HARM_BY_TYPE.items() if not types.isdisjoint(of)]
        if not types:
            return self._known("", what)
        return self._join([*(rows or [self._text(f"reports.{what}_other")]), self._text("reports.to_check")]), ""

    def _contact(self) -> tuple[str, str]:
        if self._one.entity.contact:
            return self._one.entity.contact, ""
        person = self._dossier.person_with("privacy_officer", "legal", "customer_service", "store_manager")
        if person is None:
            return self._known("", "contact")
        return f"{person.name} {person.contact}".strip(), "" if person.contact else self._text("reports.gap_phone")

    def _dpo(self) -> tuple[str, str]:
        person = self._dossier.person_with("privacy_officer")
        return self._known(f"{person.name} {person.contact}".strip() if person and person.contact else "", "dpo")

    def _authorities(self) -> tuple[str, str]:
        rows = [
            self._text(
                "reports.told", to=entry.to, time=self.moment(entry.at), channel=entry.channel,
                receipt=entry.receipt or "–",
            )
            for entry in self._dossier.submissions
        ]  # fmt: skip
        return "\n".join(rows) or self._text("reports.nobody_told"), ""

    def _next_steps(self) -> tuple[str, str]:
        rows = [
            self._text("reports.order", what=order.what, owner=order.owner or self._text(f"incident.role_{order.role}"),
                       due=self._wording.with_offset(order.due_at))
            for order in self._dossier.orders
            if order.is_open
        ]  # fmt: skip
        if not rows:
            rows = [duty.text(self._text.language) for duty in load_plan() if duty.phase == self._incident.phase]
        return self._known("\n".join(rows), "next_steps")

    def _improvements(self) -> tuple[str, str]:
        rows = [
            self._text("reports.improvement", what=entry.what, owner=entry.owner, due=entry.due.isoformat())
            for entry in self._dossier.improvements
        ]
        return self._known("\n".join(rows), "improvements")

    def _card_authentication(self) -> tuple[str, str]:
        found = "CARD_TRACK_DATA" in self._incident.types
        return self._known(self._text("reports.track_data") if found else "", "card_authentication")

    def _listed(self, steps: list[Step]) -> str:
        rows = [
            self._text("reports.step", time=self._wording.with_offset(step.time), what=self._wording.step(step))
            for step in steps[:SHOWN_STEPS]
        ]
        if len(steps) > SHOWN_STEPS:
            rows.append(self._text("reports.more_steps", count=len(steps) - SHOWN_STEPS))
        return "\n".join(rows)

    @staticmethod
    def _join(parts: Iterable[str]) -> str:
        return "\n".join(part for part in parts if part)
