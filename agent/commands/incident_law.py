"""`cloche incident clocks|drafts|fill|submit|demand|summary|police`: what is due, drafted and handed in."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console as Screen

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from agent.incident.pictures import clock_words, heading
from agent.new_file import perform_into
from config.text import Text

STYLES = {"overdue": "bold red", "running": "yellow"}


@click.command("clocks")
@common_options
@click.argument("incident_id", metavar="ID")
def clocks(console: Console, incident_id: str) -> int:
    """All clocks: to whom, how, in whose name, what is filled in and what is missing."""
    answer = perform(console, "incident.clocks", {"id": incident_id})
    if console.as_json:
        console.document(answer.document)
        return answer.exit_code
    screen, text = console.screen, console.text
    heading(screen, f"{answer.document['id']}  {text('law.heading_duties')}")
    for duty in answer.document["duties"]:
        show_duty(console, screen, duty)
    heading(screen, text("law.heading_standing"))
    for entry in answer.document["standing"]:
        flag = "" if entry["verified"] else text("law.flag")
        words = standing_words(console, entry) + flag
        screen.print("  " + text("law.standing_line", title=entry["title"], words=words), soft_wrap=True)
    screen.print(text("reports.assists"), style="dim")
    return answer.exit_code


def show_duty(console: Console, screen: Screen, duty: dict[str, Any]) -> None:
    """One duty: its clock first, then how it is done and what stands in the way."""
    text: Text = console.text
    flag = "" if duty["verified"] else text("law.flag")
    due = text("law.remind_due", time=console.time(duty["deadline"])) if duty["deadline"] else ""
    screen.print(
        f"  {clock_words(text, duty)}{due}  {duty['title']} → {printable(duty['office'])}{flag}",
        style=STYLES.get(duty["state"], "dim"), soft_wrap=True,
    )  # fmt: skip
    if duty["state"] not in STYLES:
        return
    screen.print(
        "      " + text("law.line_key", key=duty["key"], entity=printable(duty["entity"]), channel=duty["channel"]),
        soft_wrap=True,
    )
    fields = [field for part in duty["parts"] for field in part["fields"]]
    if fields:
        filled = sum(not field["gap"] for field in fields)
        screen.print("      " + text("law.line_contents", filled=filled, total=len(fields)), soft_wrap=True)
    if duty["missing"]:
        names = text("reports.comma").join(duty["missing"])
        screen.print("      " + text("law.line_missing", names=printable(names)), style="yellow", soft_wrap=True)
    if duty["draft"]:
        draft = duty["draft"]
        screen.print(
            "      " + text(
                "law.line_draft", version=draft["version"], time=console.time(draft["made_at"]),
                file=printable(next((path for path in draft["files"] if f".{text.language}." in path), "–")),
            ),
            soft_wrap=True,
        )  # fmt: skip


def standing_words(console: Console, entry: dict[str, Any]) -> str:
    """What is to be kept, repeated or filed."""
    text: Text = console.text
    if not entry["reached"]:
        return text("law.file_below") if entry["reached"] is False else text("law.file_unknown")
    if entry["how"] == "file":
        if entry["done_at"]:
            return text("law.filed", time=console.time(entry["done_at"]))
        return text("law.file_in", days=entry["working_days"], time=console.time(entry["due"]))
    if entry["how"] == "repeat" and entry["due"]:
        last, due = console.time(entry["done_at"]), console.time(entry["due"])
        return text("law.repeat_due", days=entry["days"], last=last, time=due)
    if entry["how"] == "do":
        return text("law.do")
    return text(f"law.{entry['how']}", days=entry["days"])


@click.command("drafts")
@common_options
@click.argument("incident_id", metavar="ID")
def drafts(console: Console, incident_id: str) -> int:
    """Bring the drafts for authorities up to date and list them; exit 3 while something is missing."""
    answer = perform(console, "incident.drafts", {"id": incident_id})
    if console.as_json:
        console.document(answer.document)
        return answer.exit_code
    screen, text = console.screen, console.text
    screen.print(text("law.drafted", count=len(answer.document["written"])))
    for row in answer.document["drafts"]:
        flag = "" if row["verified"] else text("law.flag")
        named = text("law.draft_line", title=row["title"], entity=printable(row["entity"]))
        screen.print(f"  {named}{flag}", style="bold", soft_wrap=True)
        if row["missing"]:
            names = text("reports.comma").join(row["missing"])
            screen.print("    " + text("law.line_missing", names=printable(names)), style="yellow", soft_wrap=True)
        for path in row["files"]:
            screen.print("    " + printable(path), soft_wrap=True)
    screen.print(text("reports.assists"), style="dim")
    return answer.exit_code


@click.command("fill")
@common_options
@click.argument("incident_id", metavar="ID")
@click.argument("field")
@click.argument("words")
def fill(console: Console, incident_id: str, field: str, words: str) -> int:
    """Fill in FIELD of every form (cause, trend, help, …); empty WORDS take it back."""
    answer = perform(console, "incident.fill", {"id": incident_id, "field": field, "text": words})
    if console.as_json:
        console.document(answer.document)
    else:
        console.screen.print(console.text("law.filled", name=answer.document["name"]))
    return answer.exit_code


@click.command("submit")
@common_options
@click.argument("incident_id", metavar="ID")
@click.argument("duty")
@click.option("--channel", required=True, help="How it was handed in, such as: telephone 12387.")
@click.option("--receipt", default="", help="Number of the receipt.")
@click.option("--to", default="", help="To whom; the office of the duty by default.")
@click.option("--at", default="", help="When: ISO 8601, or HH:MM today; now by default.")
@click.option("--entity", default="", help="In whose name, where several legal entities are concerned.")
def submit(console: Console, incident_id: str, **given: str) -> int:
    """Record that DUTY was handed in to its authority. Nothing is sent."""
    answer = perform(console, "incident.submit", {"id": incident_id, **given})
    if console.as_json:
        console.document(answer.document)
        return answer.exit_code
    document = answer.document
    console.screen.print(console.text("law.submitted", title=document["title"], at=console.time(document["at"])))
    if document["missing"]:
        console.screen.print(console.text("law.submitted_missing", count=document["missing"]), style="yellow")
    return answer.exit_code


@click.command("demand")
@common_options
@click.argument("incident_id", metavar="ID")
@click.argument("duty")
@click.option("--at", default="", help="When the authority ordered it; now by default.")
@click.option("--due", default="", help="By when: a day or ISO 8601.")
@click.option("--note", default="", help="What was ordered.")
def demand(console: Console, incident_id: str, **given: str) -> int:
    """Record that an authority ordered something: the clock of DUTY starts."""
    answer = perform(console, "incident.demand", {"id": incident_id, **given})
    if console.as_json:
        console.document(answer.document)
    else:
        console.screen.print(console.text("law.demanded", title=answer.document["title"]))
    return answer.exit_code


@click.command("summary")
@common_options
@click.argument("incident_id", metavar="ID")
def summary(console: Console, incident_id: str) -> int:
    """The incident on one page, in sentences to read aloud on the phone."""
    answer = perform(console, "incident.summary", {"id": incident_id})
    if console.as_json:
        console.document(answer.document)
    else:
        for line in answer.document["lines"][console.text.language]:
            console.screen.print(line, soft_wrap=True)
    return answer.exit_code


@click.command("police")
@common_options
@click.argument("incident_id", metavar="ID")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the zip to this new file.")
def police(console: Console, incident_id: str, output: str | None) -> int:
    """报案材料: facts, evidence with hashes, timeline and verifier in one zip; exit 3 while facts are missing."""
    answer, path = perform_into(console, "incident.police", {"id": incident_id}, output)
    document = {**answer.document, "path": path}
    if console.as_json:
        console.document(document)
        return answer.exit_code
    console.screen.print(
        console.text("reports.police_done", path=printable(path), sha256=document["sha256"]), soft_wrap=True
    )
    if document["missing"]:
        names = console.text("reports.comma").join(document["missing"])
        console.screen.print(console.text("law.line_missing", names=printable(names)), style="yellow", soft_wrap=True)
    return answer.exit_code
