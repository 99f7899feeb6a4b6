"""`cloche daemon`: run the daemon in the foreground, as systemd wants it."""

from __future__ import annotations

import os
import sys

import click

from agent.cli import common_options
from agent.console import Console
from config.load import load_settings
from config.log import set_up_logging


@click.command("daemon")
@common_options
def command(console: Console) -> None:
    """Run the daemon until SIGTERM. For settings and packs that head office has changed it starts itself anew."""
    from agent.daemon import run_daemon

    set_up_logging(debug=console.debug)
    settings = load_settings(console.home.settings_file, direction=console.home.direction)
    if run_daemon(console.home, settings):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  ourselves, as we were called
