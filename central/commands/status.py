"""`cloche-hq status`: what head office holds, and what is missing."""

from __future__ import annotations

import click
from sqlalchemy import func, select

from central.commands.session import transaction
from central.console import Console, console_options
from central.keys import read_recipients
from central.models import Store, StoredIncident, StoredReport
from central.stores.authority import server_facts
from config.errors import ExitCode
from config.identity import key_id


@click.command()
@console_options
def command(console: Console) -> int:
    """Say what this head office holds and whether something is missing."""
    home = console.home
    home.require()
    until, hosts = server_facts(home)
    with transaction(console) as session:
        stores = session.scalar(select(func.count()).select_from(Store)) or 0
        incidents = session.scalar(select(func.count()).where(StoredIncident.is_open)) or 0
        reports = session.scalar(select(func.count()).select_from(StoredReport)) or 0
    recipients = read_recipients(home)
    document = {
        "schema": "cloche.hq-status/1", "stores": stores, "open_incidents": incidents, "reports": reports,
        "certificate_until": until.isoformat(), "hosts": hosts,
        "recovery": key_id(recipients.recovery) if recipients.recovery else None,
        "hq": key_id(recipients.hq) if recipients.hq else None,
    }  # fmt: skip
    line = console.say(
        "cli_status", stores=stores, incidents=incidents, reports=reports, until=until.date().isoformat()
    )
    lines = [line] if recipients.recovery else [line, console.say("cli_status_keys_missing")]
    console.answer(document, lines)
    return int(ExitCode.DONE if recipients.recovery else ExitCode.INCOMPLETE)
