"""`cloche keys`: make, show, change and check the keys that open sealed files.

The private half of a recovery key is made here, in the caller's process: it goes to a file or to the terminal and
nowhere else.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from agent.operation import Answer
from agent.sealing.key_file import key_descriptor, key_file_option, sheet_descriptor
from config.errors import ClocheError, RefusedError, UsageError
from config.identity import Identity, encode_public, make_identity, read_line
from containment.atomic import create_file

ASKED_BACK = 2


@click.group("keys")
def command() -> None:
    """Make, show, change and check the keys that open sealed files."""


recovery_file_option = click.option(
    "--recovery-file", type=click.Path(path_type=Path), help="Write the recovery key to this new file (mode 600)."
)


@command.command("init")
@recovery_file_option
@common_options
def init(console: Console, recovery_file: Path | None) -> int:
    """Make the recovery key of a single shop. Without it nothing is sealed."""
    answer = _with_new_key(console, "keys.init", {}, recovery_file, ())
    _show_status(console, answer.document)
    return answer.exit_code


@command.command("status")
@common_options
def status(console: Console) -> int:
    """Show which keys new files are sealed to. Never shows a secret."""
    answer = perform(console, "keys.status", {})
    _show_status(console, answer.document)
    return answer.exit_code


@command.command("rotate")
@recovery_file_option
@key_file_option
@click.option("--rewrite", is_flag=True, help="Wrap the headers of all known sealed files anew; needs the old key.")
@common_options
def rotate(console: Console, recovery_file: Path | None, key_file: Path | None, rewrite: bool) -> int:
    """Seal to a new recovery key from now on."""
    with key_descriptor(key_file if rewrite else None, console.text, wanted=rewrite) as descriptors:
        answer = _with_new_key(console, "keys.rotate", {"rewrite": rewrite}, recovery_file, descriptors)
    found = answer.document
    if console.as_json:
        console.document(found)
        return answer.exit_code
    show, text = console.screen.print, console.text
    show(text("keys.rotated", ids=", ".join(item["id"] for item in found["recipients"])))
    if rewrite:
        show(text("keys.rewritten", count=found["rewritten"], failed=len(found["failed"])))
    show(text("keys.old_key_stays"))
    return answer.exit_code


@command.command("recover")
@key_file_option
@recovery_file_option
@common_options
def recover(console: Console, key_file: Path | None, recovery_file: Path | None) -> int:
    """Check a key, from its file or typed from the sheet, and say what it opens.

    With --recovery-file a typed sheet becomes a key file.
    """
    with key_descriptor(key_file, console.text) as given:
        if given:
            return _check_key(console, given, recovery_file)
        if not console.is_terminal:
            raise RefusedError(console.text("keys.no_terminal_to_type"))
        with sheet_descriptor(_type_sheet(console)) as typed:
            return _check_key(console, typed, recovery_file)


def _check_key(console: Console, descriptors: tuple[int, ...], recovery_file: Path | None) -> int:
    answer = perform(console, "keys.recover", {}, descriptors=descriptors)
    if recovery_file is not None:
        _write_new(console, recovery_file, os.pread(descriptors[0], 1 << 16, 0))
    found = answer.document
    if console.as_json:
        console.document(found)
        return answer.exit_code
    standing = console.text(f"keys.standing_{found['standing']}")
    console.screen.print(console.text("keys.checked", id=found["id"], standing=standing, opens=found["opens"]))
    if found["not_opened"]:
        console.screen.print(console.text("keys.not_opened", count=len(found["not_opened"])))
    return answer.exit_code


def _with_new_key(
    console: Console,
    operation: str,
    arguments: dict[str, Any],
    recovery_file: Path | None,
    descriptors: tuple[int, ...],
) -> Answer:
    """Make a recovery key, have it kept (a file, or a sheet typed back in part), and hand its public half over."""
    identity = make_identity("recovery")
    if recovery_file is None:
        if not console.is_terminal:
            raise RefusedError(console.text("keys.no_terminal"))
        _show_and_ask_back(console, identity)
    else:
        _write_new(console, recovery_file, identity.sheet().encode("ascii"))
    arguments |= {"public": encode_public(identity.public), "proof": "file" if recovery_file else "typed"}
    try:
        return perform(console, operation, arguments, descriptors=descriptors)
    except ClocheError:
        if recovery_file is not None:
            recovery_file.unlink()  # a key that nothing was sealed to would only be taken for the right one
        raise


def _write_new(console: Console, file: Path, sheet: bytes) -> None:
    try:
        create_file(file, sheet, 0o600)
    except FileExistsError as error:
        raise RefusedError(console.text("cli.already_there", path=printable(str(file)))) from error
    except OSError as error:
        raise UsageError(console.text("cli.unwritable", path=printable(str(file)), cause=error.strerror)) from error


def _show_and_ask_back(console: Console, identity: Identity) -> None:
    """Show the sheet on the terminal alone (never in a pipe), then have two lines of it typed back."""
    click.echo(console.text("keys.sheet_intro"), err=True)
    click.echo("\n" + identity.sheet(), err=True)
    for number in sorted(secrets.SystemRandom().sample(range(1, 5), ASKED_BACK)):
        for _attempt in range(3):
            typed = click.prompt(console.text("keys.type_back", number=number), err=True, hide_input=True)
            try:
                read_line(identity.kind, number, typed)
            except UsageError as error:
                click.echo(str(error), err=True)
                continue
            if read_line(identity.kind, number, typed) == identity.seed[(number - 1) * 8 : number * 8]:
                break
            click.echo(console.text("keys.other_line"), err=True)
        else:
            raise RefusedError(console.text("keys.not_typed_back"))


def _type_sheet(console: Console) -> str:
    """Ask for the four lines of a printed sheet; each is checked as it is typed."""
    lines = []
    for number in range(1, 5):
        while True:
            typed = click.prompt(console.text("keys.type_line", number=number), err=True, hide_input=True)
            try:
                read_line("recovery", number, typed)
                break
            except UsageError as error:
                click.echo(str(error), err=True)
        lines.append(f"{number} {typed}")
    return "\n".join(["cloche-recovery-1", *lines, ""])


def _show_status(console: Console, found: dict[str, Any]) -> None:
    if console.as_json:
        console.document(found)
        return
    show, text = console.screen.print, console.text
    if not found["ready"]:
        show(text("protect.no_keys"))
    for recipient in found["recipients"]:
        show(text(f"keys.kind_{recipient['kind']}", id=recipient["id"]))
    for former in found["former"]:
        show(text("keys.kind_former", id=former))
    show(text("keys.sealed_count", count=found["sealed"]))
