"""The register: legal entities, regions and stores, and who may change them.

Whoever holds `stores` everywhere looks after all of it, a franchise's stores included: that a store is the chain's is
no matter of the franchise's agreement. Whoever holds it in an entity or a region looks after the stores there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, get_args

from sqlalchemy import ColumnElement, false, func, or_, select, true, update
from sqlalchemy.orm import Session

from central.models import Entity, Fault, Grant, Region, Store, Token
from central.moments import now
from central.people.record import note_act, plain
from central.people.rights import ACTS_OF_ROLE, FRANCHISE_ACTS, Viewer
from central.stores.certificates import revoke_all
from central.stores.enrol import ForStore, make_token
from central.stores.faults import keep_faults
from config.credit_code import is_credit_code
from config.errors import RefusedError, UsageError
from config.numbering import fresh_letters

Kind = Literal["direct", "franchise"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
MAX_NAME: Final = 200
TOKEN_LASTS: Final = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class EntityFacts:
    """What is known of a legal entity. `rights`: what head office may do in a franchise's stores."""

    name: str
    credit_code: str = ""
    province: str = ""
    kind: str = "direct"
    rights: Sequence[str] = ()


def is_everywhere(viewer: Viewer) -> bool:
    """Whether somebody looks after the whole register."""
    return any(right.scope == "all" and "stores" in ACTS_OF_ROLE[right.role] for right in viewer.rights)


def administered(viewer: Viewer) -> ColumnElement[bool]:
    """SQL condition on `Store`: which stores somebody looks after."""
    if is_everywhere(viewer):
        return true()
    parts: list[ColumnElement[bool]] = []
    for right in viewer.rights:
        if "stores" in ACTS_OF_ROLE[right.role]:
            column = {"entity": Store.entity_id, "region": Store.region_id}.get(right.scope, Store.id)
            parts.append(column == right.scope_id)
    return or_(*parts) if parts else false()


def require_store(session: Session, viewer: Viewer, store_id: str) -> Store:
    """A store that somebody looks after.

    Raises:
        UsageError: there is none of this id.
        RefusedError: it is not theirs.
    """
    store = session.get(Store, store_id)
    if store is None:
        raise UsageError("hq_register.no_store")
    if session.scalar(select(Store.id).where(Store.id == store_id, administered(viewer))) is None:
        raise RefusedError("stores")
    return store


def add_entity(session: Session, by: Viewer, facts: EntityFacts) -> Entity:
    """A further legal entity.

    Raises:
        UsageError: the name is missing or taken, the code's check character is wrong, no such kind or right.
        RefusedError: not theirs to add.
    """
    _require_everywhere(by)
    entity = Entity(id=f"e-{fresh_letters(8)}", name="")
    _fill_entity(session, entity, facts)
    session.add(entity)
    note_act(session, by.person_id, "entity.added", f"{entity.id} {entity.name}")
    session.flush()
    return entity


def change_entity(session: Session, by: Viewer, entity: Entity, facts: EntityFacts) -> None:
    """Other facts about an entity.

    Raises:
        UsageError: as `add_entity`.
        RefusedError: not theirs to change.
    """
    _require_everywhere(by)
    before = (entity.name, entity.credit_code, entity.province, entity.kind, sorted(entity.rights))
    _fill_entity(session, entity, facts)
    after = (entity.name, entity.credit_code, entity.province, entity.kind, sorted(entity.rights))
    if before != after:
        changed = ", ".join(f"{old} to {new}" for old, new in zip(before, after, strict=True) if old != new)
        note_act(session, by.person_id, "entity.changed", f"{entity.id} {changed}")
    session.flush()


def remove_entity(session: Session, by: Viewer, entity: Entity) -> None:
    """Take an entity out that nothing belongs to.

    Raises:
        UsageError: stores or roles belong to it.
        RefusedError: not theirs to remove.
    """
    _require_everywhere(by)
    _require_unused(session, Store.entity_id == entity.id, "entity", entity.id)
    _forget_tokens(session, Token.entity_id == entity.id)
    note_act(session, by.person_id, "entity.removed", f"{entity.id} {entity.name}")
    session.delete(entity)
    session.flush()


