"""`cloche-hq keys`: the keys that stores seal to."""

from __future__ import annotations

from pathlib import Path

import click

from central.console import Console, console_options
from central.keys import make_keys, read_recipients
from central.people.passphrases import MIN_PASSPHRASE
from config.errors import RefusedError, UsageError
from config.identity import Identity, make_identity, read_line


@click.group()
def command() -> None:
    """Keys that stores seal to."""


@command.command("init")
@console_options
@click.option("--recovery-file", type=click.Path(), help="Write the recovery key there (mode 600).")
@click.option("--passphrase-file", type=click.Path(), help="First line is the HQ key's passphrase.")
def init(console: Console, recovery_file: str | None, passphrase_file: str | None) -> None:
    """Make the chain's recovery key (a sheet to print) and the HQ key (under a passphrase)."""
    home = console.home
    home.require()
    if read_recipients(home).recovery:
        raise RefusedError(f"{home.keys}: there are keys already; stores seal to them")
    if not recovery_file and (not console.is_terminal or console.as_json):
        raise RefusedError("the sheet is shown on a terminal only: pass --recovery-file FILE")
    recovery = make_identity("recovery")
    if not recovery_file:
        _prove(console, recovery)
    passphrase, made_up = console.new_passphrase(console.say("cli_passphrase"), passphrase_file)
    if len(passphrase) < MIN_PASSPHRASE:
        raise UsageError(f"the HQ key's passphrase needs {MIN_PASSPHRASE} characters")
    if recovery_file:
        home.write(Path(recovery_file).absolute(), recovery.sheet().encode())
    identity = make_keys(home, recovery, passphrase)
    lines = [console.say("cli_keys_made", recovery=recovery.id, hq=identity.id)]
    if recovery_file:
        lines.append(console.say("cli_recovery_file", file=recovery_file))
    if made_up:
        lines.append(console.say("cli_hq_passphrase", passphrase=passphrase))
    document = {
        "schema": "cloche.hq-keys/1", "recovery": recovery.id, "hq": identity.id, "recovery_file": recovery_file,
        "passphrase": passphrase if made_up else None,
    }  # fmt: skip
    console.answer(document, lines)


def _prove(console: Console, recovery: Identity) -> None:
    """Show the sheet and have two lines of it typed back."""
    click.echo(console.say("cli_sheet"), err=True)
    click.echo(f"\n{recovery.sheet()}", err=True)
    for number in (2, 4):
        typed = read_line("recovery", number, click.prompt(console.say("cli_prove", number=number), err=True))
        if typed != recovery.seed[(number - 1) * 8 : number * 8]:
            raise RefusedError(f"that is not line {number} of this sheet: no key was made")
    click.clear()
