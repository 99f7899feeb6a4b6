"""`cloche-hq record`: whether what was done at head office is still on record as it was."""

from __future__ import annotations

import click

from central.commands.session import transaction
from central.console import Console, console_options
from central.people.record import verify_record
from config.errors import CorruptError


@click.group("record")
def command() -> None:
    """The record of what was done at head office."""


@command.command("verify")
@console_options
def verify(console: Console) -> None:
    """Check the whole chain; exit 1 and the first entry that does not fit if it is broken."""
    with transaction(console) as session:
        found = verify_record(session)
    if found.broken is not None:
        raise CorruptError(console.text(f"hq_people.record_broken_{found.why}", number=found.broken))
    console.answer(
        {"schema": "cloche.hq-record/1", "entries": found.entries, "head": found.head},
        [console.text("hq_people.record_whole_why", count=found.entries), found.head],
    )
