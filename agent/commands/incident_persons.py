"""`cloche incident persons ID [--count]`: who is affected, in numbers; the list itself only for two people."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from agent.cli import common_options
from agent.client import perform
from agent.commands.open import published
from agent.console import Console, printable
from agent.notice.pictures import count_lines
from agent.sealing.key_file import key_descriptor, key_file_option


@click.command("persons")
@common_options
@click.argument("incident_id", metavar="ID")
@click.option("--count", is_flag=True, help="Read the files and count anew.")
@click.option(
    "--list", "output", type=click.Path(path_type=Path),
    help="Write the list in clear to this new file (CSV); two people have to approve it.",
)  # fmt: skip
@key_file_option
def persons(console: Console, *, incident_id: str, count: bool, output: Path | None, key_file: Path | None) -> int:
    """How many persons are affected: customers, staff, sensitive, virtual numbers, unread files."""
    arguments: dict[str, Any] = {"id": incident_id, "count": count, "list": output is not None}
    with ExitStack() as stack:
        key = stack.enter_context(key_descriptor(key_file, console.text, wanted=count or output is not None))
        target = (stack.enter_context(published(output, console.text)),) if output is not None else ()
        answer = perform(console, "incident.persons", arguments, descriptors=(*target, *key))
    if console.as_json:
        console.document(answer.document)
        return answer.exit_code
    for line in count_lines(console.text, answer.document, console.time(answer.document["counted_at"])):
        console.screen.print(printable(line), soft_wrap=True)
    if output is not None:
        console.say("notice.list_written", name=printable(str(output)), count=answer.document["written"])
    return answer.exit_code
