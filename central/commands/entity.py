"""`cloche-hq entity`: legal entities that stores belong to."""

from __future__ import annotations

from typing import Any

import click
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from central.commands.session import transaction
from central.console import Console, console_options
from central.models import Entity, Store
from central.people.directory import machine_viewer
from central.people.rights import FRANCHISE_ACTS
from central.stores.register import KINDS, EntityFacts, add_entity, change_entity, remove_entity
from config.errors import UsageError

RIGHTS = click.Choice(FRANCHISE_ACTS)


@click.group()
def command() -> None:
    """Legal entities: reports to authorities go out in their names."""


@command.command("list")
@console_options
def list_entities(console: Console) -> None:
    """All of them, with how many stores each has."""
    with transaction(console) as session:
        counts: dict[str | None, int] = {
            row[0]: row[1] for row in session.execute(select(Store.entity_id, func.count()).group_by(Store.entity_id))
        }
        rows = [
            _row(one) | {"stores": counts.get(one.id, 0)}
            for one in session.scalars(select(Entity).order_by(Entity.name))
        ]
    lines = [f"{row['id']}  {row['name']}  {row['credit_code'] or '-'}  {row['kind']}  {row['stores']}" for row in rows]
    console.answer({"schema": "cloche.hq-entities/1", "entities": rows}, lines)


@command.command("add")
@console_options
@click.argument("name")
@click.option("--code", default="", help="统一社会信用代码 (18 characters).")
@click.option("--province", default="", help="Whose authorities its reports go to.")
@click.option("--kind", type=click.Choice(KINDS), default="direct", show_default=True)
@click.option("--right", "rights", multiple=True, type=RIGHTS, help="What head office may do in a franchise's stores.")
def add(console: Console, name: str, code: str, province: str, kind: str, rights: tuple[str, ...]) -> None:
    """Add the legal entity NAME."""
    facts = EntityFacts(name=name, credit_code=code, province=province, kind=kind, rights=rights)
    with transaction(console) as session:
        row = _row(add_entity(session, machine_viewer(), facts))
    console.answer({"schema": "cloche.hq-entity/1", **row}, [f"{row['id']}  {row['name']}"])


@command.command("change")
@console_options
@click.argument("which")
@click.option("--name", help="Another name.")
@click.option("--code", help="Another 统一社会信用代码; empty for none.")
@click.option("--province", help="Another province.")
@click.option("--kind", type=click.Choice(KINDS))
@click.option("--right", "rights", multiple=True, type=RIGHTS, help="The rights from now on (repeatable).")
@click.option("--no-rights", is_flag=True, help="No right from now on.")
def change(  # noqa: PLR0913, PLR0917  one argument an option
    console: Console,
    which: str,
    name: str | None,
    code: str | None,
    province: str | None,
    kind: str | None,
    rights: tuple[str, ...],
    no_rights: bool,
) -> None:
    """Change the entity WHICH (id or name)."""
    with transaction(console) as session:
        one = find_entity(session, which)
        facts = EntityFacts(
            name=one.name if name is None else name,
            credit_code=one.credit_code if code is None else code,
            province=one.province if province is None else province,
            kind=kind or one.kind,
            rights=rights if rights or no_rights else tuple(one.rights),
        )
        change_entity(session, machine_viewer(), one, facts)
        row = _row(one)
    console.answer({"schema": "cloche.hq-entity/1", **row}, [f"{row['id']}  {row['name']}"])


@command.command("remove")
@console_options
@click.argument("which")
def remove(console: Console, which: str) -> None:
    """Take out the entity WHICH (id or name), to which nothing belongs."""
    with transaction(console) as session:
        one = find_entity(session, which)
        row = _row(one)
        remove_entity(session, machine_viewer(), one)
    console.answer({"schema": "cloche.hq-entity/1", **row}, [f"{row['id']}  {row['name']}"])


def find_entity(session: Session, which: str) -> Entity:
    """An entity by id or name.

    Raises:
        UsageError: there is none.
    """
    found = session.scalar(select(Entity).where(or_(Entity.id == which, Entity.name == which)))
    if found is None:
        raise UsageError("hq_register.no_entity")
    return found


def _row(one: Entity) -> dict[str, Any]:
    return {
        "id": one.id, "name": one.name, "credit_code": one.credit_code, "province": one.province, "kind": one.kind,
        "rights": list(one.rights),
    }  # fmt: skip
