"""`cloche law list|done`: every regime that Cloche knows with its flags, and standing duties."""

from __future__ import annotations

from typing import Any

import click

from agent.cli import common_options
from agent.client import perform
from agent.commands.incident_law import standing_words
from agent.console import Console, printable
from agent.incident.pictures import heading


@click.group()
def command() -> None:
    """Laws and rules as data: what they ask for, where that was read, and whether it was verified."""


@command.command("list")
@common_options
def list_command(console: Console) -> int:
    """Every regime, its duties, and the standing duties as they hold for this store."""
    answer = perform(console, "law.list", {})
    if console.as_json:
        console.document(answer.document)
        return answer.exit_code
    screen, text, document = console.screen, console.text, answer.document
    for regime in document["regimes"]:
        heading(screen, f"{regime['name']}  {regime['source']}  {regime['date']}")
        for duty in regime["duties"]:
            whole = duty["verified"] and duty["contents_verified"] and duty["threshold_verified"]
            flag = "" if whole else text("law.flag")
            screen.print(f"  {duty['key']}  {duty['title']} → {duty['authority']}  {clock_of(console, duty)}{flag}",
                         soft_wrap=True)  # fmt: skip
    heading(screen, text("law.heading_standing"))
    for entry in document["standing"]:
        flag = "" if entry["verified"] else text("law.flag")
        words = standing_words(console, entry) + flag
        screen.print(
            f"  {entry['key']}  " + text("law.standing_line", title=entry["title"], words=words), soft_wrap=True
        )
    for calendar in document["calendars"]:
        flag = "" if calendar["verified"] else text("law.flag")
        screen.print(text("law.calendar", year=calendar["year"], source=calendar["source"]) + flag, soft_wrap=True)
    screen.print(text("reports.assists"), style="dim")
    return answer.exit_code


def clock_of(console: Console, duty: dict[str, Any]) -> str:
    """How long there is, in words."""
    text = console.text
    if duty["hours"] is not None:
        return text("law.within_hours", hours=f"{duty['hours']:g}")
    if duty["working_days"] is not None:
        return text("law.within_days", days=duty["working_days"])
    return text("law.no_hours")


@command.command("done")
@common_options
@click.argument("duty")
@click.option("--at", default="", help="When: ISO 8601, or HH:MM today; now by default.")
@click.option("--receipt", default="", help="Number of the receipt or of the report.")
def done_command(console: Console, duty: str, at: str, receipt: str) -> int:
    """Record that a standing DUTY was done: filed, audited, tested."""
    answer = perform(console, "law.done", {"duty": duty, "at": at, "receipt": receipt})
    if console.as_json:
        console.document(answer.document)
        return answer.exit_code
    key = "law.done_next" if answer.document["due"] else "law.done_once"
    due = console.time(answer.document["due"])
    console.screen.print(console.text(key, duty=printable(answer.document["duty"]), due=due))
    return answer.exit_code
