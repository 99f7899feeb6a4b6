"""Stores are sent the people that have a role there: the list that the agent's settings call `people`.

A store gets who holds a role at it, in its region, its legal entity or everywhere, with mailbox and telephone, because
that is how they are reached on a bad day when head office is not. Of head office's people a franchise's store gets
those whose every act there the agreement allows. Accounts on the store's own machine (`user`) stay the store's affair.
Stores whose list did not change are not sent anything, and none before somebody has seen to people here.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session, sessionmaker

from central.database.writer import Writer
from central.direct.orders import give_order
from central.models import Delivery, Entity, Grant, PeoplePush, Person, Store, Substitution
from central.moments import now
from central.people.directory import CHANGED, ROLES, machine_viewer
from central.people.record import read_fact
from central.people.rights import ACTS_OF_ROLE, FRANCHISE_ACTS
from config.errors import ClocheError
from config.log import describe, get_logger

EVERY: Final = 2.0
SETTLES_FOR: Final = timedelta(seconds=3)
"""Changes of one sitting go out together."""
WHOLE_PASS: Final = timedelta(minutes=15)
"""Stand-ins begin and end by date, stores enrol, orders expire: all stores are looked at so often."""
LASTS: Final = timedelta(days=30)
ANEW_AFTER: Final = timedelta(days=25)
MOST_ORDERS: Final = 20
"""In one transaction: reports of stores wait meanwhile."""
MOST_STORES: Final = 500
"""In one order."""
HARMLESS: Final = frozenset({"look", "export", "report"})
_LOCK: Final = 0x70656F70  # of PostgreSQL's advisory locks
log = get_logger("hq.people")


@dataclass(frozen=True, kw_only=True)
class Book:
    """Everybody with a role, read once for all stores."""

    people: dict[str, Person]
    grants: dict[tuple[str, str], list[Grant]]
    """By scope."""
    standing_in: dict[str, str]
    """Who stands in today for whom."""
    agreements: dict[str, frozenset[str]]

    def list_for(self, store: Store) -> list[dict[str, Any]]:
        """The list of one store, in a fixed order."""
        agreed = self.agreements.get(store.entity_id or "")
        roles: dict[str, set[str]] = {}
        for scope, scope_id in (
            ("all", ""), ("region", store.region_id), ("entity", store.entity_id), ("store", store.id),
        ):  # fmt: skip
            for grant in self.grants.get((scope, scope_id or ""), ()) if scope == "all" or scope_id else ():
                from_outside = agreed is not None and scope in ("all", "region")
                if not from_outside or _all_agreed(grant.role, agreed or frozenset()):
                    roles.setdefault(grant.person_id, set()).add(grant.role)
        for person_id in list(roles):
            substitute = self.standing_in.get(person_id)
            if substitute is not None:
                roles.setdefault(substitute, set()).update(roles[person_id])
        named = {person_id: self.people[person_id] for person_id in roles if person_id in self.people}
        return [
            self._entry(person, roles[person.id], named)
            for person in sorted(named.values(), key=lambda one: (one.name, one.id))
        ]

    def _entry(self, person: Person, roles: set[str], named: dict[str, Person]) -> dict[str, Any]:
        substitute = named.get(self.standing_in.get(person.id) or person.substitute_id or "")
        return {
            "name": person.name, "roles": [role for role in ROLES if role in roles],
            "contact": " ".join(part for part in (person.mobile, person.mail) if part), "email": person.mail,
            "phone": person.mobile, "substitute": substitute.name if substitute and substitute is not person else "",
        }  # fmt: skip


def read_book(session: Session, today: date) -> Book:
    """People, roles and stand-ins as they are today."""
    grants: dict[tuple[str, str], list[Grant]] = {}
    for grant in session.scalars(select(Grant)):
        grants.setdefault((grant.scope, grant.scope_id), []).append(grant)
    standing_in = session.execute(
        select(Substitution.person_id, Substitution.substitute_id)
        .where(Substitution.first <= today, or_(Substitution.last.is_(None), Substitution.last >= today))
        .order_by(Substitution.first)
    )
    return Book(
        people={person.id: person for person in session.scalars(select(Person).where(Person.left_at.is_(None)))},
        grants=grants,
        standing_in={row.person_id: row.substitute_id for row in standing_in},
        agreements={
            entity.id: frozenset(entity.rights)
            for entity in session.scalars(select(Entity).where(Entity.kind == "franchise"))
        },
    )


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """One list, and the stores that want it."""

    people: list[dict[str, Any]]
    digest: str
    store_ids: tuple[str, ...]


def wanted(session: Session, today: date) -> list[Parcel]:
    """The lists that are not what stores were last sent. Reads only: at 2,000 stores it takes a while."""
    book = read_book(session, today)
    rows = session.execute(
        select(Store, PeoplePush, Delivery.state)
        .outerjoin(PeoplePush, PeoplePush.store_id == Store.id)
        .outerjoin(Delivery, (Delivery.store_id == Store.id) & (Delivery.order_id == PeoplePush.order_id))
        .where(Store.public_key.is_not(None), Store.revoked_at.is_(None))
        .order_by(Store.id)
    )
    wanting: dict[str, list[str]] = {}
    lists: dict[str, list[dict[str, Any]]] = {}
    for store, push, state in rows:
        people = book.list_for(store)
        digest = _digest(people)
        if push is None or push.digest != digest or _is_lost(push, state):
            wanting.setdefault(digest, []).append(store.id)
            lists[digest] = people
    return [
        Parcel(people=lists[digest], digest=digest, store_ids=tuple(stores[start : start + MOST_STORES]))
        for digest, stores in wanting.items()
        for start in range(0, len(stores), MOST_STORES)
    ]


def give_parcels(session: Session, parcels: Sequence[Parcel]) -> int:
    """Give the orders, but for stores that another instance has told meanwhile; how many orders."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    given = 0
    for parcel in parcels:
        rows = session.execute(
            select(Store, PeoplePush, Delivery.state)
            .outerjoin(PeoplePush, PeoplePush.store_id == Store.id)
            .outerjoin(Delivery, (Delivery.store_id == Store.id) & (Delivery.order_id == PeoplePush.order_id))
            .where(Store.id.in_(parcel.store_ids), Store.public_key.is_not(None), Store.revoked_at.is_(None))
        )
        group = [
            (store, push)
            for store, push, state in rows
            if push is None or push.digest != parcel.digest or _is_lost(push, state)
        ]
        if group:
            _give(session, parcel, group)
            given += 1
    return given


