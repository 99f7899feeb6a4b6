"""Where a role is held: everywhere, in a legal entity, a region, one store; and what people call it."""

from __future__ import annotations

from typing import Final, Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from central.models import Entity, Region, Store
from config.errors import UsageError

Scope = Literal["all", "entity", "region", "store"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)


def scope_names(session: Session, *, stores: bool = True) -> dict[tuple[str, str], str]:
    """Names of all scopes by kind and id; `all` is ''."""
    names = {("all", ""): ""}
    names |= {("entity", row.id): row.name for row in session.execute(select(Entity.id, Entity.name))}
    names |= {("region", row.id): row.name for row in session.execute(select(Region.id, Region.name))}
    if stores:
        names |= {("store", row.id): row.name for row in session.execute(select(Store.id, Store.name))}
    return names


def name_of_scope(session: Session, scope: str, scope_id: str) -> str:
    """What people call one scope; '' for everywhere and for one that is gone."""
    row: Entity | Region | Store | None = None
    match scope:
        case "entity":
            row = session.get(Entity, scope_id)
        case "region":
            row = session.get(Region, scope_id)
        case "store":
            row = session.get(Store, scope_id)
    return row.name if row else ""


def find_scope(session: Session, text: str) -> tuple[Scope, str]:
    """`all`, or `entity:ID`, `region:ID`, `store:ID`; an id may be given as the name if only one has it.

    Raises:
        UsageError: there is none, or more than one.
    """
    kind, _, which = text.strip().partition(":")
    if kind == "all" and not which:
        return "all", ""
    tables: dict[str, type[Entity | Region | Store]] = {"entity": Entity, "region": Region, "store": Store}
    table = tables.get(kind)
    if table is None or not which:
        raise UsageError(f"{text}: a scope is all, entity:ID, region:ID or store:ID")
    if session.get(table, which) is not None:
        return kind, which  # type: ignore[return-value]  # one of the keys above
    found = list(session.scalars(select(table.id).where(table.name == which).limit(2)))
    if len(found) != 1:
        raise UsageError(f"{text}: {'no' if not found else 'more than one'} {kind} of this name")
    return kind, found[0]  # type: ignore[return-value]  # as above
