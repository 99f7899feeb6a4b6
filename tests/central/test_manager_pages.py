"""The store manager's pages: where they land, what they read in plain words, three questions that become a report."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest
from accounts_desk import database
from incident_reports import ID, answer, at, come_in, form_token, incident, send_form, taken
from sqlalchemy import delete, select, update

from central.models import Grant, Person, Store
from central.moments import now
from central.testing import OfficeProcess, SpeakingStore


@dataclass(frozen=True, kw_only=True)
class Managed:
    """A store, and its manager's browser."""

    store: SpeakingStore
    browser: httpx.Client

    def read(self, path: str = "/my", **query: str) -> str:
        page = self.browser.get(path, params={"lang": "zh-CN"} | query)
        assert page.status_code == 200, page.text
        return page.text


@pytest.fixture(scope="module")
def managers_cookies(office: OfficeProcess) -> httpx.Cookies:
    """Of somebody without a store yet."""
    with office.client() as http:
        return come_in(office, http, "manager").cookies


@pytest.fixture
def managed(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore], client: httpx.Client,
    managers_cookies: httpx.Cookies,
) -> Managed:  # fmt: skip
    """A new store, which is the only one of this manager."""
    store = enrolled("店长店")
    with database(office) as session:
        person = session.scalars(select(Person).where(Person.login == "manager")).one()
        session.execute(delete(Grant).where(Grant.person_id == person.id))
        session.add(
            Grant(person_id=person.id, role="store_manager", scope="store", scope_id=store.store_id, since=now())
        )
        person.confirmed_at = now()
    client.cookies.update(managers_cookies)
    return Managed(store=store, browser=client)


def tell_fine(store: SpeakingStore, **inventory: object) -> None:
    values = {"scanned_at": at(-1), "persons": 10, "places": 1, "sealed": 1, "exposed": 0} | inventory
    assert store.report("inventory", values).status_code == 200
    assert store.report("health", {"tier": "permission"}).status_code == 200


def test_who_has_one_store_begins_with_its_simple_page(managed: Managed) -> None:
    assert managed.browser.get("/").headers["location"] == "/my"
    assert "我的门店" in managed.read()


def test_a_fine_day_is_said_to_be_fine(managed: Managed) -> None:
    tell_fine(managed.store)
    page = managed.read()
    assert "收银正常，没有事" in page
    assert 'class="verdict fine"' in page


def test_at_most_three_things_each_with_a_button(managed: Managed) -> None:
    tell_fine(managed.store, exposed=4)
    managed.store.report("alert", {"id": "1", "at": at(-1), "kind": "bound", "open": True})
    managed.store.report("training", {"staff": 9, "overdue": 3})
    managed.store.report("health", {"tier": "permission", "disk_free": 1, "disk_total": 100})
    page = managed.read()
    things = re.findall(r'<li data-key="[^"]*"><strong>(.*?)</strong>.*?<a class="button', page, re.DOTALL)
    assert len(things) == 3
    assert "告警" in things[0]
    assert "硬盘" in things[1]
    assert "4 个有顾客信息的文件没有加密" in things[2]
    assert "还有 1 件" in page


def test_an_incident_with_an_order_for_the_manager_comes_first(managed: Managed) -> None:
    tell_fine(managed.store, exposed=4)
    order = {"id": f"{ID}/3", "role": "store_manager", "text": "守住收银台", "by": "测试组长", "state": "open"}
    managed.store.report("incident", incident(orders=[order]))
    page = managed.read()
    assert "应急预案已启动，收银照常" in page
    first = re.search(r'<ol class="todo"><li[^>]*><strong>(.*?)</strong>', page, re.DOTALL)
    assert first
    assert first[1] == "指令：守住收银台"
    assert f"/incidents/{managed.store.store_id}/{ID}" in page


def test_a_silent_server_is_said_to_be_silent(managed: Managed, office: OfficeProcess) -> None:
    tell_fine(managed.store)
    with database(office) as session:
        quiet = update(Store).where(Store.id == managed.store.store_id).values(heard_at=now().replace(year=2025))
        session.execute(quiet)
    page = managed.read()
    assert "门店服务器没有联系" in page
    assert "开着还是不行" in page


