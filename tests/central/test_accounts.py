"""Logging in and staying logged in: the brake on guessing, idle and longest time, cookies, forms, passphrases."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from accounts_desk import Browser, acts_of, database, hidden
from hq_founding import found
from sqlalchemy import delete, select, update

from central.models import Attempt, Grant, Login, Person, View
from central.moments import now
from central.people.accounts import add_person, find_login
from central.people.brake import FIRST_WAIT, FREE, LONGEST_WAIT, note_failures, subject, wait_seconds
from central.people.invitations import invite
from central.people.passphrases import check_passphrase, hash_passphrase, make_passphrase
from central.testing import OfficeProcess, serve_office
from config.errors import UsageError


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficeProcess]:
    folder = tmp_path_factory.mktemp("hq") / "office"
    with serve_office(folder, made=found(folder)) as running:
        yield running


@pytest.fixture
def browser(office: OfficeProcess) -> Iterator[Browser]:
    with database(office) as session:
        session.execute(delete(Attempt))
    with office.client() as http:
        yield Browser(http=http, office=office)


@pytest.fixture
def inside(browser: Browser, office: OfficeProcess) -> Browser:
    assert browser.log_in(office.officer, office.passphrase).status_code == 303
    return browser


def add(office: OfficeProcess, login: str, role: str | None = "store_manager", **more: bool) -> str:
    passphrase = make_passphrase()
    with database(office) as session:
        add_person(session, login, passphrase, role=role, **more)  # type: ignore[arg-type]
    return passphrase


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser, office: OfficeProcess) -> None:
    answer = browser.log_in(office.officer, office.passphrase)
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("__Host-cloche="))
    for flag in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert flag in cookie
    assert "Domain" not in cookie


def test_every_answer_carries_the_security_headers(inside: Browser) -> None:
    for path in ("/", "/login", "/own", "/nothing", "/static/cloche.css"):
        headers = inside.http.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["strict-transport-security"].startswith("max-age=")
        if not path.startswith("/static/"):
            assert headers["cache-control"] == "no-store"


def test_a_page_leads_to_the_login_and_back(browser: Browser, office: OfficeProcess) -> None:
    there = browser.http.get("/own")
    assert (there.status_code, there.headers["location"]) == (303, "/login?next=/own")
    assert browser.log_in(office.officer, office.passphrase, "/own").headers["location"] == "/own"


@pytest.mark.parametrize("elsewhere", ["//evil.example/", "https://evil.example", "/\\evil.example", "javascript:1"])
def test_the_login_never_leads_to_another_site(browser: Browser, office: OfficeProcess, elsewhere: str) -> None:
    assert browser.log_in(office.officer, office.passphrase, elsewhere).headers["location"] == "/"


def test_a_link_from_a_chat_finds_the_login_that_is_there(browser: Browser) -> None:
    there = browser.http.get("/own", headers={"sec-fetch-site": "cross-site"})
    assert there.status_code == 200
    assert 'content="0;url=/own"' in there.text


def test_failures_make_a_name_wait_longer_each_time(browser: Browser, office: OfficeProcess) -> None:
    for _ in range(FREE["name"]):
        assert browser.log_in(office.officer, "wrong horse battery").status_code == 403
    waiting = browser.log_in(office.officer, office.passphrase)
    assert waiting.status_code == 429
    first = int(waiting.headers["retry-after"])
    assert 0 < first <= FIRST_WAIT.total_seconds() + 1
    with database(office) as session:
        session.execute(update(Attempt).values(since=now() - FIRST_WAIT - timedelta(seconds=1)))
    assert browser.log_in(office.officer, "wrong again, really").status_code == 403
    second = int(browser.log_in(office.officer, office.passphrase).headers["retry-after"])
    assert second > first
    with database(office) as session:
        session.execute(update(Attempt).values(since=now() - LONGEST_WAIT - timedelta(seconds=1)))
    assert browser.log_in(office.officer, office.passphrase).status_code == 303
    assert browser.log_in(office.officer, "wrong horse battery").status_code == 403


def test_the_longest_wait_is_a_quarter_of_an_hour(office: OfficeProcess) -> None:
    with database(office) as session:
        for _ in range(60):
            note_failures(session, subject("name", "测试甲"))
        assert wait_seconds(session, subject("name", "测试甲")) <= LONGEST_WAIT.total_seconds() + 1
        assert wait_seconds(session, subject("name", "测试乙")) == 0
        session.execute(delete(Attempt))


def test_what_was_typed_as_a_name_is_kept_nowhere(browser: Browser, office: OfficeProcess) -> None:
    typed = "my-secret-typed-in-the-wrong-field"
    assert browser.log_in(typed, "wrong horse battery").status_code == 403
    for file in office.folder.glob("hq.db*"):
        assert typed.encode() not in file.read_bytes()
    assert acts_of(office, "login.failed")[-1].detail == "unknown account"


def test_a_stranger_waits_like_anybody(browser: Browser) -> None:
    for _ in range(FREE["name"]):
        assert browser.log_in("nobody-test", "wrong horse battery").status_code == 403
    assert browser.log_in("nobody-test", "wrong horse battery").status_code == 429


def test_a_login_that_is_not_used_ends_and_so_does_a_long_one(inside: Browser, office: OfficeProcess) -> None:
    assert inside.http.get("/own").status_code == 200
    with database(office) as session:
        session.execute(update(Login).values(seen_at=now() - timedelta(minutes=31)))
    assert inside.http.get("/own").headers["location"] == "/login?next=/own"
    assert inside.log_in(office.officer, office.passphrase).status_code == 303
    with database(office) as session:
        session.execute(update(Login).values(expires_at=now() - timedelta(seconds=1)))
    assert inside.http.get("/own").status_code == 303


def test_use_keeps_a_login_alive_and_a_page_that_refreshes_itself_does_not(
    inside: Browser, office: OfficeProcess
) -> None:
    old = now() - timedelta(minutes=20)

    def seen_after(**headers: str) -> bool:
        with database(office) as session:
            session.execute(update(Login).values(seen_at=old))
        assert inside.http.get("/", headers=headers).status_code == 200
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            with database(office) as session:
                if all(seen > old for seen in session.scalars(select(Login.seen_at))):
                    return True
            time.sleep(0.2)
        return False

    with database(office) as session:
        session.execute(delete(Login))
    inside.log_in(office.officer, office.passphrase)
    assert not seen_after(**{"Cloche-Live": "1"})
    assert seen_after()


def test_ones_logins_are_listed_and_ended(inside: Browser, office: OfficeProcess) -> None:
    with office.client() as http:
        other = Browser(http=http, office=office)
        other.log_in(office.officer, office.passphrase)
        page = inside.http.get("/own").text
        others = re.findall(r'name="login" value="([0-9a-f]{64})"', page)
        assert others
        for one in others:
            assert inside.post("/own/logins/end", login=one).status_code == 303
        assert other.http.get("/own").status_code == 303
    assert inside.http.get("/own").status_code == 200
    assert inside.post("/own/logins/end", login="00" * 32).status_code == 403


def test_a_new_passphrase_ends_all_other_logins(office: OfficeProcess, browser: Browser) -> None:
    old = add(office, "测试店长")
    browser.log_in("测试店长", old)
    with office.client() as http:
        other = Browser(http=http, office=office)
        other.log_in("测试店长", old)
        new = "four unrelated umbrella words"
        seen = "/own/passphrase"
        wrong = browser.post(seen, seen, old="not the old one at all", passphrase=new, again=new)
        assert wrong.status_code == 422
        assert browser.post(seen, seen, old=old, passphrase=new, again=new + "x").status_code == 422
        assert (
            browser.post(seen, seen, old=old, passphrase="passwordpassword", again="passwordpassword").status_code
            == 422
        )
        assert other.http.get("/own").status_code == 200
        assert browser.post(seen, seen, old=old, passphrase=new, again=new).status_code == 303
        assert other.http.get("/own").status_code == 303
    assert browser.http.get("/own").status_code == 200
    assert browser.log_in("测试店长", old).status_code == 403
    assert browser.log_in("测试店长", new).status_code == 303


def test_a_passphrase_that_somebody_else_knows_is_changed_first(office: OfficeProcess, browser: Browser) -> None:
    old = add(office, "测试新人", must_change=True)
    browser.log_in("测试新人", old)
    for path in ("/", "/own"):
        assert browser.http.get(path).headers["location"] == "/own/passphrase"
    new = "violet ladder teapot canyon"
    assert browser.post("/own/passphrase", "/own/passphrase", old=old, passphrase=new, again=new).status_code == 303
    assert browser.http.get("/").status_code == 200


def test_a_passphrase_that_the_machine_made_up_for_somebody_is_good_for_one_login(
    office: OfficeProcess, browser: Browser
) -> None:
    made = office.call("officer", "made-up-test")
    assert browser.log_in("made-up-test", made["passphrase"]).status_code == 303
    assert browser.http.get("/").headers["location"] == "/own/passphrase"


def test_a_login_ends_with_the_persons_leaving(office: OfficeProcess, browser: Browser) -> None:
    browser.log_in("测试离职", add(office, "测试离职"))
    assert browser.http.get("/own").status_code == 200
    with database(office) as session:
        session.execute(update(Person).where(Person.login == "测试离职").values(left_at=now()))
    assert browser.http.get("/own").status_code == 303


def test_a_form_of_another_site_does_nothing_and_is_on_record(inside: Browser, office: OfficeProcess) -> None:
    before = len(acts_of(office, "refused"))
    answer = inside.http.post("/own/contacts", data={"form_token": "guess", "mobile": "13000000000", "language": "en"})
    assert answer.status_code == 403
    assert len(acts_of(office, "refused")) == before + 1


def test_forms_are_held_to_a_rate(office: OfficeProcess) -> None:
    with office.client() as http:
        browser = Browser(http=http, office=office)
        browser.log_in(office.officer, office.passphrase)
        codes = [http.post("/own/contacts", data={"form_token": "x"}).status_code for _ in range(70)]
    assert codes.count(429) >= 5
    assert set(codes) == {403, 429}


def test_views_and_refusals_are_on_record_within_seconds(office: OfficeProcess, browser: Browser) -> None:
    browser.log_in("测试看页", add(office, "测试看页", role="customer_service"))
    assert browser.http.get("/").status_code == 200
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with database(office) as session:
            who = session.scalars(select(Person.id).where(Person.login == "测试看页")).one()
            if session.scalars(select(View.path).where(View.person_id == who, View.path == "/")).first():
                break
        time.sleep(0.2)
    else:
        raise AssertionError("the view is not on record")


def test_contacts_are_checked_confirmed_and_never_in_the_record(inside: Browser, office: OfficeProcess) -> None:
    mobile, mail = "138 0000 0001", "test-a@example.com"
    assert inside.post("/own/contacts", mobile="not a number", mail=mail, language="en").status_code == 422
    assert inside.post("/own/contacts", mobile=mobile, mail="x", language="en").status_code == 422
    assert inside.post("/own/contacts", mobile=mobile, mail=mail, language="en").status_code == 303
    with database(office) as session:
        person = session.scalars(select(Person).where(Person.login == office.officer)).one()
        assert (person.mobile, person.mail, person.language) == (mobile, mail, "en")
        assert person.confirmed_at is not None
    assert acts_of(office, "contacts.changed")
    assert not any(mobile in act.detail or mail in act.detail for act in acts_of(office, "contacts.changed"))


@pytest.mark.parametrize(
    "passphrase",
    ["short", "password1234", "Password-1234", "1qaz2wsx3edc", "aaaaaaaaaaaaaaa", "123456789012345", "abcabcabcabc",
     "qwertyuiop12", "zhangsan19900101", "Test-Jia-2026!", "woaini1314520"],
)  # fmt: skip
def test_passphrases_that_are_guessed_first_are_refused(passphrase: str) -> None:
    with pytest.raises(UsageError):
        check_passphrase(passphrase, ["Test Jia", "zhangsan", ""])


@pytest.mark.parametrize(
    "passphrase",
    [
        "four unrelated umbrella words",
        "锅里的鱼在星期三唱了一首歌",
        "k4mt-x7qe-9hnc-pw3a-8zru",
        "Jia eats 7 green lanterns",
    ],
)
def test_long_and_odd_passphrases_are_taken(passphrase: str) -> None:
    check_passphrase(passphrase, ["Test Jia", "jia"])
    assert hash_passphrase(passphrase).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_an_account_without_a_passphrase_cannot_log_in(office: OfficeProcess, browser: Browser) -> None:
    with database(office) as session:
        session.add(Person(id="p-none", name="测试无口令", login="none-test", made_at=now()))
        session.flush()
        session.add(Grant(person_id="p-none", role="logistics", scope="all", scope_id="", since=now()))
        assert find_login(session, "no cookie of ours") is None
    assert browser.log_in("none-test", "").status_code == 403
    assert browser.log_in("none-test", "wrong horse battery").status_code == 403


def test_an_invitation_is_taken_once_by_whoever_it_is_for(office: OfficeProcess, browser: Browser) -> None:
    with database(office) as session:
        person = Person(id="p-inv", name="测试受邀", login="invited-test", made_at=now())
        session.add(person)
        session.flush()
        old, code = invite(session, person, by="p-1"), ""
        session.flush()
        code = invite(session, person, by="p-1")
    assert browser.http.get("/invited", params={"code": old}).status_code == 404
    page = browser.http.get("/invited", params={"code": code})
    assert "测试受邀" in page.text
    chosen = "violet ladder teapot canyon"
    fields = {"form_token": hidden(page.text, "form_token"), "code": code}
    weak = browser.http.post("/invited", data=fields | {"passphrase": "invited-test1", "again": "invited-test1"})
    assert weak.status_code == 422
    fields["form_token"] = hidden(weak.text, "form_token")
    taken = browser.http.post("/invited", data=fields | {"passphrase": chosen, "again": chosen})
    assert (taken.status_code, taken.headers["location"]) == (303, "/own")
    assert browser.http.get("/own").status_code == 200
    page = browser.http.get("/invited", params={"code": code})
    assert page.status_code == 404
    assert browser.log_in("invited-test", chosen).status_code == 303


def test_the_pages_of_accounts_speak_both_languages(inside: Browser, office: OfficeProcess, tmp_path: Path) -> None:
    for path in ("/own", "/own/passphrase", "/own/second-factor", "/login", "/invited?code=x"):
        chinese = inside.http.get(path, params={"lang": "zh-CN", "code": "x"}).text
        english = inside.http.get(path, params={"lang": "en", "code": "x"}).text
        assert 'lang="zh-CN"' in chinese
        assert 'lang="en"' in english
        assert chinese != english
