"""`cloche status`: how things stand, from the running daemon."""

from __future__ import annotations

import click

from agent.cli import common_options
from agent.client import ask, connect
from agent.console import Console
from config.errors import NoDaemonError


@click.command("status")
@common_options
def command(console: Console) -> int:
    """Show what the daemon is doing (exit 5 without one)."""
    connection = connect(console.home)
    if connection is None:
        raise NoDaemonError(console.text("cli.no_daemon", socket=console.home.control_socket))
    with connection:
        answer = ask(connection, "status", {})
    if console.as_json:
        console.document(answer.document)
        return answer.exit_code
    show, text, found = console.screen.print, console.text, answer.document
    show(
        text(
            "status.head",
            store=found["store"],
            mode=text(f"status.mode_{found['mode']}"),
            tier=text(f"watch.tier_{found['tier']}"),
        )
    )
    items = found["items"]
    show(text("status.items", plain=items.get("plain", 0), sealed=items.get("sealed", 0), vault=items.get("vault", 0)))
    scan = found["last_scan"]
    if scan is None:
        show(text("status.never_scanned"))
    else:
        show(text("status.scanned", when=console.time(scan["ended_at"]), persons=scan["persons"], listed=scan["listed"],
                  unread=scan["unread"] + scan["partial"]))  # fmt: skip
    show(text("status.alerts", alerts=found["alerts"], incidents=len(found["incidents"])))
    for incident in found["incidents"]:
        kind, phase = text(f"incident.kind_{incident['kind']}"), text(f"incident.phase_{incident['phase']}")
        show(f"  {incident['id']}  {kind}  {phase}")
    for own in found["own_programs"]:
        show(text("status.own", program=own["program"], user=own["user"]))
    outbox = found["outbox"]
    show(text("status.outbox", waiting=outbox["waiting"], contact=console.time(outbox["last_contact"] or None)))
    if outbox["waiting"] and outbox["fault"]:
        show(text("status.away", fault=outbox["fault"]))
    if outbox["scan_paused"]:
        show(text("status.scan_paused", waiting=outbox["waiting"]))
    if not found["keys"]:
        show(text("status.no_keys"))
    return answer.exit_code
