"""`cloche incident logistics ID …`: people and materials, the checklist for a phone, photos, custody."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.table import Table

from agent.cli import common_options
from agent.client import perform
from agent.commands.open import opened
from agent.console import Console, printable
from agent.logistics.answers import LONGEST
from agent.logistics.records import NEED_KINDS, REPLIES, STAGES
from config.errors import ClocheError, ExitCode, RefusedError, UsageError
from config.text import LANGUAGES
from containment.atomic import create_file


@click.group("logistics")
@click.argument("incident_id", metavar="ID")
@click.pass_context
def logistics(context: click.Context, incident_id: str) -> None:
    """后勤保障 of the incident ID: people and materials, on-site checklist, photos, custody."""
    context.meta["incident"] = incident_id


def asked(name: str, arguments: dict[str, Any], console: Console, descriptors: tuple[int, ...] = ()) -> dict[str, Any]:
    """Perform `logistics.<name>` on the incident of this call; its document, written where `--json` asks for it."""
    incident = click.get_current_context().meta["incident"]
    answer = perform(console, f"logistics.{name}", {**arguments, "id": incident}, descriptors=descriptors)
    click.get_current_context().meta["code"] = int(answer.exit_code)
    if console.as_json:
        console.document(answer.document)
    return answer.document


@logistics.command("show")
@common_options
def show_command(console: Console, /) -> int:
    """Where things stand."""
    document = asked("show", {}, console)
    if not console.as_json:
        show_all(console, document)
    return ExitCode.DONE


@logistics.command("need")
@click.argument("what")
@click.option("--kind", type=click.Choice(NEED_KINDS), default="material", show_default=True)
@click.option("--quantity", type=click.IntRange(1, 10_000), default=1, show_default=True)
@click.option("--stage", type=click.Choice(STAGES), default="scene", show_default=True)
@click.option("--where", default="", help="Where it is needed.")
@common_options
def need_command(console: Console, /, **given: Any) -> int:
    """Ask for something or somebody."""
    document = asked("need", given, console)
    if not console.as_json:
        made = document["needs"][-1]
        values = {"number": made["number"], "what": printable(made["what"]), "quantity": made["quantity"]}
        console.screen.print(console.text("logistics.said_need", **values))
    return ExitCode.DONE


@logistics.command("assign")
@click.argument("need", type=int)
@click.option("--to", required=True, help="Who brings it or comes; a person of the settings is told.")
@click.option("--due", default="", help="Until when.")
@common_options
def assign_command(console: Console, /, **given: Any) -> int:
    """Say who takes care of a need."""
    asked("assign", given, console)
    if not console.as_json:
        console.screen.print(console.text("logistics.said_assign", need=given["need"], to=printable(given["to"])))
    return ExitCode.DONE


@logistics.command("done")
@click.argument("need", type=int)
@click.option("--note", default="")
@common_options
def done_command(console: Console, /, **given: Any) -> int:
    """It has come."""
    asked("done", given, console)
    if not console.as_json:
        console.screen.print(console.text("logistics.said_done", need=given["need"]))
    return ExitCode.DONE


@logistics.command("check")
@click.argument("line", default="")
@click.option("--reply", type=click.Choice(REPLIES), default="yes", show_default=True)
@click.option("--at", default="", help="When: HH:MM, or ISO 8601.")
@click.option("--note", default="")
@click.option(
    "--from", "source", default="", metavar="FILE", help="A filled sheet: its address or typed lines; - is stdin."
)
@common_options
def check_command(console: Console, /, *, source: str, **given: Any) -> int:
    """Answer LINE of the checklist, or all lines of a filled sheet."""
    if bool(source) == bool(given["line"]):
        raise UsageError("give either LINE or --from FILE")
    arguments = {"text": read_text(source)} if source else given
    document = asked("check", arguments, console)
    if not console.as_json:
        console.screen.print(console.text("logistics.said_check", count=document["answered"]))
        if document["refused"]:
            console.say("logistics.check_refused", lines=", ".join(document["refused"]))
    return int(click.get_current_context().meta["code"])


@logistics.command("photo")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--what", required=True, help="What they show.")
@click.option("--by", required=True, help="Who took them.")
@click.option("--line", default="", help="The line of the checklist they belong to.")
@common_options
def photo_command(console: Console, /, *, files: tuple[Path, ...], **given: str) -> int:
    """Put photos of the scene under seal, into the evidence."""
    with ExitStack() as stack:
        descriptors = tuple(stack.enter_context(opened(file, console.text)) for file in files)
        document = asked("photo", given, console, descriptors)
    if not console.as_json:
        made = document["photos"][-len(files) :]
        console.screen.print(console.text("logistics.said_photo", count=len(files), total=len(document["photos"])))
        for photo in made:
            console.screen.print(f"  {photo['number']:>3}  {photo['sha256']}")
        console.say("logistics.photo_delete")
    return ExitCode.DONE


@logistics.command("custody")
@click.option("--item", default="", help="What it is.")
@click.option("--serial", default="", help="Its serial number.")
@click.option("--from", "giver", default="", help="Who gives it.")
@click.option("--to", "taker", default="", help="Who takes it.")
@click.option("--at", "given_at", default="", help="When: HH:MM, or ISO 8601; now by default.")
@click.option("--where", default="")
@click.option("--condition", default="", help="How it looks.")
@click.option("--seal", default="", help="Number of the seal.")
@click.option("--gap", default="", help="Why it is not with who had it, or has another seal.")
@click.option("--document", is_flag=True, help="Write the custody form (证据移交单) instead.")
@common_options
def custody_command(console: Console, /, **given: Any) -> int:
    """Record that something changed hands, or write the custody form."""
    document = asked("custody", given, console)
    if console.as_json:
        return ExitCode.DONE
    if given["document"]:
        console.screen.print(console.text("logistics.said_form", folder=str(Path(document["documents"][0]).parent)))
    else:
        values = {"item": printable(given["item"]), "taker": printable(given["taker"])}
        console.screen.print(console.text("logistics.said_custody", **values))
    return ExitCode.DONE


@logistics.command("sheet")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A new HTML file.")
@click.option("--language", type=click.Choice(LANGUAGES), help="The store's by default.")
@common_options
def sheet_command(console: Console, /, *, output: Path, language: str | None) -> int:
    """Write the checklist as one page for a phone."""
    incident = click.get_current_context().meta["incident"]
    document = perform(console, "logistics.sheet", {"id": incident, "language": language or ""}).document
    try:
        create_file(output, document["html"].encode("utf-8"), 0o600)
    except FileExistsError as error:
        raise RefusedError(console.text("cli.already_there", path=printable(str(output)))) from error
    except OSError as error:
        raise ClocheError(
            console.text("cli.unwritable", path=printable(str(output)), cause=error.strerror)
        ) from error  # fmt: skip
    if console.as_json:
        console.document({"schema": document["schema"], "id": document["id"], "file": str(output)})
    else:
        console.screen.print(console.text("logistics.said_sheet", file=printable(str(output))))
    return ExitCode.DONE


def read_text(source: str) -> str:
    """A filled sheet from a file or stdin.

    Raises:
        UsageError: it can't be read.
    """
    try:
        if source == "-":
            return sys.stdin.buffer.read(LONGEST).decode("utf-8", "replace")
        with open(source, "rb") as file:
            return file.read(LONGEST).decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{printable(source)}: cannot be read: {error.strerror}") from error


def show_all(console: Console, document: dict[str, Any]) -> None:
    """Needs, open lines, photos and custody."""
    text, screen = console.text, console.screen
    if document["needs"]:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
        for column in ("number", "kind", "needed", "state", "who", "due"):
            table.add_column(text(f"logistics.c_{column}"), overflow="fold")
        for need in document["needs"]:
            table.add_row(
                str(need["number"]), text(f"logistics.kind_{need['kind']}"),
                f"{printable(need['what'])} × {need['quantity']}", text(f"logistics.state_{need['state']}"),
                printable(need["assigned_to"]) or "–", printable(need["due"]) or "–",
            )  # fmt: skip
        screen.print(text("logistics.h_needs"), style="bold")
        screen.print(table)
    screen.print(
        text("logistics.h_lines", open=document["open_lines"], total=len(document["lines"])), style="bold"
    )  # fmt: skip
    marks = {"yes": "✓", "no": "✗", "na": "–", None: "□"}
    for line in document["lines"]:
        done = f" ({console.time(line['at'])[-5:]} {printable(line['by'])})" if line["at"] else ""
        screen.print(f"  {marks[line['reply']]} {line['code']:<3} {line['text']}{done}")
    if document["photos"]:
        screen.print(text("logistics.photos_line", count=len(document["photos"])))
    if document["custody"]:
        screen.print(text("logistics.h_custody"), style="bold")
    for chain in document["custody"]:
        screen.print(
            "  " + text(
                "logistics.custody_line", item=printable(chain["item"]), serial=printable(chain["serial"]) or "–",
                holder=printable(chain["holder"]), count=len(chain["handovers"]),
            )
        )  # fmt: skip
        for problem in chain["problems"]:
            screen.print(f"    ! {text(f'logistics.problem_{problem}')}")
