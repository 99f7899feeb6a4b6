"""`cloche training`: the list of staff, courses, what was learned and signed, what is due, evidence, the card."""

from __future__ import annotations

import os
from typing import Any

import click
from rich import box
from rich.table import Table
from rich.text import Text as Styled

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from agent.new_file import new_file
from agent.training.lent import lend
from agent.training.records import HOWS, RESULTS
from agent.training.sheet import as_text, read_file, read_sheet
from config.errors import UsageError
from config.text import LANGUAGES

yes = click.option("--yes", is_flag=True, help="Do not ask.")
numbers = click.option("--staff", "numbers", multiple=True, metavar="NUMBER", help="Staff number; commas allowed.")
language = click.option("--language", type=click.Choice(LANGUAGES), help="The store's by default.")


@click.group()
def command() -> None:
    """Staff, courses, policies, what is due, evidence, the emergency card."""


@command.group()
def staff() -> None:
    """The list of staff."""


@command.group()
def course() -> None:
    """Courses, and policies to acknowledge."""


@staff.command("import")
@click.argument("file", type=click.Path())
@click.option("--store", default="", help="Store of whoever has none in the list.")
@click.option("--others-left", is_flag=True, help="Whoever of these stores is not in the file has left.")
@click.option("--dry-run", is_flag=True, help="Check the list and keep nothing.")
@yes
@common_options
def import_staff(console: Console, /, *, file: str, yes: bool, **given: Any) -> int:
    """Take a list from CSV (GB18030 or UTF-8) or a workbook: all of it, or nothing."""
    lines = read_sheet(file, console.text)
    if given["others_left"] and not given["dry_run"]:
        console.confirm(console.text("training.confirm_others_left"), yes=yes)
    with lend(lines) as descriptors:
        arguments = {**given, "name": os.path.basename(file)}
        answer = perform(console, "training.staff.import", arguments, descriptors=descriptors)
    document = answer.document
    if console.as_json:
        console.document(document)
    else:
        key = "training.would_import" if document["dry_run"] else "training.imported"
        console.screen.print(console.text(key, **{k: document[k] for k in ("added", "changed", "unchanged", "left")}))
        for entry in document["unknown_titles"]:
            console.say("training.unknown_title", title=printable(entry["title"]), count=entry["count"])
    return int(answer.exit_code)


@staff.command("list")
@click.option("--store", default="", help="Of this store.")
@click.option("--role", default="", help="With this role.")
@click.option("--left", is_flag=True, help="Also who left.")
@click.option("--phones", is_flag=True, help="Phones in full; it is put on record.")
@common_options
def list_staff(console: Console, /, **given: Any) -> int:
    """Who works here."""
    answer = perform(console, "training.staff.list", given)
    rows = answer.document["staff"]
    if console.as_json:
        console.document(answer.document)
    elif not rows:
        console.screen.print(console.text("training.no_staff"))
    else:
        table = table_of(console, "number", "name", "role", "store", "phone", "state")
        for row in rows:
            state = console.text("training.state_left", date=row["left"]) if row["left"] else ""
            add(table, row["number"], row["name"], row["role_name"], row["store"], row["phone"], state)
        console.screen.print(table)
    return int(answer.exit_code)


@staff.command("leave")
@click.argument("given", nargs=-1, required=True, metavar="NUMBER...")
@click.option("--on", default="", help="Last day; today by default.")
@common_options
def leave(console: Console, /, *, given: tuple[str, ...], on: str) -> int:
    """Note who left."""
    answer = perform(console, "training.staff.leave", {"numbers": split(given), "on": on})
    if not as_document(console, answer.document):
        console.screen.print(console.text("training.left", left=answer.document["left"], on=answer.document["on"]))
    return int(answer.exit_code)


