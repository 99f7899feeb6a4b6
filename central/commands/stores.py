"""`cloche-hq stores`: the register of stores, from head office's own machine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from central.commands.entity import find_entity
from central.commands.region import find_region
from central.commands.session import transaction
from central.console import Console, console_options
from central.home import HeadOfficeHome
from central.models import Entity, Region, Store
from central.people.directory import machine_viewer
from central.stores.authority import pin_of
from central.stores.importing import Importing, as_csv, import_stores
from central.stores.register import add_store, change_store, restore, revoke, settle_faults
from config.errors import RefusedError, UsageError
from config.text import load_packs

WHICH = "ID or name."


@click.group()
def command() -> None:
    """Stores: what they are called, whose they are, which are trusted."""


@command.command("list")
@console_options
@click.option("--waiting", is_flag=True, help="Only those that have not enrolled.")
@click.option("--revoked", is_flag=True, help="Only revoked ones.")
def list_stores(console: Console, waiting: bool, revoked: bool) -> None:
    """All stores, with entity, region and standing."""
    with transaction(console) as session:
        query = (
            select(Store, Entity.name, Region.name)
            .outerjoin(Entity, Entity.id == Store.entity_id)
            .outerjoin(Region, Region.id == Store.region_id)
            .order_by(Store.name)
        )
        if waiting:
            query = query.where(Store.enrolled_at.is_(None), Store.revoked_at.is_(None))
        if revoked:
            query = query.where(Store.revoked_at.is_not(None))
        rows = [_row(store) | {"entity": entity, "region": region} for store, entity, region in session.execute(query)]
    lines = [
        f"{row['id']}  {row['name']}  {row['entity'] or '-'}  {row['region'] or '-'}  "
        f"{console.text('hq_register.is_' + row['standing'])}"
        for row in rows
    ]
    console.answer({"schema": "cloche.hq-stores/1", "stores": rows}, lines)


@command.command("add")
@console_options
@click.argument("name")
@click.option("--entity", "entity_of", help=WHICH)
@click.option("--region", "region_of", help=WHICH)
def add(console: Console, name: str, entity_of: str | None, region_of: str | None) -> None:
    """Add the store NAME; `cloche-hq token --store` makes its token."""
    with transaction(console) as session:
        row = _row(
            add_store(
                session, machine_viewer(), name, entity_id=_entity_id(session, entity_of),
                region_id=_region_id(session, region_of),
            )
        )  # fmt: skip
    console.answer({"schema": "cloche.hq-store/1", **row}, [f"{row['id']}  {row['name']}"])


@command.command("change")
@console_options
@click.argument("which")
@click.option("--name", help="Another name.")
@click.option("--entity", "entity_of", help="Another legal entity (id or name); empty for none.")
@click.option("--region", "region_of", help="Another region (id or name); empty for none.")
def change(console: Console, which: str, name: str | None, entity_of: str | None, region_of: str | None) -> None:
    """Change the store WHICH (id or name)."""

    def do(session: Session, store: Store) -> None:
        change_store(
            session, machine_viewer(), store, name=store.name if name is None else name,
            entity_id=store.entity_id if entity_of is None else _entity_id(session, entity_of),
            region_id=store.region_id if region_of is None else _region_id(session, region_of),
        )  # fmt: skip

    _on_store(console, which, do)


@command.command("revoke")
@console_options
@click.argument("which")
@click.option("--yes", is_flag=True, help="Do not ask.")
def revoke_store(console: Console, which: str, yes: bool) -> None:
    """Take nothing from the store WHICH any more: within two seconds, its history stays."""

    def do(session: Session, store: Store) -> None:
        if not yes:
            if not console.is_terminal:
                raise RefusedError("hq_register.needs_yes")
            click.confirm(console.text("hq_register.revoke_confirm", name=store.name), abort=True, err=True)
        revoke(session, machine_viewer(), store)

    _on_store(console, which, do)


@command.command("restore")
@console_options
@click.argument("which")
def restore_store(console: Console, which: str) -> None:
    """Take the revoked store WHICH back; it enrols with a new token."""
    _on_store(console, which, lambda session, store: restore(session, machine_viewer(), store))


@command.command("settle")
@console_options
@click.argument("which")
def settle(console: Console, which: str) -> None:
    """Say that the faults of the store WHICH were looked into."""
    _on_store(console, which, lambda session, store: settle_faults(session, machine_viewer(), store))


@command.command("import")
@console_options
@click.argument("table", type=click.Path(dir_okay=False))
@click.option("--tokens", "out", required=True, type=click.Path(), help="Write the tokens there (CSV, mode 600).")
@click.option("--days", type=click.IntRange(1, 90), default=14, show_default=True, help="How long the tokens work.")
def import_table(console: Console, table: str, out: str, days: int) -> None:
    """Add the stores of TABLE (CSV: name, entity, region), each with a token. All or none."""
    content, target = _read(table), Path(out).absolute()
    home = HeadOfficeHome(folder=console.home.folder)

    def words(told: str) -> str:
        return console.text(told) if told in load_packs() else told

    is_written = False
    try:
        with transaction(console) as session:
            pin = pin_of(home.authority_certificate)
            importing = Importing(pin=pin, lasts=timedelta(days=days), words=words)
            arrivals = import_stores(session, machine_viewer(), content, importing)
            home.write(target, as_csv(arrivals))  # before the commit: tokens that cannot be kept are none
            is_written = True
    except BaseException:
        if is_written:
            target.unlink(missing_ok=True)
        raise
    document = {"schema": "cloche.hq-import/1", "stores": len(arrivals), "tokens": str(target)}
    console.answer(document, [console.text("hq_register.cli_imported", count=len(arrivals), file=target)])


def _read(table: str) -> str:
    try:
        content = Path(table).read_bytes()
    except OSError as error:
        raise UsageError(f"{table}: cannot be read: {error.strerror}") from error
    for charset in ("utf-8-sig", "gb18030"):  # spreadsheets in Chinese write GBK
        try:
            return content.decode(charset)
        except UnicodeDecodeError:
            continue
    raise UsageError(f"{table}: neither UTF-8 nor GB 18030")


def _on_store(console: Console, which: str, do: Callable[[Session, Store], Any]) -> None:
    with transaction(console) as session:
        store = find_store(session, which)
        do(session, store)
        session.flush()
        row = _row(store)
    line = f"{row['id']}  {row['name']}  {console.text('hq_register.is_' + row['standing'])}"
    console.answer({"schema": "cloche.hq-store/1", **row}, [line])


def find_store(session: Session, which: str) -> Store:
    """A store by id or name.

    Raises:
        UsageError: there is none, or several of that name.
    """
    by_id = session.get(Store, which)
    if by_id is not None:
        return by_id
    found = list(session.scalars(select(Store).where(Store.name == which).limit(2)))
    if len(found) != 1:
        raise UsageError("hq_register.several_stores" if found else "hq_register.no_store")
    return found[0]


def _entity_id(session: Session, told: str | None) -> str | None:
    return find_entity(session, told).id if told else None


def _region_id(session: Session, told: str | None) -> str | None:
    return find_region(session, told).id if told else None


def _row(store: Store) -> dict[str, Any]:
    standing = "revoked" if store.revoked_at else "enrolled" if store.enrolled_at else "waiting"
    return {
        "id": store.id, "name": store.name, "entity_id": store.entity_id, "region_id": store.region_id,
        "standing": standing, "heard_at": store.heard_at.isoformat() if store.heard_at else None,
        "last_number": store.last_number,
    }  # fmt: skip
