"""`cloche incident report|declare|list|show|close|dismiss`: the emergency plan from the keyboard."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from agent.incident.pictures import list_table, show_incident
from agent.incident.records import KINDS, SCOPES
from agent.sealing.key_file import VARIABLE, key_descriptor
from config.text import Text

SHOWN_FILES = 20


ELSEWHERE: Final[dict[str, str]] = {
    "investigate": "incident_investigate",
    **dict.fromkeys(("order", "ack", "note", "advance", "grade", "merge", "split", "verify"), "incident_direct"),
    **dict.fromkeys(("clocks", "drafts", "fill", "submit", "demand", "summary", "police"), "incident_law"),
    "final": "incident_final",
    "persons": "incident_persons",
    "notify": "incident_notify",
    "logistics": "incident_logistics",
    "clean": "incident_clean",
}
"""Further verbs: name → module under `agent.commands` that holds a click command of that name (`-` as `_`)."""


class Verbs(click.Group):
    """The verbs of this module and those of `ELSEWHERE`, imported when called or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, sorted."""
        return sorted({*super().list_commands(ctx), *ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's click command."""
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"agent.commands.{ELSEWHERE[cmd_name]}")
        found: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return found


@click.group(cls=Verbs)
def command() -> None:
    """Report, declare, follow and end an information security incident."""


