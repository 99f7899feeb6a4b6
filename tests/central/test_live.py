"""Pages keep themselves current: without a reload, without taking away the focus, what is open or what was typed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hq_shops import Chain, alert, health, incident, inventory, place, tell

from central.testing import OfficeProcess, SpeakingStore

pytestmark = pytest.mark.needs("chromium")
Enrol = Callable[[str], SpeakingStore]


@pytest.fixture
def quick(screen: Any) -> Any:
    """A screen whose pages ask again every two seconds instead of every fifteen."""

    def hasten(route: Any) -> None:
        answer = route.fetch(max_redirects=0) if route.request.resource_type == "document" else None
        if answer is None or answer.status != 200:
            route.continue_()
        else:
            route.fulfill(response=answer, body=answer.text().replace('data-live="15"', 'data-live="2"'))

    screen.page.route(lambda url: "/static/" not in url and "/charts/" not in url, hasten)
    return screen


def test_a_new_incident_appears_without_a_reload_and_is_read_out(enrolled: Enrol, quick: Any) -> None:
    store = enrolled("现场店")
    tell(store, ("inventory", inventory([place(1)])), ("health", health()))
    quick.go("/")
    quick.page.evaluate("window.unloaded = false")
    quick.page.locator("input[name=q]").fill("正在输入")
    quick.page.locator("input[name=q]").focus()
    quick.page.evaluate("scrollTo(0, 200)")
    before = quick.page.evaluate("scrollY")
    tell(store, ("incident", incident()))
    quick.page.locator(f"article.tile.incident[data-key=tile-{store.store_id}]").wait_for(timeout=15_000)
    assert quick.page.evaluate("window.unloaded") is False
    assert quick.page.locator("input[name=q]").input_value() == "正在输入"
    assert quick.page.evaluate("document.activeElement.name") == "q"
    assert quick.page.evaluate("scrollY") == before
    assert "未关闭的事件：" in quick.page.locator("#said").inner_text()
    assert quick.complaints == []


def test_what_is_open_stays_open(enrolled: Enrol, quick: Any) -> None:
    store = enrolled("展开店")
    tell(
        store,
        ("inventory", inventory([place(number, level=1 + number % 4, kind=f"k{number}") for number in range(12)])),
    )
    quick.go(f"/stores/{store.store_id}")
    details = quick.page.locator("details#by-kind")
    assert details.get_attribute("open") is None
    details.locator("summary").click()
    tell(store, ("alert", alert(1)))
    quick.page.locator("section#alerts.alert").wait_for(timeout=15_000)
    assert details.get_attribute("open") is not None


def test_a_hidden_page_rests_and_is_current_when_it_is_seen_again(quick: Any, chain: Chain) -> None:
    asked: list[float] = []
    quick.page.on(
        "request", lambda request: asked.append(time.monotonic()) if "cloche-live" in request.headers else None
    )
    quick.go(f"/stores/{chain.fine}")
    quick.page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    quick.page.wait_for_timeout(4500)
    assert len(asked) <= 1
    quick.page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    quick.page.evaluate("void document.dispatchEvent(new Event('visibilitychange'))")
    rested, deadline = len(asked), time.monotonic() + 15
    while len(asked) == rested:
        assert time.monotonic() < deadline, "it never asked again"
        quick.page.wait_for_timeout(100)


def test_a_lost_connection_is_said_and_unsaid(quick: Any, chain: Chain) -> None:
    quick.go(f"/stores/{chain.fine}")
    lost = quick.page.locator("#lost")
    assert lost.is_hidden()
    quick.page.context.set_offline(True)
    lost.wait_for(state="visible", timeout=20_000)
    quick.page.context.set_offline(False)
    lost.wait_for(state="hidden", timeout=30_000)


def test_a_page_whose_login_has_ended_leads_to_the_login(quick: Any, office: OfficeProcess, chain: Chain) -> None:
    quick.go(f"/stores/{chain.fine}")
    quick.page.context.clear_cookies()
    quick.page.wait_for_url(re.compile("/login"), timeout=20_000)


def test_a_view_by_the_page_itself_is_nobody_looking(browser_page: httpx.Client, chain: Chain) -> None:
    first = browser_page.get(f"/stores/{chain.fine}")
    again = browser_page.get(
        f"/stores/{chain.fine}", headers={"If-None-Match": first.headers["etag"], "Cloche-Live": "1"}
    )
    assert again.status_code in (200, 304)
    assert again.headers["etag"] == first.headers["etag"] or again.status_code == 200


def test_a_dialog_asks_before_a_form_is_sent(screen: Any, chain: Chain) -> None:
    screen.go(f"/stores/{chain.faulty}")
    page = screen.page
    page.locator("details#settle-conflict summary").click()
    page.locator("details#settle-conflict input[name=note]").fill("查过了")
    assert page.locator("details#settle-conflict .confirm").is_hidden()
    page.locator("details#settle-conflict button").click()
    dialog = page.locator("dialog[open]")
    assert "已经查清" in dialog.inner_text()
    assert screen.barriers() == []
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    page.locator("details#settle-conflict button").click()
    page.locator("dialog[open] button[value=yes]").click()
    page.wait_for_url("**#faults")
    assert page.locator("details#settle-conflict").count() == 0
    assert screen.complaints == []
