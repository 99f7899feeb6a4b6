"""`cloche message list|show|test`: who was told what, and how far it got."""

from __future__ import annotations

import time
from typing import Any, Final, get_args

import click
from rich.table import Table

from agent.cli import common_options
from agent.client import daemon_running, perform
from agent.console import Console, printable
from agent.messages.records import STATES
from config.errors import ExitCode
from config.schema import Role
from config.text import Text

STYLES: Final = {"queued": "", "sent": "green", "delivered": "green", "failed": "yellow", "given_up": "bold red"}
LOOK_SECONDS: Final = 0.5


@click.group()
def command() -> None:
    """Messages to people: orders, reminders, approvals, and whether they arrived."""


@command.command("list")
@common_options
@click.option("--incident", default="", help="Of one incident.")
@click.option("--state", default="", help=f"One of {', '.join(STATES)}.")
@click.option("--person", default="", help="To one person.")
def list_command(console: Console, **given: str) -> int:
    """The newest messages (exit 3 if some were given up)."""
    answer = perform(console, "message.list", dict(given))
    if console.as_json:
        console.document(answer.document)
        return answer.exit_code
    show_table(console, answer.document["messages"])
    if not answer.document["link"]:
        console.say("messages.no_link_hint")
    if answer.document["refused"]:
        console.say("messages.refused_hint", count=answer.document["refused"])
    return answer.exit_code


@command.command("show")
@common_options
@click.argument("message_id", metavar="ID")
def show_command(console: Console, message_id: str) -> int:
    """One message with its words."""
    answer = perform(console, "message.show", {"id": message_id})
    if console.as_json:
        console.document(answer.document)
    else:
        show_one(console, answer.document)
    return answer.exit_code


@command.command("test")
@common_options
@click.argument("name")
@click.option("--wait", default=30.0, show_default=True, help="Seconds to wait for the receipt, with a daemon.")
def test_command(console: Console, name: str, wait: float) -> int:
    """Send a test message to the person (or the group's robot) called NAME and show the receipt."""
    answer = perform(console, "message.test", {"to": name})
    found = answer.document["messages"]
    until = time.monotonic() + (wait if daemon_running(console.home) and answer.document["link"] else 0)
    while time.monotonic() < until and any(one["state"] == "queued" for one in found):
        time.sleep(LOOK_SECONDS)
        found = [perform(console, "message.show", {"id": one["id"]}).document for one in found]
    if console.as_json:
        console.document({**answer.document, "messages": found})
    else:
        show_table(console, found)
        if not answer.document["link"]:
            console.say("messages.no_link_hint")
    return ExitCode.DONE if all(one["state"] in ("sent", "delivered") for one in found) else ExitCode.INCOMPLETE


def show_table(console: Console, messages: list[dict[str, Any]]) -> None:
    """A line a message."""
    text = console.text
    if not messages:
        console.screen.print(text("messages.none"))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("id", "made", "person", "channel", "state", "subject"):
        table.add_column(text(f"messages.column_{column}"), no_wrap=column in ("id", "made"), overflow="fold")
    for one in messages:
        state = text(f"messages.state_{one['state']}")
        if one["why"]:
            state += f"\n{one['why']}" + (f" ({printable(one['detail'])})" if one["detail"] else "")
        table.add_row(
            one["id"], console.time(one["made_at"]), who(text, one["person"]),
            text(f"messages.channel_{one['channel']}"), state, printable(one["subject"]), style=STYLES[one["state"]],
        )  # fmt: skip
    console.screen.print(table)


def who(text: Text, person: str) -> str:
    """A person or a group as they are called; a role that nobody holds by its name in the plan."""
    return text(f"incident.role_{person}") if person in get_args(Role) else printable(person)


def show_one(console: Console, one: dict[str, Any]) -> None:
    """All of one message."""
    show_table(console, [one])
    facts = {
        "attempts": one["attempts"], "next": console.time(one["next_at"]), "sent": console.time(one["sent_at"]),
        "delivered": console.time(one["delivered_at"]), "receipt": printable(one["receipt"]) or "–",
    }  # fmt: skip
    console.screen.print(console.text("messages.facts", **facts), soft_wrap=True)
    console.screen.print()
    for line in one["text"].splitlines():
        console.screen.print(f"  {printable(line)}", soft_wrap=True)