def _give(session: Session, parcel: Parcel, group: Sequence[tuple[Store, PeoplePush | None]]) -> None:
    moment = now()
    last = max((push.version for _store, push in group if push is not None), default=0)
    version = max(last + 1, int(moment.timestamp() * 1000))
    order = give_order(
        session, machine_viewer(), "people", [store for store, _push in group],
        {"version": version, "people": parcel.people}, reason="people or their roles changed", lasts=LASTS,
    )  # fmt: skip
    for store, known in group:
        push = known or PeoplePush(store_id=store.id, version=0, digest="", order_id="", pushed_at=moment)
        session.add(push)
        push.version, push.digest, push.order_id, push.pushed_at = version, parcel.digest, order.id, moment


def _is_lost(push: PeoplePush, state: str | None) -> bool:
    """Whether the last list will not arrive any more."""
    return state in ("expired", "failed") or (
        state in ("waiting", "told") and push.pushed_at + ANEW_AFTER < now()
    )  # fmt: skip


def _all_agreed(role: str, agreed: Iterable[str]) -> bool:
    acts = ACTS_OF_ROLE[role] & frozenset(FRANCHISE_ACTS)  # type: ignore[index]  # grants hold roles of the list
    return acts - HARMLESS <= frozenset(agreed) and "look" in agreed


def _digest(people: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(people, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


class Pusher:
    """Looks every two seconds whether people changed, and has the writer tell the stores concerned."""

    def __init__(self, sessions: sessionmaker[Session], writer: Writer, timezone: ZoneInfo) -> None:
        self._sessions = sessions
        self._writer = writer
        self._timezone = timezone
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hq-people", daemon=True)
        self._done = ""
        self._looked_at: datetime | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what was not sent is sent after the next start."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            try:
                self.look()
            except ClocheError as error:
                log.warning("people wait to be sent", error=describe(error))
            except Exception as error:  # noqa: BLE001  looked at again at the next beat
                log.error("people could not be sent", error=describe(error))

    def look(self) -> int:
        """Send what is due; how many orders were given."""
        moment = now()
        with self._sessions() as session:
            changed = read_fact(session, CHANGED, "")
            enrolled = session.scalar(
                select(Store.id)
                .outerjoin(PeoplePush, PeoplePush.store_id == Store.id)
                .where(Store.public_key.is_not(None), Store.revoked_at.is_(None), PeoplePush.store_id.is_(None))
                .limit(1)
            )
        if not changed:  # a head office whose people nobody has seen to yet leaves the stores their own lists
            return 0
        is_new = changed != self._done and datetime.fromisoformat(changed) + SETTLES_FOR < moment
        if not is_new and enrolled is None and self._looked_at is not None and self._looked_at + WHOLE_PASS > moment:
            return 0
        with self._sessions() as session:
            parcels = wanted(session, moment.astimezone(self._timezone).date())
        total = 0
        for start in range(0, len(parcels), MOST_ORDERS):
            if self._stop.is_set():
                return total
            total += self._give(parcels[start : start + MOST_ORDERS])
        self._done, self._looked_at = changed, moment
        return total

    def _give(self, parcels: Sequence[Parcel]) -> int:
        return int(self._writer.submit(lambda session: give_parcels(session, parcels)).result())