def add_region(session: Session, by: Viewer, name: str) -> Region:
    """A further region.

    Raises:
        UsageError: the name is missing or taken.
        RefusedError: not theirs to add.
    """
    _require_everywhere(by)
    region = Region(id=f"r-{fresh_letters(8)}", name=name_of(name))
    _require_free(session, Region, region.name, "")
    session.add(region)
    note_act(session, by.person_id, "region.added", f"{region.id} {region.name}")
    session.flush()
    return region


def change_region(session: Session, by: Viewer, region: Region, name: str) -> None:
    """Another name.

    Raises:
        UsageError: it is missing or taken.
        RefusedError: not theirs to change.
    """
    _require_everywhere(by)
    told = name_of(name)
    _require_free(session, Region, told, region.id)
    if told != region.name:
        note_act(session, by.person_id, "region.changed", f"{region.id} {region.name} to {told}")
        region.name = told
    session.flush()


def remove_region(session: Session, by: Viewer, region: Region) -> None:
    """Take a region out that nothing belongs to.

    Raises:
        UsageError: stores or roles belong to it.
        RefusedError: not theirs to remove.
    """
    _require_everywhere(by)
    _require_unused(session, Store.region_id == region.id, "region", region.id)
    _forget_tokens(session, Token.region_id == region.id)
    note_act(session, by.person_id, "region.removed", f"{region.id} {region.name}")
    session.delete(region)
    session.flush()


def add_store(
    session: Session, by: Viewer, name: str, *, entity_id: str | None = None, region_id: str | None = None
) -> Store:
    """A store that has not enrolled yet.

    Raises:
        UsageError: the name is missing or another store's, no such entity or region.
        RefusedError: it would not be theirs to look after.
    """
    store = new_store(name_of(name), entity_id=entity_id, region_id=region_id)
    _require_free(session, Store, store.name, "")
    _require_known(session, entity_id, region_id)
    session.add(store)
    session.flush()
    require_store(session, by, store.id)
    note_act(session, by.person_id, "store.added", store.name, store_id=store.id)
    return store


def change_store(
    session: Session, by: Viewer, store: Store, *, name: str, entity_id: str | None, region_id: str | None
) -> None:
    """Another name, entity or region.

    Raises:
        UsageError: as `add_store`.
        RefusedError: it is not, or would no longer be, theirs to look after.
    """
    require_store(session, by, store.id)
    told = name_of(name)
    _require_free(session, Store, told, store.id)
    _require_known(session, entity_id, region_id)
    before, after = (store.name, store.entity_id, store.region_id), (told, entity_id, region_id)
    store.name, store.entity_id, store.region_id = after
    session.flush()
    require_store(session, by, store.id)
    if before != after:
        changed = ", ".join(
            f"{old or '-'} to {new or '-'}" for old, new in zip(before, after, strict=True) if old != new
        )
        note_act(session, by.person_id, "store.changed", changed, store_id=store.id)


def token_for(
    session: Session, by: Viewer, pin: bytes, store: Store, *, lasts: timedelta = TOKEN_LASTS
) -> tuple[str, Token]:
    """A token for a store: to enrol for the first time, or for a new key to take over. It ends the ones before.

    Raises:
        RefusedError: not theirs to look after, or revoked.
    """
    require_store(session, by, store.id)
    if store.revoked_at is not None:
        raise RefusedError("hq_register.is_revoked_now")
    _forget_tokens(session, Token.store_id == store.id)
    return make_token(session, pin, lasts=lasts, whom=ForStore(store_id=store.id), actor=by.person_id)


def revoke(session: Session, by: Viewer, store: Store) -> None:
    """Nothing is taken from this store any more: its certificates and tokens end. Its history stays.

    Raises:
        RefusedError: not theirs to look after.
    """
    require_store(session, by, store.id)
    if store.revoked_at is None:
        store.revoked_at = now()
        revoke_all(session, store.id)
        _forget_tokens(session, Token.store_id == store.id)
        note_act(session, by.person_id, "store.revoked", store.name, store_id=store.id)
    session.flush()


