"""People of the plan: roles given and taken, hand-overs, leaving, substitutes, import, contacts, what stores get."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from accounts_desk import Browser, acts_of, database
from hq_founding import found
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.models import ApiToken, Entity, Grant, Login, OfficerKey, Person, Region, Store, Substitution
from central.moments import now
from central.people import directory
from central.people.accounts import begin_login
from central.people.contacts import unconfirmed, without_contacts
from central.people.directory import machine_viewer
from central.people.importing import import_people
from central.people.push import read_book
from central.people.rights import Right, Viewer, viewer_of
from central.people.tokens import make_token
from central.testing import PROGRAM, OfficeProcess, serve_office
from config.errors import RefusedError, UsageError
from config.schema import Person as StorePerson
from config.text import Text

LEAD = Right(role="security_lead", scope="all")
MANAGER = Right(role="store_manager", scope="store", scope_id="s-1")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    engine = open_database(f"sqlite:///{tmp_path / 'hq.db'}", create=True)
    with sessionmaker(engine, expire_on_commit=False).begin() as session:
        session.add(Entity(id="e-1", name="测试直营", kind="direct", rights=[]))
        session.add(Entity(id="e-f", name="测试加盟", kind="franchise", rights=["look", "report"]))
        session.add(Region(id="r-1", name="测试北区"))
        session.flush()
        for store, entity, region in (("s-1", "e-1", "r-1"), ("s-2", "e-1", None), ("s-f", "e-f", "r-1")):
            session.add(Store(id=store, name=f"测试{store}", entity_id=entity, region_id=region, made_at=now()))
        session.flush()
        yield session
    engine.dispose()


def somebody(session: Session, name: str, *rights: Right, login: bool = False) -> Person:
    person = Person(id=f"p-{name}", name=name, login=name if login else None, made_at=now())
    person.passphrase = "$argon2id$test" if login else None
    session.add(person)
    session.flush()
    for right in rights:
        session.add(
            Grant(person_id=person.id, role=right.role, scope=right.scope, scope_id=right.scope_id, since=now())
        )
    session.flush()
    return person


def viewer(session: Session, person: Person) -> Viewer:
    session.flush()
    return viewer_of(session, person, now().date())


def test_a_lead_gives_and_takes_roles_and_logins_end(session: Session) -> None:
    lead = somebody(session, "lead", LEAD, login=True)
    other = somebody(session, "other", login=True)
    begin_login(session, other, "127.0.0.1")
    session.flush()
    by = viewer(session, lead)
    assert directory.grant(session, by, other, MANAGER)
    assert not directory.grant(session, by, other, MANAGER)
    assert session.scalars(select(Login)).all() == []
    assert viewer(session, other).may("declare", session.get(Store, "s-1"))
    directory.revoke(session, by, other, MANAGER)
    assert not viewer(session, other).may("look")


def test_nobody_gives_more_than_they_hold(session: Session) -> None:
    deputy = somebody(session, "deputy", Right(role="security_deputy", scope="all"), login=True)
    area = somebody(session, "area", Right(role="security_deputy", scope="region", scope_id="r-1"), login=True)
    other = somebody(session, "other")
    with pytest.raises(RefusedError, match="settings"):
        directory.grant(session, viewer(session, deputy), other, LEAD)
    with pytest.raises(RefusedError):
        directory.grant(session, viewer(session, area), other, Right(role="legal", scope="all"))
    with pytest.raises(RefusedError):
        directory.grant(session, viewer(session, area), other, Right(role="legal", scope="store", scope_id="s-2"))
    assert directory.grant(session, viewer(session, area), other, Right(role="legal", scope="store", scope_id="s-1"))
    manager = somebody(session, "manager", MANAGER, login=True)
    with pytest.raises(RefusedError, match="people"):
        directory.grant(session, viewer(session, manager), other, MANAGER)


def test_nobody_gives_to_themselves(session: Session) -> None:
    lead = somebody(session, "lead", LEAD, login=True)
    with pytest.raises(RefusedError, match="not_oneself"):
        directory.grant(session, viewer(session, lead), lead, Right(role="legal", scope="all"))


def test_the_last_lead_who_can_log_in_stays(session: Session) -> None:
    lead = somebody(session, "lead", LEAD, login=True)
    somebody(session, "silent-lead", LEAD)
    by = machine_viewer()
    for attempt in (
        lambda: directory.revoke(session, by, lead, LEAD),
        lambda: directory.leave(session, by, lead),
        lambda: directory.hand_over(session, by, lead, somebody(session, "no-account")),
    ):
        with pytest.raises(RefusedError, match="last_lead"):
            attempt()
    second = somebody(session, "second", LEAD, login=True)
    directory.leave(session, by, lead)
    assert lead.left_at is not None
    with pytest.raises(RefusedError, match="last_lead"):
        directory.leave(session, by, second)


def test_a_franchise_and_head_office_do_not_share_people(session: Session) -> None:
    lead = somebody(session, "lead", LEAD, login=True)
    by = viewer(session, lead)
    there = Right(role="franchisee", scope="entity", scope_id="e-f")
    theirs, ours = somebody(session, "theirs"), somebody(session, "ours", Right(role="legal", scope="all"))
    directory.grant(session, by, theirs, there)
    for person, right in ((ours, there), (theirs, Right(role="legal", scope="all"))):
        with pytest.raises(RefusedError, match="franchise_apart"):
            directory.grant(session, by, person, right)
    with pytest.raises(RefusedError, match="franchise_apart"):
        directory.stand_in(session, by, theirs, ours, date(2026, 1, 1), None)


def test_whoever_leaves_loses_everything_at_once(session: Session) -> None:
    lead = somebody(session, "lead", LEAD, login=True)
    person = somebody(session, "goes", MANAGER, login=True)
    begin_login(session, person, "127.0.0.1")
    make_token(session, person, "测试程序")
    session.add(OfficerKey(person_id=person.id, public_key=bytes(32), made_at=now()))
    session.add(Substitution(person_id=lead.id, substitute_id=person.id, first=date(2026, 1, 1)))
    session.flush()
    directory.leave(session, viewer(session, lead), person)
    session.flush()
    session.expire_all()
    assert session.scalars(select(Grant).where(Grant.person_id == person.id)).all() == []
    assert session.scalars(select(Login)).all() == []
    assert session.scalars(select(Substitution)).all() == []
    assert all(token.revoked_at for token in session.scalars(select(ApiToken)))
    assert all(key.revoked_at for key in session.scalars(select(OfficerKey)))
    assert person.passphrase is None


def test_a_hand_over_moves_every_role_or_none(session: Session) -> None:
    lead = somebody(session, "lead", LEAD, login=True)
    legal = Right(role="legal", scope="all")
    giver, taker = somebody(session, "giver", legal, MANAGER), somebody(session, "taker")
    assert directory.hand_over(session, viewer(session, lead), giver, taker) == 2
    assert directory.rights_of(session, giver) == []
    assert {right.role for right in directory.rights_of(session, taker)} == {"legal", "store_manager"}
    with pytest.raises(RefusedError, match="nothing_held"):
        directory.hand_over(session, viewer(session, lead), giver, taker)


def test_one_names_ones_own_substitute(session: Session) -> None:
    person, other = somebody(session, "person", MANAGER), somebody(session, "other")
    today = now().date()
    directory.stand_in(session, viewer(session, person), person, other, today, today)
    assert viewer(session, other).may("declare", session.get(Store, "s-1"))
    with pytest.raises(UsageError):
        directory.stand_in(session, viewer(session, person), person, other, today, today - timedelta(days=1))
    stranger = somebody(session, "stranger", Right(role="logistics", scope="all"))
    with pytest.raises(RefusedError):
        directory.stand_in(session, viewer(session, stranger), person, stranger, today, None)
    directory.end_stand_in(session, viewer(session, person), person, other.id, today)
    assert not viewer(session, other).may("declare")


def test_names_and_accounts_are_used_once(session: Session) -> None:
    by = machine_viewer()
    directory.add(session, by, "测试甲", login="a-test")
    for name, login in (("测试甲", ""), ("测试乙", "a-test"), ("", ""), ("测试乙", "a b")):
        with pytest.raises(UsageError):
            directory.add(session, by, name, login=login)


def test_contacts_wait_to_be_confirmed_after_31_days(session: Session) -> None:
    fresh, old, _never = (somebody(session, name, MANAGER) for name in ("fresh", "old", "never"))
    somebody(session, "without-role")
    fresh.confirmed_at, old.confirmed_at = now() - timedelta(days=30), now() - timedelta(days=33)
    session.flush()
    assert [person.name for person in unconfirmed(session, now())] == ["never", "old"]


def test_a_list_of_people_is_shown_to_programs_without_contacts() -> None:
    row = {"name": "测试甲", "roles": ["legal"], "phone": "138 0000 0001", "email": "a@example.com", "contact": "138"}
    assert without_contacts("people", {"version": 1, "people": [row]}) == {
        "version": 1, "people": [{"name": "测试甲", "roles": ["legal"]}],
    }  # fmt: skip
    assert without_contacts("rescan", {"full": True}) == {"full": True}


def test_a_table_is_taken_whole_or_not_at_all(session: Session) -> None:
    table = (
        "name\tlogin\tmobile\troles\n"
        "测试甲\ta-test\t138 0000 0001\tstore_manager@store:测试s-1\n"
        "\n"
        "测试乙\t\t138 0000 0002\tlegal@all; privacy_officer@all\n"
    )
    done = import_people(session, machine_viewer(), table, text=Text("en"))
    assert (done.added, done.known, done.roles) == (2, 0, 3)
    again = import_people(session, machine_viewer(), table, text=Text("en"))
    assert (again.added, again.known, again.roles) == (0, 2, 0)
    for bad, where in (
        ("name,roles\n测试丙,chef@all\n", "2: chef"),
        ("name,roles\n测试丙,\n测试丁,legal@store:nowhere\n", "3: store:nowhere"),
        ("name,mobile\n测试戊,not a number\n", "2: mobile"),
        ("who,mobile\nx,y\n", "1: The heading"),
        ("name\na,b,c\n", "2: More cells"),
        ('name\n"a', ""),
    ):
        if where:
            with pytest.raises(UsageError, match=where):
                import_people(session, machine_viewer(), bad, text=Text("en"))


def people_for(session: Session, store: Store, today: date = date(2026, 3, 1)) -> list[dict[str, Any]]:
    return read_book(session, today).list_for(store)


def test_a_store_gets_its_own_people_and_no_more(session: Session) -> None:
    somebody(session, "一总", LEAD)
    manager = somebody(session, "二店", MANAGER, Right(role="logistics", scope="region", scope_id="r-1"))
    manager.mobile, manager.mail = "138 0000 0001", "test-a@example.com"
    somebody(session, "三店", Right(role="store_manager", scope="store", scope_id="s-2"))
    somebody(session, "四区", Right(role="area_manager", scope="region", scope_id="r-1"))
    somebody(session, "五主", Right(role="department_head", scope="entity", scope_id="e-1"))
    session.flush()
    first, second = session.get(Store, "s-1"), session.get(Store, "s-2")
    assert first is not None
    assert second is not None
    found = {row["name"]: row for row in people_for(session, first)}
    assert set(found) == {"一总", "二店", "四区", "五主"}
    assert set(found["二店"]["roles"]) == {"store_manager", "logistics"}
    assert (found["二店"]["phone"], found["二店"]["email"]) == ("138 0000 0001", "test-a@example.com")
    assert {row["name"] for row in people_for(session, second)} == {"一总", "三店", "五主"}
    for row in found.values():
        StorePerson.model_validate(row)
        assert "user" not in row


def test_a_franchises_store_gets_head_offices_people_by_agreement_alone(session: Session) -> None:
    somebody(session, "总部组长", LEAD)
    somebody(session, "总部客服", Right(role="customer_service", scope="all"))
    somebody(session, "区域", Right(role="area_manager", scope="region", scope_id="r-1"))
    somebody(session, "加盟商", Right(role="franchisee", scope="entity", scope_id="e-f"))
    session.flush()
    store, entity = session.get(Store, "s-f"), session.get(Entity, "e-f")
    assert store is not None
    assert entity is not None
    assert [row["name"] for row in people_for(session, store)] == ["加盟商"]
    entity.rights = ["look", "export", "report", "declare", "rescan", "drill"]
    session.flush()
    assert {row["name"] for row in people_for(session, store)} == {"加盟商", "区域"}
    entity.rights = [*entity.rights, "direct"]
    session.flush()
    assert {row["name"] for row in people_for(session, store)} == {"加盟商", "区域", "总部客服"}


def test_a_stand_in_stands_on_the_stores_list_too(session: Session) -> None:
    person, other = somebody(session, "甲", MANAGER), somebody(session, "乙")
    directory.stand_in(session, viewer(session, person), person, other, date(2026, 3, 2), date(2026, 3, 4))
    store = session.get(Store, "s-1")
    assert store is not None
    rows = {row["name"]: row for row in people_for(session, store, date(2026, 3, 3))}
    assert rows["甲"]["substitute"] == "乙"
    assert rows["乙"]["roles"] == ["store_manager"]
    assert {row["name"] for row in people_for(session, store, date(2026, 3, 5))} == {"甲"}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficeProcess]:
    folder = tmp_path_factory.mktemp("hq") / "office"
    with serve_office(folder, made=found(folder)) as running:
        yield running


@pytest.fixture
def lead(office: OfficeProcess) -> Iterator[Browser]:
    """The first officer, freshly proved."""
    with office.client() as http:
        browser = Browser(http=http, office=office)
        assert browser.log_in(office.officer, office.passphrase).status_code == 303
        with database(office) as session:
            for login in session.scalars(select(Login)):
                login.second_at = now()
        yield browser


def id_of(office: OfficeProcess, name: str) -> str:
    with database(office) as session:
        return session.scalars(select(Person.id).where(Person.name == name)).one()


def test_somebody_is_added_invited_and_given_a_role_on_the_pages(office: OfficeProcess, lead: Browser) -> None:
    shown = lead.post("/people", "/people", name="页面甲 <b>", login="page-a", mobile="138 0000 0003")
    assert shown.status_code == 200
    assert "/invited?code=" in shown.text
    assert "<b>" not in shown.text
    who = id_of(office, "页面甲 <b>")
    assert lead.post(f"/people/{who}/grant", role="legal", scope="all").status_code == 303
    page = lead.http.get("/people", params={"role": "legal", "q": "页面甲"}).text
    assert "page-a" in page
    assert "138 0000 0003" in page
    assert lead.http.get(f"/people/{who}", params={"lang": "en"}).status_code == 200
    assert lead.post(f"/people/{who}/grant", role="chef", scope="all").status_code == 422
    assert lead.post(f"/people/{who}/revoke", role="legal", scope="all").status_code == 303


def test_without_a_fresh_proof_a_role_is_not_given(office: OfficeProcess, lead: Browser) -> None:
    lead.post("/people", "/people", name="页面乙")
    who = id_of(office, "页面乙")
    with database(office) as session:
        for login in session.scalars(select(Login)):
            login.second_at = None
    assert lead.post(f"/people/{who}/grant", role="legal", scope="all").status_code == 403
    with database(office) as session:
        assert session.scalars(select(Grant).where(Grant.person_id == who)).all() == []


def test_leaving_needs_a_tick_and_ends_the_browser_of_the_one_who_left(office: OfficeProcess, lead: Browser) -> None:
    from central.people.accounts import add_person, make_passphrase

    passphrase = make_passphrase()
    with database(office) as session:
        who = add_person(session, "goes-page", passphrase, role="customer_service").id
    with office.client() as http:
        other = Browser(http=http, office=office)
        other.log_in("goes-page", passphrase)
        assert other.http.get("/own").status_code == 200
        assert lead.post(f"/people/{who}/leave").status_code == 422
        assert lead.post(f"/people/{who}/leave", confirmed="yes").status_code == 303
        assert other.http.get("/own").status_code == 303
        assert other.log_in("goes-page", passphrase).status_code == 403
    assert acts_of(office, "person.left")[-1].detail.startswith(who)


def test_a_form_sent_after_ones_removal_does_nothing_and_says_so(office: OfficeProcess) -> None:
    from accounts_desk import hidden

    from central.people.accounts import add_person, make_passphrase

    passphrase = make_passphrase()
    with database(office) as session:
        who = add_person(session, "middle-test", passphrase, role="security_deputy").id
    with office.client() as http:
        browser = Browser(http=http, office=office)
        browser.log_in("middle-test", passphrase)
        page = browser.http.get("/people").text
        fields = {"form_token": hidden(page, "form_token"), "name": "不该出现"}
        with database(office) as session:
            for grant in session.scalars(select(Grant).where(Grant.person_id == who)):
                session.delete(grant)
        answer = browser.http.post("/people", data=fields)
        assert answer.status_code == 403
        assert "人员管理" in answer.text
        with database(office) as session:
            person = session.get(Person, who)
            assert person is not None
            person.left_at = now()
        assert browser.http.post("/people", data=fields).headers["location"] == "/login?ended=yes"
        assert "没有执行" in browser.http.get("/login?ended=yes").text
    with database(office) as session:
        assert session.scalars(select(Person).where(Person.name == "不该出现")).all() == []


def test_people_of_elsewhere_do_not_exist_for_an_entitys_own_lead(office: OfficeProcess, lead: Browser) -> None:
    from central.people.accounts import add_person, make_passphrase

    passphrase = make_passphrase()
    with database(office) as session:
        session.add(Entity(id="e-page", name="测试加盟页", kind="franchise", rights=[]))
        session.flush()
        own = add_person(session, "entity-lead", passphrase)
        session.add(Grant(person_id=own.id, role="security_lead", scope="entity", scope_id="e-page", since=now()))
        own_id, admin = own.id, session.scalars(select(Person.id).where(Person.login == office.officer)).one()
    with office.client() as http:
        browser = Browser(http=http, office=office)
        browser.log_in("entity-lead", passphrase)
        page = browser.http.get("/people").text
        assert f"/people/{own_id}" in page
        assert f"/people/{admin}" not in page
        assert browser.http.get(f"/people/{admin}").status_code == 404
        assert browser.http.get("/record").status_code == 403
        assert browser.http.get("/settings").status_code == 403
        deadline = time.monotonic() + 8
        while not any(act.actor == own_id and "/settings" in act.detail for act in acts_of(office, "refused")):
            assert time.monotonic() < deadline, "the refusal is not on record"
            time.sleep(0.2)
        assert browser.post(f"/people/{admin}/contacts", "/people", mobile="138 0000 0009").status_code == 404


def test_the_record_page_shows_filters_verifies_and_exports(office: OfficeProcess, lead: Browser) -> None:
    lead.post("/people", "/people", name="=留痕甲")
    page = lead.http.get("/record", params={"act": "person.added", "lang": "en"}).text
    assert "=留痕甲" in page
    assert "person.passphrase" not in page
    assert lead.http.get("/record", params={"person": office.officer, "first": "2020-01-01", "last": "2020-01-02"}).text
    assert lead.http.get("/record", params={"first": "yesterday"}).status_code == 422
    assert lead.http.get("/record/views", params={"person": office.officer}).status_code == 200
    whole = lead.post("/record/verify", "/record")
    assert whole.status_code == 200
    assert "The record is whole" in whole.text or "留痕完整" in whole.text
    table = lead.http.get("/record/record.csv").content.decode("utf-8-sig").splitlines()
    assert table[0].startswith("number,at,actor")
    assert ",head," in table[-1]
    assert len(table) > 5
    assert not any(cell[:1] in "=+@" for line in table for cell in line.split(",") if cell)


def test_a_changed_entry_is_named_on_the_page_and_by_the_command(office: OfficeProcess, lead: Browser) -> None:
    from sqlalchemy import update

    from central.models import Act

    with database(office) as session:
        act = session.scalars(select(Act).order_by(Act.id).limit(1)).one()
        number, before = act.id, act.detail
        session.execute(update(Act).where(Act.id == number).values(detail="made up"))
    broken = lead.post("/record/verify", "/record")
    done = subprocess.run(
        [*PROGRAM, "record", "verify", "--home", str(office.folder), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    with database(office) as session:
        session.execute(update(Act).where(Act.id == number).values(detail=before))
    assert f"{number}" in broken.text
    assert 'role="alert"' in broken.text
    assert done.returncode == 1
    assert str(number) in json.loads(done.stdout)["error"]
    assert json.loads(office_call(office, "record", "verify"))["entries"] >= number


def office_call(office: OfficeProcess, *arguments: str) -> str:
    return subprocess.run(
        [*PROGRAM, *arguments, "--home", str(office.folder), "--json"], capture_output=True, text=True, check=True
    ).stdout


def test_settings_are_changed_on_the_page_and_on_record(office: OfficeProcess, lead: Browser) -> None:
    assert lead.post("/settings", "/settings", name="测试总部", zone="Mars/One", policy="offered").status_code == 422
    changed = lead.post("/settings", "/settings", name="测试总部二", zone="Asia/Shanghai", policy="offered")
    assert changed.status_code == 303
    assert "测试总部二" in acts_of(office, "settings.changed")[-1].detail
    assert "测试总部二" in lead.http.get("/settings").text


def test_the_command_line_keeps_people(office: OfficeProcess, tmp_path: Path) -> None:
    made = office.call("people", "add", "命令甲", "--login", "command-a", "--role", "legal@all")
    assert made["roles"] == ["legal@all"]
    assert made["invitation"]
    office.call("people", "grant", "命令甲", "privacy_officer@all")
    office.call("people", "revoke", "command-a", "legal@all")
    office.call("people", "add", "命令乙")
    office.call("people", "substitute", "命令甲", "命令乙", "--last", "2099-01-01")
    assert office.call("people", "hand-over", "命令甲", "命令乙", "--yes")["roles"] == ["privacy_officer@all"]
    listed = {row["name"]: row for row in office.call("people", "list", "--late")["people"]}
    assert listed["命令乙"]["late"]
    table = tmp_path / "people.csv"
    table.write_text("name,roles\n命令丙,logistics@all\n", encoding="utf-8")
    assert office.call("people", "import", str(table))["added"] == 1
    assert office.call("people", "leave", "命令甲", "--yes")["roles"] == []
    refused = subprocess.run(
        [*PROGRAM, "people", "leave", "nobody-test", "--yes", "--home", str(office.folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "nobody-test" in refused.stderr