@course.command("list")
@click.option("--role", default="", help="For this role.")
@common_options
def list_courses(console: Console, /, *, role: str) -> int:
    """All courses and policies."""
    answer = perform(console, "training.course.list", {"role": role})
    if not as_document(console, answer.document):
        text = console.text
        table = table_of(console, "id", "course", "roles", "interval", "version")
        for entry in answer.document["courses"]:
            months = str(entry["interval_months"])
            add(table, entry["id"], entry["title"], ", ".join(entry["role_names"]), months, "")
        for entry in answer.document["policies"]:
            add(table, entry["id"], entry["title"], ", ".join(entry["role_names"]), "", entry["version"])
        console.screen.print(table)
        rule = answer.document["basis"]
        verified = text("incident.verified" if rule["verified"] else "incident.unverified")
        console.screen.print(text("training.basis_line", source=rule["source"], date=rule["date"], verified=verified))
    return int(answer.exit_code)


@course.command("show")
@click.argument("wanted", metavar="ID")
@common_options
def show_course(console: Console, /, *, wanted: str) -> int:
    """The outline of a course, or the text of a policy."""
    answer = perform(console, "training.course.list", {"id": wanted})
    if not as_document(console, answer.document):
        say = console.screen.print
        for entry in answer.document["courses"]:
            say(Styled(printable(entry["title"]), style="bold"))
            for line in entry["outline"]:
                say(f"· {printable(line)}")
        for entry in answer.document["policies"]:
            say(Styled(printable(f"{entry['title']} {entry['version']} {entry['date']}"), style="bold"))
            for line in entry["text"].splitlines():
                say(printable(line))
            say(f"SHA-256 {entry['sha256']}")
    return int(answer.exit_code)


@course.command("import")
@click.argument("file", type=click.Path())
@common_options
def import_courses(console: Console, /, *, file: str) -> int:
    """Take the chain's own courses and policies from TOML; one of the same id replaces the product's."""
    name = os.path.basename(file)
    text = as_text(read_file(file, console.text), name, console.text)
    answer = perform(console, "training.course.import", {"name": name, "toml": text})
    if not as_document(console, answer.document):
        counts = {key: len(answer.document[key]) for key in ("courses", "policies")}
        console.screen.print(console.text("training.own_imported", **counts))
    return int(answer.exit_code)


@command.command("record")
@click.option("--course", "course_id", default="", metavar="ID", help="Which course.")
@numbers
@click.option("--import", "file", type=click.Path(), help="A list (CSV or workbook) instead of --staff.")
@click.option("--on", default="", help="Day; today by default.")
@click.option("--trainer", default="", help="Who taught.")
@click.option("--result", type=click.Choice(RESULTS), help="Of all of them; else by the score.")
@click.option("--score", type=click.IntRange(0, 100), help="Of all of them.")
@common_options
def record(console: Console, /, *, course_id: str, file: str | None, numbers: tuple[str, ...], **given: Any) -> int:
    """Put training on record."""
    arguments = {"course": course_id, "numbers": split(numbers), **given}
    if file is None:
        answer = perform(console, "training.record", arguments)
    else:
        if numbers:
            raise UsageError("--staff and --import exclude each other")
        with lend(read_sheet(file, console.text)) as descriptors:
            named = {**arguments, "name": os.path.basename(file)}
            answer = perform(console, "training.record", named, descriptors=descriptors)
    if not as_document(console, answer.document):
        counts = {key: answer.document[key] for key in ("recorded", "unchanged")}
        console.screen.print(console.text("training.recorded", **counts))
    return int(answer.exit_code)


@command.command("acknowledge")
@click.option("--policy", required=True, metavar="ID", help="Which policy: its present version.")
@numbers
@click.option("--how", type=click.Choice(HOWS), help="On paper by default.")
@click.option("--on", default="", help="Day; today by default.")
@common_options
def acknowledge(console: Console, /, *, numbers: tuple[str, ...], **given: Any) -> int:
    """Put acknowledgements of a policy on record; without --staff your own."""
    answer = perform(console, "training.acknowledge", {**given, "numbers": split(numbers)})
    if not as_document(console, answer.document):
        values = {key: value for key, value in answer.document.items() if key != "schema"}
        console.screen.print(console.text("training.acknowledged", **values))
    return int(answer.exit_code)


