"""`cloche audit verify|export|retention`: is the record whole, how long is it kept, hand it to somebody outside."""

from __future__ import annotations

from typing import Any

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console
from agent.new_file import perform_into


@click.group()
def command() -> None:
    """Verify the record of every act, or export it for an outsider."""


@command.command("verify")
@common_options
@click.option("--anchor", default="", metavar="[INCIDENT:]NUMBER:HASH", help="A head that was printed or copied.")
def verify_command(console: Console, anchor: str) -> int:
    """Follow the record and every timeline; exit 1 names each fault and its line."""
    answer = perform(console, "audit.verify", {"anchor": anchor})
    document = answer.document
    if console.as_json:
        console.document(document)
        return int(answer.exit_code)
    if document["ok"]:
        console.screen.print(
            console.text(
                "audit.whole", entries=document["entries"], signed_to=document["signed_to"], head=document["head"],
                timelines=len(document["timelines"]),
            )
        )  # fmt: skip
    tell_faults(console, document, document["path"])
    return int(answer.exit_code)


@command.command("export")
@common_options
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the bundle to this new file.")
def export_command(console: Console, output: str | None) -> int:
    """Write a zip that an outsider verifies without Cloche."""
    answer, path = perform_into(console, "audit.export", {}, output)
    document = {**answer.document, "path": path}
    if console.as_json:
        console.document(document)
    else:
        console.screen.print(
            console.text(
                "audit.exported", path=path, entries=document["entries"], sha256=document["sha256"],
                seq=document["head"]["seq"], head=document["head"]["hash"], files=document["files"],
                timelines=len(document["timelines"]),
            )
        )  # fmt: skip
        tell_faults(console, document, "audit.jsonl")
    return int(answer.exit_code)


@command.command("retention")
@common_options
def retention_command(console: Console) -> int:
    """How long each kind of record is kept, and by which rule."""
    answer = perform(console, "audit.retention", {})
    if console.as_json:
        console.document(answer.document)
        return int(answer.exit_code)
    text = console.text
    for kind in answer.document["kinds"]:
        days = kind["purge_after_days"]
        console.screen.print(
            text(
                "audit.retention_line", kind=text(f"audit.kind_{kind['kind']}"), count=f"{kind['count']:,}",
                since=console.time(kind["since"]), days=kind["at_least_days"], basis=kind["basis"],
                purge=text("audit.purge_after", days=days) if days else text("audit.purge_never"),
                flag=("" if kind["verified"] else f" [{text('incident.unverified')}]")
                + (text("audit.lost_early") if kind["lost_early"] else ""),
            )
        )  # fmt: skip
    return int(answer.exit_code)


def tell_faults(console: Console, document: dict[str, Any], path: str) -> None:
    """Say where the record breaks, on stderr."""
    for fault in document["faults"]:
        name = path if fault["name"] == "audit" else fault["name"]
        if fault["line"]:
            console.say("audit.broken", path=name, line=fault["line"], fault=fault["fault"])
        else:
            console.say("audit.broken_head", path=name, fault=fault["fault"])
    if document["unnamed"]:
        console.say("audit.unnamed", count=document["unnamed"])
