"""`cloche incident clean ID …`: 现场清理 of one incident."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from agent.cleaning.records import DECISIONS
from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from agent.sealing.key_file import key_descriptor, key_file_option
from config.errors import RefusedError

reason = click.option("--reason", required=True, help="Why.")
named = click.argument("items", nargs=-1, metavar="[ITEM]...")


def which(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that stand for many items."""
    function = click.option("--undecided", is_flag=True, help="Every item that nobody has decided about.")(function)
    return click.option("--all", "everything", is_flag=True, help="Every item that this can be done to.")(function)


@click.group("clean")
@click.argument("incident_id", metavar="ID")
def clean(incident_id: str) -> None:
    """What becomes of each affected item, what was proved, and what risk remains.

    An ITEM is a number that `show` gives, its key, its id in the vault, or its name as shown.
    """


def _id() -> str:
    parent = click.get_current_context().parent
    while parent is not None and "incident_id" not in parent.params:
        parent = parent.parent
    return str(parent.params["incident_id"]) if parent is not None else ""


@clean.command("show")
@common_options
def show_command(console: Console, /) -> int:
    """Each item: where it is now, what was decided, and what is left to do."""
    return _finish(console, perform(console, "clean.show", {"id": _id()}))


@clean.command()
@named
@click.option("--as", "decision", required=True, type=click.Choice(DECISIONS), help="What becomes of them.")
@which
@reason
@common_options
def decide(console: Console, /, *, items: tuple[str, ...], **given: Any) -> int:
    """Write down what becomes of items: release, purge, evidence (kept in the vault), restore, leave."""
    return _finish(console, perform(console, "clean.decide", {"id": _id(), "items": list(items), **given}))


@clean.command()
@named
@which
@reason
@key_file_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@common_options
def release(console: Console, /, *, items: tuple[str, ...], key_file: Path | None, yes: bool, **given: Any) -> int:
    """Put items back in their places, bit for bit, and prove it."""
    console.confirm(console.text("cleaning.confirm_release", count=len(items)), yes=yes)
    with key_descriptor(key_file, console.text) as key:
        answer = perform(console, "clean.release", {"id": _id(), "items": list(items), **given}, descriptors=key)
    return _finish(console, answer)


@clean.command()
@click.argument("item", metavar="ITEM")
@click.option("--from", "source", required=True, type=click.Path(path_type=Path), help="A backup, or a sealed copy.")
@click.option("--differs", default="", help="Why another content than recorded is right: an older backup.")
@click.option("--replace", is_flag=True, help="What lies at its place now goes into the vault first.")
@reason
@key_file_option
@common_options
def restore(console: Console, /, *, item: str, source: Path, key_file: Path | None, **given: Any) -> int:
    """Restore an item from a copy, proved by SHA-256 against what was recorded."""
    with ExitStack() as stack:
        try:
            copy = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise RefusedError(f"{printable(str(source))}: {error.strerror}") from error
        stack.callback(os.close, copy)
        key = stack.enter_context(key_descriptor(key_file, console.text))
        answer = perform(console, "clean.restore", {"id": _id(), "items": [item], **given}, descriptors=(copy, *key))
    return _finish(console, answer)


@clean.command()
@named
@which
@click.option("--originals", is_flag=True, help="Also what only the lawyer may let go: the lawyer is asked.")
@click.option("--statement", default="", help="What is put to the lawyer, with --originals.")
@reason
@click.option("--yes", is_flag=True, help="Don't ask.")
@common_options
def purge(console: Console, /, *, items: tuple[str, ...], yes: bool, **given: Any) -> int:
    """Ask for items to be destroyed: two people approve, and a day passes."""
    console.confirm(console.text("purge.confirm", names=", ".join(map(printable, items[:3]))), yes=yes)
    return _finish(console, perform(console, "clean.purge", {"id": _id(), "items": list(items), **given}))


@clean.command("accept-risk")
@click.argument("words", default="", metavar="[RISK]")
@click.option("--risk", default="", help="The same, as an option.")
@click.option("--none", "nothing", is_flag=True, help="No risk remains.")
@click.option("--owner", required=True, help="Whose it is, by name.")
@click.option("--until", "--due", "until", default="", metavar="YYYY-MM-DD", help="Looked at again by; 90 days.")
@common_options
def accept_risk(console: Console, /, *, words: str, risk: str, nothing: bool, owner: str, until: str) -> int:
    """Write down a RISK that remains after the clean-up (an old copy on a phone), or that none does."""
    risk = words or risk
    if bool(risk.strip()) == nothing:
        raise click.UsageError(console.text("cleaning.risk_or_none"))
    answer = perform(console, "clean.risk", {"id": _id(), "risk": risk, "owner": owner, "until": until})
    return _finish(console, answer)


def _finish(console: Console, answer: Any) -> int:
    if console.as_json:
        console.document(answer.document)
    else:
        show(console, answer.document)
    return int(answer.exit_code)


def show(console: Console, document: dict[str, Any]) -> None:
    """The clean-up on a terminal."""
    screen, text = console.screen, console.text
    head = f"{document['incident']}  {text('incident.phase_' + document['phase'])}"
    counts = text(
        "cleaning.counts", items=len(document["items"]), readable=document["readable"],
        undecided=document["undecided"], unfinished=document["unfinished"],
    )  # fmt: skip
    screen.print(f"{head}  {counts}", style="bold")
    for item in document["items"]:
        where = text(f"cleaning.where_{item['where']}")
        style = "bold red" if item["where"] == "readable" else ""
        screen.print(
            f"{item['number']:>4}  {item['key']}  {where}  {printable(item['name'])}", style=style, soft_wrap=True
        )
        screen.print(f"      {_word(text, console, item)}", style="dim", soft_wrap=True)
    for left in document.get("left", ()):
        console.say("cleaning.left", name=printable(left["name"]), why=text(f"quarantine.cause_{left['cause']}"))
    if document["assessed_at"] is None:
        screen.print(text("cleaning.not_assessed"))
    elif not document["risks"]:
        screen.print(text("cleaning.no_risk_left", time=console.time(document["assessed_at"])))
    for one in document["risks"]:
        screen.print(text("cleaning.risk_line", risk=printable(one["risk"]), owner=printable(one["owner"]),
                          until=one["until"] or "–"), soft_wrap=True)  # fmt: skip
    if document.get("purge"):
        console.say("purge.waits", due=console.time(document["purge"]["due_at"]), id=document["purge"]["id"])


def _word(text: Callable[..., str], console: Console, item: dict[str, Any]) -> str:
    if item["decision"] is None:
        return text("cleaning.undecided")
    what = text(f"cleaning.as_{item['decision']}")
    done = text("cleaning.done", time=console.time(item["done_at"])) if item["done_at"] else text("cleaning.to_do")
    proof = item["proof"].get("sha256")
    proved = f"  {text('cleaning.proof_' + proof)}" if proof else ""
    return f"{what}  {done}{proved}  {printable(item['by'])}: {printable(item['reason'])}"
