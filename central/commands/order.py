"""`cloche-hq order`: give, list, show, sign and withdraw orders, from head office's own machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import click
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central.console import Console, console_options
from central.database.engine import open_database
from central.direct.keyfile import SIGNING_SCHEMA
from central.direct.orders import OWN_WORD, Stores, give_order, lacks_signatures, name_of, sign_order, withdraw
from central.direct.signing import sessions_with_key
from central.direct.wording import in_words, title_of
from central.models import Delivery, Order, Person, Store
from central.moments import now
from central.people.directory import machine_viewer
from central.people.rights import Viewer, viewer_of
from config.errors import UsageError
from config.orders import KINDS, OrderKind, read_order


@click.group()
def command() -> None:
    """Orders to stores."""


@command.command("give")
@console_options
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--store", "stores", multiple=True, help="Id of a store (repeatable).")
@click.option("--all", "to_all", is_flag=True, help="To all enrolled stores.")
@click.option("--params", default="{}", show_default=True, help="Parameters as JSON (docs/wire-v1.md).")
@click.option("--reason", required=True, help="A sentence, shown at the store.")
@click.option("--case", "case_id", help="The case it belongs to.")
@click.option("--hours", type=click.FloatRange(0.02, 720), default=24, show_default=True, help="How long it holds.")
@click.option("--as", "login", help="Account in whose name; else this machine's.")
@click.option("--officers", "officers_sign", is_flag=True, help="Have two officers sign although it need not be.")
def give(  # noqa: PLR0913  an order is all of these
    console: Console, *, kind: OrderKind, stores: tuple[str, ...], to_all: bool, params: str, reason: str,
    case_id: str | None, hours: float, login: str | None, officers_sign: bool,
) -> None:  # fmt: skip
    """Give an order. One that needs officers waits for them."""
    try:
        values = json.loads(params)
    except ValueError as error:
        raise UsageError("--params: not valid JSON") from error
    if not isinstance(values, dict):
        raise UsageError("--params: a JSON object")
    if kind in OWN_WORD:
        raise UsageError("in person: somebody's word is given on the page of the incident, by themselves")
    if to_all == bool(stores):
        raise UsageError("say --store or --all")
    with _session(console) as session:
        chosen: Stores = "all" if to_all else [_store(session, store) for store in stores]
        given = give_order(
            session, _viewer(session, login), kind, chosen, values, reason=reason, case_id=case_id,
            lasts=timedelta(hours=hours), officers_sign=officers_sign,
        )  # fmt: skip
        document = _row(session, given)
    line = console.text(
        "hq_direct.cli_waits" if given.sent_at is None else "hq_direct.cli_sent", id=given.id,
        kind=title_of(console.text, kind), stores=document["stores"],
    )  # fmt: skip
    console.answer({"schema": "cloche.hq-order/1", **document}, [line])


@command.command("list")
@console_options
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
def list_orders(console: Console, limit: int) -> None:
    """The newest orders."""
    with _session(console) as session:
        rows = [
            _row(session, one) for one in session.scalars(select(Order).order_by(Order.made_at.desc()).limit(limit))
        ]
    lines = [
        f"{row['id']}  {row['made_at'][:16]}  {title_of(console.text, row['kind'])}  "
        + ", ".join(f"{console.text('hq_direct.state_' + state)} {count}" for state, count in row["states"].items())
        for row in rows
    ]
    console.answer({"schema": "cloche.hq-orders/1", "orders": rows}, lines)


@command.command("show")
@console_options
@click.argument("order_id")
def show(console: Console, order_id: str) -> None:
    """One order in words, and how far each store is."""
    with _session(console) as session:
        one = _order(session, order_id)
        names = _names(session, one)
        deliveries = session.scalars(
            select(Delivery).where(Delivery.order_id == one.id).order_by(Delivery.store_id)
        ).all()
        row = _row(session, one)
    document = {
        "schema": "cloche.hq-order/1", **row, "body": one.body,
        "deliveries": [
            {
                "store": each.store_id, "number": each.number, "state": each.state, "reason": each.reason,
                "answer": each.answer, "told_at": each.told_at.isoformat() if each.told_at else None,
                "acknowledged_at": each.acknowledged_at.isoformat() if each.acknowledged_at else None,
            }
            for each in deliveries
        ],
    }  # fmt: skip
    lines = [f"{label}: {words}" for label, words in in_words(console.text, one.body, names=names)]
    lines += [
        f"  {names.get(each.store_id, each.store_id)}: {console.text('hq_direct.state_' + each.state)} {each.reason}"
        for each in deliveries
    ]
    console.answer(document, lines)


@command.command("export")
@console_options
@click.argument("order_id")
@click.argument("file", type=click.Path(dir_okay=False))
def export(console: Console, order_id: str, file: str) -> None:
    """Write an order that waits for officers to FILE, to be signed on an officer's own machine."""
    with _session(console) as session:
        one = _order(session, order_id)
        document = {"schema": SIGNING_SCHEMA, "body": one.body, "names": _names(session, one)}
    console.home.write(Path(file).absolute(), json.dumps(document, ensure_ascii=False, indent=1).encode(), mode=0o644)
    console.answer({"schema": "cloche.hq-order-export/1", "id": order_id, "file": file}, [file])


