"""`cloche quarantine purge`: 销毁, by two people's word and after a day."""

from __future__ import annotations

import os
import re
from typing import Any, Final

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from config.errors import UsageError

ENTRY: Final = re.compile(r"[0-9a-z]{12}")
PURGE: Final = re.compile(r"P\d{8}-[a-z]{4}")
SHOWN: Final = 20


@click.command("purge")
@click.argument("targets", nargs=-1, metavar="[ID|PATH]...")
@click.option("--all", "everything", is_flag=True, help="Everything in quarantine.")
@click.option("--reason", default="", help="Why; whoever approves reads it.")
@click.option("--originals", is_flag=True, help="Also what may be an original or police evidence: the lawyer is asked.")
@click.option("--statement", default="", help="What is put to the lawyer, with --originals.")
@click.option("--cancel", is_flag=True, help="Veto: nothing of it is destroyed. Anybody with a role may.")
@click.option("--list", "listed", is_flag=True, help="Every purge, and where it stands.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@common_options
def purge(
    console: Console, /, *, targets: tuple[str, ...], everything: bool, cancel: bool, listed: bool, yes: bool,
    **words: Any,
) -> int:  # fmt: skip
    """Destroy files in the vault for good: two people approve, one of them not from IT, and a day passes.

    A purge's own ID goes on with it. Exit 3: it was accepted and waits. Exit 4: somebody still has to approve.
    """
    ids = [target for target in targets if PURGE.fullmatch(target)]
    if listed:
        answer = perform(console, "quarantine.purges", {})
        if console.as_json:
            console.document(answer.document)
        else:
            for found in answer.document["purges"]:
                _line(console, found)
            if not answer.document["purges"]:
                console.screen.print(console.text("purge.none"))
        return int(answer.exit_code)
    if cancel:
        if len(targets) > 1 or len(ids) != len(targets):
            raise UsageError(console.text("purge.which", ids="P…"))
        answer = perform(console, "quarantine.veto", {"purge": "".join(ids), "reason": words["reason"]})
        return _shown(console, answer.document, int(answer.exit_code))
    if ids:
        answer = perform(console, "quarantine.purge", {"purge": ids[0]})
        return _shown(console, answer.document, int(answer.exit_code))
    if bool(targets) == everything:
        raise UsageError(console.text("quarantine.nothing_named"))
    names = console.text("quarantine.everything") if everything else ", ".join(printable(name) for name in targets[:3])
    console.confirm(console.text("purge.confirm", names=names), yes=yes)
    entries = [target for target in targets if ENTRY.fullmatch(target)]
    paths = [os.path.abspath(target) for target in targets if target not in entries]
    answer = perform(console, "quarantine.purge", {"ids": entries, "paths": paths, "all": everything, **words})
    return _shown(console, answer.document, int(answer.exit_code))


def _shown(console: Console, document: dict[str, Any], exit_code: int) -> int:
    if console.as_json:
        console.document(document)
        return exit_code
    _line(console, document)
    for item in document["items"][:SHOWN]:
        left = f"  {console.text('purge.left_' + item['left'])}" if item["left"] else ""
        console.screen.print(f"  {item['id']}  {printable(item['name'])}{left}", soft_wrap=True)
    if len(document["items"]) > SHOWN:
        console.screen.print(f"  … +{len(document['items']) - SHOWN}")
    for path in document["papers"]:
        console.screen.print(f"  {printable(path)}", soft_wrap=True)
    if document["state"] == "waiting":
        console.say("purge.waits", due=console.time(document["due_at"]), id=document["id"])
    return exit_code


def _line(console: Console, found: dict[str, Any]) -> None:
    state = console.text(f"purge.state_{found['state']}")
    due = f"  → {console.time(found['due_at'])}" if found["state"] == "waiting" else ""
    console.screen.print(
        f"{found['id']}  {state}{due}  {len(found['items'])}  {printable(found['reason'])}", soft_wrap=True
    )
