"""`cloche-hq certificate`: the server's certificate, for more hosts or made anew."""

from __future__ import annotations

import click

from central.console import Console, console_options
from central.hosts import is_host, own_hosts
from central.stores.authority import server_facts
from central.stores.server_certificate import reissue
from config.errors import UsageError


@click.command("certificate")
@console_options
@click.option("--host", "hosts", multiple=True, help="A further name or address of this server (repeatable).")
@click.option("--only", is_flag=True, help="For the named hosts and this machine's own names alone.")
def command(console: Console, hosts: tuple[str, ...], only: bool) -> None:
    """Make the server's certificate anew, by the same authority: stores notice nothing, a running server takes it."""
    console.home.require()
    for host in hosts:
        if not is_host(host):
            raise UsageError(f"--host {host}: neither a name nor an address")
    named = reissue(console.home, [*hosts, *(own_hosts() if only else [])], only=only)
    until, _ = server_facts(console.home)
    console.answer(
        {"schema": "cloche.hq-certificate/1", "hosts": named, "until": until.isoformat()},
        [
            console.text("hq_register.cli_certificate", until=until.date().isoformat()),
            console.say("cli_hosts", hosts=", ".join(named)),
        ],
    )
