"""Reports of an incident as a store tells them, for tests of pages. All of it is made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from central.testing import OfficeProcess, SpeakingStore

ID = "I20261126-test"
ENTITY = "测试餐饮有限公司"
CODE = "91310000MA1TEST000"


def at(hours: float) -> str:
    """So many hours from now."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def owed(name: str = ENTITY, **more: Any) -> dict[str, Any]:
    """An entity's side of a duty."""
    return {
        "name": name, "code": CODE if name == ENTITY else "", "province": "上海市", "office": "上海市网信办",
        "office_verified": False, "missing": [{"field": "cause", "text": "初步原因"}],
    } | more  # fmt: skip


def clock(key: str, state: str = "running", **more: Any) -> dict[str, Any]:
    """A duty with one entity."""
    return {"key": key, "title": "门店的说法", "state": state, "start": at(-3), "entities": [owed()]} | more


def incident(phase: str = "responding", **more: Any) -> dict[str, Any]:
    """An incident that was declared three hours ago."""
    return {
        "id": ID, "kind": "insider", "phase": phase, "machine": True, "summary": "测试摘要", "place": "测试收银台",
        "types": ["PHONE_NUMBER"], "by": "cloche", "discovered_at": at(-3), "declared_at": at(-3), "files": 12,
        "persons": 4321, "sensitive": 20, "level": "larger", "states": {"vault": 11, "plain": 1},
        "clocks": [clock("cn-incident-reporting/province-4h", deadline=at(1)), clock("cn-pipl/art-57", counts_up=True)],
        "orders": [
            {"id": f"{ID}/1", "role": "legal", "text": "核对时限", "by": "cloche", "due": at(1), "state": "open"},
            {"id": f"{ID}/2", "role": "security_lead", "text": "召集小组", "due": at(-1), "state": "late"},
        ],
        "tasks": [{"roles": ["security_lead"], "texts": {"zh-CN": "评估影响", "en": "Assess the impact"}}],
        "next": [
            {"phase": "cleaning", "unmet": [
                {"key": "readable", "text": "门店的说法", "values": {"files": 1, "first": "会员.csv"}},
                {"key": "of_a_later_version", "text": "只有门店知道的条件"},
            ]},
        ],
        "steps": [
            {"at": at(-3), "act": "declare", "actor": "cloche", "detail": "启动应急预案（测试）"},
            {"at": at(-2), "act": "orders.given", "actor": "cloche", "detail": "下达指令（测试）"},
        ],
        "entity": ENTITY, "entities": [{"name": ENTITY, "code": CODE, "province": "上海市", "persons": 4321}],
    } | more  # fmt: skip


def form_token(page: httpx.Response) -> str:
    """The hidden field of a page's forms."""
    return page.text.split('name="form_token" value="')[1].split('"')[0]


def send_form(browser: httpx.Client, path: str, shown: str = "", **fields: Any) -> httpx.Response:
    """Fill the form of a page in and send it, confirmed."""
    page = browser.get(shown or path)
    assert page.status_code == 200, page.text
    return browser.post(path, data={"form_token": form_token(page), "confirmed": "yes"} | fields)


def taken(store: SpeakingStore) -> list[dict[str, Any]]:
    """The orders that a store gets within a second, but for the people that head office sends by itself."""
    answer = store.poll(wait=1)
    assert answer.status_code == 200, answer.text
    orders = [{"number": one["number"], **json.loads(one["body"])} for one in answer.json()["deliveries"]]
    return [order for order in orders if order["kind"] != "people"]


def answer(store: SpeakingStore, order: dict[str, Any], state: str = "done", reason: str = "", **said: Any) -> None:
    """Tell head office what became of an order."""
    document = {"order": order["id"], "delivery": order["number"], "state": state, "reason": reason, "answer": said}
    assert store.report("order", document).status_code == 200


def come_in(office: OfficeProcess, browser: httpx.Client, login: str, *roles: str, mobile: str = "") -> httpx.Client:
    """A new person with roles (`ROLE@SCOPE`) takes over their account in this browser."""
    given = [part for role in roles for part in ("--role", role)]
    made = office.call("people", "add", f"测试{login}", "--login", login, "--mobile", mobile, *given)
    page = browser.get("/invited", params={"code": made["invitation"]})
    chosen = f"{login}-passphrase-of-a-test"
    taken_over = browser.post(
        "/invited",
        data={
            "form_token": form_token(page), "code": made["invitation"], "officer": login, "passphrase": chosen,
            "again": chosen,
        },
    )  # fmt: skip
    assert taken_over.status_code == 303, taken_over.text
    return browser
