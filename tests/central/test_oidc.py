"""Logging in by the chain's own identity provider: a real one, honest and bent."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from accounts_desk import Browser, acts_of, database, hidden
from identity_provider import CLIENT, SECRET
from sqlalchemy import delete, select, update

from central.models import Attempt, Grant, Login, Person, ProviderRequest
from central.moments import now
from central.people.invitations import invite
from central.people.provider import subject_of
from central.testing import OfficeProcess, call_office, serve_office

PROVIDER = Path(__file__).resolve().parents[1] / "identity_provider.py"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, str(PROVIDER)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.communicate(timeout=10)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, issuer: str) -> Iterator[OfficeProcess]:
    folder = tmp_path_factory.mktemp("hq") / "office"
    made = call_office(folder, "init", "--name", "测试总部", "--second-factor", "offered")
    secret = folder / "client.secret"
    secret.write_text(f"{SECRET}\n", encoding="ascii")
    secret.chmod(0o600)
    (folder / "hq.toml").write_text(
        f'[login.oidc]\nissuer = "{issuer}"\nclient_id = "{CLIENT}"\nclient_secret_file = "{secret}"\n'
        'label = "测试身份"\n', encoding="utf-8",
    )  # fmt: skip
    with serve_office(folder, made=made) as running:
        with database(running) as session:
            known = Person(id="p-oidc", name="测试甲", login="test-a", made_at=now())
            known.subject = subject_of(issuer, "staff-0001")
            session.add(known)
            session.flush()
            session.add(Grant(person_id="p-oidc", role="security_member", scope="all", scope_id="", since=now()))
        yield running


@pytest.fixture
def browser(office: OfficeProcess, issuer: str) -> Iterator[Browser]:
    bend(issuer)
    with database(office) as session:
        session.execute(delete(Attempt))
    with office.client() as http:
        yield Browser(http=http, office=office)


def bend(issuer: str, **how: Any) -> None:
    httpx.post(f"{issuer}/bend", json=how, trust_env=False)


def leave(browser: Browser, **query: str) -> str:
    """To the provider; the address it sends the browser back to."""
    there = browser.http.get("/login/provider", params=query)
    assert there.status_code == 303, there.text
    back = httpx.get(there.headers["location"], trust_env=False)
    assert back.status_code == 302
    return back.headers["location"]


def come_back(browser: Browser, url: str) -> httpx.Response:
    return browser.http.get(url[url.index("/login/provider/back") :])


def is_inside(browser: Browser) -> bool:
    return browser.http.get("/own").status_code == 200


def test_somebody_known_comes_in_by_the_provider(browser: Browser, office: OfficeProcess) -> None:
    assert "测试身份" in browser.http.get("/login").text
    answer = come_back(browser, leave(browser, next="/own"))
    assert answer.status_code == 200
    assert 'content="0;url=/own"' in answer.text
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("__Host-cloche="))
    assert "SameSite=strict" in cookie
    assert is_inside(browser)
    assert "测试甲" in browser.http.get("/own").text


BENT = [
    {"nonce": "another"},
    {"drop": "nonce"},
    {"aud": "another-client"},
    {"aud": [CLIENT, "another"]},
    {"drop": "aud"},
    {"iss": "https://another.example"},
    {"exp": -3600},
    {"drop": "exp"},
    {"drop": "sub"},
    {"alg": "none"},
    {"alg": "HS256"},
    {"key": "other"},
]


@pytest.mark.parametrize("how", BENT, ids=[str(how) for how in BENT])
def test_a_token_that_does_not_hold_lets_nobody_in(
    browser: Browser, issuer: str, office: OfficeProcess, how: dict[str, Any]
) -> None:
    before = len(acts_of(office, "login.failed"))
    back = leave(browser)
    bend(issuer, **how)
    answer = come_back(browser, back)
    assert answer.status_code == 403
    assert "__Host-cloche=" not in str(answer.headers.get_list("set-cookie"))
    assert not is_inside(browser)
    assert len(acts_of(office, "login.failed")) == before + 1


def test_a_code_and_a_state_work_once(browser: Browser) -> None:
    back = leave(browser)
    state = browser.http.cookies["__Host-cloche-state"]
    assert come_back(browser, back).status_code == 200
    browser.http.cookies.clear()
    browser.http.cookies.set("__Host-cloche-state", state)
    assert come_back(browser, back).status_code == 403
    assert not is_inside(browser)


def test_a_replayed_code_under_a_new_state_is_refused_by_the_provider(browser: Browser) -> None:
    old = leave(browser)
    assert come_back(browser, old).status_code == 200
    browser.http.cookies.clear()
    new = leave(browser)
    mixed = new.split("code=")[0] + "code=" + old.split("code=")[1].split("&")[0] + "&state=" + new.split("state=")[1]
    assert come_back(browser, mixed).status_code == 403
    assert not is_inside(browser)


def test_a_state_of_another_browser_is_refused(browser: Browser, office: OfficeProcess) -> None:
    back = leave(browser)
    with office.client() as http:
        victim = Browser(http=http, office=office)
        leave(victim)
        assert come_back(victim, back).status_code == 403
        assert not is_inside(victim)
    for spoiled in ("?code=x", "?state=x&code=y", "?state=&code=", "?error=access_denied", ""):
        assert browser.http.get(f"/login/provider/back{spoiled}").status_code == 403


def test_an_old_state_is_refused(browser: Browser, office: OfficeProcess) -> None:
    back = leave(browser)
    with database(office) as session:
        session.execute(update(ProviderRequest).values(made_at=now() - timedelta(minutes=11)))
    assert come_back(browser, back).status_code == 403


def test_somebody_unknown_gets_no_account(browser: Browser, issuer: str, office: OfficeProcess) -> None:
    with database(office) as session:
        before = len(session.scalars(select(Person)).all())
    bend(issuer, sub="stranger-0001")
    assert come_back(browser, leave(browser)).status_code == 403
    assert not is_inside(browser)
    with database(office) as session:
        assert len(session.scalars(select(Person)).all()) == before


def test_somebody_who_left_does_not_come_in(browser: Browser, issuer: str, office: OfficeProcess) -> None:
    with database(office) as session:
        gone = Person(id="p-gone", name="测试丙", login="test-c", made_at=now(), left_at=now())
        gone.subject = subject_of(issuer, "staff-gone")
        session.add(gone)
    bend(issuer, sub="staff-gone")
    assert come_back(browser, leave(browser)).status_code == 403


def test_an_invitation_binds_an_identity_once(browser: Browser, issuer: str, office: OfficeProcess) -> None:
    with database(office) as session:
        person = Person(id="p-new", name="测试乙", login="test-b", made_at=now())
        session.add(person)
        session.flush()
        code = invite(session, person, by="p-1")
    page = browser.http.get("/invited", params={"code": code}).text
    assert f"/login/provider?code={code}" in page
    bend(issuer, sub="staff-0002")
    assert come_back(browser, leave(browser, code=code)).status_code == 200
    assert is_inside(browser)
    with database(office) as session:
        bound = session.get(Person, "p-new")
        assert bound is not None
        assert bound.subject == subject_of(issuer, "staff-0002")
    browser.http.cookies.clear()
    bend(issuer, sub="staff-0003")
    assert browser.http.get("/login/provider", params={"code": code}).headers["location"] == "/login"
    bend(issuer, sub="staff-0002")
    assert come_back(browser, leave(browser)).status_code == 200
    assert is_inside(browser)


def test_an_identity_that_is_somebodys_is_not_bound_again(browser: Browser, office: OfficeProcess) -> None:
    with database(office) as session:
        person = Person(id="p-twice", name="测试丁", login="test-d", made_at=now())
        session.add(person)
        session.flush()
        code = invite(session, person, by="p-1")
    assert come_back(browser, leave(browser, code=code)).status_code == 403
    with database(office) as session:
        assert session.scalars(select(Person.subject).where(Person.id == "p-twice")).one() is None


def test_a_dangerous_act_is_proved_by_the_provider(browser: Browser, issuer: str, office: OfficeProcess) -> None:
    assert come_back(browser, leave(browser)).status_code == 200
    asked = browser.post("/own/tokens", name="测试程序", days="30")
    assert asked.status_code == 403
    assert "/login/provider?again=yes" in asked.text
    assert hidden(asked.text, "sealed")
    bend(issuer, auth_time=-3600)
    assert come_back(browser, leave(browser, again="yes")).status_code == 403
    bend(issuer, sub="staff-0002")
    assert come_back(browser, leave(browser, again="yes")).status_code == 403
    bend(issuer)
    assert come_back(browser, leave(browser, again="yes")).status_code == 200
    assert browser.post("/own/tokens", name="测试程序", days="30").status_code == 200


def test_neither_verifier_nor_cookie_lie_in_the_database(browser: Browser, office: OfficeProcess) -> None:
    leave(browser)
    state = browser.http.cookies["__Host-cloche-state"]
    with database(office) as session:
        rows = session.scalars(select(ProviderRequest)).all()
        assert rows
        assert all(state.encode() not in row.digest and len(row.verifier) > 60 for row in rows)
        assert session.scalars(select(Login)).all() is not None


def test_a_provider_that_is_away_is_said_and_passphrases_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "office"
    made = call_office(folder, "init", "--second-factor", "offered")
    (folder / "hq.toml").write_text(
        '[login.oidc]\nissuer = "http://127.0.0.1:9"\nclient_id = "x"\n', encoding="utf-8"
    )  # fmt: skip
    with serve_office(folder, made=made) as running, running.client() as http:
        browser = Browser(http=http, office=running)
        began = time.monotonic()
        assert http.get("/login/provider").status_code == 503
        assert time.monotonic() - began < 12
        assert browser.log_in(running.officer, running.passphrase).status_code == 303
