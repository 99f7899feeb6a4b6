"""`cloche enrol URL --token T`: become a store of a head office."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console
from agent.link.enrolling import in_unprivileged_child, introduce
from agent.link.outbox import LINK_ACCOUNT
from agent.link.request import read_request
from config.errors import UsageError


@click.command("enrol")
@common_options
@click.argument("url")
@click.option("--token", required=True, help="The line that `cloche-hq token` printed.")
def command(console: Console, url: str, token: str) -> int:
    """Enrol this store at the head office at URL (https://HOST:PORT) with a one-use token."""
    url = url.rstrip("/")
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.path or parts.query or parts.username:
        raise UsageError(console.text("link.bad_url", url=url))
    prepared = perform(console, "enrol", {"step": "prepare", "token": token}).document
    exchange = read_request(url, prepared)
    introduced = in_unprivileged_child(partial(introduce, exchange, console.text), LINK_ACCOUNT)
    answer = perform(
        console, "enrol",
        {
            "step": "finish", "url": url, "token": token, "authority_pem": introduced.authority_pem,
            "answer": introduced.answer,
        },
    )  # fmt: skip
    document = answer.document
    if console.as_json:
        console.document(document)
        return int(answer.exit_code)
    names = {"hq": document["hq"], "store": document["store"], "name": document["name"]}
    click.echo(console.text("link.enrolled", **names))
    if document["recovery"]:
        click.echo(console.text("link.keys_adopted", recovery=document["recovery"]))
    else:
        click.echo(console.text("link.keys_absent"))
    return int(answer.exit_code)
