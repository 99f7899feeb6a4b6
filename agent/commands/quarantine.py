"""`cloche quarantine`: put files into the vault by hand, look at them, check them, give them back, destroy them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich import box
from rich.progress import BarColumn, MofNCompleteColumn, Progress
from rich.table import Table
from rich.text import Text as Styled

from agent.cli import common_options
from agent.client import perform
from agent.commands.quarantine_purge import purge
from agent.console import Console, printable
from agent.inventory.overview import size_words
from agent.sealing.key_file import key_descriptor, key_file_option
from config.errors import UsageError

ID: Final = re.compile(r"[0-9a-z]{12}")
SHOWN_NAMES: Final = 3
yes = click.option("--yes", is_flag=True, help="Don't ask.")


@click.group()
def command() -> None:
    """Files in quarantine: encrypted in the vault, with a note in their place."""


@command.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--only-findings", is_flag=True, help="Only files in which the last scan found something.")
@click.option("--incident", metavar="ID", help="Keep them under this incident.")
@click.option("--force", is_flag=True, help="Live databases and files of the till's programs too.")
@yes
@common_options
def add(console: Console, /, *, paths: tuple[str, ...], incident: str | None, **options: bool) -> int:
    """Move every file at and under PATHs into the vault."""
    question = "quarantine.confirm_force" if options["force"] else "quarantine.confirm_add"
    console.confirm(console.text(question, names=_names(paths)), yes=options["yes"])
    arguments = {
        "paths": [os.path.abspath(path) for path in paths], "incident": incident,
        "only_findings": options["only_findings"], "force": options["force"],
    }  # fmt: skip
    with _bar(console) as progress:
        answer = perform(console, "quarantine.add", arguments, progress=progress)
    if not _as_document(console, answer.document):
        _say_added(console, answer.document)
    return int(answer.exit_code)


@command.command("list")
@click.option("--released", is_flag=True, help="Also what went back lately.")
@common_options
def list_(console: Console, /, *, released: bool) -> int:
    """What is in quarantine."""
    answer = perform(console, "quarantine.list", {"released": released})
    if not _as_document(console, answer.document):
        entries = answer.document["entries"]
        if entries:
            console.screen.print(_table(console, entries))
        else:
            console.screen.print(console.text("quarantine.empty"))
    return int(answer.exit_code)


@command.command()
@click.argument("entry", metavar="ID")
@common_options
def show(console: Console, /, *, entry: str) -> int:
    """All that is known of one entry."""
    answer = perform(console, "quarantine.show", {"id": entry})
    if not _as_document(console, answer.document):
        table = Table(box=None, show_header=False)
        table.add_column()
        table.add_column(overflow="fold")
        for key, value in answer.document.items():
            if key != "schema":
                table.add_row(console.text(f"quarantine.fact_{key}"), Styled(printable(_shown(console, key, value))))
        console.screen.print(table)
    return int(answer.exit_code)


@command.command()
@click.argument("targets", nargs=-1, metavar="[ID|PATH]...")
@key_file_option
@common_options
def verify(console: Console, /, *, targets: tuple[str, ...], key_file: Path | None) -> int:
    """Check the copies in the vault: by digest, or with a key by decrypting all of each."""
    with key_descriptor(key_file, console.text) as descriptors:
        answer = perform(console, "quarantine.verify", _targets(targets), descriptors=descriptors)
    if not _as_document(console, answer.document):
        entries = answer.document["entries"]
        count = {
            result: sum(entry["result"] == result for entry in entries) for result in ("intact", "damaged", "missing")
        }
        bad = count["damaged"] + count["missing"]
        proof = console.text(f"quarantine.proof_{answer.document['proof']}")
        console.screen.print(
            console.text(
                "quarantine.verified",
                intact=count["intact"],
                damaged=bad,
                proof=proof,
                other=len(entries) - count["intact"] - bad,
            )
        )
        for entry in entries:
            if entry["result"] != "intact":
                result = console.text(f"quarantine.result_{entry['result']}")
                console.screen.print(Styled(f"  {entry['id']}  {result}  {printable(entry['path'])}"))
    return int(answer.exit_code)


@command.command()
@click.argument("targets", nargs=-1, metavar="[ID|PATH]...")
@click.option("--all", "everything", is_flag=True, help="Everything in quarantine.")
@key_file_option
@yes
@common_options
def release(
    console: Console, /, *, targets: tuple[str, ...], everything: bool, key_file: Path | None, yes: bool
) -> int:
    """Put files back in their places, bit for bit."""
    if bool(targets) == everything:
        raise UsageError(console.text("quarantine.nothing_named"))
    names = console.text("quarantine.everything") if everything else _names(targets)
    console.confirm(console.text("quarantine.confirm_release", names=names), yes=yes)
    with key_descriptor(key_file, console.text) as descriptors:
        arguments = {**_targets(targets), "all": everything}
        answer = perform(console, "quarantine.release", arguments, descriptors=descriptors)
    if not _as_document(console, answer.document):
        console.screen.print(console.text("quarantine.released", count=len(answer.document["entries"])))
        for entry in answer.document["entries"]:
            if entry["folder_made"]:
                console.say("quarantine.folder_made", path=printable(entry["path"]))
        _say_left(console, answer.document["refused"])
    return int(answer.exit_code)


command.add_command(purge)


def _as_document(console: Console, document: dict[str, Any]) -> bool:
    if console.as_json:
        console.document(document)
    return console.as_json


def _targets(targets: tuple[str, ...]) -> dict[str, Any]:
    ids = [target for target in targets if ID.fullmatch(target)]
    return {"ids": ids, "paths": [os.path.abspath(target) for target in targets if target not in ids]}


@contextmanager
def _bar(console: Console) -> Iterator[Any]:
    """Progress on a terminal, nothing elsewhere; it appears with the first batch that is done."""
    if console.as_json or not sys.stderr.isatty():
        yield lambda _update: None
        return
    with Progress(BarColumn(), MofNCompleteColumn(), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda update: progress.update(task, completed=update["done"], total=update["total"])


def _say_added(console: Console, document: Mapping[str, Any]) -> None:
    entries = document["entries"]
    if entries:
        size = size_words(sum(entry["size"] for entry in entries))
        console.screen.print(
            console.text("quarantine.added", count=len(entries), size=size, incident=document["incident"])
        )
    else:
        console.screen.print(console.text("quarantine.added_nothing"))
    for entry in entries:
        if entry["cause"]:
            why = console.text(f"quarantine.cause_{entry['cause']}")
            console.say("quarantine.no_tombstone", path=printable(entry["path"]), why=why)
    _say_left(console, document["refused"])


def _say_left(console: Console, refused: list[dict[str, Any]]) -> None:
    if refused:
        console.say("quarantine.left", count=len(refused))
    for refusal in refused:
        fenced = console.text("quarantine.left_fenced", id=refusal["id"]) if refusal.get("fenced") else ""
        why = console.text(f"quarantine.cause_{refusal['cause']}")
        click.echo(f"  {printable(refusal['path'])}: {why}{fenced}", err=True)


def _table(console: Console, entries: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for column in ("id", "state", "size", "added", "incident", "path"):
        table.add_column(
            console.text(f"quarantine.column_{column}"),
            justify="right" if column == "size" else "left",
            no_wrap=column in ("id", "incident"),
            overflow="fold",
        )
    for entry in entries:
        table.add_row(
            entry["id"], console.text(f"quarantine.state_{entry['state']}"), size_words(entry["size"]),
            console.time(entry["added_at"]), entry["incident"], Styled(printable(entry["path"])),
        )  # fmt: skip
    return table


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(printable(name) for name in names[:SHOWN_NAMES])
    return shown if len(names) <= SHOWN_NAMES else f"{shown}, … {len(names)}"


def _shown(console: Console, key: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(part["path"]) for part in value)
    if isinstance(value, bool):
        return console.text(f"quarantine.{'yes' if value else 'no'}")
    if key in ("added_at", "released_at"):
        return console.time(value)
    if key in ("state", "cause") and value:
        return console.text(f"quarantine.{key}_{value}")
    return str(value)
