"""Say the parts of an incident in words: steps, clocks, types, times. Used by the command line and by documents."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

from agent.incident.clocks import Clock, as_hours
from agent.incident.grading import graded_regime, load_levels
from agent.incident.law import duty_title
from agent.incident.records import Incident, Step
from config.schema import Person, Role
from config.text import Text, load_packs


class Wording:
    """Words in one language, times in one zone."""

    def __init__(self, text: Text, zone: ZoneInfo) -> None:
        self.text = text
        self.zone = zone

    def moment(self, moment: datetime | None) -> str:
        """`2026-11-23 11:58:03` in the store's zone, or that it is not known."""
        if moment is None:
            return self.text("report.unknown")
        return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def with_offset(self, moment: datetime | None) -> str:
        """`2026-11-23 11:58 (UTC+08:00)`, for whoever may be in another zone; or that it is not known."""
        if moment is None:
            return self.text("report.unknown")
        local = moment.astimezone(self.zone)
        offset = local.strftime("%z")
        return f"{local:%Y-%m-%d %H:%M} (UTC{offset[:3]}:{offset[3:5]})"

    def step(self, step: Step) -> str:
        """What was done, and what failed about it."""
        details = {**step.details, "actor": step.actor}
        if "scope" in details:
            details["scope"] = self.text(f"incident.scope_{details['scope']}")
        if "tier" in details:
            details["tier"] = self.text(f"watch.tier_{details['tier']}")
        for name in ("phase", "before", "to"):
            if step.act in ("phase", "override") and name in details:
                details[name] = self.text(f"incident.phase_{details[name]}")
        if step.act in ("grade", "grade_by_hand"):
            details |= {"level": self.level(details["level"]), "law": self.law(details["law"])}
        if step.act.startswith("orders."):
            details |= self._order_words(details)
        details |= self._of_message(step.act, details)
        if "title_key" in details:
            details["title"] = self.text(details["title_key"], **details.get("title_values", {}))
        if isinstance(details.get("causes"), dict):
            details["causes"] = self.causes(details["causes"])
        if step.act.startswith("law."):
            details.update(self._of_law(details))
        area, _, act = step.act.rpartition(".")
        what = self.text(f"{area or 'incident'}.act_{act}", **details)
        if step.ok:
            return what
        key = str(details.get("reason_key", ""))
        reason = self.text(key, **details) if key else str(details.get("reason", ""))
        return self.text("incident.failed", what=what, reason=reason)

    def level(self, level: str) -> str:
        """A level of the plan by name; '' for none."""
        return next((item.name[self.text.language] for item in load_levels() if item.id == level), "")

    def law(self, grade: str) -> str:
        """What follows the level where the law grades it too; '' below its lowest grade."""
        names = [item.name[self.text.language] for item in graded_regime().grades if item.id == grade]
        return self.text("incident.law_grade", grade=names[0]) if names else ""

    def _order_words(self, details: dict[str, Any]) -> dict[str, Any]:
        separator = "、" if self.text.language == "zh-CN" else ", "
        words: dict[str, Any] = {}
        if "role" in details:
            words["role"] = self.text(f"incident.role_{details['role']}")
        if "due" in details:
            words["due"] = datetime.fromisoformat(details["due"]).astimezone(self.zone).strftime("%Y-%m-%d %H:%M")
        if "how" in details:
            words["how"] = self.text(f"orders.how_{details['how']}")
        if "stage" in details:
            words["stage"] = self.text(f"orders.stage_{details['stage']}")
            words["people"] = separator.join(details["people"]) or self.text("orders.nobody")
            words["late"] = self.text("orders.sent_late") if details["late"] else ""
        return words

    def _of_message(self, act: str, details: dict[str, Any]) -> dict[str, Any]:
        """To whom and by which way; a role that nobody holds stands for the person."""
        words: dict[str, Any] = {}
        if details.get("person") in get_args(Role):
            words["person"] = self.text(f"incident.role_{details['person']}")
        if act.startswith("messages.") and "channel" in details:
            words["channel"] = self.text(f"messages.channel_{details['channel']}")
        return words

    def _of_law(self, details: dict[str, Any]) -> dict[str, str]:
        """Names of duties, fields and rungs in this language: a step holds their identifiers."""
        comma = "、" if self.text.language == "zh-CN" else ", "
        found = {}
        if "duty" in details:
            found["title"] = duty_title(str(details["duty"]), self.text.language)
        if isinstance(details.get("duties"), list):
            found["titles"] = comma.join(duty_title(str(key), self.text.language) for key in details["duties"])
        if "field" in details:
            found["name"] = self.text(f"law.field_{details['field']}")
        if "rung" in details:
            found["rung_name"] = self.text(f"law.rung_{details['rung']}")
        return found

    def causes(self, counts: dict[str, int]) -> str:
        """Why files were not dealt with, each cause with its number."""
        words = [f"{self.text(f'quarantine.cause_{cause}')} {count}" for cause, count in counts.items()]
        return ("、" if self.text.language == "zh-CN" else ", ").join(words)

    def types(self, entities: Iterable[str]) -> str:
        """Entities by name; one without a name as it is."""
        packs = load_packs()
        keys = [(entity, f"report.entity_{entity.lower()}") for entity in entities]
        names = [self.text(key) if key in packs else entity for entity, key in keys]
        return ("、" if self.text.language == "zh-CN" else ", ").join(names)

    def clock(self, clock: Clock) -> str:
        """Its state with the time left or gone."""
        match clock.state:
            case "waiting":
                return self.text("incident.clock_waiting")
            case "below_threshold":
                return self.text("incident.clock_below")
            case "stopped":
                return self.text("incident.clock_stopped")
            case "submitted":
                return self.text("incident.clock_submitted", time=self.with_offset(clock.submitted_at))
        if clock.remaining is None:
            return self.text("incident.clock_up", time=as_hours(clock.elapsed))
        key = "incident.clock_overdue" if clock.state == "overdue" else "incident.clock_left"
        return self.text(key, time=as_hours(clock.remaining))

    def verified(self, clock: Clock) -> str:
        """The flag, in words."""
        return self.text("incident.verified" if clock.verified else "incident.unverified")

    def actor(self, incident: Incident) -> str:
        """Who reported or declared, and if it was a behaviour."""
        return self.text("report.by_machine", actor=incident.by) if incident.machine else incident.by

    def people(self, roles: Iterable[str], people: Iterable[Person]) -> str:
        """Who holds one of the roles, with contact, or that nobody is named."""
        wanted = set(roles)
        names = [f"{person.name} {person.contact}".strip() for person in people if wanted.intersection(person.roles)]
        separator = "；" if self.text.language == "zh-CN" else "; "
        return separator.join(names) or self.text("incident.nobody")

    def roles(self, roles: Iterable[str]) -> str:
        """Names of roles."""
        separator = "、" if self.text.language == "zh-CN" else ", "
        return separator.join(self.text(f"incident.role_{role}") for role in roles)
