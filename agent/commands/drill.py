"""`cloche drill run|list|show|ack|certificate`: try the emergency plan on made-up customers."""

from __future__ import annotations

import os
from typing import Any

import click
from rich import box
from rich.table import Table
from rich.text import Text as Styled

from agent.cli import common_options
from agent.client import daemon_running, perform
from agent.console import Console, printable
from agent.drill.scenarios import load_scenarios
from agent.operation import Answer
from config.errors import ClocheError, UsageError


@click.group()
def command() -> None:
    """Drills: the real code path on made-up customers; nothing real is touched, nobody outside is told."""


@command.command("run")
@click.option("--scenario", metavar="S", help="Which one; insider by default. See --list.")
@click.option("--list", "only_list", is_flag=True, help="List the scenarios and stop.")
@click.option("--announced", is_flag=True, help="People know of it and acknowledge with `drill ack`.")
@click.option("--live", is_flag=True, help="Ask the people of the plan by real messages, marked 应急演练.")
@click.option(
    "--size", type=click.FloatRange(0.01, 1.0), default=0.1, show_default=True, help="Share of 4,500 persons."
)
@click.option("--names", is_flag=True, help="Scan for names and addresses too (slow).")
@click.option("--no-drafts", "drafts", flag_value=False, default=True, help="Draft no reports and no notice.")
@click.option("--keep", is_flag=True, help="Keep the documents that the drill drafts.")
@click.option("--yes", is_flag=True, help="Do not ask before real messages are sent.")
@common_options
def run_command(console: Console, /, *, scenario: str | None, only_list: bool, yes: bool, **options: Any) -> int:
    """Play a scenario, score it, write the certificate (exit 3 if it was not passed)."""
    if only_list:
        return show_list(console)
    if scenario is not None and scenario not in load_scenarios():
        raise UsageError(f"--scenario: {scenario!r} is none of {', '.join(load_scenarios())}")
    if options["live"]:
        console.confirm(console.text("drill.confirm_live"), yes=yes)
    answer = play(console, {"scenario": scenario or "", **options})
    if console.as_json:
        console.document(answer.document)
    else:
        show_drill(console, answer.document)
    return int(answer.exit_code)


def play(console: Console, arguments: dict[str, Any]) -> Answer:
    """Begin, carry out and finish. Whoever is not the owner leaves all of it to the daemon.

    Raises:
        ClocheError: it could not begin, or its result could not be kept.
    """

    def tell(update: dict[str, Any]) -> None:
        if console.is_terminal and not console.as_json:
            console.say("drill.doing", step=console.text(f"drill.step_{update['step']}"))

    if os.geteuid() != 0 and daemon_running(console.home) and not os.access(console.home.state, os.W_OK):
        return perform(console, "drill.run", arguments, progress=tell)

    from agent.drill.carrying import carry_out
    from agent.drill.lock import only_one
    from agent.drill.operations import order_of

    console.home.create()
    with only_one(console.home, console.text):
        begun = perform(console, "drill.begin", {**arguments, "held": True}).document
        if begun["cleared"]:
            console.say("drill.cleared", count=len(begun["cleared"]))
        ending: dict[str, Any] = {"id": begun["id"], "keep": arguments["keep"]}
        try:
            ending["result"] = carry_out(order_of(begun, arguments), lambda key: tell({"step": key}))
        except ClocheError as error:
            ending["failed"] = str(error)
        return perform(console, "drill.finish", ending)


@command.command("list")
@common_options
def list_command(console: Console, /) -> int:
    """Scenarios, drills, and when the next one is due."""
    return show_list(console)


@command.command("show")
@click.argument("drill_id", metavar="ID", default="latest")
@common_options
def show_command(console: Console, /, *, drill_id: str) -> int:
    """One drill, compared with the last of the same scenario."""
    answer = perform(console, "drill.show", {"id": drill_id})
    if console.as_json:
        console.document(answer.document)
    else:
        show_drill(console, answer.document, whole=True)
    return int(answer.exit_code)


@command.command("ack")
@click.argument("drill_id", metavar="ID", default="latest")
@click.option("--person", default="", help="Who said so on the phone, or whose code it is.")
@click.option("--code", default="", help="The code of the message.")
@common_options
def ack_command(console: Console, /, *, drill_id: str, person: str, code: str) -> int:
    """Say during a drill: I am there."""
    answer = perform(console, "drill.ack", {"id": drill_id, "person": person, "code": code})
    if console.as_json:
        console.document(answer.document)
    else:
        key = "drill.acked" if answer.document["in_time"] else "drill.acked_late"
        console.screen.print(console.text(key, person=answer.document["person"], id=answer.document["id"]))
    return int(answer.exit_code)