@command.command("due")
@click.option("--store", default="", help="Of this store.")
@click.option("--days", type=click.IntRange(0, 3660), default=30, show_default=True, help="How far to look ahead.")
@common_options
def due(console: Console, /, **given: Any) -> int:
    """What is overdue and what comes due."""
    answer = perform(console, "training.due", given)
    document = answer.document
    if as_document(console, document):
        return int(answer.exit_code)
    text = console.text
    if not document["staff"]:
        console.screen.print(text("training.no_staff"))
        return int(answer.exit_code)
    values = {key: document[key] for key in ("staff", "trained", "overdue", "today")}
    console.screen.print(text("training.due_summary", **values))
    if not document["due"]:
        console.screen.print(text("training.nothing_due"))
        return int(answer.exit_code)
    table = table_of(console, "due", "days", "number", "name", "store", "what")
    for row in document["due"]:
        what = row["title"] if row["kind"] == "course" else f"《{row['title']}》"
        style = "bold red" if row["days_left"] < 0 else ""
        add(table, row["due"], str(row["days_left"]), row["number"], row["name"], row["store"], what, style=style)
    console.screen.print(table)
    return int(answer.exit_code)


@command.command("export")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="A new file: .csv, .html, .docx or .pdf.")
@click.option("--store", default="", help="Of this store only.")
@language
@common_options
def export(console: Console, /, *, output: str | None, **given: Any) -> int:
    """Evidence for the auditor: 培训记录 with a page for signatures, and CSV."""
    if output is None:
        answer = perform(console, "training.export", given)
        paths = answer.document["paths"]
    else:
        arguments = {**given, "format": ending_of(console, output, ("csv", "html", "docx", "pdf"))}
        with new_file(console, output) as (path, descriptor):
            answer = perform(console, "training.export", arguments, descriptors=(descriptor,))
        paths = [path]
    if not as_document(console, {**answer.document, "paths": paths}):
        for path in paths:
            console.screen.print(console.text("training.exported", path=printable(path)))
        console.say("training.exported_warning")
    return int(answer.exit_code)


@command.command("card")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="A new file: .pdf or .png.")
@click.option("--size", type=click.Choice(["A4", "A6"]), default="A4", show_default=True, help="Of the paper.")
@language
@common_options
def card(console: Console, /, *, output: str | None, **given: Any) -> int:
    """店长应急卡: the first ten minutes, whom to call, the code of the report page (exit 3 if something is missing)."""
    if output is None:
        answer = perform(console, "training.card", given)
        path = answer.document["path"]
    else:
        arguments = {**given, "format": ending_of(console, output, ("pdf", "png"))}
        with new_file(console, output) as (path, descriptor):
            answer = perform(console, "training.card", arguments, descriptors=(descriptor,))
    if not as_document(console, {**answer.document, "path": path}):
        console.screen.print(console.text("training.card_made", path=printable(path)))
        for key in answer.document["lacks"]:
            console.say(f"training.{key}")
    return int(answer.exit_code)


def ending_of(console: Console, output: str, endings: tuple[str, ...]) -> str:
    """The format that a file's name asks for.

    Raises:
        UsageError: it ends otherwise.
    """
    ending = os.path.splitext(output)[1].removeprefix(".").lower()
    if ending not in endings:
        listed = ", ".join(f".{name}" for name in endings)
        raise UsageError(console.text("training.no_ending", path=output, endings=listed))
    return ending


def split(given: tuple[str, ...]) -> list[str]:
    """Numbers one by one."""
    return [number.strip() for entry in given for number in entry.split(",") if number.strip()]


def as_document(console: Console, document: dict[str, Any]) -> bool:
    """Write the document where it was asked for."""
    if console.as_json:
        console.document(document)
    return console.as_json


def table_of(console: Console, *columns: str) -> Table:
    """A table with titled columns."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for name in columns:
        table.add_column(console.text(f"training.t_{name}"), overflow="fold")
    return table


def add(table: Table, *cells: str, style: str = "") -> None:
    """A row of plain text."""
    table.add_row(*(Styled(printable(cell)) for cell in cells), style=style)
