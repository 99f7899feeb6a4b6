"""Who may look at the pages, what they show first, and how they look in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from central.testing import OfficeProcess, SpeakingStore

Enrol = Callable[[str], SpeakingStore]
LogIn = Callable[[httpx.Client, str, str], httpx.Response]
NOW = datetime.now(UTC)


def incident(phase: str = "responding", **more: object) -> dict[str, object]:
    return {
        "id": "2026-001", "kind": "insider", "phase": phase, "machine": True, "summary": "测试摘要",
        "discovered_at": (NOW - timedelta(minutes=12)).isoformat(), "files": 9, "persons": 4321,
        "left_files": 5, "left_persons": 480,
        "who": [{"user": "backup", "program": "/usr/bin/tar", "files": 5, "persons": 480, "suspect": True}],
        "steps": [{"at": NOW.isoformat(), "act": "vault", "actor": "cloche", "ok": False, "detail": "移入隔离区"}],
        "clocks": [
            {"title": "四小时", "state": "running", "deadline": (NOW + timedelta(hours=4, minutes=30)).isoformat()},
            {"title": "已过的", "state": "overdue", "deadline": (NOW - timedelta(hours=4)).isoformat()},
        ],
        "documents": [{"name": "事故报告.docx", "size": 40_000, "sha256": "ab" * 32}],
    } | more  # fmt: skip


def fill(store: SpeakingStore, **inventory: object) -> None:
    at = NOW.isoformat()
    values = {"scanned_at": at, "persons": 10, "places": 2, "sealed": 2, "exposed": 0} | inventory
    assert store.report("inventory", values).status_code == 200
    assert store.report("health", {"tier": "permission"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/stores/s-1", "/incidents/s-1/x"])
def test_a_stranger_is_sent_to_the_login_form(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers={"Cookie": "__Host-cloche=guess"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_the_cookie_is_for_this_site_and_for_no_script(
    office: OfficeProcess, client: httpx.Client, log_in: LogIn
) -> None:
    answer = log_in(client, office.officer, office.passphrase)
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("__Host-cloche="))
    for attribute in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"):
        assert attribute in cookie
    assert "Domain" not in cookie


def test_a_login_from_another_site_is_refused(office: OfficeProcess, client: httpx.Client) -> None:
    client.get("/login")
    fields = {"officer": office.officer, "passphrase": office.passphrase, "form_token": "guess"}
    assert client.post("/login", data=fields).status_code == 403
    del fields["form_token"]
    assert client.post("/login", data=fields).status_code == 403
    assert client.get("/").status_code == 303


def test_logging_out_needs_the_forms_token_and_ends_the_login(
    office: OfficeProcess, client: httpx.Client, log_in: LogIn
) -> None:
    log_in(client, office.officer, office.passphrase)
    page = client.get("/").text
    assert client.post("/logout", data={"form_token": "guess"}).status_code == 403
    assert client.get("/").status_code == 200
    cookie = client.cookies["__Host-cloche"]
    token = page.split('name="form_token" value="')[1].split('"')[0]
    assert client.post("/logout", data={"form_token": token}).status_code == 303
    assert client.get("/", headers={"Cookie": f"__Host-cloche={cookie}"}).status_code == 303


def test_guessing_is_slowed_down_for_a_name_even_with_the_right_passphrase_at_last(
    office: OfficeProcess, client: httpx.Client, log_in: LogIn
) -> None:
    passphrase = office.call("officer", "guessed")["passphrase"]
    for _ in range(5):
        assert log_in(client, "guessed", "wrong wrong wrong").status_code == 403
    late = log_in(client, "guessed", passphrase)
    assert late.status_code == 429
    assert int(late.headers["retry-after"]) > 0


def test_what_is_not_there_is_said_in_both_languages(browser_page: httpx.Client) -> None:
    assert "没有这一页" in browser_page.get("/stores/s-none", params={"lang": "zh-CN"}).text
    answer = browser_page.get("/incidents/s-none/x", params={"lang": "en"})
    assert (answer.status_code, "There is no such page" in answer.text) == (404, True)


def test_stores_stand_in_the_order_of_their_need(enrolled: Enrol, browser_page: httpx.Client) -> None:
    fine, open_, alarmed, burning, silent = (enrolled(f"次序{name}") for name in "辛庚己戊丁")
    fill(fine)
    fill(open_, exposed=1)
    fill(alarmed)
    alarmed.report("alert", {"id": "1", "at": NOW.isoformat(), "kind": "decoy", "open": True})
    fill(burning)
    burning.report("incident", incident())
    page = browser_page.get("/", params={"lang": "zh-CN"}).text
    order = [page.index(f"/stores/{store.store_id}") for store in (burning, alarmed, open_, silent, fine)]
    assert order == sorted(order)
    assert order[-1] > page.index("<h2>正常") > order[-2]


def test_a_dismissed_incident_turns_the_tile_back(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("误报店")
    fill(store)

    def tile() -> str:
        before = browser_page.get("/").text.split(f"/stores/{store.store_id}")[0]
        return before.rsplit('<article class="', 1)[1].split('"')[0]

    store.report("incident", incident())
    assert tile() == "tile incident"
    store.report("incident", incident("dismissed"))
    assert tile() == "tile fine"


def test_a_store_that_was_never_scanned_is_not_called_fine(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("未扫描店")
    store.report("health", {"tier": "none"})
    before = browser_page.get("/").text.split(f"/stores/{store.store_id}")[0]
    assert before.rsplit('<article class="', 1)[1].startswith("tile unscanned")


def test_the_incident_page_says_phase_clocks_who_and_what_failed(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("事件店")
    store.report("incident", incident(complete=False))
    page = browser_page.get(f"/incidents/{store.store_id}/2026-001", params={"lang": "zh-CN"}).text
    assert '<li class="current" aria-current="step">应急响应</li>' in page
    for words in ("还剩 4 小时", "已超时 4 小时", "/usr/bin/tar", "480", "事故报告.docx", "失败", "4,321"):
        assert words in page


@pytest.mark.needs("chromium")
def test_an_officer_logs_in_and_sees_the_red_tile_on_desk_and_phone(
    enrolled: Enrol, office: OfficeProcess, browser: Any, tmp_path: Path
) -> None:
    store = enrolled("着火店 <b>")
    fill(store)
    store.report("incident", incident())
    browser.go(f"{office.url}/login?lang=zh-CN")
    browser.run(
        f"document.querySelector('[name=officer]').value = '{office.officer}';"
        f"document.querySelector('[name=passphrase]').value = '{office.passphrase}';"
        "document.querySelector('form.login button').click()"
    )
    browser.wait("location.pathname === '/' && document.readyState === 'complete'")
    for width in (1280, 390):
        browser.size(width, 844)
        browser.go(f"{office.url}/")
        tile = f"document.querySelector('a[href=\"/stores/{store.store_id}\"]').closest('article')"
        assert browser.run(f"getComputedStyle({tile}).backgroundColor") == "rgb(168, 22, 28)"
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
        assert browser.run("document.querySelectorAll('b').length") == 0
        assert len(browser.picture(tmp_path / f"{width}.png")) > 10_000
        for path in (f"/stores/{store.store_id}", f"/incidents/{store.store_id}/2026-001"):
            browser.go(office.url + path)
            assert browser.run("document.querySelector('h1').innerText.length > 0")
            assert browser.run("document.documentElement.scrollWidth <= innerWidth"), (path, width)
    assert browser.complaints == []
