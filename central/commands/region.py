"""`cloche-hq region`: stores under one area manager."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from central.commands.session import transaction
from central.console import Console, console_options
from central.models import Region, Store
from central.people.directory import machine_viewer
from central.stores.register import add_region, change_region, remove_region
from config.errors import UsageError


@click.group()
def command() -> None:
    """Regions: stores under one area manager."""


@command.command("list")
@console_options
def list_regions(console: Console) -> None:
    """All of them, with how many stores each has."""
    with transaction(console) as session:
        counts: dict[str | None, int] = {
            row[0]: row[1] for row in session.execute(select(Store.region_id, func.count()).group_by(Store.region_id))
        }
        rows = [
            _row(one) | {"stores": counts.get(one.id, 0)}
            for one in session.scalars(select(Region).order_by(Region.name))
        ]
    lines = [f"{row['id']}  {row['name']}  {row['stores']}" for row in rows]
    console.answer({"schema": "cloche.hq-regions/1", "regions": rows}, lines)


@command.command("add")
@console_options
@click.argument("name")
def add(console: Console, name: str) -> None:
    """Add the region NAME."""
    with transaction(console) as session:
        row = _row(add_region(session, machine_viewer(), name))
    console.answer({"schema": "cloche.hq-region/1", **row}, [f"{row['id']}  {row['name']}"])


@command.command("change")
@console_options
@click.argument("which")
@click.option("--name", required=True, help="Another name.")
def change(console: Console, which: str, name: str) -> None:
    """Rename the region WHICH (id or name)."""
    with transaction(console) as session:
        one = find_region(session, which)
        change_region(session, machine_viewer(), one, name)
        row = _row(one)
    console.answer({"schema": "cloche.hq-region/1", **row}, [f"{row['id']}  {row['name']}"])


@command.command("remove")
@console_options
@click.argument("which")
def remove(console: Console, which: str) -> None:
    """Take out the region WHICH (id or name), to which nothing belongs."""
    with transaction(console) as session:
        one = find_region(session, which)
        row = _row(one)
        remove_region(session, machine_viewer(), one)
    console.answer({"schema": "cloche.hq-region/1", **row}, [f"{row['id']}  {row['name']}"])


def find_region(session: Session, which: str) -> Region:
    """A region by id or name.

    Raises:
        UsageError: there is none.
    """
    found = session.scalar(select(Region).where(or_(Region.id == which, Region.name == which)))
    if found is None:
        raise UsageError("hq_register.no_region")
    return found


def _row(one: Region) -> dict[str, Any]:
    return {"id": one.id, "name": one.name}
