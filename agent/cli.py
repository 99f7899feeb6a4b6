"""The `cloche` command. Verbs stand in an explicit list with their line of help and are imported when called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from agent.console import Console
from config.commandline import Verbs, run, stand_in_for
from config.direction import PACKS
from config.home import find_home
from config.load import load_settings
from config.log import set_up_logging
from config.packs import prefer
from config.text import Text

VERBS: Final[dict[str, str]] = {
    "approve": "Say yes to what waits for two people.",
    "assess": "Check every measure of the plan, and what to do next.",
    "audit": "Verify or export the record of every act.",
    "check": "Check this machine for what an intruder left.",
    "daemon": "Run the daemon until SIGTERM.",
    "detect": "Find customer information in text on stdin.",
    "doctor": "What this machine lets Cloche do, and why not more.",
    "drill": "Try the emergency plan on made-up customers, scored.",
    "enrol": "Enrol this store at a head office.",
    "incident": "Report, declare, follow and end an incident.",
    "inventory": "What lies where, from the last scan.",
    "isolate": "Cut this machine, or one client, off the network.",
    "keys": "The keys that open sealed files.",
    "message": "Messages to people, and whether they arrived.",
    "law": "Laws and rules as data, and standing duties.",
    "open": "Read one sealed file, leaving it sealed.",
    "page": "The page for reports without login, as QR code.",
    "protect": "Encrypt files where they lie.",
    "quarantine": "Put files into the vault and give them back.",
    "scan": "Scan files and databases for customer information.",
    "setup": "Install the service on this machine.",
    "status": "What the daemon is doing.",
    "training": "Staff, courses, policies to acknowledge, the emergency card.",
    "unprotect": "Bring sealed files back as they were.",
    "vendor": "Vendors: contracts, packages with canaries, whose copy leaked.",
    "watch": "Follow who touches customer information.",
}


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--json`, `--home` and `--debug`, and pass it the call's `Console` as first argument."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    @click.option("--home", "home_folder", type=click.Path(readable=False), help="Keep everything under this folder.")
    @click.option("--debug", is_flag=True, help="Log more, never a value.")
    @click.pass_context
    def wrapped(
        context: click.Context, /, as_json: bool, home_folder: str | None, debug: bool, **arguments: Any
    ) -> Any:
        set_up_logging(debug=debug, quiet=True)
        home = find_home(home_folder or context.find_root().params.get("home_folder"))
        prefer(home.direction / PACKS)
        context.find_root().obj = console = Console(home=home, text=Text(), as_json=as_json, debug=debug)
        store = load_settings(home.settings_file).store
        console.text, console.zone = Text(store.language), ZoneInfo(store.timezone)
        return context.invoke(function, console, **arguments)

    return stand_in_for(function, wrapped)


@click.command(
    cls=Verbs, package="agent.commands", verbs=VERBS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--home", "home_folder", type=click.Path(readable=False), help="Keep everything under this folder.")
@click.version_option(package_name="cloche")
def cloche(home_folder: str | None) -> None:
    """Find customer information, protect it, watch it, and contain a leak."""


def main() -> None:
    """Entry point: every error becomes one message on stderr and its exit code; no traceback reaches a user."""
    run(cloche, "cloche", Text)
