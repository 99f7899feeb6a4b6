"""Who may do what where: every role, every act, every scope, franchise agreements included, against a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.models import Entity, Grant, Person, Region, Store, Substitution
from central.moments import now
from central.people.rights import ACTS, ACTS_OF_ROLE, FRANCHISE_ACTS, Right, Viewer, viewer_of
from config.errors import RefusedError

TABLE = """
role              look export report declare direct isolate rescan policy drill release purge approve law people stores record settings
security_lead      +     +      +      +       +      +       +      +     +     +      +      +     +    +     +      +      +
security_deputy    +     +      +      +       +      +       +      +     +     +      +      +     +    +     +      +      -
security_member    +     +      +      -       -      -       +      -     +     -      -      -     -    -     -      -      -
response_lead      +     +      +      +       +      +       -      -     -     +      +      +     +    -     -      +      -
legal              +     +      +      -       +      -       -      -     -     +      +      +     +    -     -      +      -
privacy_officer    +     +      +      +       -      -       -      -     -     -      -      +     +    -     -      +      -
tech_support       +     -      +      -       +      +       +      -     -     -      -      -     -    -     -      -      -
customer_service   +     -      +      -       +      -       -      -     -     -      -      -     -    -     -      -      -
department_head    +     -      +      -       +      -       -      -     -     -      -      +     -    -     -      -      -
logistics          +     -      +      -       +      -       -      -     -     -      -      -     -    -     -      -      -
area_manager       +     +      +      +       -      -       +      -     +     -      -      -     -    -     -      -      -
store_manager      +     -      +      +       -      -       -      -     -     -      -      -     -    -     -      -      -
franchisee         +     +      +      +       +      -       +      -     +     -      -      +     -    -     -      -      -
"""  # noqa: E501  a table is read across

STORES = {
    "s-north": ("e-own", "r-north"), "s-south": ("e-own", "r-south"), "s-other": ("e-other", "r-north"),
    "s-free": (None, None), "s-franchise": ("e-franchise", "r-north"),
}  # fmt: skip
SCOPES = {
    ("all", ""): {"s-north", "s-south", "s-other", "s-free", "s-franchise"},
    ("entity", "e-own"): {"s-north", "s-south"},
    ("entity", "e-franchise"): {"s-franchise"},
    ("region", "r-north"): {"s-north", "s-other", "s-franchise"},
    ("store", "s-south"): {"s-south"},
    ("store", "s-franchise"): {"s-franchise"},
    ("store", "s-gone"): set(),
}
AGREED = ("look", "report", "rescan")


def table() -> dict[tuple[str, str], bool]:
    head, *rows = (line.split() for line in TABLE.strip().splitlines())
    return {(row[0], act): mark == "+" for row in rows for act, mark in zip(head[1:], row[1:], strict=True)}


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sessionmaker[Session]]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('rights') / 'hq.db'}", create=True)
    made = sessionmaker(engine, expire_on_commit=False)
    with made.begin() as session:
        for entity, kind in (("e-own", "direct"), ("e-other", "direct"), ("e-franchise", "franchise")):
            session.add(Entity(id=entity, name=entity, kind=kind, rights=list(AGREED)))
        session.add_all(Region(id=region, name=region) for region in ("r-north", "r-south"))
        session.flush()
        for store, (entity_id, region_id) in STORES.items():
            session.add(Store(id=store, name=store, entity_id=entity_id, region_id=region_id, made_at=now()))
    yield made
    engine.dispose()


@pytest.fixture
def session(sessions: sessionmaker[Session], tmp_path: Path) -> Iterator[Session]:
    with sessions() as one:
        yield one


def test_the_table_names_every_role_and_act() -> None:
    known = table()
    assert {role for role, _act in known} == set(ACTS_OF_ROLE)
    assert {act for _role, act in known} == set(ACTS)


def test_every_role_may_what_the_table_says() -> None:
    for (role, act), allowed in table().items():
        assert (act in ACTS_OF_ROLE[role]) == allowed, (role, act)  # type: ignore[index]  # roles of the table


def test_every_role_act_and_scope_reaches_the_stores_it_says(session: Session) -> None:
    stores = {store.id: store for store in session.scalars(select(Store))}
    agreements = {"e-franchise": frozenset(AGREED)}
    for (role, act), allowed in table().items():
        for (scope, scope_id), reached in SCOPES.items():
            viewer = Viewer(
                person_id="p", name="x", rights=(Right(role=role, scope=scope, scope_id=scope_id),),  # type: ignore[arg-type]
                agreements=agreements,
            )  # fmt: skip
            expected = set(reached) if allowed else set()
            if scope in ("all", "region") and act not in AGREED:
                expected -= {"s-franchise"}
            assert {name for name, store in stores.items() if viewer.may(act, store)} == expected, (role, act, scope)  # type: ignore[arg-type]
            asked = set(session.scalars(select(Store.id).where(viewer.visible(act))))  # type: ignore[arg-type]
            assert asked == expected, (role, act, scope, scope_id)


@pytest.mark.parametrize("act", FRANCHISE_ACTS)
def test_an_agreement_opens_its_act_and_no_other(session: Session, act: str) -> None:
    store = session.get(Store, "s-franchise")
    viewer = Viewer(
        person_id="p", name="x", rights=(Right(role="security_lead", scope="all"),),
        agreements={"e-franchise": frozenset({act})},
    )  # fmt: skip
    assert {one for one in ACTS if viewer.may(one, store)} == {act}


def test_the_record_and_settings_are_for_whoever_holds_a_role_everywhere() -> None:
    for scope, scope_id in (("region", "r-north"), ("entity", "e-own"), ("store", "s-south")):
        viewer = Viewer(person_id="p", name="x", rights=(Right(role="security_lead", scope=scope, scope_id=scope_id),))
        assert not viewer.may("record")
        assert not viewer.may("settings")
        assert viewer.may("look")
    with pytest.raises(RefusedError, match="settings"):
        Viewer(person_id="p", name="x", rights=(Right(role="legal", scope="all"),)).require("settings")


def test_a_stand_in_has_the_rights_for_those_days_alone(sessions: sessionmaker[Session]) -> None:
    from datetime import date

    with sessions() as session:
        for name in ("p-a", "p-b"):
            session.add(Person(id=name, name=name, made_at=now()))
        session.flush()
        session.add(Grant(person_id="p-a", role="legal", scope="all", scope_id="", since=now()))
        session.add(Substitution(person_id="p-a", substitute_id="p-b", first=date(2026, 3, 2), last=date(2026, 3, 4)))
        session.flush()
        person = session.get(Person, "p-b")
        assert person is not None
        held = [viewer_of(session, person, date(2026, 3, day)).may("law") for day in range(1, 6)]
        assert held == [False, True, True, True, False]
        person.left_at = now()
        assert not viewer_of(session, person, date(2026, 3, 3)).may("look")
        session.rollback()


def test_nobody_without_a_role_may_do_anything(session: Session) -> None:
    viewer = Viewer(person_id="p", name="x")
    assert not any(viewer.may(act) for act in ACTS)
    assert list(session.scalars(select(Store.id).where(viewer.visible()))) == []
