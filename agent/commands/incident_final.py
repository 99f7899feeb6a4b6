"""`cloche incident final ID draft|comment|improve|approve|submit|show`: the report after the event."""

from __future__ import annotations

from typing import Any, Final

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable

ACTIONS: Final = ("show", "draft", "comment", "improve", "approve", "submit")


@click.command("final")
@common_options
@click.argument("incident_id", metavar="ID")
@click.argument("action", type=click.Choice(ACTIONS), default="show")
@click.argument("words", default="")
@click.option("--version", type=click.IntRange(min=1), help="comment: on this version; the newest by default.")
@click.option("--owner", default="", help="improve: who sees to it.")
@click.option("--due", default="", help="improve: until which day, such as 2026-12-31.")
@click.option("--done", type=click.IntRange(min=1), help="improve: this number is done.")
@click.option("--drop", type=click.IntRange(min=1), help="improve: take this number out.")
@click.option("--channel", default="", help="submit: how it was handed in.")
@click.option("--receipt", default="", help="submit: number of the receipt.")
@click.option("--to", default="", help="submit: to whom; the management group by default.")
@click.option("--at", default="", help="submit: when; now by default.")
@click.option("--incomplete", default="", help="submit: why it goes out with gaps.")
def final(console: Console, incident_id: str, action: str, words: str, **given: Any) -> int:
    """事后报告, due 48 h after handling ended: draft, comment, improve, approve, submit, show."""
    arguments = {"id": incident_id, "text": words, **{name: value for name, value in given.items() if value}}
    answer = perform(console, f"incident.final.{action}", arguments)
    if console.as_json:
        console.document(answer.document)
        return answer.exit_code
    document, text = answer.document, console.text
    newest = document["versions"][-1] if document["versions"] else None
    match action:
        case "draft" if newest:
            said = text("reports.drafted_version", version=newest["version"], missing=len(newest["missing"]))
        case "comment":
            said = text("reports.commented")
        case "improve":
            said = text("reports.improved", count=len(document["improvements"]))
        case "approve" if newest:
            said = text("reports.approved", version=newest["version"])
        case "submit":
            last = document["submissions"][-1]
            said = text("reports.final_submitted", to=last["to"], at=console.time(last["at"]))
        case _:
            said = ""
    if said:
        console.screen.print(said)
    show(console, document)
    return answer.exit_code


def show(console: Console, document: dict[str, Any]) -> None:
    """Versions with comments, the table of improvements, what was handed in."""
    screen, text = console.screen, console.text
    for entry in document["versions"]:
        screen.print(
            text(
                "reports.version_line", version=entry["version"], time=console.time(entry["made_at"]),
                by=printable(entry["by"]), missing=len(entry["missing"]),
            ),
            style="bold", soft_wrap=True,
        )  # fmt: skip
    if document["versions"]:
        newest = document["versions"][-1]
        for path in newest["files"]:
            screen.print(text("reports.file_line", path=printable(path)), soft_wrap=True)
        if newest["missing"]:
            names = text("reports.comma").join(newest["missing"])
            screen.print("  " + text("law.line_missing", names=printable(names)), style="yellow", soft_wrap=True)
    if document["approved_by"]:
        names = text("reports.comma").join(document["approved_by"])
        screen.print(text("reports.given_line", names=printable(names)))
    for entry in document["comments"]:
        screen.print(
            text(
                "reports.comment_line", version=entry["version"], by=printable(entry["by"]),
                time=console.time(entry["at"]), text=printable(entry["text"]),
            ),
            soft_wrap=True,
        )  # fmt: skip
    for entry in document["improvements"]:
        done = text("reports.open")
        if entry["done_at"]:
            done = text("reports.done_at", time=console.time(entry["done_at"]), by=printable(entry["done_by"]))
        words = f"  {entry['number']}. {entry['what']}  {entry['owner']}  {entry['due']}  {done}"
        screen.print(printable(words), soft_wrap=True)
    for entry in document["submissions"]:
        words = text("law.line_submitted", time=console.time(entry["at"]), channel=entry["channel"],
                     receipt=entry["receipt"] or "–", by=entry["by"])  # fmt: skip
        screen.print("  " + printable(words), soft_wrap=True)
