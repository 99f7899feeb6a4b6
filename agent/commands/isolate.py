"""`cloche isolate on|off|status`: 网络隔离."""

from __future__ import annotations

import os
from typing import Any

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable

yes = click.option("--yes", is_flag=True, help="Don't ask.")
client = click.option("--client", "clients", multiple=True, metavar="ADDRESS", help="Only this client; repeatable.")


@click.group()
def command() -> None:
    """Cut this machine off the network, but for what it sells with; or one client alone."""


@command.command()
@client
@click.option("--minutes", type=float, help="It ends by itself after so many minutes, whatever happens to Cloche.")
@click.option("--allow", multiple=True, metavar="ENTRY", help="Also goes on, this time: `in 10.0.0.9:22`; repeatable.")
@click.option("--keep", is_flag=True, help="What the till's own programs talk to now goes on, this time.")
@click.option("--incident", default="", metavar="ID", help="Put it on this incident's timeline.")
@click.option("--reason", default="", help="Why.")
@click.option("--dry-run", is_flag=True, help="Show what would end and stop.")
@yes
@common_options
def on(console: Console, /, *, dry_run: bool, yes: bool, **given: Any) -> int:
    """Isolate."""
    arguments = {
        **given, "clients": list(given["clients"]), "allow": list(given["allow"]), "session": _session(),
    }  # fmt: skip
    if dry_run or not yes:
        preview = perform(console, "isolate.on", {**arguments, "preview": True})
        if dry_run and console.as_json:
            console.document(preview.document)
            return preview.exit_code
        _show_preview(console, preview.document)
        if dry_run:
            return preview.exit_code
        key = "isolate.confirm_client" if given["clients"] else "isolate.confirm"
        console.confirm(console.text(key, clients=", ".join(given["clients"])), yes=False)
    answer = perform(console, "isolate.on", arguments)
    for name in answer.document["unknown"]:
        console.say("isolate.unknown_name", name=printable(name))
    return _show(console, answer.document, answer.exit_code)


@command.command()
@client
@yes
@common_options
def off(console: Console, /, *, clients: tuple[str, ...], yes: bool) -> int:
    """End the isolation, or let one client in again."""
    console.confirm(console.text("isolate.confirm_off"), yes=yes)
    answer = perform(console, "isolate.off", {"clients": list(clients)})
    return _show(console, answer.document, answer.exit_code)


@command.command()
@common_options
def status(console: Console, /) -> int:
    """What is cut, what goes on, and what the till's programs talk to (exit 3 if the kernel does otherwise)."""
    answer = perform(console, "isolate.status", {})
    return _show(console, answer.document, answer.exit_code)


def _session() -> dict[str, Any] | None:
    """Far address and own port of the SSH session that this command is typed in (sshd(8), SSH_CONNECTION)."""
    parts = os.environ.get("SSH_CONNECTION", "").split()
    return {"address": parts[0], "port": parts[3]} if len(parts) == 4 else None


def _show(console: Console, document: dict[str, Any], exit_code: int) -> int:
    if console.as_json:
        console.document(document)
        return exit_code
    screen, text, ordered, kernel = console.screen, console.text, document["ordered"], document["kernel"]
    if ordered is None:
        screen.print(text("isolate.none"))
    elif ordered["everything"]:
        until = console.time(ordered["until"]) if ordered["until"] else text("isolate.until_told")
        screen.print(text("isolate.everything", until=until, since=console.time(ordered["since"])), style="bold red")
    for address, until in (ordered["clients"] if ordered else {}).items():
        when = console.time(until) if until else text("isolate.until_told")
        screen.print(text("isolate.client", client=address, until=when), style="bold red")
    if ordered:
        by = printable(" ".join(part for part in (ordered["by"], ordered["incident"], ordered["reason"]) if part))
        screen.print(text("isolate.by", by=by))
    if kernel is None:
        console.say("isolate.unseen")
    elif document["as_ordered"] is False:
        key = "isolate.lost_reboot" if ordered and ordered["before_reboot"] else "isolate.otherwise"
        console.say(key)
    elif ordered:
        screen.print(text("isolate.refused", count=f"{kernel['refused_packets']:,}"))
    if document["kept"] and (ordered is None or ordered["everything"]):
        screen.print(text("isolate.kept_heading" if ordered else "isolate.would_keep_heading"))
        _entries(console, document["kept"])
    if document["offered"]:
        screen.print(text("isolate.offered_heading"))
        for offer in document["offered"]:
            screen.print(f'  "{offer["entry"]}"  {printable(offer["program"])}', soft_wrap=True)
    return exit_code


def _entries(console: Console, kept: list[dict[str, Any]]) -> None:
    for item in kept:
        console.screen.print(f"  {item['entry']}  {console.text('isolate.why_' + item['why'])}", soft_wrap=True)


def _show_preview(console: Console, document: dict[str, Any]) -> None:
    """What would end, on stderr: stdout carries the answer."""
    if not document["clients"] and not document["kept"]:
        console.say("isolate.keeps_nothing")
    for item in document["kept"]:
        click.echo(f"  ✓ {item['entry']}  {console.text('isolate.why_' + item['why'])}", err=True)
    for needed in document["needed"]:
        console.say("isolate.needed", client=needed)
    console.say("isolate.ends", count=document["ends_count"])
    for link in document["ends"]:
        where = f"{link['remote']}:{link['port']} ↔ :{link['local_port']}"
        click.echo(f"  ✗ {where}  {printable(link['program'])}", err=True)
