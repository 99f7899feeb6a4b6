"""`cloche check`: 安全检查 of this machine: what an intruder may have left, and whether what protects is there."""

from __future__ import annotations

from typing import Any, Final

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable

MARKS: Final = {"critical": "✗", "warning": "!", "notice": "–"}
STYLES: Final = {"critical": "bold red", "warning": "yellow", "notice": "dim"}


@click.group(invoke_without_command=True)
@click.option("--incident", default="", metavar="ID", help="Put it on this incident's timeline.")
@click.option("--last", is_flag=True, help="Show the last result again.")
@click.option("--fail-on-findings", is_flag=True, help="Exit 10 if it is not clean.")
@common_options
def command(console: Console, /, *, last: bool, **arguments: Any) -> int | None:
    """Check this machine, and say what to do about each finding."""
    if click.get_current_context().invoked_subcommand is not None:
        return None
    with console.screen.status(console.text("check.looking")) if console.is_terminal else _nothing():
        answer = perform(console, "check.last" if last else "check.run", arguments)
    if console.as_json:
        console.document(answer.document)
    else:
        show(console, answer.document)
    return int(answer.exit_code)


@command.command()
@click.option("--reason", required=True, help="Why what is here now is right: an upgrade, a new till.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@common_options
def baseline(console: Console, /, *, reason: str, yes: bool) -> int:
    """Take this machine as it is now for right: later checks compare with it."""
    console.confirm(console.text("check.confirm_baseline"), yes=yes)
    answer = perform(console, "check.baseline", {"reason": reason})
    _said(console, answer.document, "check.baseline_kept")
    return int(answer.exit_code)


@command.command()
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option("--reason", required=True, help="Why it is right.")
@common_options
def accept(console: Console, /, *, keys: tuple[str, ...], reason: str) -> int:
    """Take findings of the last check for right, by the keys that it shows."""
    answer = perform(console, "check.accept", {"keys": list(keys), "reason": reason})
    _said(console, answer.document, "check.accepted", count=len(keys))
    return int(answer.exit_code)


def show(console: Console, document: dict[str, Any]) -> None:
    """The result on a terminal: what matters first."""
    screen, text = console.screen, console.text
    blocking = sum(finding["blocks"] for finding in document["findings"])
    head = text("check.is_clean" if document["clean"] else "check.is_not_clean", count=blocking)
    screen.print(f"{head}  {console.time(document['at'])}", style="bold" if document["clean"] else "bold red")
    for finding in document["findings"]:
        mark = "✓" if finding["accepted"] else MARKS[finding["severity"]]
        style = "dim" if finding["accepted"] else STYLES[finding["severity"]]
        screen.print(f"{mark} {printable(finding['says'])}", style=style, soft_wrap=True)
        for line in finding["evidence"][:5]:
            if line:
                screen.print(f"    {printable(line)}", style="dim", soft_wrap=True)
        if finding["accepted"]:
            screen.print(
                f"    {text('check.accepted_by', by=printable(finding['accepted']))}", style="dim", soft_wrap=True
            )
        elif finding["blocks"]:
            screen.print(f"    → {finding['do']}  [{finding['key']}]", soft_wrap=True)
    if document["unseen"]:
        screen.print(
            text("check.unseen", what=", ".join(printable(name) for name in document["unseen"])), soft_wrap=True
        )
    if document["reduced"]:
        console.say("check.reduced")
    made = console.time(document["baseline_at"]) if document["baseline_at"] else text("check.just_now")
    screen.print(text("check.compared", time=made), style="dim")


def _said(console: Console, document: dict[str, Any], key: str, **values: object) -> None:
    if console.as_json:
        console.document(document)
    else:
        console.screen.print(console.text(key, **values))


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()
