"""`cloche vendor`: the register of vendors, what they were given, whose copy leaked; and the vendor's own side."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from agent.cli import common_options
from agent.client import perform
from agent.commands.open import opened, published
from agent.commands.vendor_shown import make_table, show_trace, show_vendor
from agent.commands.vendor_side import key_group, open_command
from agent.console import Console, printable
from agent.sealing.key_file import key_descriptor, key_file_option
from agent.vendors.records import State
from config.errors import ExitCode, RefusedError, UsageError

LARGEST_TEXT = 1 << 16


@click.group()
def command() -> None:
    """Vendors (第三方服务商): contracts, packages with canaries, whose copy leaked; and opening a package."""


@command.command("add")
@click.argument("name")
@click.option("--service", default="", help="What it does for the chain.")
@click.option("--contact", "contacts", multiple=True, metavar="NAME,PHONE,MAIL", help="Somebody at the vendor.")
@click.option("--public-key", type=click.Path(path_type=Path), help="Its public key file.")
@common_options
def add_command(console: Console, /, *, contacts: tuple[str, ...], public_key: Path | None, **given: str) -> int:
    """Put a vendor on the register."""
    arguments = {**given, "contacts": contacts_of(contacts), "public_key": public_text(public_key)}
    document = perform(console, "vendor.add", arguments).document
    if console.as_json:
        console.document(document)
        return ExitCode.DONE
    console.screen.print(console.text("vendor.added", id=document["id"], name=printable(document["name"])))
    tell_key(console, document)
    return ExitCode.DONE


@command.command("change")
@click.argument("vendor")
@click.option("--service", default="", help="What it does for the chain.")
@click.option("--contact", "contacts", multiple=True, metavar="NAME,PHONE,MAIL", help="All its people, anew.")
@click.option("--public-key", type=click.Path(path_type=Path), help="Its public key file.")
@common_options
def change_command(console: Console, /, *, contacts: tuple[str, ...], public_key: Path | None, **given: str) -> int:
    """Change a vendor's contacts, service or key."""
    arguments = {**given, "contacts": contacts_of(contacts), "public_key": public_text(public_key)}
    document = perform(console, "vendor.change", arguments).document
    if console.as_json:
        console.document(document)
        return ExitCode.DONE
    console.screen.print(console.text("vendor.changed", name=printable(document["name"])))
    if public_key:
        tell_key(console, document)
    return ExitCode.DONE


@command.command("list")
@common_options
def list_command(console: Console, /) -> int:
    """Every vendor, with what it has."""
    document = perform(console, "vendor.list", {}).document
    if console.as_json:
        console.document(document)
        return ExitCode.DONE
    if not document["vendors"]:
        console.screen.print(console.text("vendor.none"))
        return ExitCode.DONE
    table = make_table(console, "id", "name", "contract", "packages", "open", "overdue", "persons", "key")
    for vendor in document["vendors"]:
        last = max((contract["ends"] for contract in vendor["contracts"]), default="–")
        table.add_row(
            vendor["id"], printable(vendor["name"]), last, str(vendor["packages"]), str(vendor["open"]),
            str(vendor["overdue"]), f"{vendor['persons']:,}", vendor["key"] or "–",
        )  # fmt: skip
    console.screen.print(table)
    console.screen.print(console.text("vendor.pool", **document["canaries"]), style="dim")
    return ExitCode.DONE


@command.command("show")
@click.argument("vendor")
@common_options
def show_command(console: Console, /, *, vendor: str) -> int:
    """One vendor: contracts, packages, when it was let in, traces that led to it."""
    document = perform(console, "vendor.show", {"vendor": vendor}).document
    if console.as_json:
        console.document(document)
    else:
        show_vendor(console, document)
    return ExitCode.DONE


@command.command("contract")
@click.argument("vendor")
@click.option("--number", required=True, help="Its number; the same number again replaces it.")
@click.option("--from", "begins", required=True, metavar="DAY", help="First day, YYYY-MM-DD.")
@click.option("--to", "ends", required=True, metavar="DAY", help="Last day, YYYY-MM-DD.")
@click.option("--report-hours", type=click.IntRange(1, 10_000), help="It must report incidents within so many hours.")
@click.option("--audit-right/--no-audit-right", default=False, help="The chain may audit it.")
@click.option("--sub-processor", "sub_processors", multiple=True, help="Whom it may pass data to.")
@click.option("--purpose", default="", help="What it may process data for.")
@common_options
def contract_command(console: Console, /, *, sub_processors: tuple[str, ...], **given: Any) -> int:
    """Put a contract with a vendor on record."""
    document = perform(console, "vendor.contract", {**given, "sub_processors": list(sub_processors)}).document
    if console.as_json:
        console.document(document)
    else:
        name = printable(document["name"])
        console.screen.print(console.text("vendor.contract_kept", name=name, number=given["number"]))
    return ExitCode.DONE


