"""The second factor: forced where it must be, used once a step, and asked again before dangerous acts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from accounts_desk import Browser, acts_of, database, hidden
from sqlalchemy import delete, select, update

from central.models import ApiToken, Attempt, Fact, Login, Person, RecoveryCode
from central.moments import now
from central.people.accounts import add_person, make_passphrase
from central.people.brake import FREE
from central.people.rights import ACTS_OF_ROLE, Right, Viewer
from central.people.second_factor import fitting_step, needs_second_factor
from central.testing import OfficeProcess, call_office, serve_office


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficeProcess]:
    folder = tmp_path_factory.mktemp("hq") / "office"
    made = call_office(folder, "init", "--name", "测试总部")
    with serve_office(folder, made=made) as running:
        yield running


@pytest.fixture
def browser(office: OfficeProcess) -> Iterator[Browser]:
    with database(office) as session:
        session.execute(delete(Attempt))
    with office.client() as http:
        yield Browser(http=http, office=office)


def with_factor(office: OfficeProcess, browser: Browser, login: str) -> str:
    """A new lead, logged in and set up; their passphrase."""
    passphrase = make_passphrase()
    with database(office) as session:
        add_person(session, login, passphrase, role="security_lead")
    assert browser.log_in(login, passphrase).status_code == 303
    assert browser.set_up().status_code == 200
    return passphrase


def test_the_first_login_sets_a_second_factor_up(office: OfficeProcess, browser: Browser) -> None:
    assert browser.log_in(office.officer, office.passphrase).headers["location"] == "/"
    for path in ("/", "/own", "/own/tokens"):
        answer = browser.http.get(path)
        assert answer.status_code in (303, 405)
        assert answer.headers.get("location", "/own/second-factor") == "/own/second-factor"
    answer = browser.set_up()
    assert answer.status_code == 200
    assert len(browser.codes) == 10
    assert browser.http.get("/").status_code == 200
    with database(office) as session:
        person = session.scalars(select(Person).where(Person.login == office.officer)).one()
        assert person.totp is not None
        assert browser.secret.encode() not in person.totp
    for file in office.folder.glob("hq.db*"):
        content = file.read_bytes()
        assert browser.secret.encode() not in content
        assert not any(code.encode() in content or code.replace("-", "").encode() in content for code in browser.codes)


def test_the_picture_is_served_by_us_and_is_the_code(office: OfficeProcess, browser: Browser) -> None:
    passphrase = make_passphrase()
    with database(office) as session:
        add_person(session, "picture-test", passphrase, role="security_lead")
    browser.log_in("picture-test", passphrase)
    page = browser.http.get("/own/second-factor").text
    found = re.search(r'src="(/own/second-factor/picture\?sealed=[^"]+)"', page)
    assert found
    svg = browser.http.get(found[1])
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert "<script" not in svg.text
    sealed = hidden(page, "sealed")
    assert browser.http.get(f"/own/second-factor/picture?sealed={quote(sealed[:-8])}").status_code == 422
    with office.client() as http:
        other = Browser(http=http, office=office)
        with_factor(office, other, "picture-other")
        assert other.http.get(f"/own/second-factor/picture?sealed={quote(sealed)}").status_code == 422


def test_a_wrong_first_code_sets_nothing_up(office: OfficeProcess, browser: Browser) -> None:
    passphrase = make_passphrase()
    with database(office) as session:
        add_person(session, "slip-test", passphrase, role="security_lead")
    browser.log_in("slip-test", passphrase)
    page = browser.http.get("/own/second-factor").text
    fields = {name: hidden(page, name) for name in ("form_token", "sealed")}
    assert browser.http.post("/own/second-factor", data=fields | {"code": "000000"}).status_code == 422
    with database(office) as session:
        assert session.scalars(select(Person.totp).where(Person.login == "slip-test")).one() is None


def test_a_code_is_good_once(office: OfficeProcess, browser: Browser) -> None:
    passphrase = with_factor(office, browser, "once-test")
    browser.forget_steps()
    code = browser.code()
    for expected in (303, 403):
        with office.client() as http:
            again = Browser(http=http, office=office)
            assert again.log_in("once-test", passphrase, "/own").headers["location"] == "/second?next=/own"
            assert again.post("/second", "/second", code=code, next="/own").status_code == expected
    assert acts_of(office, "login.second")


def test_codes_of_the_steps_beside_are_taken_and_no_others(browser: Browser) -> None:
    browser.secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    for steps, taken in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        assert (fitting_step(browser.secret, browser.code(steps), 0) is not None) == taken
    present = fitting_step(browser.secret, browser.code(), 0)
    assert present is not None
    assert fitting_step(browser.secret, browser.code(), present) is None


def test_with_a_code_still_owed_one_may_look_and_no_more(office: OfficeProcess, browser: Browser) -> None:
    passphrase = with_factor(office, browser, "look-test")
    with office.client() as http:
        half = Browser(http=http, office=office)
        half.log_in("look-test", passphrase)
        assert half.http.get("/").status_code == 200
        assert half.http.get("/own").headers["location"] == "/second?next=/own"
        page = half.http.get("/").text
        answer = half.http.post("/own/contacts", data={"form_token": hidden(page, "form_token"), "language": "en"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/second")
        for path in ("/own/passphrase", "/own/second-factor"):
            assert half.http.get(path).status_code == 303


def test_guessing_codes_has_to_wait(office: OfficeProcess, browser: Browser) -> None:
    passphrase = with_factor(office, browser, "guess-test")
    browser.forget_steps()
    with office.client() as http:
        thief = Browser(http=http, office=office)
        thief.log_in("guess-test", passphrase)
        for _ in range(FREE["second"]):
            assert thief.post("/second", "/second", code="000000").status_code == 403
        assert thief.post("/second", "/second", code=browser.code()).status_code == 429


def test_a_recovery_code_stands_in_once(office: OfficeProcess, browser: Browser) -> None:
    passphrase = with_factor(office, browser, "lost-test")
    for expected in (303, 403):
        with office.client() as http:
            again = Browser(http=http, office=office)
            again.log_in("lost-test", passphrase)
            assert again.post("/second", "/second", code=browser.codes[0].upper()).status_code == expected
    with database(office) as session:
        who = session.scalars(select(Person.id).where(Person.login == "lost-test")).one()
        used = [row.used_at for row in session.scalars(select(RecoveryCode).where(RecoveryCode.person_id == who))]
    assert sum(moment is not None for moment in used) == 1


def age(office: OfficeProcess, login: str) -> None:
    """Make the proof of all this person's browsers eleven minutes old."""
    with database(office) as session:
        who = session.scalars(select(Person.id).where(Person.login == login)).one()
        session.execute(
            update(Login).where(Login.person_id == who).values(second_at=now() - timedelta(minutes=11))
        )  # fmt: skip
        session.execute(update(Person).where(Person.id == who).values(totp_step=0))


