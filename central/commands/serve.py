"""`cloche-hq serve`: head office at work."""

from __future__ import annotations

from datetime import timedelta

import click

from central.console import Console, console_options
from central.figures import shared_figures
from central.founding import Founding, found, is_empty
from central.people.passphrases import make_passphrase


@click.command()
@console_options
@click.option(
    "--host",
    default="127.0.0.1",
    envvar="CLOCHEHQ_HOST",
    show_default=True,
    show_envvar=True,
    help="Address to listen on.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8443,
    envvar="CLOCHEHQ_PORT",
    show_default=True,
    show_envvar=True,
    help="0: any free port.",
)
@click.option(
    "--certificate-days",
    type=click.FloatRange(min=0.00001, max=825),
    default=90.0,
    show_default=True,
    help="How long a store's certificate lives; it is renewed after two thirds.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=2,
    envvar="CLOCHEHQ_PROCESSES",
    show_default=True,
    show_envvar=True,
    help="How many processes serve; one that dies is started anew.",
)
def command(console: Console, host: str, port: int, certificate_days: float, processes: int) -> int:
    """Serve pages and take reports, over TLS, until told to stop. In an empty folder a head office is made first."""
    if is_empty(console.home):
        _make_first(console, host)
    with shared_figures(processes):
        from central.serve import Serving, serve_forever

        lasts = timedelta(days=certificate_days)
        return serve_forever(
            console.home, Serving(host=host, port=port, processes=processes, certificate_lasts=lasts),
            announce=lambda url: click.echo(console.say("cli_serving", url=url)),
        )  # fmt: skip


def _make_first(console: Console, host: str) -> None:
    """Make a head office with defaults, and say how to come in: shown once, for whoever started us."""
    hosts = [] if host in ("0.0.0.0", "::") else [host]  # noqa: S104  told apart, not bound
    made = found(console.home, Founding(hosts=tuple(hosts)), make_passphrase())
    click.echo(console.say("cli_made", folder=console.home.folder))
    click.echo(console.say("cli_login", officer=made.officer, passphrase=made.passphrase))
    click.echo(console.say("cli_first", folder=console.home.folder))
