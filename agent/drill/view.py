"""A drill as a document: what was measured against its target and against last time, and what to improve."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from agent.drill.records import SECONDS, Drill, Measure
from agent.drill.scenarios import Scenario, load_scenarios
from agent.drill.scoring import compared
from agent.drill.store import DrillStore
from agent.incident.moments import zone_of
from config.text import Text, load_packs

if TYPE_CHECKING:
    from agent.wiring import Agent


def document_of(agent: Agent, drill: Drill) -> dict[str, Any]:
    """`cloche.drill/1`."""
    zone, text = zone_of(agent.settings.store.timezone), agent.text
    scenario = load_scenarios().get(drill.scenario)
    before = DrillStore(agent).before(drill)
    changes = compared(drill.measures, before.measures) if before else {}

    def iso(moment: datetime | None) -> str | None:
        return moment.astimezone(zone).isoformat(timespec="seconds") if moment else None

    result = drill.result
    return {
        "schema": "cloche.drill/1", "id": drill.id, "scenario": drill.scenario,
        "title": scenario.words(text.language).title if scenario else drill.scenario, "state": drill.state,
        "by": drill.by, "at": iso(drill.at), "ended_at": iso(drill.ended_at), "live": drill.live,
        "score": drill.score, "passed": drill.passed, "tier": result.get("tier"), "samba": result.get("samba"),
        "confinement": result.get("confinement"), "persons": result.get("persons"), "failed": result.get("failed"),
        "measures": [
            {
                "name": measure.name, "title": text(f"drill.measure_{measure.name}"), "value": measure.value,
                "target": measure.target, "shown": value_words(text, measure), "points": round(measure.points, 1),
                "worth": round(measure.worth, 1), "met": measure.met, "change": changes.get(measure.name),
            }
            for measure in drill.measures
        ],
        "before": {"id": before.id, "at": iso(before.at), "score": before.score} if before else None,
        "asked": list(drill.asked), "ack_until": iso(drill.ack_until) if drill.asked else None,
        "acknowledged": [
            {"person": ack.person, "at": iso(ack.at), "how": ack.how, "in_time": ack.at <= drill.ack_until}
            for ack in drill.acknowledged
        ],
        "notes": [note_words(text, note) for note in result.get("notes", ())],
        "findings": [note_words(text, note) for note in result.get("findings", ())],
        "points": list(scenario.words(text.language).points) if scenario else [],
        "steps": result.get("steps", []),
        "timeline": [
            {**step, "at": iso(datetime.fromisoformat(step["at"])), "text": step["text"][text.language]}
            for step in result.get("timeline", ())
        ],
        "documents": [
            str(path) for path in sorted((agent.home.documents / drill.id).rglob("*")) if path.is_file()
        ],
    }  # fmt: skip


def value_words(text: Text, measure: Measure) -> str:
    """A value with its unit; that it did not come about."""
    if measure.value is None:
        return text("drill.value_none")
    return number_words(text, measure.name, measure.value)


def number_words(text: Text, name: str, value: float) -> str:
    """Seconds, a count, or a share."""
    if name in SECONDS:
        return text("drill.value_seconds", value=f"{value:.1f}")
    if name in ("left_files", "left_persons", "damaged"):
        return f"{value:,.0f}"
    return f"{100 * value:.0f} %"


def note_words(text: Text, note: dict[str, Any]) -> str:
    """A note in words; one of a newer or older program by its key."""
    key, values = f"drill.note_{note['key']}", dict(note.get("values", {}))
    if key not in load_packs():
        return str(note["key"])
    if "step" in values:
        step = f"drill.step_{values['step']}"
        values["step"] = text(step) if step in load_packs() else values["step"]
    if "cause" in values:
        values["cause"] = text(f"watch.gap_{values['cause']}", lost="?")
    if "roles" in values:
        separator = "、" if text.language == "zh-CN" else ", "
        values["roles"] = separator.join(text(f"incident.role_{role}") for role in values["roles"])
    if "complete" in values:
        values["complete"] = text("drill.complete" if values["complete"] else "drill.not_complete")
    return text(key, **values)


def findings(agent: Agent, scenario: Scenario, result: dict[str, Any]) -> list[dict[str, Any]]:
    """What this store's own settings would have done otherwise, and whom the plan lacks."""
    found: list[dict[str, Any]] = []
    settings = agent.settings

    def add(key: str, **values: Any) -> None:
        found.append({"key": key, "values": values})

    if scenario.declared_by == "behaviour":
        if not settings.watch.enabled:
            add("set_watch_off")
        elif settings.watch.response != "declare":
            add("set_response", response=settings.watch.response)
        if not result.get("blocking"):
            add("set_tier")
    missing = [role for role in scenario.asked if not agent.people.holding([role])]
    if missing:
        add("set_roles", roles=missing)
    alone = [
        person.name
        for person in agent.people.holding(("response_lead", "security_lead"))
        if agent.people.substitute_of(person) is None
    ]
    if alone:
        add("set_substitutes", count=len(alone))
    if not settings.page.url:
        add("set_page")
    if not settings.senders.any:
        add("set_senders")
    if not settings.notice.hotline:
        add("set_hotline")
    exposed = (result.get("confinement") or {}).get("exposed") or ()
    if exposed:
        add("set_exposed", count=len(exposed))
    return found