def test_places_are_told_in_plain_words_open_ones_first(managed: Managed) -> None:
    places = [
        {"id": f"aa{number:014x}", "path": path, "label": label, "kind": kind, "level": 3, "persons": persons,
         "state": state, "entities": ["PHONE_NUMBER"]}
        for number, (path, label, kind, persons, state) in enumerate([
            ("/srv/旧/a.xlsx", "美团订单导出", "spreadsheet", 800, "sealed"),
            ("/srv/share/b.csv", "会员导出", "csv", 3000, "plain"),
            ("/srv/pos/till.db", "", "sqlite", 9000, "plain"),
        ])
    ]  # fmt: skip
    tell_fine(managed.store, worst=places, exposed=2, sealed=1)
    page = managed.read("/my/data")
    order = [page.index(words) for words in ("till.db", "会员导出", "美团订单导出")]
    assert order == sorted(order)
    assert "约 3,000 位顾客" in page
    assert "在文件夹 /srv/share" in page
    assert "收银系统正在用，别动它" in page
    assert "不用了就删除" in page
    assert "2 处没有加密" in page


def test_three_questions_become_a_report_at_the_store(managed: Managed) -> None:
    tell_fine(managed.store)
    shown = managed.read("/my/trouble")
    assert "三个问题" in shown
    sent = send_form(
        managed.browser, "/my/trouble", store=managed.store.store_id, kind="staff_mistake", when="hour",
        place="吧台电脑", types=["contact", "card"], words="发到供应商群了",
    )  # fmt: skip
    assert sent.status_code == 303, sent.text
    (order,) = taken(managed.store)
    assert order["kind"] == "report"
    assert order["params"]["kind"] == "staff_mistake"
    assert order["params"]["summary"] == "发错人、发错微信群：发到供应商群了"
    assert order["params"]["types"] == ["CREDIT_CARD", "PERSON", "PHONE_NUMBER"]
    assert order["params"]["place"] == "吧台电脑"
    assert order["params"]["occurred_at"] < order["params"]["discovered_at"]
    path = sent.headers["location"]
    assert "不要关机" in managed.read(path)
    answer(managed.store, order, incident=ID)
    page = managed.read(path)
    assert "门店已经记录" in page
    assert f"/incidents/{managed.store.store_id}/{ID}" in page


def test_who_is_sure_declares_at_once(managed: Managed) -> None:
    tell_fine(managed.store)
    send_form(
        managed.browser, "/my/trouble", store=managed.store.store_id, kind="ransomware", when="now", sure="yes"
    )  # fmt: skip
    (order,) = taken(managed.store)
    assert order["kind"] == "declare"


def test_a_refusal_says_to_call(managed: Managed) -> None:
    tell_fine(managed.store)
    sent = send_form(managed.browser, "/my/trouble", store=managed.store.store_id, kind="other", when="unknown")
    (order,) = taken(managed.store)
    answer(managed.store, order, "refused", "本店设置不允许")
    page = managed.read(sent.headers["location"])
    assert "马上打电话" in page
    assert "本店设置不允许" in page


def test_another_store_is_neither_shown_nor_reported_at(
    managed: Managed, enrolled: Callable[[str], SpeakingStore]
) -> None:
    tell_fine(managed.store)
    other = enrolled("隔壁店")
    assert managed.browser.get("/my", params={"store": other.store_id}).status_code == 404
    token = form_token(managed.browser.get("/my/trouble"))
    fields = {"form_token": token, "confirmed": "yes", "store": other.store_id, "kind": "other", "when": "now"}
    assert managed.browser.post("/my/trouble", data=fields).status_code == 422
    assert taken(other) == []


def test_whom_to_call_are_people_of_this_store_with_their_numbers(managed: Managed, office: OfficeProcess) -> None:
    tell_fine(managed.store)
    with office.client() as http:
        come_in(office, http, f"area{managed.store.store_id[-6:]}", f"area_manager@store:{managed.store.store_id}",
                mobile="13800000000")  # fmt: skip
    assert 'href="tel:13800000000"' in managed.read()
