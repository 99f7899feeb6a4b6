"""`cloche setup`: install the service on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from agent.cli import common_options
from agent.console import Console


@click.command("setup")
@common_options
@click.option("--root", "roots", multiple=True, type=click.Path(), help="A folder to scan (may be repeated).")
@click.option("--store-name", default="", help="Name of the store.")
@click.option("--checkout", type=click.Path(path_type=Path), help="The source tree (default: where this runs from).")
@click.option("--head-office", is_flag=True, help="Install head office's server too.")
@click.option("--no-start", is_flag=True, help="Install only.")
def command(
    console: Console, roots: tuple[str, ...], store_name: str, checkout: Path | None, head_office: bool, no_start: bool
) -> int:
    """Install the service: an environment of its own, accounts, units; it starts in observe."""
    from agent.doctor import examine, tier
    from agent.installation import Plan, install

    plan = Plan(
        checkout=(checkout or Path(__file__).resolve().parents[2]).absolute(),
        roots=tuple(str(Path(root).absolute()) for root in roots),
        store_name=store_name,
        head_office=head_office,
        start=not no_start,
    )
    done = []
    for step in install(plan):
        console.say(f"setup.{step}")
        done.append(step)
    reached = tier(list(examine(console.home)))
    if console.as_json:
        console.document({"schema": "cloche.setup/1", "steps": done, "tier": reached})
    else:
        console.screen.print(console.text("setup.done", tier=console.text(f"doctor.tier_{reached}")))
    return 0
