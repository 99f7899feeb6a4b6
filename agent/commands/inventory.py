"""`cloche inventory`: what lies where, as far as the last scan knows."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import Any, get_args

import click
from rich import box
from rich.table import Table
from rich.text import Text as Styled

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from agent.inventory.overview import Words
from agent.inventory.page import check_target
from agent.inventory.records import State
from agent.inventory.subjects import names_of, subject_of_item
from agent.summary import LEVEL_STYLES, wide
from config.errors import ClocheError
from config.schema import ItemKind
from containment.atomic import write_file
from scanners.masking import mask_text

COLUMNS = ("path", "kind", "state", "status", "reason", "level", "score", "persons", "size", "entities")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@click.group()
def command() -> None:
    """What customer information lies where, from the last scan."""


def filters(function: Any) -> Any:
    """The options that choose items."""
    for option in (
        click.option("--level", type=click.IntRange(1, 4), help="This level and above."),
        click.option(
            "--state", "states", multiple=True, type=click.Choice(get_args(State)), help="Only in this state."
        ),
        click.option("--kind", "kinds", multiple=True, type=click.Choice(get_args(ItemKind)), help="Only this kind."),
        click.option("--entity", metavar="ENTITY", help="Only where this was found, like PHONE_NUMBER."),
        click.option("--under", metavar="PATH", help="Only in this folder or file."),
        click.option("--all", "everything", is_flag=True, help="Also where nothing was found."),
    ):
        function = option(function)
    return function


def arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Options as the operation takes them."""
    under = options["under"]
    return {
        "level": options["level"],
        "states": list(options["states"]),
        "kinds": list(options["kinds"]),
        "entity": options["entity"],
        "under": None if under is None else os.path.abspath(under),
        "all": options["everything"],
    }


@command.command("list")
@filters
@common_options
def list_items(console: Console, /, **options: Any) -> int:
    """Items that hold something, worst first."""
    answer = perform(console, "inventory.list", arguments(options))
    if console.as_json:
        console.document(answer.document)
    else:
        show_list(console, answer.document)
    return int(answer.exit_code)


@command.command("show")
@click.argument("path")
@common_options
def show_item(console: Console, /, path: str) -> int:
    """What was found in the file PATH, place by place."""
    answer = perform(console, "inventory.show", {"path": os.path.abspath(path)})
    if console.as_json:
        console.document(answer.document)
    else:
        show_one(console, answer.document)
    return int(answer.exit_code)


@command.command("export")
@filters
@click.option("--format", "form", type=click.Choice(["json", "csv"]), default="json", show_default=True)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@common_options
def export_items(console: Console, /, form: str, output: str | None, **options: Any) -> int:
    """The inventory to pass on: every path and name masked."""
    if output is not None:
        check_target(output, console.text)
    answer = perform(console, "inventory.export", arguments(options))
    if form == "csv" and not console.as_json:
        content = as_csv(answer.document["items"])
    else:
        content = json.dumps(answer.document, ensure_ascii=False, indent=2) + "\n"
    if output is None:
        click.echo(content, nl=False)
        return int(answer.exit_code)
    try:
        write_file(os.path.abspath(output), content.encode("utf-8"), 0o600)
    except OSError as error:
        raise ClocheError(console.text("scan.html_failed", path=output, cause=error.strerror)) from error
    console.say("inventory.exported", count=len(answer.document["items"]), path=printable(output))
    return int(answer.exit_code)


def as_csv(items: list[dict[str, Any]]) -> str:
    """A table for a spreadsheet: with a BOM, or Excel takes UTF-8 for GBK; what would be a formula there is quoted."""
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    for item in items:
        entities = " ".join(sorted({finding["entity"] for finding in item["findings"]}))
        row = [entities if column == "entities" else item[column] for column in COLUMNS]
        writer.writerow([f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell for cell in row])
    return "\ufeff" + target.getvalue()


def show_list(console: Console, document: dict[str, Any]) -> None:
    """A table a line an item."""
    text, words = console.text, Words(console.text)
    if not document["items"]:
        console.screen.print(text("inventory.empty" if document["scanned_at"] else "inventory.never"))
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for key, justify in (
        ("scan.column_level", "left"), ("inventory.column_state", "left"), ("scan.column_persons", "right"),
        ("scan.column_kind", "left"), ("scan.column_what", "left"), ("scan.column_where", "left"),
    ):  # fmt: skip
        table.add_column(text(key), justify="right" if justify == "right" else "left", overflow="fold")
    for item in document["items"]:
        entities = dict.fromkeys(finding["entity"] for finding in item["findings"])
        table.add_row(
            Styled(str(item["level"]), style=LEVEL_STYLES[item["level"]]),
            text(f"inventory.state_{item['state']}"),
            f"{item['persons']:,}" if item["persons"] else "–",
            words.subject(subject_of_item(item, names_of(item)), words.kind(item["kind"])),
            words.entities(entities, most=3),
            mask_text(printable(item["path"])),
        )
    wide(console.screen).print(table)
    console.screen.print(
        text("inventory.foot", count=f"{len(document['items']):,}", time=console.time(document["scanned_at"])),
        style="dim",
    )


def show_one(console: Console, document: dict[str, Any]) -> None:
    """One file: its facts, then every place in it."""
    text, words, item = console.text, Words(console.text), document["item"]
    console.screen.print(mask_text(printable(item["path"])), style="bold")
    values = sum(finding["count"] for part in (item, *document["inside"]) for finding in part["findings"])
    about = words.subject(subject_of_item(item, names_of(item)), words.kind(item["kind"]))
    facts = (about, text("scan.level", level=item["level"]), words.amount(item["persons"], values),
             text(f"inventory.state_{item['state']}"))  # fmt: skip
    console.screen.print(" · ".join(facts))
    if item["reason"]:
        console.screen.print(f"{text('scan.reason_' + item['reason'])} → {text('scan.advice_' + item['reason'])}")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for key in ("scan.column_what", "scan.page_type_values", "inventory.column_distinct", "scan.column_where"):
        table.add_column(text(key), overflow="fold")
    for part in (item, *document["inside"]):
        for finding in part["findings"]:
            place = finding["place"]
            marks = (f"{text('inventory.place_' + name)} {mask_text(printable(str(value)))}"
                     for name, value in place.items() if value is not None)  # fmt: skip
            inside = mask_text(printable(part["path"][len(item["path"]) + 1 :]))
            where = " · ".join(word for word in (inside, *marks) if word)
            table.add_row(words.entity(finding["entity"]), f"{finding['count']:,}", f"{finding['distinct']:,}", where)
    wide(console.screen).print(table)