@command.command("share")
@click.argument("vendor")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The package, a new file.")
@click.option("--purpose", required=True, help="What the vendor needs it for.")
@click.option("--days", type=click.IntRange(1, 3650), help="Until it expires.")
@click.option("--contract", default="", help="Number of the contract; the newest in force by default.")
@click.option("--canaries", type=click.IntRange(1, 50), help="Canary records of this package.")
@click.option("--no-canaries", "without_canaries", default="", metavar="REASON", help="Without them, and why.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@common_options
def share_command(
    console: Console, /, *, files: tuple[Path, ...], output: Path, yes: bool, **given: Any
) -> int:  # fmt: skip
    """Encrypt FILEs to a vendor's key, with canary records that tell its copy from any other."""
    console.confirm(console.text("vendor.confirm_share", vendor=given["vendor"], count=len(files)), yes=yes)
    arguments = {**given, "names": [file.name for file in files]}
    with ExitStack() as stack:
        sources = [stack.enter_context(opened(file, console.text)) for file in files]
        with published(output, console.text) as target:
            answer = perform(console, "vendor.share", arguments, descriptors=(target, *sources))
    document = answer.document
    if console.as_json:
        console.document(document)
        return int(answer.exit_code)
    console.screen.print(
        console.text(
            "vendor.shared_done", package=document["id"], files=len(document["files"]),
            persons=f"{document['persons']:,}", canaries=document["canaries"],
            expires=console.time(document["expires_at"]),
        )
    )  # fmt: skip
    console.say("vendor.shared_how", key=document["store_key"])
    for file in document["files"]:
        if file["why"]:
            why = console.text(f"vendor.why_{file['why']}")
            console.say("vendor.file_without", name=printable(file["name"]), why=why)
        elif file["kind"] == "spreadsheet" and file["canaries"]:
            console.say("vendor.file_renamed", name=printable(file["name"]))
    if document["documents"]:
        console.say("vendor.shared_documents", folder=os.path.dirname(document["documents"][0]))
    if document["documents_failed"]:
        console.say("vendor.documents_failed", why=printable(document["documents_failed"]))
    return int(answer.exit_code)


@command.command("received")
@click.argument("package")
@click.option("--code", required=True, help="The receipt code that the vendor read out.")
@common_options
def received_command(console: Console, /, **given: str) -> int:
    """The vendor opened a package, and proves it by its receipt code."""
    document = perform(console, "vendor.received", given).document
    if console.as_json:
        console.document(document)
    else:
        console.screen.print(console.text("vendor.received_done", package=document["id"]))
    return ExitCode.DONE


def ending(state: State) -> click.Command:
    """`returned` or `destroyed`."""

    @click.command(state, help=f"Record that a package was {state}, with what proves it.")
    @click.argument("package")
    @click.option("--note", default="", help="What it rests on.")
    @click.option("--by", default="", help="Who at the vendor says so.")
    @click.option("--evidence", type=click.Path(path_type=Path), help="The vendor's certificate; its hash is recorded.")
    @common_options
    def end(console: Console, /, *, evidence: Path | None, **given: str) -> int:
        with file_or_nothing(console, evidence) as descriptors:
            arguments = {**given, "state": state}
            document = perform(console, "vendor.end", arguments, descriptors=descriptors).document
        if console.as_json:
            console.document(document)
        else:
            said = console.text(f"vendor.state_{document['state']}")
            console.screen.print(console.text("vendor.ended_done", package=document["id"], state=said))
        return ExitCode.DONE

    return end


for one in (ending("returned"), ending("destroyed"), key_group, open_command):
    command.add_command(one)


@command.command("let-in")
@click.argument("vendor")
@click.option("--minutes", type=click.IntRange(1, 1440), default=30, show_default=True)
@click.option("--who", required=True, help="Who of the vendor comes in.")
@click.option("--tool", required=True, help="With what: ToDesk, 向日葵, ssh, at the keyboard…")
@click.option("--reason", required=True)
@common_options
def let_in_command(console: Console, /, **given: Any) -> int:
    """Let a vendor into this store's systems for some minutes, on record."""
    document = perform(console, "vendor.let_in", given).document
    if console.as_json:
        console.document(document)
    else:
        console.screen.print(
            console.text(
                "vendor.let_in_done", vendor=printable(document["vendor_name"]), until=console.time(document["until"]),
                who=printable(document["who"]), tool=printable(document["tool"]),
            )
        )  # fmt: skip
    return ExitCode.DONE


@command.command("let-out")
@click.argument("vendor")
@common_options
def let_out_command(console: Console, /, **given: str) -> int:
    """End a vendor's time before it is over."""
    document = perform(console, "vendor.let_out", given).document
    if console.as_json:
        console.document(document)
    else:
        name, alerts = printable(document["vendor_name"]), len(document["alerts"])
        console.screen.print(console.text("vendor.let_out_done", vendor=name, alerts=alerts))
    return ExitCode.DONE


@command.command("trace")
@click.argument("file")
@click.option("--report", is_flag=True, help="疑似上报 what was found.")
@key_file_option
@common_options
def trace_command(console: Console, /, *, file: str, report: bool, key_file: Path | None) -> int:
    """Whose copy is FILE (or stdin with `-`)? Searches it for the canaries of every package."""
    name = "stdin.txt" if file == "-" else Path(file).name
    with leaked(console, file) as descriptor, key_descriptor(key_file, console.text) as key:
        arguments = {"name": name, "report": report}
        answer = perform(console, "vendor.trace", arguments, descriptors=(descriptor, *key))
    if console.as_json:
        console.document(answer.document)
    else:
        show_trace(console, answer.document, with_key=key_file is not None)
    return int(answer.exit_code)


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@common_options
def import_command(console: Console, /, *, file: Path) -> int:
    """Take vendors and contracts from a table (csv, xlsx)."""
    with opened(file, console.text) as descriptor:
        answer = perform(console, "vendor.import", {"name": file.name}, descriptors=(descriptor,))
    document = answer.document
    if console.as_json:
        console.document(document)
        return int(answer.exit_code)
    console.screen.print(
        console.text(
            "vendor.imported", added=len(document["added"]), contracts=document["contracts"],
            refused=len(document["refused"]),
        )
    )  # fmt: skip
    for refused in document["refused"]:
        console.say("vendor.row_refused", row=refused["row"], why=printable(refused["why"]))
    return int(answer.exit_code)


def contacts_of(given: tuple[str, ...]) -> list[dict[str, str]]:
    """`NAME,PHONE,MAIL`; the mail is told by its @, the rest in order."""
    found = []
    for entry in given:
        parts = [part.strip() for part in entry.replace("，", ",").split(",") if part.strip()]
        mail = next((part for part in parts if "@" in part), "")
        phone = next((part for part in parts if part != mail and sum(letter.isdigit() for letter in part) >= 5), "")
        name = next((part for part in parts if part not in (mail, phone)), "")
        found.append({"name": name, "phone": phone, "email": mail})
    return found


def public_text(file: Path | None) -> str:
    """The key in a public file, '' without one."""
    from agent.vendors.opening import read_public

    if file is None:
        return ""
    try:
        return read_public(file.read_bytes()[:LARGEST_TEXT].decode("utf-8", "replace"), printable(str(file)))
    except FileNotFoundError as error:
        raise UsageError(f"{printable(str(file))}: there is no such file") from error
    except OSError as error:
        raise RefusedError(f"{printable(str(file))}: cannot be read: {error.strerror}") from error


@contextmanager
def file_or_nothing(console: Console, file: Path | None) -> Iterator[tuple[int, ...]]:
    """A file's descriptor, or none."""
    if file is None:
        yield ()
        return
    with opened(file, console.text) as descriptor:
        yield (descriptor,)


@contextmanager
def leaked(console: Console, file: str) -> Iterator[int]:
    """The file to look at; stdin goes into memory that has no name."""
    if file != "-":
        with opened(Path(file), console.text) as descriptor:
            yield descriptor
        return
    memory = os.memfd_create("leaked", os.MFD_CLOEXEC)
    try:
        with open(memory, "wb", closefd=False) as target:
            while piece := sys.stdin.buffer.read(1 << 20):
                target.write(piece)
        yield memory
    finally:
        os.close(memory)


def tell_key(console: Console, document: dict[str, Any]) -> None:
    """The id to compare by telephone, where there is a key."""
    if document["key"]:
        console.say("vendor.check_key", key=document["key"])
