"""An incident on one page, in sentences that can be read aloud on the phone: what, when, impact, done, due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from agent.incident.clocks import as_hours
from agent.incident.entities import office_of
from agent.incident.records import Incident
from agent.incident.wording import Wording
from agent.reports.dossier import Dossier, gather
from agent.reports.fields import Fields

if TYPE_CHECKING:
    from agent.wiring import Agent

SPOKEN_DUTIES: Final = 4
SPOKEN_GAPS: Final = 6


def summary_lines(agent: Agent, incident: Incident, now: datetime, wording: Wording) -> list[str]:
    """The page, a sentence or two a line. Masked; no line breaks or control characters within a line."""
    dossier = gather(agent, incident, now)
    lines = [*_what(dossier, wording), *_due(dossier, wording), wording.text("reports.assists")]
    return [" ".join("".join(sign if sign.isprintable() else " " for sign in line).split()) for line in lines]


def _what(dossier: Dossier, wording: Wording) -> list[str]:
    text, incident = wording.text, dossier.incident
    fields = Fields(dossier, wording, dossier.entities[0])
    said = {name: filled.text if (filled := fields.fill(name)) else "" for name in ("counts", "types", "effect")}
    unknown = text("report.unknown")
    lines = [
        text(
            "reports.summary_head", store=dossier.settings.store.name, id=incident.id,
            kind=text(f"incident.kind_{incident.kind}"), phase=text(f"incident.phase_{incident.phase}"),
        ),
        text("reports.summary_what", summary=incident.summary, place=incident.place or unknown),
        text(
            "reports.summary_when", found=wording.with_offset(incident.discovered_at),
            elapsed=as_hours(max(dossier.now - incident.discovered_at, timedelta())),
        ),
        text("reports.summary_impact", counts=said["counts"] or unknown, types=said["types"] or unknown),
    ]  # fmt: skip
    if incident.left_files is not None:
        lines.append(
            text(
                "report.lead_left", files=incident.left_files, persons=f"{incident.left_persons or 0:,}",
                seconds=f"{incident.left_seconds or 0.0:.3g}",
            )
        )  # fmt: skip
    if incident.declared_at is None:
        lines.append(text("reports.summary_nothing_done"))
    else:
        lines.append(text("reports.summary_done", effect=said["effect"] or unknown))
    return lines


def _due(dossier: Dossier, wording: Wording) -> list[str]:
    text = wording.text
    running = [clock for clock in dossier.clocks if clock.state in ("running", "overdue")]
    lines = [
        text(
            "reports.summary_due", title=clock.duty.title[text.language],
            to=office_of(clock.duty, dossier.entities[0].entity)[text.language],
            clock=wording.clock(clock) + ("" if clock.verified else text("reports.flag")),
        )
        for clock in running[:SPOKEN_DUTIES]
    ]  # fmt: skip
    if len(running) > SPOKEN_DUTIES:
        lines.append(text("reports.summary_more_due", count=len(running) - SPOKEN_DUTIES))
    if not running:
        lines.append(text("reports.summary_nothing_due"))
    left = sum(order.is_open for order in dossier.orders)
    if left:
        lines.append(text("reports.summary_orders", count=left))
    gaps = _gaps(dossier, wording)
    if gaps:
        lines.append(text("reports.summary_missing", names=text("reports.comma").join(gaps[:SPOKEN_GAPS])))
    return lines


def _gaps(dossier: Dossier, wording: Wording) -> list[str]:
    from agent.reports.draft import forms

    return list(dict.fromkeys(gap for _clock, _one, form in forms(dossier, wording) for gap in form.gaps))