def restore(session: Session, by: Viewer, store: Store) -> None:
    """Take a revoked store back: it enrols with a new token.

    Raises:
        RefusedError: not theirs to look after.
    """
    require_store(session, by, store.id)
    if store.revoked_at is not None:
        store.revoked_at = None
        note_act(session, by.person_id, "store.restored", store.name, store_id=store.id)
    session.flush()


def settle_faults(session: Session, by: Viewer, store: Store) -> int:
    """Say that somebody has looked into what was wrong; what comes after it counts anew. How many were settled.

    Raises:
        RefusedError: not theirs to look after.
    """
    require_store(session, by, store.id)
    rows = list(session.scalars(select(Fault).where(Fault.store_id == store.id, Fault.settled_at.is_(None))))
    for row in rows:
        row.settled_at = now()
    session.flush()
    keep_faults(session, store)
    if rows:
        note_act(session, by.person_id, "faults.settled", ", ".join(row.kind for row in rows), store_id=store.id)
    return len(rows)


def new_store(name: str, *, entity_id: str | None, region_id: str | None) -> Store:
    """The row of a store that has not enrolled yet."""
    return Store(id=f"s-{fresh_letters(12)}", name=name, entity_id=entity_id, region_id=region_id, made_at=now())


def name_of(told: str) -> str:
    """A name as it is kept: one line, without control characters.

    Raises:
        UsageError: nothing is left, or it is over 200 characters.
    """
    name = plain(told, MAX_NAME + 1).strip()
    if not name:
        raise UsageError("hq_register.name_missing")
    if len(name) > MAX_NAME:
        raise UsageError("hq_register.name_long")
    return name


def _fill_entity(session: Session, entity: Entity, facts: EntityFacts) -> None:
    name, code = name_of(facts.name), facts.credit_code.strip().upper()
    _require_free(session, Entity, name, entity.id)
    if code and not is_credit_code(code):
        raise UsageError("hq_register.bad_code")
    if code and session.scalar(select(Entity.id).where(Entity.credit_code == code, Entity.id != entity.id)):
        raise UsageError("hq_register.code_taken")
    if facts.kind not in KINDS:
        raise UsageError("hq_register.bad_kind")
    if not set(facts.rights) <= set(FRANCHISE_ACTS):
        raise UsageError("hq_register.bad_right")
    entity.name, entity.credit_code, entity.kind = name, code, facts.kind
    entity.province = plain(facts.province, 40).strip()
    entity.rights = [act for act in FRANCHISE_ACTS if act in facts.rights] if facts.kind == "franchise" else []


def _require_everywhere(by: Viewer) -> None:
    if not is_everywhere(by):
        raise RefusedError("stores")


def _require_free(session: Session, table: type[Entity | Region | Store], name: str, own_id: str) -> None:
    if session.scalar(select(table.id).where(table.name == name, table.id != own_id).limit(1)) is not None:
        raise UsageError("hq_register.name_taken")


def _require_known(session: Session, entity_id: str | None, region_id: str | None) -> None:
    if entity_id is not None and session.get(Entity, entity_id) is None:
        raise UsageError("hq_register.no_entity")
    if region_id is not None and session.get(Region, region_id) is None:
        raise UsageError("hq_register.no_region")


def _require_unused(session: Session, belongs: ColumnElement[bool], scope: str, scope_id: str) -> None:
    stores = session.scalar(select(func.count()).select_from(Store).where(belongs))
    grants = session.scalar(
        select(func.count()).select_from(Grant).where(Grant.scope == scope, Grant.scope_id == scope_id)
    )
    if stores or grants:
        raise UsageError("hq_register.in_use")


def _forget_tokens(session: Session, which: ColumnElement[bool]) -> None:
    """End tokens that were not used."""
    session.execute(
        update(Token).where(which, Token.used_at.is_(None), Token.expires_at > now()).values(expires_at=now())
    )
