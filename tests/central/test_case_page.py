"""Cases: declared from the page, followed store by store, persons counted once, graded by law."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from incident_reports import ID, answer, at, clock, come_in, form_token, incident, send_form, taken

from central.testing import OfficeProcess, SpeakingStore

Enrol = Callable[[str], SpeakingStore]


@pytest.fixture
def declared(enrolled: Enrol, browser_page: httpx.Client) -> tuple[str, SpeakingStore, SpeakingStore]:
    """A case over two stores, as it was declared from the page."""
    one, other = enrolled("案件甲店"), enrolled("案件乙店")
    sent = declare(browser_page, [one, other])
    assert sent.status_code == 303, sent.text
    return sent.headers["location"].rpartition("/")[2], one, other


def declare(browser: httpx.Client, stores: list[SpeakingStore], **fields: str) -> httpx.Response:
    ids = [store.store_id for store in stores]
    shown = "/declare?lang=zh-CN&" + "&".join(f"store={store_id}" for store_id in ids)
    return send_form(
        browser, "/declare", shown, where="stores", store=ids, what="declare", kind="intrusion", summary="测试：多店",
        hours="24", **fields,
    )  # fmt: skip


def test_a_declaration_makes_a_case_and_one_order_for_its_stores(
    declared: tuple[str, SpeakingStore, SpeakingStore], browser_page: httpx.Client
) -> None:
    case, one, other = declared
    orders = [*taken(one), *taken(other)]
    assert [order["kind"] for order in orders] == ["declare", "declare"]
    assert {order["case"] for order in orders} == {case}
    assert orders[0]["id"] == orders[1]["id"]
    assert set(orders[0]["stores"]) == {one.store_id, other.store_id}
    page = browser_page.get(f"/cases/{case}").text
    assert "案件甲店" in page
    assert "案件乙店" in page


def test_the_page_says_before_what_will_happen_and_where(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("说明店")
    page = browser_page.get("/declare", params={"store": store.store_id, "lang": "zh-CN"}).text
    assert "马上隔离涉及的文件" in page
    assert "收银和营业程序不受影响" in page
    assert "说明店" in page
    assert "会建立一个新案件" in page


def test_without_a_confirmation_nothing_is_declared(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("未确认店")
    token = form_token(browser_page.get("/declare", params={"store": store.store_id}))
    fields = {"form_token": token, "where": "stores", "store": store.store_id, "what": "declare", "kind": "other",
              "summary": "测试"}  # fmt: skip
    assert browser_page.post("/declare", data=fields).status_code == 422
    assert taken(store) == []


def test_a_case_shows_each_stores_phase_persons_and_what_became_of_the_order(
    declared: tuple[str, SpeakingStore, SpeakingStore], browser_page: httpx.Client
) -> None:
    case, one, other = declared
    (order,) = taken(one)
    one.report("incident", incident(case=case, persons=1200))
    answer(one, order, incident=ID)
    (refused,) = taken(other)
    answer(other, refused, "refused", "本店设置不允许")
    page = browser_page.get(f"/cases/{case}", params={"lang": "zh-CN"}).text
    rows = re.findall(r'<tr data-line data-key="store-[^"]*".*?</tr>', page, re.DOTALL)
    assert "案件乙店" in rows[0], "what was not carried out stands first"
    assert "本店设置不允许" in rows[0]
    assert "应急响应" in rows[1]
    assert "1,200" in rows[1]
    assert "已执行" in rows[1]
    assert "1 家没有执行" in page
    assert f'href="/cases/{case}"' in browser_page.get(f"/incidents/{one.store_id}/{ID}").text


def test_persons_without_fingerprints_are_a_sum_and_graded_as_at_most(
    declared: tuple[str, SpeakingStore, SpeakingStore], browser_page: httpx.Client
) -> None:
    case, one, other = declared
    one.report("incident", incident(case=case, persons=600_000))
    other.report("incident", incident(case=case, persons=500_000))
    page = browser_page.get(f"/cases/{case}", params={"lang": "zh-CN"}).text
    assert "各店相加至多 1,100,000 人" in page
    assert "✓ 较大" in page
    grades = page.split('id="grading"')[1]
    assert "还差 8,900,000 人" in grades
    assert "第五十七条仍然适用" in grades
    assert "国家网络安全事件报告管理办法" in grades


def test_an_order_to_a_case_reaches_the_stores_it_fits_and_names_the_case(
    declared: tuple[str, SpeakingStore, SpeakingStore], browser_page: httpx.Client
) -> None:
    case, one, other = declared
    one.report("incident", incident(case=case))
    other.report("incident", incident("reported", case=case))
    form = browser_page.get(f"/cases/{case}/do/direct", params={"lang": "zh-CN"})
    assert "1 家门店会这样做" in form.text
    assert "另有 1 家不适用" in form.text
    sent = send_form(browser_page, f"/cases/{case}/do/direct", role="legal", text="核对", minutes="60", hours="24")
    assert sent.status_code == 303, sent.text
    kinds = [(order["kind"], order["case"]) for order in taken(one)]
    assert ("direct", case) in kinds
    assert [order["kind"] for order in taken(other)] == ["declare"]


def test_cutting_off_many_stores_waits_for_officers(
    declared: tuple[str, SpeakingStore, SpeakingStore], browser_page: httpx.Client
) -> None:
    case, one, _other = declared
    send_form(browser_page, f"/cases/{case}/do/isolate_on", minutes="60", why="测试", hours="24")
    assert [order["kind"] for order in taken(one)] == ["declare"]
    assert "等两人签名" in browser_page.get(f"/cases/{case}", params={"lang": "zh-CN"}).text


def test_a_case_is_closed_once_every_incident_has_ended(
    declared: tuple[str, SpeakingStore, SpeakingStore], browser_page: httpx.Client
) -> None:
    case, one, other = declared
    one.report("incident", incident("closed", case=case, closed_at=at(0)))
    assert f"/cases/{case}/close" not in browser_page.get(f"/cases/{case}").text
    token = form_token(browser_page.get(f"/cases/{case}"))
    early = browser_page.post(f"/cases/{case}/close", data={"form_token": token, "confirmed": "yes"})
    assert early.status_code == 422
    other.report("incident", incident("dismissed", case=case))
    assert send_form(browser_page, f"/cases/{case}/close", f"/cases/{case}").status_code == 303
    assert "案件已结束" in browser_page.get(f"/cases/{case}", params={"lang": "zh-CN"}).text


def test_who_may_look_at_none_of_its_stores_does_not_see_a_case(
    declared: tuple[str, SpeakingStore, SpeakingStore], office: OfficeProcess, enrolled: Enrol
) -> None:
    case, one, _other = declared
    elsewhere = enrolled("别的店")
    with office.client() as http:
        browser = come_in(office, http, "elsewhere", f"store_manager@store:{elsewhere.store_id}")
        assert browser.get(f"/cases/{case}").status_code == 404
        assert case not in browser.get("/cases").text
        refused = declare(browser, [elsewhere])
        assert refused.status_code == 303, "a manager may declare in their own store"
        assert f"store={one.store_id}" not in browser.get("/declare").text
        token = form_token(browser.get("/declare", params={"store": elsewhere.store_id}))
        fields = {"form_token": token, "confirmed": "yes", "where": "stores", "store": one.store_id, "what": "declare",
                  "kind": "other", "summary": "x"}  # fmt: skip
        assert browser.post("/declare", data=fields).status_code == 422, "no store is left"


def test_the_list_shows_cases_and_incidents_without_one(
    declared: tuple[str, SpeakingStore, SpeakingStore], enrolled: Enrol, browser_page: httpx.Client
) -> None:
    case, *_ = declared
    loose = enrolled("散店")
    loose.report("incident", incident(clocks=[clock("cn-pipl/art-57", counts_up=True)]))
    page = browser_page.get("/cases", params={"lang": "zh-CN"}).text
    assert f"/cases/{case}" in page
    assert f"/incidents/{loose.store_id}/{ID}" in page
