"""Give stores orders: who may, what exactly is signed, who else has to sign, and when it goes out.

An order's text is made once and never changes; every signature is over it. One that needs officers waits for them and
goes out with the second signature. What a store then does with it is its own affair (`agent.direction`): head office
asks, the store decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal

from sqlalchemy import func, insert, literal, select, text, update
from sqlalchemy.orm import Session

from central.direct import officers
from central.direct.signing import HQ, key_of
from central.models import Case, Delivery, Order, Person, Store
from central.moments import now
from central.people.record import note_act, read_zone
from central.people.rights import Act, Viewer
from central.wire import ORDER_SCHEMA, decode, encode, is_signed, order_message
from config.errors import RefusedError, UsageError
from config.numbering import fresh_letters
from config.orders import (
    IN_PERSON,
    LONGEST,
    MOST_STORES,
    NOT_IT,
    OF_INCIDENT,
    SHORTEST,
    IncidentKind,
    Officers,
    OrderKind,
    Policy,
    officers_needed,
    read_order,
    read_params,
)  # fmt: skip
from config.overlay import loosens_defaults

Stores = Sequence[Store] | Literal["all"]

ACT_OF_KIND: Final[dict[OrderKind, Act]] = {
    "report": "report", "declare": "declare", "dismiss": "declare", "direct": "direct", "note": "direct",
    "advance": "direct", "grade": "law", "submit": "law", "isolate_on": "isolate", "isolate_off": "isolate",
    "rescan": "rescan", "policy": "policy", "pack": "policy", "drill": "drill", "people": "people",
    "officers": "settings", "release": "release", "purge": "purge", "seal": "policy",
    "approve": "approve", "fill": "law", "ack": "direct",
}  # fmt: skip
"""What somebody must be allowed at a store (`central.people.rights`) to give an order of a kind there."""
OWN_WORD: Final[frozenset[OrderKind]] = frozenset({"approve", "ack"})
"""A person's word: neither a program (by a token) nor head office's machine gives one (docs/decisions/0014)."""
MOST_CASE_TEXT: Final = 2000


def needs_officers(kind: OrderKind, stores: Stores, params: Mapping[str, Any]) -> int:
    """How many officers have to sign: 0 or 2. Whether a policy loosens is head office's estimate; the store decides.

    Raises:
        UsageError: the parameters are none of this kind.
    """
    form = read_params(kind, params)
    known = {}
    if stores != "all":
        modes = {store.mode for store in stores}
        known = {"protect.mode": "protect"} if "protect" in modes else {}
    loosens = isinstance(form, Policy) and bool(loosens_defaults(form.settings, known))
    mass = stores == "all" or len(stores) > 1
    return officers_needed(kind, mass=mass, params=form.model_dump(), loosens=loosens)


def give_order(  # noqa: PLR0913  an order is all of these
    session: Session,
    viewer: Viewer,
    kind: OrderKind,
    stores: Stores,
    params: Mapping[str, Any],
    *,
    reason: str,
    case_id: str | None = None,
    lasts: timedelta = timedelta(hours=24),
    officers_sign: bool = False,
) -> Order:
    """Make an order, sign it with head office's key, and send it, or have it wait for officers.

    Args:
        session: one with the order key (`central.direct.signing`), inside a transaction of the caller's.
        viewer: who gives it.
        kind: of the closed list.
        stores: whom; `all` are all enrolled ones that the viewer may direct so.
        params: by the kind (`config.orders`).
        reason: a sentence, shown at the store.
        case_id: of the case it belongs to.
        lasts: how long it may be carried out.
        officers_sign: have two officers sign although head office thinks it need not be (a store said so).

    Raises:
        RefusedError: the viewer may not do this in one of the stores; the message is the act.
        UsageError: parameters that are none, no store, a store that has not enrolled, no reason, a closed case; a kind
            in person for more than one store, or from nobody who is known here by name.
    """
    form = read_params(kind, params)
    act = ACT_OF_KIND[kind]
    if kind in IN_PERSON:
        _in_person(session, viewer, kind, stores)
    words = " ".join(reason.split())
    if not words or len(words) > 400:
        raise UsageError("reason: a sentence of at most 400 characters")
    if not SHORTEST <= lasts <= LONGEST:
        raise UsageError("lasts: from a minute to 30 days")
    if kind in OF_INCIDENT and not params.get("incident") and not case_id and kind != "isolate_on":
        raise UsageError("incident: say which, or give the order in a case")
    if case_id is not None and (case := session.get(Case, case_id)) is not None and case.closed_at is not None:
        raise UsageError("case: is closed")
    if case_id is not None and session.get(Case, case_id) is None:
        raise UsageError("case: there is none of this name")
    if isinstance(form, Officers) and form.policy.version <= officers.policy_in_force(session).version:
        raise UsageError("policy: is not newer than the one in force")
    named = _named(session, viewer, act, stores)
    moment = now()
    order_id = f"o-{fresh_letters(12)}"
    body = json.dumps(
        {
            "schema": ORDER_SCHEMA, "id": order_id, "kind": kind, "stores": named,
            "params": form.model_dump(mode="json", by_alias=True, exclude_unset=True), "case": case_id,
            "issued_at": moment.isoformat(timespec="milliseconds"),
            "expires_at": (moment + lasts).isoformat(timespec="milliseconds"),
            "by": {"person": viewer.person_id, "name": viewer.name}, "reason": words,
        },
        ensure_ascii=False, separators=(",", ":"),
    )  # fmt: skip
    read_order(body)  # what a store would not read is not signed
    needed = 2 if officers_sign else needs_officers(kind, stores, params)
    order = Order(
        id=order_id, kind=kind, case_id=case_id, body=body, signatures=[key_of(session).sign_order(body)],
        officers_needed=needed, by_id=viewer.person_id, made_at=moment, expires_at=moment + lasts, sent_at=None,
        withdrawn_at=None,
    )  # fmt: skip
    session.add(order)
    session.flush()
    count = len(named) if isinstance(named, list) else session.scalar(select(func.count()).where(*_enrolled())) or 0
    only = named[0] if isinstance(named, list) and len(named) == 1 else None
    note_act(session, viewer.person_id, "order.given", f"{order_id} {kind} ({count}) {words}", store_id=only)
    if isinstance(form, Officers):
        officers.keep_version(session, form.policy, order_id=order_id)
    if not needed:
        _send(session, order)
    return order


def sign_order(session: Session, order: Order, person_id: str, signature: str) -> None:
    """Add an officer's signature over the order's exact text; the second one sends it.

    Signatures of people who left, or whose keys were taken back, since they signed no longer count: they stay in the
    record and somebody else has to sign.

    Args:
        session: inside a transaction of the caller's.
        order: one that waits for officers.
        person_id: whose signature it is said to be.
        signature: base64url, Ed25519 over `central.wire.order_message` of the text.

    Raises:
        UsageError: it needs no signature, was sent, withdrawn or is over; or this person has signed already.
        RefusedError: the person is no officer, or it is not their signature over this text.
    """
    if not order.officers_needed or order.sent_at is not None:
        raise UsageError("order: needs no signature")
    if order.withdrawn_at is not None or order.expires_at <= now():
        raise UsageError("order: is withdrawn or over")
    keys = officers.keys_that_count(session, person_id)
    try:
        raw = decode(signature)
    except ValueError:
        raw = b""
    message = order_message(order.body.encode())
    if not any(is_signed(key, message, raw) for key in keys):
        note_act(session, person_id, "order.not_signed", order.id)
        raise RefusedError("signature")
    if any(entry["key"] == person_id for entry in order.signatures):
        raise UsageError("order: you have signed it already")
    order.signatures = [*order.signatures, {"key": person_id, "signature": encode(raw)}]
    note_act(session, person_id, "order.signed", f"{order.id} {order.kind}")
    session.flush()
    if not lacks_signatures(session, order):
        _send(session, order)


def lacks_signatures(session: Session, order: Order) -> str:
    """What officers still have to sign: '', `people` or `not_it`."""
    if not order.officers_needed:
        return ""
    message = order_message(order.body.encode())
    signers = [
        entry["key"]
        for entry in order.signatures
        if entry["key"] != HQ
        and any(
            is_signed(key, message, decode(entry["signature"]))
            for key in officers.keys_that_count(session, entry["key"])
        )
    ]
    return officers.policy_in_force(session).lacks(signers, not_it=order.kind in NOT_IT)


def withdraw(session: Session, viewer: Viewer, order: Order) -> int:
    """Take an order back from every store that has not been told; how many had been told already.

    Raises:
        RefusedError: the viewer may not give such an order to each of its stores, nor was it theirs.
        UsageError: all stores have been told, or it is withdrawn.
    """
    if order.by_id != viewer.person_id:
        require_for(session, viewer, order)
    if order.withdrawn_at is not None:
        raise UsageError("order: is withdrawn already")
    own = Delivery.order_id == order.id
    told = session.scalar(select(func.count()).where(own, Delivery.told_at.is_not(None))) or 0
    waiting = session.scalar(select(func.count()).where(own, Delivery.told_at.is_(None))) or 0
    if order.sent_at is not None and not waiting:
        raise UsageError("order: every store has been told")
    session.execute(
        update(Delivery).where(own, Delivery.told_at.is_(None)).values(state="withdrawn", acknowledged_at=None)
    )
    order.withdrawn_at = now()
    note_act(session, viewer.person_id, "order.withdrawn", f"{order.id} {order.kind} (told: {told})")
    session.flush()
    return told


def require_for(session: Session, viewer: Viewer, order: Order) -> None:
    """Go on only if the viewer might give this order.

    Raises:
        RefusedError: not in each of its stores.
    """
    named = read_order(order.body).stores
    stores: Stores = "all" if named == "all" else session.scalars(select(Store).where(Store.id.in_(named))).all()
    _named(session, viewer, ACT_OF_KIND[read_order(order.body).kind], stores, enrolled=False)


def open_case(session: Session, viewer: Viewer, kind: IncidentKind, summary: str) -> Case:
    """Begin a case: one leak, however many stores it touches. Its id names the day where head office is.

    Raises:
        RefusedError: the viewer may declare nowhere.
        UsageError: nothing is said.
    """
    viewer.require("declare")
    words = summary.strip()[:MOST_CASE_TEXT]
    if not words:
        raise UsageError("summary: say in a sentence what was seen")
    moment = now()
    day = moment.astimezone(read_zone(session))
    case = Case(
        id=f"c-{day:%Y%m%d}-{fresh_letters(6)}", kind=kind, summary=words, made_at=moment,
        by_id=viewer.person_id, closed_at=None,
    )  # fmt: skip
    session.add(case)
    session.flush()
    note_act(session, viewer.person_id, "case.opened", f"{case.id} {kind}")
    return case


def _in_person(session: Session, viewer: Viewer, kind: OrderKind, stores: Stores) -> None:
    """What counts as somebody's own word or work comes from that person, for one store."""
    person = session.get(Person, viewer.person_id)
    if person is None or person.left_at is not None or person.name != viewer.name:
        raise UsageError("in person: an order of this kind is given by a person known here, not by a machine")
    if kind in OWN_WORD and viewer.token_id:
        raise UsageError("in person: a program gives nobody's word; it is given on the page of the incident")
    if stores == "all" or len(stores) != 1:
        raise UsageError("stores: an order of this kind is about one store")


