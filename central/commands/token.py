"""`cloche-hq token`: a right to enrol, once."""

from __future__ import annotations

from datetime import timedelta

import click
from sqlalchemy import select

from central.commands.session import transaction
from central.console import Console, console_options
from central.models import Store
from central.people.directory import machine_viewer
from central.stores.authority import pin_of
from central.stores.enrol import make_token
from central.stores.register import require_store, token_for
from config.errors import UsageError


@click.command()
@console_options
@click.option("--store-name", default="", help="Name of the store; empty lets the store name itself.")
@click.option("--store", "store_id", help="A store that is there (s-…): the key that comes takes over, history stays.")
@click.option("--hours", type=click.IntRange(1, 720), default=48, show_default=True, help="How long it works.")
def command(console: Console, store_name: str, store_id: str | None, hours: int) -> None:
    """Make a one-use token with which a store enrols."""
    if store_id and store_name:
        raise click.UsageError(console.text("hq_register.token_either"))
    lasts = timedelta(hours=hours)
    with transaction(console) as session:
        pin = pin_of(console.home.authority_certificate)
        if store_id:
            viewer = machine_viewer()
            store = require_store(session, viewer, store_id)
            text, row = token_for(session, viewer, pin, store, lasts=lasts)
            store_name = store.name
        else:
            taken = session.scalar(select(Store.id).where(Store.name == store_name)) if store_name else None
            if taken is not None:
                raise UsageError(console.text("hq_register.token_name_taken", name=store_name, store=taken))
            text, row = make_token(session, pin, store_name=store_name, lasts=lasts)
        until = row.expires_at
    document = {
        "schema": "cloche.hq-token/1", "token": text, "store_name": store_name, "store": store_id,
        "expires_at": until.isoformat(),
    }  # fmt: skip
    click.echo(console.say("cli_token", hours=hours), err=True)
    console.answer(document, [text])
