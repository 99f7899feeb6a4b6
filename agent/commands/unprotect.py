"""`cloche unprotect`: bring sealed files back where they were."""

from __future__ import annotations

import os
from pathlib import Path

import click

from agent.cli import common_options
from agent.client import perform
from agent.commands.protect import show_refused
from agent.console import Console, printable
from agent.sealing.key_file import key_descriptor, key_file_option
from agent.sealing.progress import progress


@click.command("unprotect")
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@key_file_option
@common_options
def command(console: Console, paths: tuple[str, ...], key_file: Path | None) -> int:
    """Bring every sealed file under PATHS back, as it was (exit 4 without the key)."""
    arguments = {"paths": [os.path.realpath(path) for path in paths]}
    with key_descriptor(key_file, console.text) as key, progress(console, console.text("protect.working")) as update:
        answer = perform(console, "unprotect", arguments, descriptors=key, progress=update)
    found = answer.document
    if console.as_json:
        console.document(found)
        return answer.exit_code
    console.screen.print(console.text("protect.restored", count=len(found["restored"])))
    strangers = [item for item in found["restored"] if not item["trusted"]]
    if strangers:
        console.screen.print(console.text("protect.strangers", count=len(strangers)))
        for item in strangers:
            console.screen.print(f"  {printable(item['path'])}")
    show_refused(console, found["refused"], "sealed_path")
    return answer.exit_code
