"""`cloche daemon`: run the daemon in the foreground, as systemd wants it."""

from __future__ import annotations

import click

from agent.cli import common_options
from agent.console import Console
from config.load import load_settings
from config.log import set_up_logging


@click.command("daemon")
@common_options
def command(console: Console) -> None:
    """Run the daemon until SIGTERM."""
    from agent.daemon import run_daemon

    set_up_logging(debug=console.debug)
    run_daemon(console.home, load_settings(console.home.settings_file))
