"""The register of stores, legal entities and regions: `/settings/stores`, `/settings/entities`, `/settings/regions`."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, select, true
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from central.models import Certificate, Entity, Fault, Instance, Region, Store, StoreKey
from central.moments import now
from central.pages.doors import Doors, Fields, Shown, Visit
from central.pages.paging import page_of
from central.people.rights import FRANCHISE_ACTS
from central.stores import register
from central.stores.importing import Importing, as_csv, import_stores
from central.stores.register import KINDS, TOKEN_LASTS, EntityFacts, administered
from config.errors import UsageError
from config.text import Text, load_packs

STORES: Final = "/settings/stores"
ENTITIES: Final = "/settings/entities"
REGIONS: Final = "/settings/regions"
MAX_IMPORT: Final = 600_000
STANDINGS: Final = ("waiting", "enrolled", "faulty", "revoked")
MAX_CHOICES: Final = 1000


class RegisterPages:
    """Pages and forms of the register. What changes whom head office trusts wants a fresh proof."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def routes(self) -> list[Route]:
        """Paths of the pages and forms."""
        page, form = self._doors.page, self._doors.form
        one, entity, region = f"{STORES}/{{store}}", f"{ENTITIES}/{{entity}}", f"{REGIONS}/{{region}}"
        return [
            page(STORES, all_stores, "stores"),
            form(STORES, self.add_store, "stores", fresh=True),
            page(f"{STORES}/import", importing, "stores"),
            form(f"{STORES}/import", self.take_table, "stores", fresh=True, most=MAX_IMPORT),
            page(one, one_store, "stores"),
            form(one, change_store, "stores"),
            form(f"{one}/token", self.make_token, "stores", fresh=True),
            form(f"{one}/revoke", revoke, "stores", fresh=True),
            form(f"{one}/restore", restore, "stores", fresh=True),
            form(f"{one}/settle", settle, "stores"),
            page(ENTITIES, all_entities, "stores"),
            form(ENTITIES, add_entity, "stores"),
            page(entity, one_entity, "stores"),
            form(entity, change_entity, "stores", fresh=True),
            form(f"{entity}/remove", remove_entity, "stores"),
            page(REGIONS, all_regions, "stores"),
            form(REGIONS, add_region, "stores"),
            form(region, change_region, "stores"),
            form(f"{region}/remove", remove_region, "stores"),
        ]

    def add_store(self, visit: Visit, fields: Fields) -> str | Response:
        """A store that is to enrol, with its token."""
        store = register.add_store(
            visit.session, visit.viewer, fields.text("name"), entity_id=fields.optional("entity") or None,
            region_id=fields.optional("region") or None,
        )  # fmt: skip
        return self._token_of(visit, store)

    def make_token(self, visit: Visit, fields: Fields) -> str | Response:
        """A token for a store that is there, shown once."""
        del fields
        return self._token_of(visit, _store(visit))

    def take_table(self, visit: Visit, fields: Fields) -> str | Response:
        """Every store of a pasted table."""
        days = fields.optional("days") or "14"
        if not days.isdecimal() or not 1 <= int(days) <= 90:
            raise UsageError("hq_register.bad_days")
        text = Text(visit.language)  # type: ignore[arg-type]  # one of the two
        told = Importing(
            pin=visit.office.pin, lasts=timedelta(days=int(days)), words=partial(_words, text),
        )  # fmt: skip
        arrivals = import_stores(visit.session, visit.viewer, fields.text("table", most=MAX_IMPORT), told)
        if fields.optional("as") == "csv":
            headers = {"Content-Disposition": 'attachment; filename="tokens.csv"', "Cache-Control": "no-store"}
            return Response(as_csv(arrivals), media_type="text/csv; charset=utf-8", headers=headers)
        return self._doors.show(visit, "register_imported.html", {"arrivals": arrivals, "refresh": 0})

    def _token_of(self, visit: Visit, store: Store) -> Response:
        token, row = register.token_for(visit.session, visit.viewer, visit.office.pin, store)
        values = {
            "store": store, "token": token, "until": row.expires_at, "url": f"https://{visit.request.url.netloc}",
            "refresh": 0,
        }  # fmt: skip
        return self._doors.show(visit, "register_token.html", values)