def _named(
    session: Session, viewer: Viewer, act: Act, stores: Stores, *, enrolled: bool = True
) -> list[str] | Literal["all"]:
    """The stores by their ids, each allowed; `all` where really all of them are."""
    if stores == "all":
        allowed = session.scalars(select(Store.id).where(*_enrolled(), viewer.visible(act)).order_by(Store.id)).all()
        count = session.scalar(select(func.count()).where(*_enrolled())) or 0
        if not allowed:
            if count:
                raise RefusedError(act)
            raise UsageError("stores: none has enrolled")
        if len(allowed) == count:
            return "all"
        if len(allowed) > MOST_STORES:
            raise UsageError(f"stores: more than {MOST_STORES}: give the order by region")
        return list(allowed)
    if not stores:
        raise UsageError("stores: none")
    if len(stores) > MOST_STORES:
        raise UsageError(f"stores: more than {MOST_STORES}: give the order by region")
    for store in stores:
        viewer.require(act, store)
        if enrolled and (store.public_key is None or store.revoked_at is not None):
            raise UsageError(f"{store.name}: has not enrolled, or was let go")
    return sorted({store.id for store in stores})


def _enrolled() -> tuple[Any, ...]:
    return Store.public_key.is_not(None), Store.revoked_at.is_(None)


