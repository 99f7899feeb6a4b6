"""Search over all stores, and what it is made from: names of what lies about, kept in the background."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import httpx
from accounts_desk import database
from hq_shops import Chain, inventory, place, tell
from sqlalchemy import func, select

from central.models import Holding
from central.summary.holdings import count_holdings
from central.testing import OfficeProcess, SpeakingStore

Enrol = Callable[[str], SpeakingStore]


def find(page: httpx.Client, text: str) -> str:
    answer = page.get("/search", params={"lang": "zh-CN", "q": text})
    assert answer.status_code == 200
    return answer.text


def part(page: str, name: str) -> str:
    """One kind of what was found."""
    found = re.search(rf'<section class="card" id="{name}">(.*?)</section>', page, re.DOTALL)
    return found[1] if found else ""


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_stores_are_found_by_name_and_number(browser_page: httpx.Client, chain: Chain) -> None:
    assert f'/stores/{chain.alarmed}"' in part(find(browser_page, "告警店"), "stores")
    assert f'/stores/{chain.alarmed}"' in part(find(browser_page, chain.alarmed), "stores")
    assert part(find(browser_page, "告警店"), "stores").count("<li>") == 1


def test_incidents_are_found_by_how_their_number_begins(browser_page: httpx.Client, chain: Chain) -> None:
    assert f"/incidents/{chain.burning}/2026-001" in part(find(browser_page, "2026-0"), "incidents")
    assert part(find(browser_page, "026-001"), "incidents") == ""


def test_what_people_call_it_is_found_with_the_stores_that_have_most(browser_page: httpx.Client, chain: Chain) -> None:
    wait_for(lambda: "会员名单" in part(find(browser_page, "会员"), "called"))
    found = part(find(browser_page, "会员"), "called")
    assert "2 家门店，2 处，顾客 1,998 人次" in found
    assert "2 处未加密" in found
    assert f"/stores/{chain.open}/places?q=" in found


def test_a_store_whose_inventory_changes_is_counted_anew(
    enrolled: Enrol, browser_page: httpx.Client, office: OfficeProcess
) -> None:
    store = enrolled("改名店")
    tell(store, ("inventory", inventory([place(1, label="停车登记"), place(2, label="停车登记", state="plain")])))
    wait_for(lambda: "停车登记" in part(find(browser_page, "停车"), "called"))
    assert "1 家门店，2 处，顾客 23 人次" in part(find(browser_page, "停车"), "called")
    tell(store, ("inventory", inventory([place(1, label="发票抬头")])))
    wait_for(lambda: "发票抬头" in part(find(browser_page, "发票"), "called"))
    assert "停车登记" not in part(find(browser_page, "停车"), "called")
    with database(office) as session:
        rows = session.execute(
            select(Holding.label, Holding.places, Holding.exposed).where(Holding.store_id == store.store_id)
        ).all()
        assert [tuple(row) for row in rows] == [("发票抬头", 1, 0)]
        assert count_holdings(session, store.store_id) == {("发票抬头", "csv", 3): [1, 11, 0]}


def test_open_alerts_are_found_by_their_kind_in_the_readers_language(browser_page: httpx.Client, chain: Chain) -> None:
    found = part(find(browser_page, "诱饵"), "alerts")
    assert found.count("<li>") >= 4
    assert f"/stores/{chain.alarmed}#alerts" in found
    assert part(find(browser_page, "cashier"), "alerts") != ""


def test_people_are_found_by_whoever_may_see_them(browser_page: httpx.Client, office: OfficeProcess) -> None:
    assert office.officer in part(find(browser_page, office.officer), "people")


def test_odd_texts_find_nothing_and_break_nothing(browser_page: httpx.Client, chain: Chain) -> None:
    for text in ("%", "_", "\\", "'", '"><script>', "没有这样的", "a" * 500, "\x00", "😀"):
        page = find(browser_page, text)
        assert "没有找到" in page or "<li>" in page
        assert "<script>" not in page
    assert "没有找到" in find(browser_page, "%%%")
    assert "例如" in find(browser_page, "")


def test_holdings_are_of_all_stores(office: OfficeProcess, chain: Chain) -> None:
    def counted() -> bool:
        with database(office) as session:
            return session.scalar(select(func.count(Holding.store_id.distinct()))) >= 5  # type: ignore[operator]

    wait_for(counted)
