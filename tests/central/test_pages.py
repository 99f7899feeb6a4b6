"""What all pages share: who may look, what is escaped, what is kept current, headers, and the navigation by rights."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from accounts_desk import Browser as Desk
from accounts_desk import database
from hq_shops import LONG_NAME, Chain

from central.models import Grant, Person
from central.moments import now
from central.pages.paging import page_of
from central.pages.render import TEMPLATES, Pages
from central.people.passphrases import hash_passphrase
from central.testing import OfficeProcess


@pytest.mark.parametrize(
    "path", ["/", "/stores/s-1", "/incidents/s-1/x", "/drills", "/search?q=x", "/charts/exposed.svg"]
)
def test_a_stranger_is_sent_to_the_login_form(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers={"Cookie": "__Host-cloche=guess"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")


def test_what_is_not_there_is_said_in_both_languages(browser_page: httpx.Client) -> None:
    assert "没有这一页" in browser_page.get("/stores/s-none", params={"lang": "zh-CN"}).text
    answer = browser_page.get("/incidents/s-none/x", params={"lang": "en"})
    assert (answer.status_code, "There is no such page" in answer.text) == (404, True)


def test_every_answer_says_how_long_it_took_and_forbids_foreign_scripts(browser_page: httpx.Client) -> None:
    answer = browser_page.get("/")
    assert re.fullmatch(r"app;dur=\d+\.\d", answer.headers["server-timing"])
    policy = answer.headers["content-security-policy"]
    for part in ("default-src 'none'", "script-src 'self'", "connect-src 'self'", "require-trusted-types-for 'script'"):
        assert part in policy
    assert "unsafe" not in policy
    assert "<script>" not in answer.text
    assert " style=" not in answer.text


def test_a_static_file_is_asked_for_by_what_is_in_it(browser_page: httpx.Client) -> None:
    page = browser_page.get("/").text
    found = re.search(r'href="(/static/cloche\.css\?v=[0-9a-f]{12})"', page)
    assert found
    answer = browser_page.get(found[1])
    assert answer.headers["content-type"].startswith("text/css")


def test_the_language_stays_and_the_question_with_it(browser_page: httpx.Client, chain: Chain) -> None:
    page = browser_page.get("/", params={"lang": "en", "urgency": "alert", "q": "店"}).text
    assert '<html lang="en">' in page
    assert "/?urgency=alert&amp;q=%E5%BA%97&amp;lang=zh-CN" in page
    assert '<html lang="en">' in browser_page.get("/drills").text


def test_a_name_with_markup_is_text(browser_page: httpx.Client, chain: Chain) -> None:
    for path in ("/", f"/stores/{chain.burning}", "/search?q=着火店", f"/stores/{chain.burning}/places"):
        page = browser_page.get(path).text
        assert f"&lt;b&gt;{LONG_NAME}" in page
        assert f"<b>{LONG_NAME}" not in page


def test_a_page_that_has_not_changed_is_not_sent_again(browser_page: httpx.Client, chain: Chain) -> None:
    first = browser_page.get("/stores/" + chain.silent)
    again = browser_page.get("/stores/" + chain.silent, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = browser_page.get("/stores/" + chain.fine, headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_times_are_said_as_ago_with_the_exact_moment(browser_page: httpx.Client, chain: Chain) -> None:
    page = browser_page.get("/stores/" + chain.fine, params={"lang": "zh-CN"}).text
    assert re.search(
        r'<time datetime="\d{4}-\d\d-\d\dT[\d:]+\+00:00" title="\d{4}-\d\d-\d\d [\d:]{8}">3 小时前</time>', page
    )


def test_pages_of_a_list_are_never_beyond_it() -> None:
    class Asked:
        def __init__(self, page: str) -> None:
            self.query_params = httpx.QueryParams({"page": page, "q": "a&b", "lang": "en"})
            self.url = httpx.URL("https://x/list")

    for asked, number, first, last in (
        ("1", 1, 1, 50),
        ("3", 3, 101, 120),
        ("99", 3, 101, 120),
        ("-1", 1, 1, 50),
        ("x", 1, 1, 50),
    ):
        paging: Any = page_of(Asked(asked), 120)  # type: ignore[arg-type]
        assert (paging.number, paging.first, paging.last, paging.count) == (number, first, last, 3)
    assert page_of(Asked("2"), 120).link(3) == "/list?q=a%26b&page=3"  # type: ignore[arg-type]
    assert page_of(Asked("2"), 0).first == 0  # type: ignore[arg-type]


@pytest.fixture
def as_role(office: OfficeProcess) -> Callable[..., Desk]:
    """Log somebody in who has one role somewhere."""
    desks: list[httpx.Client] = []

    def log_in(role: str, scope: str = "all", scope_id: str = "") -> Desk:
        name = f"{role}-{scope}-{scope_id}"[:40]
        with database(office) as session:
            if session.get(Person, name) is None:
                digest = hash_passphrase("correct horse battery staple test")
                session.add(Person(id=name, name=name, login=name, passphrase=digest, made_at=now()))
                session.flush()
                session.add(Grant(person_id=name, role=role, scope=scope, scope_id=scope_id, since=now()))
        client = office.client()
        desks.append(client)
        desk = Desk(http=client, office=office)
        assert desk.log_in(name, "correct horse battery staple test").status_code == 303
        if client.get("/", follow_redirects=False).headers.get("location") == "/own/second-factor":
            desk.set_up()
        return desk

    yield log_in  # type: ignore[misc]
    for client in desks:
        client.close()


def test_navigation_shows_what_one_may_open(as_role: Callable[..., Desk], chain: Chain) -> None:
    member = as_role("security_member").http.get("/drills").text
    assert 'href="/training"' in member
    assert 'href="/law"' not in member
    assert 'href="/law"' in as_role("legal").http.get("/drills").text


def test_the_page_one_is_on_is_marked(browser_page: httpx.Client, chain: Chain) -> None:
    assert 'href="/drills" aria-current="page"' in browser_page.get("/drills").text
    assert 'href="/" aria-current="true"' in browser_page.get(f"/stores/{chain.fine}/places").text


def test_a_store_manager_sees_one_store_on_every_page(as_role: Callable[..., Desk], chain: Chain) -> None:
    http = as_role("store_manager", "store", chain.fine).http
    assert http.get("/").headers["location"] == "/my"
    for path in ("/?q=店", "/drills", "/training", "/assessment", "/search?q=店"):
        page = http.get(path, follow_redirects=True).text
        assert chain.fine in page, path
        for other in (chain.burning, chain.alarmed, chain.open, chain.silent):
            assert other not in page, (path, other)
    for other in ("", "/places", "/events", "/alerts", "/charts/exposed.svg"):
        assert http.get(f"/stores/{chain.open}{other}").status_code == 404
    assert "示例外卖平台" not in http.get("/vendors").text
    levels = http.get("/charts/levels", params={"lang": "en"}).text
    assert "Places by level" in levels


def test_every_template_can_be_made_ready_ahead_and_what_pages_need_with_them() -> None:
    done: list[str] = []
    pages = Pages(ZoneInfo("Asia/Shanghai"), "示例总部")
    pages.prepare(lambda: done.append("described"))
    assert pages.warm() == len(list(TEMPLATES.glob("*.html"))) > 50
    assert done == ["described"]