@command.command("sign")
@console_options
@click.argument("order_id")
@click.option("--person", required=True, help="Account or id of the officer whose signature it is.")
@click.option("--signature", required=True, help="What `cloche-hq officer-key sign` printed.")
def add_signature(console: Console, order_id: str, person: str, signature: str) -> None:
    """Put an officer's signature to an order; the second one sends it."""
    with _session(console) as session:
        one = _order(session, order_id)
        sign_order(session, one, _person(session, person).id, signature.strip())
        row = _row(session, one)
    key = "hq_direct.cli_waits" if one.sent_at is None else "hq_direct.cli_sent"
    line = console.text(key, id=one.id, kind=title_of(console.text, one.kind), stores=row["stores"])
    console.answer({"schema": "cloche.hq-order/1", **row}, [line])


@command.command("withdraw")
@console_options
@click.argument("order_id")
@click.option("--as", "login", help="Account in whose name; else this machine's.")
def take_back(console: Console, order_id: str, login: str | None) -> None:
    """Take an order back from all stores that have not been told."""
    with _session(console) as session:
        told = withdraw(session, _viewer(session, login), _order(session, order_id))
    line = console.text("hq_direct.cli_withdrawn", id=order_id, told=told)
    console.answer({"schema": "cloche.hq-order-withdrawn/1", "id": order_id, "told": told}, [line])


@contextmanager
def _session(console: Console) -> Iterator[Session]:
    """A transaction of this command, with the order key."""
    console.home.require()
    engine = open_database(console.home.database_url)
    try:
        with sessions_with_key(console.home, engine).begin() as session:
            yield session
    finally:
        engine.dispose()


def _viewer(session: Session, login: str | None) -> Viewer:
    if login is None:
        return machine_viewer()
    return viewer_of(session, _person(session, login), now().date())


def _person(session: Session, name: str) -> Person:
    found = session.scalar(select(Person).where((Person.login == name) | (Person.id == name)))
    if found is None:
        raise UsageError(f"{name}: nobody has this account")
    return found


def _store(session: Session, store_id: str) -> Store:
    found = session.get(Store, store_id)
    if found is None:
        raise UsageError(f"{store_id}: no such store")
    return found


def _order(session: Session, order_id: str) -> Order:
    found = session.get(Order, order_id)
    if found is None:
        raise UsageError(f"{order_id}: no such order")
    return found


def _names(session: Session, one: Order) -> dict[str, str]:
    stores = read_order(one.body).stores
    if stores == "all":
        return {}
    query = select(Store.id, Store.name).where(Store.id.in_(stores[:500]))
    return {row.id: row.name for row in session.execute(query)}


def _row(session: Session, one: Order) -> dict[str, Any]:
    body = read_order(one.body)
    query = select(Delivery.state, func.count()).where(Delivery.order_id == one.id).group_by(Delivery.state)
    states = {str(state): int(count) for state, count in session.execute(query).all()}
    return {
        "id": one.id, "kind": one.kind, "case": one.case_id, "reason": body.reason, "by": name_of(session, one.by_id),
        "stores": sum(states.values()) or (len(body.stores) if body.stores != "all" else "all"),
        "officers_needed": one.officers_needed, "lacks": lacks_signatures(session, one) if not one.sent_at else "",
        "signed_by": [cast("str", entry["key"]) for entry in one.signatures if entry["key"] != "hq"],
        "made_at": one.made_at.isoformat(), "expires_at": one.expires_at.isoformat(),
        "sent_at": one.sent_at.isoformat() if one.sent_at else None,
        "withdrawn_at": one.withdrawn_at.isoformat() if one.withdrawn_at else None, "states": states,
    }  # fmt: skip
