"""`cloche protect`: seal files where they lie."""

from __future__ import annotations

import os
from typing import Any

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from agent.inventory.overview import size_words
from agent.operation import Answer
from agent.sealing.progress import progress
from config.errors import UsageError


@click.command("protect")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--dry-run", is_flag=True, help="Only say what would be sealed.")
@click.option("--only-findings", is_flag=True, help="Only files in which a scan found something.")
@click.option("--by-policy", is_flag=True, help="Instead of paths: what the daemon seals by itself.")
@click.option("--yes", is_flag=True, help="Don't ask on a terminal.")
@common_options
def command(
    console: Console, paths: tuple[str, ...], dry_run: bool, only_findings: bool, by_policy: bool, yes: bool
) -> int:
    """Encrypt every regular file under PATHS in place, as NAME.cloche (exit 3 if one was left)."""
    if by_policy == bool(paths) or (by_policy and only_findings):
        raise UsageError(console.text("protect.paths_or_policy"))
    arguments: dict[str, Any] = {
        "paths": [os.path.realpath(path) for path in paths],
        "only_findings": only_findings,
        "by_policy": by_policy,
    }
    if console.is_terminal and not dry_run and not yes:
        plan = perform(console, "protect", arguments | {"dry_run": True}).document
        console.confirm(console.text("protect.confirm", count=len(plan["would_seal"])), yes=False)
    with progress(console, console.text("protect.working")) as update:
        answer = perform(console, "protect", arguments | {"dry_run": dry_run}, progress=update)
    if console.as_json:
        console.document(answer.document)
    else:
        show(console, answer)
    return answer.exit_code


def show(console: Console, answer: Answer) -> None:
    """A summary that starts with what was done, then what was left and why."""
    found, text, say = answer.document, console.text, console.screen.print
    if found["dry_run"]:
        say(text("protect.would_seal", count=len(found["would_seal"])))
        for item in found["would_seal"]:
            say(f"  {printable(item['path'])}")
    else:
        size = sum({item["sealed_path"]: item["size"] for item in found["sealed"]}.values())
        say(text("protect.sealed", count=len(found["sealed"]), size=size_words(size)))
    if found["already_sealed"]:
        say(text("protect.already", count=found["already_sealed"]))
    show_refused(console, found["refused"], "path")


def show_refused(console: Console, refused: list[dict[str, Any]], key: str) -> None:
    """Every file that was left, with its cause in words."""
    if not refused:
        return
    console.screen.print(console.text("protect.refused", count=len(refused)))
    for item in refused:
        console.screen.print(f"  {printable(item[key])}: {console.text('protect.cause_' + item['cause'])}")
