"""The `cloche-hq` command. Verbs stand in an explicit list with their line of help and are imported when called."""

from __future__ import annotations

from typing import Final

import click

from central.console import run
from config.commandline import Verbs

VERBS: Final[dict[str, str]] = {
    "backup": "Write the database to a file while head office works.",
    "certificate": "Make the server's certificate anew, by the same authority.",
    "digest": "Send this week's two lines to whoever has not had them.",
    "entity": "Legal entities: reports to authorities go out in their names.",
    "init": "Make authority, certificate, database and the first account.",
    "keys": "Keys that stores seal to.",
    "migrate": "Bring the database to this version; `serve` does so by itself.",
    "officer": "Give somebody an account, or a new passphrase.",
    "officer-key": "Keys of officers, with whom stores check the gravest orders.",
    "order": "Orders to stores.",
    "people": "People of the plan: roles, accounts, substitutes, leaving.",
    "record": "The record of what was done at head office.",
    "region": "Regions: stores under one area manager.",
    "restore": "Put a backup into the database, while head office is stopped.",
    "serve": "Serve pages and take reports, over TLS, until told to stop.",
    "status": "Say what this head office holds and whether something is missing.",
    "stores": "Stores: what they are called, whose they are, which are trusted.",
    "token": "Make a one-use token with which a store enrols.",
}


@click.command(
    cls=Verbs, package="central.commands", verbs=VERBS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--home", "home_folder", type=click.Path(), help="Head office's folder.")
@click.version_option(package_name="cloche")
def hq(home_folder: str | None) -> None:
    """Head office: collect reports of stores, and show what needs attention."""


def main() -> None:
    """Entry point."""
    run(hq)