def all_stores(visit: Visit) -> Shown:
    """By name, entity, region and standing; a page at a time."""
    session, query = visit.session, visit.request.query_params
    words, entity, region = query.get("q", "").strip()[:80], query.get("entity", ""), query.get("region", "")
    standing = query.get("is", "") if query.get("is", "") in STANDINGS else ""
    conditions = [administered(visit.viewer), _in_standing(standing)]
    if words:
        like = "%" + words.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
        conditions.append(Store.name.ilike(like, escape="\\") | (Store.id == words))
    if entity:
        conditions.append(Store.entity_id == entity)
    if region:
        conditions.append(Store.region_id == region)
    total = session.scalar(select(func.count()).select_from(Store).where(*conditions)) or 0
    paging = page_of(visit.request, total)
    rows = session.execute(
        select(Store, Entity.name, Region.name)
        .outerjoin(Entity, Entity.id == Store.entity_id)
        .outerjoin(Region, Region.id == Store.region_id)
        .where(*conditions)
        .order_by(Store.name, Store.id)
        .limit(paging.size)
        .offset(paging.offset)
    )
    return "register_stores.html", {
        "rows": [(store, entity_name, region_name, standing_of(store)) for store, entity_name, region_name in rows],
        "page": paging, "total": total, "words": words, "entity": entity, "region": region, "standing": standing,
        "standings": STANDINGS, "refresh": 0, **_choices(session),
    }  # fmt: skip


def one_store(visit: Visit) -> Shown:
    """Who it is, by which keys and certificates, from where it speaks, and what was wrong."""
    session, store = visit.session, _store(visit)
    return "register_store.html", {
        "store": store, "standing": standing_of(store), "moment": now(), "refresh": 0,
        "keys": list(session.scalars(
            select(StoreKey).where(StoreKey.store_id == store.id).order_by(StoreKey.since.desc()).limit(10)
        )),
        "certificates": list(session.scalars(
            select(Certificate)
            .where(Certificate.store_id == store.id, Certificate.expires_at > now())
            .order_by(Certificate.issued_at.desc())
            .limit(5)
        )),
        "instances": list(session.scalars(
            select(Instance).where(Instance.store_id == store.id).order_by(Instance.first_at.desc()).limit(5)
        )),
        "faults": list(session.scalars(
            select(Fault).where(Fault.store_id == store.id).order_by(Fault.last_at.desc())
        )),
        **_choices(session),
    }  # fmt: skip


def change_store(visit: Visit, fields: Fields) -> str:
    """Another name, entity or region."""
    store = _store(visit)
    register.change_store(
        visit.session, visit.viewer, store, name=fields.text("name"), entity_id=fields.optional("entity") or None,
        region_id=fields.optional("region") or None,
    )  # fmt: skip
    return f"{STORES}/{store.id}"


def revoke(visit: Visit, fields: Fields) -> str:
    """Nothing of it is taken any more."""
    _require_confirmed(fields)
    store = _store(visit)
    register.revoke(visit.session, visit.viewer, store)
    return f"{STORES}/{store.id}"


def restore(visit: Visit, fields: Fields) -> str:
    """Take it back."""
    del fields
    store = _store(visit)
    register.restore(visit.session, visit.viewer, store)
    return f"{STORES}/{store.id}"


def settle(visit: Visit, fields: Fields) -> str:
    """Somebody has looked into its faults."""
    _require_confirmed(fields)
    store = _store(visit)
    register.settle_faults(visit.session, visit.viewer, store)
    return f"{STORES}/{store.id}"


def importing(visit: Visit) -> Shown:
    """Where a table is pasted."""
    del visit
    return "register_import.html", {"days": TOKEN_LASTS.days, "refresh": 0}


def all_entities(visit: Visit) -> Shown:
    """All legal entities with their stores counted."""
    session = visit.session
    counts = _counts(session, Store.entity_id)
    return "register_entities.html", {
        "entities": [
            (entity, counts.get(entity.id, 0)) for entity in session.scalars(select(Entity).order_by(Entity.name))
        ],
        "kinds": KINDS, "acts": FRANCHISE_ACTS, "may_change": register.is_everywhere(visit.viewer), "refresh": 0,
    }  # fmt: skip