def facts(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that `report` and `declare` share."""
    for option in (
        click.option("--path", "paths", multiple=True, type=click.Path(), help="A file or folder concerned."),
        click.option("--types", multiple=True, help="Types of information, e.g. PHONE_NUMBER (commas allowed)."),
        click.option("--place", default="", help="Where; the store's name by default."),
        click.option("--occurred-at", default="", help="When it happened: ISO 8601, or HH:MM today."),
        click.option("--discovered-at", default="", help="When it was noticed; now by default. Clocks start here."),
        click.option("--summary", required=True, help="What was seen, in a sentence."),
        click.option("--kind", required=True, type=click.Choice(KINDS), help="Kind of incident."),
    ):
        function = option(function)
    return function


def arguments_of(given: dict[str, Any]) -> dict[str, Any]:
    """As the operation wants them: absolute paths as text, types one by one."""
    paths = [os.fsdecode(os.path.abspath(path)) for path in given.pop("paths")]
    types = [name.strip() for entry in given.pop("types") for name in entry.split(",") if name.strip()]
    return {**given, "paths": paths, "types": types}


@command.command("report")
@common_options
@facts
@click.option("--scope", type=click.Choice(SCOPES), help="Whose first impact is filled in.")
@click.option("--yes", is_flag=True, expose_value=False, help="Taken as by declare; a report never asks.")
def report_command(console: Console, **given: Any) -> int:
    """疑似上报: anyone may. Contains nothing, starts the clocks at the time of discovery."""
    answer = perform(console, "incident.report", arguments_of(given))
    return finish(console, answer.document, answer.exit_code, "incident.reported")


@command.command("declare")
@common_options
@facts
@click.option(
    "--scope", type=click.Choice(SCOPES), help="What is contained. Default: --path, else open alerts, else all strays."
)
@click.option("--incident", default="", help="Declare what was reported under this id.")
@click.option("--dry-run", is_flag=True, help="Show what would be contained and stop.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def declare_command(console: Console, *, dry_run: bool, yes: bool, **given: Any) -> int:
    """启动应急预案: contain the affected data at once."""
    arguments = arguments_of(given)
    if dry_run or not yes:
        preview = perform(console, "incident.declare", {**arguments, "preview": True})
        if dry_run and console.as_json:
            console.document(preview.document)
            return preview.exit_code
        show_preview(console, preview.document)
        if dry_run:
            return preview.exit_code
        console.confirm(console.text("incident.confirm_declare"), yes=False)
    answer = perform(console, "incident.declare", arguments)
    return finish(console, answer.document, answer.exit_code, "incident.declared")


@command.command("list")
@common_options
def list_command(console: Console) -> int:
    """All incidents, newest first."""
    answer = perform(console, "incident.list", {})
    if console.as_json:
        console.document(answer.document)
    elif not answer.document["incidents"]:
        console.screen.print(console.text("incident.none"))
    else:
        console.screen.print(list_table(console.text, answer.document["incidents"]))
    return answer.exit_code


@command.command("show")
@common_options
@click.argument("incident_id", metavar="ID")
def show_command(console: Console, incident_id: str) -> int:
    """One incident: clocks, containment, who did what, what is next."""
    answer = perform(console, "incident.show", {"id": incident_id})
    if console.as_json:
        console.document(answer.document)
    else:
        show_incident(console.screen, console.text, answer.document)
    return answer.exit_code


@command.command("close")
@common_options
@click.argument("incident_id", metavar="ID")
@click.option("--false-alarm", is_flag=True, help="误报: undo everything (the same as dismiss).")
@click.option("--reason", default="", help="Why.")
@click.option("--override", default="", metavar="REASON", help="Close although conditions are unmet.")
@click.option("--key-file", type=click.Path(path_type=Path), envvar=VARIABLE, help="Recovery key for a false alarm.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def close_command(console: Console, **given: Any) -> int:
    """The end: the check is clean, the report is handed in."""
    return end(console, given)


@command.command("dismiss")
@common_options
@click.argument("incident_id", metavar="ID")
@click.option("--reason", default="", help="Why it is a false alarm.")
@click.option("--key-file", type=click.Path(path_type=Path), envvar=VARIABLE, help="Recovery key, if none is held.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def dismiss_command(console: Console, **given: Any) -> int:
    """误报: release everything bit for bit, resume what was stopped."""
    return end(console, {**given, "false_alarm": True})


def end(console: Console, given: dict[str, Any]) -> int:
    """Close or dismiss, with the key file as a descriptor."""
    false_alarm = bool(given["false_alarm"])
    question = "incident.confirm_dismiss" if false_alarm else "incident.confirm_close"
    console.confirm(console.text(question, id=given["incident_id"]), yes=given["yes"])
    arguments = {"id": given["incident_id"], "reason": given["reason"], "override": given.get("override", "")}
    name, done = ("incident.dismiss", "dismissed") if false_alarm else ("incident.close", "closed")
    with key_descriptor(given["key_file"], console.text, wanted=false_alarm) as key:
        answer = perform(console, name, arguments, descriptors=key)
    return finish(console, answer.document, answer.exit_code, f"incident.{done}")


def finish(console: Console, document: dict[str, Any], exit_code: int, said: str) -> int:
    """Show the incident as it stands now."""
    if console.as_json:
        console.document(document)
    else:
        console.screen.print(console.text(said, id=document["id"]))
        show_incident(console.screen, console.text, document)
    if document["failures"]:
        console.say("incident.incomplete", count=len(document["failures"]))
        for failure in document["failures"]:
            click.echo(f"  {printable(failure)}", err=True)
    return exit_code


def show_preview(console: Console, document: dict[str, Any]) -> None:
    """The set, on stderr: stdout carries the answer."""
    text: Text = console.text
    scope = text(f"incident.scope_{document['scope']}")
    if document["files"]:
        console.say("incident.preview", files=document["files"], scope=scope, persons=f"{document['persons']:,}")
    else:
        console.say("incident.preview_none", scope=scope)
    for item in document["items"][:SHOWN_FILES]:
        click.echo(f"  {item['persons']:>9,}  {printable(item['name'])}", err=True)
    if document["files"] > SHOWN_FILES:
        click.echo(f"  … +{document['files'] - SHOWN_FILES}", err=True)
    if document["left_out"]:
        console.say("incident.preview_left_out", files=len(document["left_out"]))
        for left in document["left_out"][:SHOWN_FILES]:
            click.echo(f"  {printable(left['name'])}  {text('quarantine.cause_' + left['why'])}", err=True)
