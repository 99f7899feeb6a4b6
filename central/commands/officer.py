"""`cloche-hq officer`: an account for somebody who leads, by whoever is root here."""

from __future__ import annotations

import click

from central.commands.session import transaction
from central.console import Console, console_options
from central.people.accounts import add_person


@click.command()
@console_options
@click.argument("name")
@click.option("--passphrase-file", type=click.Path(), help="First line is the passphrase.")
def command(console: Console, name: str, passphrase_file: str | None) -> None:
    """Give NAME an account, or a new passphrase."""
    console.home.require()
    passphrase, made_up = console.new_passphrase(console.say("cli_officer_passphrase", officer=name), passphrase_file)
    with transaction(console) as session:
        add_person(session, name, passphrase, role="security_lead", must_change=made_up)
    shown = passphrase if made_up else None
    lines = [console.say("cli_officer", officer=name)]
    if shown:
        lines.append(console.say("cli_login", officer=name, passphrase=shown))
    console.answer({"schema": "cloche.hq-officer/1", "officer": name, "passphrase": shown}, lines)
