"""`cloche doctor`: which tier is reached here, and why."""

from __future__ import annotations

import click
from rich.table import Table

from agent.cli import common_options
from agent.console import Console
from config.errors import ExitCode

MARKS = {"ok": "✓", "reduced": "–", "missing": "✗"}


@click.command("doctor")
@common_options
def command(console: Console) -> int:
    """Say what this machine lets Cloche do, and why not more (exit 3 if something is missing)."""
    from agent.doctor import examine, tier

    checks = list(examine(console.home))
    reached = tier(checks)
    complete = all(check.state == "ok" for check in checks)
    if console.as_json:
        console.document(
            {
                "schema": "cloche.doctor/1",
                "tier": reached,
                "checks": [
                    {
                        "name": check.name,
                        "state": check.state,
                        "why": console.text(f"doctor.{check.why}", **dict(check.values)),
                    }
                    for check in checks
                ],
            }
        )
    else:
        console.screen.print(console.text(f"doctor.tier_{reached}"))
        table = Table(box=None, show_header=False, padding=(0, 1))
        for check in checks:
            why = console.text(f"doctor.{check.why}", **dict(check.values))
            table.add_row(MARKS[check.state], check.name, why)
        console.screen.print(table)
    return ExitCode.DONE if complete else ExitCode.INCOMPLETE
