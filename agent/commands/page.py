"""`cloche page qr`: the QR code of the page for reports without login."""

from __future__ import annotations

import io
from pathlib import Path

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console
from config.errors import RefusedError, UsageError
from containment.atomic import create_file


@click.group()
def command() -> None:
    """The page on which anybody may report a suspicion (疑似上报)."""


@command.command("qr")
@common_options
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="FILE.svg or FILE.png."
)
def qr_command(console: Console, output: Path) -> int:
    """Write the QR code of the page's address, to print and hang up. An existing file is never replaced."""
    kind = output.suffix.lower().removeprefix(".")
    if kind not in ("svg", "png"):
        raise UsageError(console.text("messages.qr_kind", file=output))
    document = perform(console, "page.link", {}).document
    content = qr_code(document["url"], kind)
    try:
        create_file(output, content, 0o644)
    except FileExistsError as error:
        raise RefusedError(console.text("cli.already_there", path=output)) from error
    except OSError as error:
        raise RefusedError(console.text("cli.unwritable", path=output, cause=error.strerror)) from error
    if console.as_json:
        console.document({**document, "file": str(output)})
    else:
        console.say("messages.qr_written", file=output, url=document["url"])
        if not document["listens"]:
            console.say("messages.page_closed")
    return 0


def qr_code(address: str, kind: str) -> bytes:
    """An address as QR code (ISO/IEC 18004) with a quarter of it to spare, for a paper that gets greasy."""
    import segno

    content = io.BytesIO()
    segno.make(address, error="q", micro=False).save(content, kind=kind, scale=10, border=4)
    return content.getvalue()