def test_a_dangerous_act_asks_again_and_then_for_a_confirmation(office: OfficeProcess, browser: Browser) -> None:
    with_factor(office, browser, "danger-test")
    age(office, "danger-test")
    asked = browser.post("/own/tokens", name="测试程序 <1>", days="90", writes="yes")
    assert asked.status_code == 403
    with database(office) as session:
        assert not session.scalars(select(ApiToken).where(ApiToken.name == "测试程序 <1>")).all()
    sealed, token = hidden(asked.text, "sealed"), hidden(asked.text, "form_token")
    wrong = browser.http.post("/again", data={"form_token": token, "sealed": sealed, "code": "000000"})
    assert wrong.status_code == 403
    confirm = browser.http.post(
        "/again", data={"form_token": token, "sealed": hidden(wrong.text, "sealed"), "code": browser.code()}
    )
    assert confirm.status_code == 200
    with database(office) as session:
        assert not session.scalars(select(ApiToken).where(ApiToken.name == "测试程序 <1>")).all()
    found = re.search(r'action="(/own/tokens)"', confirm.text)
    assert found
    fields = {name: hidden(confirm.text, name) for name in ("form_token", "name", "days", "writes")}
    made = browser.http.post(found[1], data=fields)
    assert made.status_code == 200
    assert re.search(r"clq_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", made.text)
    with database(office) as session:
        row = session.scalars(select(ApiToken).where(ApiToken.name == "测试程序 <1>")).one()
        assert row.writes


def test_a_sealed_form_is_of_one_browser_and_of_ten_minutes(office: OfficeProcess, browser: Browser) -> None:
    with_factor(office, browser, "sealed-test")
    age(office, "sealed-test")
    asked = browser.post("/own/tokens", name="x", days="90")
    sealed = hidden(asked.text, "sealed")
    with office.client() as http:
        other = Browser(http=http, office=office)
        with_factor(office, other, "sealed-other")
        assert other.post("/again", sealed=sealed, code=other.code(1)).status_code == 422
    assert browser.post("/again", sealed=sealed[:-6] + "AAAAAA", code=browser.code()).status_code == 422


def test_whoever_has_no_second_factor_proves_it_by_passphrase(office: OfficeProcess, browser: Browser) -> None:
    passphrase = make_passphrase()
    with database(office) as session:
        add_person(session, "plain-test", passphrase, role="customer_service")
    browser.log_in("plain-test", passphrase)
    asked = browser.post("/own/tokens", name="测试只读", days="30")
    assert asked.status_code == 403
    sealed = hidden(asked.text, "sealed")
    assert browser.post("/again", sealed=sealed, passphrase="wrong horse battery").status_code == 403
    assert browser.post("/again", sealed=sealed, passphrase=passphrase).status_code == 200
    assert browser.post("/own/tokens", name="测试只读", days="30").status_code == 200


def test_a_second_factor_that_is_needed_stays(office: OfficeProcess, browser: Browser) -> None:
    with_factor(office, browser, "stay-test")
    assert browser.post("/own/second-factor/off").status_code == 403
    with database(office) as session:
        session.merge(Fact(key="second_factor", value="offered"))
    try:
        assert browser.post("/own/second-factor/off").status_code == 303
    finally:
        with database(office) as session:
            session.merge(Fact(key="second_factor", value="required"))
    assert browser.http.get("/").headers["location"] == "/own/second-factor"


def test_new_recovery_codes_end_the_old_ones(office: OfficeProcess, browser: Browser) -> None:
    passphrase = with_factor(office, browser, "codes-test")
    old = browser.codes[0]
    answer = browser.post("/own/second-factor/codes")
    new = re.findall(r"<code>([a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4})</code>", answer.text)
    assert len(new) == 10
    for code, expected in ((old, 403), (new[0], 303)):
        with office.client() as http:
            again = Browser(http=http, office=office)
            again.log_in("codes-test", passphrase)
            assert again.post("/second", "/second", code=code).status_code == expected


def test_whoever_may_declare_purge_or_manage_people_needs_one() -> None:
    for role, acts in ACTS_OF_ROLE.items():
        viewer = Viewer(person_id="p", name="x", rights=(Right(role=role, scope="store", scope_id="s-1"),))
        assert needs_second_factor(viewer, "required") == bool({"declare", "purge", "people"} & acts), role
        assert not needs_second_factor(viewer, "offered")
    assert not needs_second_factor(Viewer(person_id="p", name="x"), "required")