def one_entity(visit: Visit) -> Shown:
    """One legal entity."""
    entity = _entity(visit)
    return "register_entity.html", {
        "entity": entity, "kinds": KINDS, "acts": FRANCHISE_ACTS, "may_change": register.is_everywhere(visit.viewer),
        "refresh": 0,
    }  # fmt: skip


def add_entity(visit: Visit, fields: Fields) -> str:
    """A further one."""
    entity = register.add_entity(visit.session, visit.viewer, _facts(fields))
    return f"{ENTITIES}/{entity.id}"


def change_entity(visit: Visit, fields: Fields) -> str:
    """Other facts."""
    entity = _entity(visit)
    register.change_entity(visit.session, visit.viewer, entity, _facts(fields))
    return f"{ENTITIES}/{entity.id}"


def remove_entity(visit: Visit, fields: Fields) -> str:
    """One that nothing belongs to."""
    _require_confirmed(fields)
    register.remove_entity(visit.session, visit.viewer, _entity(visit))
    return ENTITIES


def all_regions(visit: Visit) -> Shown:
    """All regions with their stores counted."""
    counts = _counts(visit.session, Store.region_id)
    return "register_regions.html", {
        "regions": [
            (region, counts.get(region.id, 0))
            for region in visit.session.scalars(select(Region).order_by(Region.name))
        ],
        "may_change": register.is_everywhere(visit.viewer), "refresh": 0,
    }  # fmt: skip


def add_region(visit: Visit, fields: Fields) -> str:
    """A further one."""
    register.add_region(visit.session, visit.viewer, fields.text("name"))
    return REGIONS


def change_region(visit: Visit, fields: Fields) -> str:
    """Another name."""
    register.change_region(visit.session, visit.viewer, _region(visit), fields.text("name"))
    return REGIONS


def remove_region(visit: Visit, fields: Fields) -> str:
    """One that nothing belongs to."""
    _require_confirmed(fields)
    register.remove_region(visit.session, visit.viewer, _region(visit))
    return REGIONS


def standing_of(store: Store) -> str:
    """waiting, enrolled or revoked."""
    return "revoked" if store.revoked_at else "enrolled" if store.enrolled_at else "waiting"


def _in_standing(standing: str) -> ColumnElement[bool]:
    trusted = Store.revoked_at.is_(None)
    match standing:
        case "waiting":
            return and_(trusted, Store.enrolled_at.is_(None))
        case "enrolled":
            return and_(trusted, Store.enrolled_at.is_not(None))
        case "faulty":
            return and_(trusted, Store.faults > 0)
        case "revoked":
            return Store.revoked_at.is_not(None)
    return true()


def _store(visit: Visit) -> Store:
    """The store that the path names; one that is not theirs to look after does not exist."""
    store_id = visit.request.path_params["store"]
    store = visit.session.scalar(select(Store).where(Store.id == store_id, administered(visit.viewer)))
    if store is None:
        raise HTTPException(404)
    return store


def _entity(visit: Visit) -> Entity:
    entity = visit.session.get(Entity, visit.request.path_params["entity"])
    if entity is None:
        raise HTTPException(404)
    return entity


def _region(visit: Visit) -> Region:
    region = visit.session.get(Region, visit.request.path_params["region"])
    if region is None:
        raise HTTPException(404)
    return region


def _facts(fields: Fields) -> EntityFacts:
    return EntityFacts(
        name=fields.text("name"), credit_code=fields.optional("credit_code", most=40),
        province=fields.optional("province", most=40), kind=fields.text("kind", most=12), rights=fields.all("rights"),
    )  # fmt: skip


def _choices(session: Session) -> dict[str, Any]:
    """Entities and regions to choose from."""
    return {
        "entities": list(session.execute(select(Entity.id, Entity.name).order_by(Entity.name).limit(MAX_CHOICES))),
        "regions": list(session.execute(select(Region.id, Region.name).order_by(Region.name).limit(MAX_CHOICES))),
    }


def _counts(session: Session, column: Any) -> dict[str, int]:
    return {row[0]: row[1] for row in session.execute(select(column, func.count()).group_by(column))}


def _words(text: Text, told: str) -> str:
    return text(told) if told in load_packs() else told


def _require_confirmed(fields: Fields) -> None:
    if fields.optional("confirmed") != "yes":
        raise UsageError("hq_register.not_confirmed")
