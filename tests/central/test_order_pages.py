"""Pages of orders and officers, in a real browser: give, look over, follow, sign with a key that never leaves it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy.orm import sessionmaker

from central.database.engine import open_database
from central.models import Grant, OfficerKey, Person
from central.testing import OfficeProcess, SpeakingStore
from central.wire import decode, is_signed, order_message

if TYPE_CHECKING:
    from conftest import Screen

PHONE = 390


def token_of(client: httpx.Client, path: str) -> str:
    page = client.get(path)
    assert page.status_code == 200, page.text[:500]
    return str(page.text.split('name="form_token" value="')[1].split('"')[0])


@pytest.mark.needs("chromium")
def test_an_order_is_looked_over_given_and_followed_live(
    screen: Screen, enrolled: Callable[[str], SpeakingStore], office: OfficeProcess
) -> None:
    store = enrolled("测试看板店<b>")
    page = screen.page
    screen.go(f"/orders/new?kind=declare&store={store.store_id}")
    assert screen.barriers() == []
    page.fill("textarea[name=summary]", "会员名单在群里")
    page.fill("input[name=reason]", "店长来电")
    page.click("form.card button")
    shown = page.inner_text("main")
    assert "将发给 1 家门店" in shown
    assert "确认后立即发出" in shown
    assert "测试看板店<b>" in shown
    assert screen.barriers() == []
    page.check("input[name=confirmed]")
    page.click("form.card button.danger")
    page.wait_for_url(re.compile(r"/orders/o-[0-9a-z]+"))
    assert "待送达" in page.inner_text("main")
    (delivery,) = store.poll().json()["deliveries"]
    order = json.loads(delivery["body"])
    word = {
        "order": order["id"], "delivery": delivery["number"], "state": "refused", "reason": "本门店的设置不接受",
        "at": datetime.now(UTC).isoformat(), "answer": {},
    }  # fmt: skip
    assert store.report("order", word).status_code == 200
    page.get_by_text("本门店的设置不接受").wait_for(timeout=20_000)
    screen.size(PHONE)
    assert screen.fits()
    screen.go("/orders", language="en")
    assert "refused" in page.inner_text("main")
    assert screen.barriers() == []
    assert screen.complaints == []


@pytest.mark.needs("chromium")
def test_an_officer_signs_in_the_browser_exactly_what_stands_there(
    screen: Screen, enrolled: Callable[[str], SpeakingStore], office: OfficeProcess
) -> None:
    page = screen.page
    second = add_second_officer(office)
    screen.go("/officers")
    assert "重新登记" in page.inner_text("main")
    assert screen.barriers() == []
    page.click("[data-officer-act=make]")
    page.locator("[data-officer-here]", has_text=re.compile("[0-9a-f]{4} ")).wait_for()
    words = page.inner_text("[data-officer-here]")
    assert words in page.locator("main .rows").last.inner_text()
    own = office.officer
    office.call("officer-key", "confirm", own, "--words", words, "--as", "yi")
    key = second_key(office)
    office.call("officer-key", "confirm", "yi", "--words", key["words"], "--as", own)
    assert office.call("officer-key", "list")["policy"]["version"] == 1
    store = enrolled("测试签名店")
    given = office.call(
        "order", "give", "isolate_off", "--store", store.store_id, "--reason", "恢复营业", "--params", "{}"
    )
    screen.go(f"/orders/{given['id']}")
    assert "还差签署人签名" in page.inner_text("main")
    assert screen.barriers() == []
    page.click("[data-officer-act=sign]")
    page.click("dialog button[value=yes]")
    page.wait_for_selector("text=已签：")
    shown = office.call("order", "show", given["id"])
    assert shown["signed_by"] == [second["admin"]]
    engine = open_database(f"sqlite:///{office.folder / 'hq.db'}")
    with sessionmaker(engine)() as session:
        from central.models import Order

        order = session.get_one(Order, given["id"])
        signature = next(entry["signature"] for entry in order.signatures if entry["key"] == second["admin"])
        public = next(one.public_key for one in session.query(OfficerKey) if one.person_id == second["admin"])
        assert is_signed(public, order_message(order.body.encode()), decode(signature))
    engine.dispose()
    # the private half is not for export, whoever asks in this page
    kept = page.evaluate(
        """async () => { const base = await new Promise((ok) => { const r = indexedDB.open("cloche-officer", 1);
        r.onsuccess = () => ok(r.result); }); const all = await new Promise((ok) => {
        const r = base.transaction("keys").objectStore("keys").getAll(); r.onsuccess = () => ok(r.result); });
        return [all.length, all[0].extractable,
        await crypto.subtle.exportKey("pkcs8", all[0]).then(() => "out", () => "kept")]; }"""
    )
    assert kept == [1, False, "kept"]
    assert store.poll().json()["deliveries"] == []
    assert screen.complaints == []


KEYS: dict[str, dict[str, str]] = {}


def add_second_officer(office: OfficeProcess) -> dict[str, str]:
    """法务, with a key on a machine of his own."""
    engine = open_database(f"sqlite:///{office.folder / 'hq.db'}")
    with sessionmaker(engine).begin() as session:
        session.add(Person(id="p-yi", name="测试乙", login="yi", made_at=datetime.now(UTC)))
        session.flush()
        session.add(Grant(person_id="p-yi", role="legal", scope="all", scope_id="", since=datetime.now(UTC)))
        admin = session.query(Person).filter(Person.login == office.officer).one().id
    engine.dispose()
    return {"admin": admin}


def second_key(office: OfficeProcess) -> dict[str, str]:
    file = office.folder.with_name("yi.key")
    made = office.call("officer-key", "make", str(file))
    office.call("officer-key", "add", "yi", made["public_key"])
    return {"words": made["words"]}


def test_nothing_is_given_without_the_confirmation_or_the_right_words(
    browser_page: httpx.Client, enrolled: Callable[[str], SpeakingStore]
) -> None:
    store = enrolled("测试确认店")
    token = token_of(browser_page, "/orders/new?kind=rescan")
    form = {
        "form_token": token, "params": "{}", "to": "store", "to_id": store.store_id, "reason": "x", "hours": "1",
    }  # fmt: skip
    assert browser_page.post("/orders/give/rescan", data=form).status_code == 422
    form["confirmed"] = "yes"
    for name, wrong in (("params", "[]"), ("params", '{"full": 7}'), ("to", "x"), ("hours", "0"), ("to_id", "s-x")):
        answer = browser_page.post("/orders/give/rescan", data=form | {name: wrong})
        assert answer.status_code == 422, (name, wrong)
    assert browser_page.post("/orders/give/rescan", data=form | {"form_token": "x"}).status_code == 403
    assert browser_page.post("/orders/give/purge", data=form).status_code in (404, 405)
    assert store.poll().json()["deliveries"] == []
    given = browser_page.post("/orders/give/rescan", data=form)
    assert given.status_code == 303
    assert len(store.poll().json()["deliveries"]) == 1


def test_settings_are_checked_line_by_line(
    browser_page: httpx.Client, enrolled: Callable[[str], SpeakingStore]
) -> None:
    store = enrolled("测试设置店")
    token = token_of(browser_page, "/orders/new?kind=policy")
    form = {
        "form_token": token, "kind": "policy", "to": "store", "to_id": store.store_id, "reason": "x", "hours": "1",
    }  # fmt: skip
    for settings, said in (
        ("watch.response", "1"), ('watch.response = "nothing"', "watch.response"), ("senders.mode = 1", "senders.mode"),
    ):  # fmt: skip
        answer = browser_page.post("/orders/check?lang=en", data=form | {"settings": settings})
        assert answer.status_code == 422
        assert said in answer.text
    stricter = 'watch.response = "stop"\nscan.names = true'
    shown = browser_page.post("/orders/check?lang=zh-CN", data=form | {"settings": stricter})
    assert shown.status_code == 200
    assert "确认后立即发出" in shown.text
    weaker = browser_page.post("/orders/check?lang=zh-CN", data=form | {"settings": "watch.enabled = false"})
    assert "两位签署人" in weaker.text


def test_an_order_that_is_not_there_and_one_that_is_anothers_look_the_same(browser_page: httpx.Client) -> None:
    assert browser_page.get("/orders/o-00000000").status_code == 404
    assert browser_page.get("/orders/o-00000000/signing.json").status_code == 404


def test_a_key_file_is_made_once_and_says_so(tmp_path: object, office: OfficeProcess) -> None:
    file = str(office.folder.with_name("once.key"))
    office.call("officer-key", "make", file)
    with pytest.raises(subprocess.CalledProcessError):
        office.call("officer-key", "make", file)
