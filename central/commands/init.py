"""`cloche-hq init`: a new head office."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import click

from central.console import Console, console_options
from central.founding import Founding, found
from central.hosts import is_host
from central.people.second_factor import POLICIES
from config.errors import RefusedError, UsageError


@click.command()
@console_options
@click.option("--name", default="总部", show_default=True, help="Name of this head office.")
@click.option("--host", "hosts", multiple=True, help="Name or address stores reach it by (repeatable).")
@click.option("--timezone", default="Asia/Shanghai", show_default=True, help="IANA time zone of its pages.")
@click.option("--officer", default="admin", show_default=True, help="Account of the first officer.")
@click.option("--passphrase-file", type=click.Path(), help="First line is the officer's passphrase.")
@click.option(
    "--second-factor",
    type=click.Choice(POLICIES),
    default="required",
    show_default=True,
    help="Of whoever may declare, purge or look after people.",
)
def command(  # noqa: PLR0913, PLR0917  one argument an option
    console: Console,
    name: str,
    hosts: tuple[str, ...],
    timezone: str,
    officer: str,
    passphrase_file: str | None,
    second_factor: str,
) -> None:
    """Make authority, certificate, database and the first account."""
    home = console.home
    if home.server_chain.exists():
        raise RefusedError(f"{home.folder}: there is a head office already")
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError) as error:
        raise UsageError(f"--timezone {timezone}: no such time zone") from error
    for host in hosts:
        if not is_host(host):
            raise UsageError(f"--host {host}: neither a name nor an address")
    passphrase, made_up = console.new_passphrase(
        console.say("cli_officer_passphrase", officer=officer), passphrase_file
    )
    founding = Founding(name=name, hosts=hosts, timezone=timezone, officer=officer, second_factor=second_factor)
    made = found(home, founding, passphrase)
    document = {
        "schema": "cloche.hq-init/1", "home": str(home.folder), "name": name, "hosts": made.hosts, "officer": officer,
        "passphrase": passphrase if made_up else None, "pin": made.pin.hex(),
    }  # fmt: skip
    lines = [console.say("cli_made", folder=home.folder), console.say("cli_hosts", hosts=", ".join(made.hosts))]
    if made_up:
        lines.append(console.say("cli_login", officer=officer, passphrase=passphrase))
    console.answer(document, [*lines, console.say("cli_next")])