@command.command("certificate")
@click.argument("drill_id", metavar="ID", default="latest")
@common_options
def certificate_command(console: Console, /, *, drill_id: str) -> int:
    """Write the certificate anew, with whoever acknowledged since."""
    answer = perform(console, "drill.certificate", {"id": drill_id})
    if console.as_json:
        console.document(answer.document)
    else:
        for path in answer.document["paths"]:
            console.screen.print(console.text("drill.written", path=printable(path)))
    return int(answer.exit_code)


def show_list(console: Console) -> int:
    """Scenarios and drills."""
    answer = perform(console, "drill.list", {})
    document, text = answer.document, console.text
    if console.as_json:
        console.document(document)
        return int(answer.exit_code)
    table = table_of(console, "id", "title", "last", "score")
    for entry in document["scenarios"]:
        score = "–" if entry["last_score"] is None else f"{entry['last_score']:.0f}"
        add(table, entry["id"], entry["title"], console.time(entry["last_at"]), score)
    console.screen.print(table)
    if document["drills"]:
        table = table_of(console, "id", "title", "when", "state", "score", "people")
        for drill in document["drills"]:
            people = f"{drill['acknowledged']}/{drill['asked']}" if drill["asked"] else "–"
            score = f"{drill['score']:.0f}" if drill["state"] == "done" else "–"
            add(table, drill["id"], drill["title"], console.time(drill["at"]), text(f"drill.state_{drill['state']}"),
                score, people)  # fmt: skip
        console.screen.print(table)
    key = "drill.never" if document["due_on"] is None else "drill.is_overdue" if document["overdue"] else "drill.due"
    console.screen.print(text(key, due=document["due_on"] or ""))
    return int(answer.exit_code)


def show_drill(console: Console, document: dict[str, Any], *, whole: bool = False) -> None:
    """The score first, then what was measured, who was there, what to improve."""
    text, say = console.text, console.screen.print
    if document["state"] != "done":
        failed = document["failed"] or ""
        say(text(f"drill.head_{document['state']}", id=document["id"], title=document["title"], why=printable(failed)))
        return
    key = "drill.head_passed" if document["passed"] else "drill.head_not_passed"
    style = "bold" if document["passed"] else "bold red"
    say(Styled(text(key, id=document["id"], title=document["title"], score=f"{document['score']:.0f}"), style=style))
    confinement = document["confinement"]
    say(text(f"drill.kept_{confinement['files']}_{confinement['network']}"))
    table = table_of(console, "measure", "value", "target", "points", "change")
    for measure in document["measures"]:
        target, change = amount(console, measure, "target"), ""
        if measure["change"] is not None:
            change = f"{'+' if measure['change'] > 0 else ''}{amount(console, measure, 'change')}"
        points = f"{measure['points']:.1f}/{measure['worth']:.1f}"
        add(
            table,
            measure["title"],
            measure["shown"],
            target,
            points,
            change,
            style="" if measure["met"] else "bold red",
        )
    say(table)
    if document["before"]:
        say(text("drill.compared", id=document["before"]["id"], score=f"{document['before']['score']:.0f}"))
    given = {entry["person"] for entry in document["acknowledged"] if entry["in_time"]}
    if document["asked"]:
        missing = [name for name in document["asked"] if name not in given]
        say(text("drill.people", given=len(given), asked=len(document["asked"]), names=", ".join(missing) or "–"))
    for title, lines in (
        ("drill.h_findings", (*document["findings"], *document["notes"])),
        ("drill.h_points", document["points"]),
    ):
        if lines:
            say(Styled(text(title), style="bold"))
            for line in lines:
                say(f"· {printable(line)}")
    if whole:
        for step in document["timeline"]:
            say(f"{console.time(step['at'])}  {'' if step['ok'] else '! '}{printable(step['text'])}")
    for path in document["documents"]:
        say(text("drill.written", path=printable(path)))


def amount(console: Console, measure: dict[str, Any], key: str) -> str:
    """A target or a change with its unit."""
    from agent.drill.view import number_words

    return number_words(console.text, measure["name"], measure[key])


def table_of(console: Console, *columns: str) -> Table:
    """A table with titled columns."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for name in columns:
        table.add_column(console.text(f"drill.t_{name}"), overflow="fold")
    return table


def add(table: Table, *cells: str, style: str = "") -> None:
    """A row of plain text."""
    table.add_row(*(Styled(printable(cell)) for cell in cells), style=style)