def _send(session: Session, order: Order) -> None:
    """A delivery for each store, numbered after its last one.

    Numbers of two orders given at once by two instances would collide: PostgreSQL takes a lock of its own for it
    (SQLite has one writer).
    """
    body = read_order(order.body)
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(4102, 1)"))
    last = (
        select(func.coalesce(func.max(Delivery.number), 0))
        .where(Delivery.store_id == Store.id)
        .correlate(Store)
        .scalar_subquery()
    )
    moment = now()
    chosen = select(
        Store.id, last + 1, literal(order.id), literal(moment, Delivery.made_at.type), literal("waiting"), literal(""),
        literal(0),
    ).where(*_enrolled())  # fmt: skip
    columns = ["store_id", "number", "order_id", "made_at", "state", "reason", "report_number"]
    if body.stores == "all":
        session.execute(insert(Delivery).from_select(columns, chosen))
    else:
        for start in range(0, len(body.stores), 500):
            part = chosen.where(Store.id.in_(body.stores[start : start + 500]))
            session.execute(insert(Delivery).from_select(columns, part))
    order.sent_at = moment
    if order.kind == "officers":
        officers.put_in_force(session, Officers.model_validate(body.params).policy.version)
    note_act(session, order.by_id, "order.sent", f"{order.id} {order.kind}")
    session.flush()


def name_of(session: Session, person_id: str) -> str:
    """A person's name, else the id."""
    person = session.get(Person, person_id)
    return person.name if person else person_id
