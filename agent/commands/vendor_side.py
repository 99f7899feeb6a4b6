"""`cloche vendor key|open`: the vendor's own side: a key, and what was encrypted to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agent.cli import common_options
from agent.commands.open import opened
from agent.console import Console, printable
from config.errors import ExitCode, RefusedError

VENDOR_KEY = "CLOCHE_VENDOR_KEY_FILE"


@click.group("key")
def key_group() -> None:
    """The vendor's own key."""


@key_group.command("new")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A new file for the key.")
@common_options
def key_new_command(console: Console, /, *, output: Path) -> int:
    """For the vendor: make a key, and the public file to send to the store."""
    from agent.vendors.opening import make_key

    identity, public = make_key(output)
    if console.as_json:
        document = {"schema": "cloche.vendor.key/1", "file": str(output), "public": str(public), "id": identity.id}
        console.document(document)
    else:
        values = {"file": printable(str(output)), "public": printable(str(public)), "key": identity.id}
        console.screen.print(console.text("vendor.key_made", **values))
    return ExitCode.DONE


@click.command("open")
@click.argument("package", type=click.Path(path_type=Path))
@click.option(
    "--key-file", type=click.Path(path_type=Path), envvar=VENDOR_KEY, help=f"The vendor's key ({VENDOR_KEY})."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path(), help="Folder for the files.")
@click.option("--signer", default="", metavar="ID", help="Only if the store signed with this key.")
@click.option("--again", is_flag=True, help="Although it was opened here before.")
@common_options
def open_command(console: Console, /, *, package: Path, key_file: Path | None, output: Path, **given: Any) -> int:
    """For the vendor: open a package. Needs nothing but the key; refused after expiry."""
    from agent.vendors.opening import Book, read_key, unpack
    from agent.wiring import utc_now

    if key_file is None:
        raise RefusedError(console.text("vendor.no_vendor_key"))
    identity = read_key(key_file)
    book = Book(console.home.state / "opened-packages.json")
    with opened(package, console.text) as descriptor:
        done = unpack(descriptor, identity, output, book, utc_now(), text=console.text, **given)
    manifest = done.manifest
    if console.as_json:
        console.document(
            {
                "schema": "cloche.vendor.open/1", "package": manifest.package, "store": manifest.store,
                "vendor": manifest.vendor, "purpose": manifest.purpose, "contract": manifest.contract,
                "shared_at": manifest.shared_at.isoformat(), "expires_at": manifest.expires_at.isoformat(),
                "files": [str(file) for file in done.files], "signer": done.signer, "receipt": done.receipt,
                "times": done.times,
            }
        )  # fmt: skip
        return ExitCode.DONE
    console.screen.print(
        console.text(
            "vendor.opened", package=printable(manifest.package), store=printable(manifest.store),
            count=len(done.files), folder=printable(str(output)), purpose=printable(manifest.purpose),
            expires=manifest.expires_at.astimezone().strftime("%Y-%m-%d %H:%M"),
        )
    )  # fmt: skip
    console.screen.print(console.text("vendor.opened_receipt", receipt=done.receipt))
    console.say("vendor.opened_signer", key=done.signer)
    console.say("vendor.opened_reminder")
    return ExitCode.DONE
