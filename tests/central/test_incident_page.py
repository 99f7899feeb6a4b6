"""The page of an incident: what it says, whose tasks, and every act on it until the store has answered."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Callable

import httpx
import pytest
from accounts_desk import database
from incident_reports import ID, answer, at, clock, form_token, incident, send_form, taken
from sqlalchemy import update

from central.models import Store
from central.moments import now
from central.testing import OfficeProcess, SpeakingStore

Enrol = Callable[[str], SpeakingStore]


@pytest.fixture
def store(enrolled: Enrol) -> SpeakingStore:
    store = enrolled("事件页店")
    assert store.report("incident", incident()).status_code == 200
    return store


def page_of(browser: httpx.Client, store: SpeakingStore, **query: str) -> str:
    answer = browser.get(f"/incidents/{store.store_id}/{ID}", params={"lang": "zh-CN"} | query)
    assert answer.status_code == 200, answer.text
    return answer.text


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "never came"
        time.sleep(0.05)


def test_it_says_phase_clocks_what_is_missing_and_what_holds_the_next_phase_up(
    store: SpeakingStore, browser_page: httpx.Client
) -> None:
    page = page_of(browser_page, store)
    assert re.search(r'class="current" aria-current="step">应急响应', page)
    assert "向省级网信部门报告" in page, "the duty is named from the pack, not in the store's words"
    assert "还剩 00:5" in page
    assert "立即办理，已过 03:0" in page
    assert "还缺 1 项内容" in page
    assert "还有 1 个受影响的文件可以被读取（如 会员.csv）" in page
    assert "只有门店知道的条件" in page, "what this head office does not know is said in the store's words"
    assert "未核实" in page


def test_it_is_said_in_english_too(store: SpeakingStore, browser_page: httpx.Client) -> None:
    page = page_of(browser_page, store, lang="en")
    assert "Report to the provincial cyberspace office" in page
    assert "1 affected files can still be read (such as 会员.csv)" in page
    assert "Assess the impact" in page


def test_a_clock_that_ran_out_since_the_store_told_it_is_overdue(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("超时店")
    store.report("incident", incident(clocks=[clock("cn-incident-reporting/province-4h", deadline=at(-1.51))]))
    page = page_of(browser_page, store)
    assert "已超时 01:30" in page
    assert 'data-clock="over"' in page


def test_my_tasks_are_those_of_my_roles(store: SpeakingStore, browser_page: httpx.Client) -> None:
    mine = page_of(browser_page, store).split('id="mine"')[1].split("</section>")[0]
    assert "召集小组" in mine
    assert "评估影响" in mine
    assert "核对时限" not in mine, "that is the lawyer's"


def test_steps_are_filtered_by_room(store: SpeakingStore, browser_page: httpx.Client) -> None:
    steps = page_of(browser_page, store, steps="orders").split('<ol class="steps">')[1].split("</ol>")[0]
    assert "下达指令（测试）" in steps
    assert "启动应急预案（测试）" not in steps


def test_an_order_goes_out_with_a_confirmation_and_its_state_is_followed(
    store: SpeakingStore, browser_page: httpx.Client
) -> None:
    path = f"/incidents/{store.store_id}/{ID}/do/direct"
    fields = {"role": "legal", "text": "请复核报告", "minutes": "30", "hours": "24"}
    form = browser_page.get(path)
    assert "指令马上发给担任这个角色的人" in form.text
    refused = browser_page.post(path, data=fields | {"form_token": form_token(form)})
    assert refused.status_code == 422, "not confirmed"
    assert taken(store) == []
    sent = send_form(browser_page, path, **fields)
    assert sent.status_code == 303
    (order,) = taken(store)
    assert (order["kind"], order["params"]["incident"], order["params"]["text"]) == ("direct", ID, "请复核报告")
    assert "请复核报告" in page_of(browser_page, store).split('id="given"')[1].split("</section>")[0]
    wait_for(lambda: "已送达" in page_of(browser_page, store))
    answer(store, order, incident=ID)
    assert "已执行" in page_of(browser_page, store)


def test_a_refusal_is_shown_with_the_stores_reason(store: SpeakingStore, browser_page: httpx.Client) -> None:
    send_form(browser_page, f"/incidents/{store.store_id}/{ID}/do/advance", to="cleaning")
    (order,) = taken(store)
    answer(store, order, "refused", "还不能进入：调查没有结论")
    page = page_of(browser_page, store)
    assert "门店拒绝" in page
    assert "还不能进入：调查没有结论" in page


def test_note_grade_and_submission_become_orders_of_their_kind(
    store: SpeakingStore, browser_page: httpx.Client
) -> None:
    base = f"/incidents/{store.store_id}/{ID}/do/"
    send_form(browser_page, base + "note", text="已电话核实")
    send_form(browser_page, base + "grade", law="larger", reason="媒体已报道")
    send_form(
        browser_page, base + "submit", duty="cn-incident-reporting/province-4h", channel="12387 热线",
        at="2026-11-26T12:00", receipt="测试回执 7",
    )  # fmt: skip
    orders = taken(store)
    assert [order["kind"] for order in orders] == ["note", "grade", "submit"]
    assert orders[1]["params"]["law"] == "larger"
    assert orders[2]["params"]["receipt"] == "测试回执 7"
    assert orders[2]["params"]["at"].startswith("2026-11-26T04:00"), "head office's zone is Shanghai's"


def test_what_destroys_waits_for_officers_and_says_so(store: SpeakingStore, browser_page: httpx.Client) -> None:
    path = f"/incidents/{store.store_id}/{ID}/do/dismiss"
    assert "2 位签名人签名后才会发出" in browser_page.get(path).text
    send_form(browser_page, path, reason="测试误报")
    assert taken(store) == []
    given = page_of(browser_page, store).split('id="given"')[1].split("</section>")[0]
    assert "等两人签名" in given


def test_an_act_that_no_longer_fits_is_refused(store: SpeakingStore, browser_page: httpx.Client) -> None:
    path = f"/incidents/{store.store_id}/{ID}/do/note"
    token = form_token(browser_page.get(path))
    store.report("incident", incident("closed"))
    late = browser_page.post(path, data={"form_token": token, "confirmed": "yes", "text": "太晚"})
    assert late.status_code == 422
    assert "状态已经变了" in late.text
    assert taken(store) == []


def test_a_silent_store_is_said_to_be_silent(
    office: OfficeProcess, browser_page: httpx.Client, enrolled: Enrol
) -> None:
    store = enrolled("沉默店")
    store.report("incident", incident())
    make_silent(office, store.store_id)
    page = page_of(browser_page, store)
    assert "指令会等它回来" in page


def make_silent(office: OfficeProcess, store_id: str) -> None:
    """As if it had not been heard for long."""
    with database(office) as session:
        session.execute(update(Store).where(Store.id == store_id).values(heard_at=now().replace(year=2025)))


def test_markup_of_a_store_stays_text(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("标记店")
    evil = '<script>alert("1")</script>'
    store.report("incident", incident(summary=evil, orders=[{"id": "x/1", "text": evil, "role": evil[:20]}]))
    page = page_of(browser_page, store)
    assert evil not in page
    assert "&lt;script&gt;" in page


def paper(content: bytes, **more: str) -> dict[str, str]:
    return {
        "incident": ID, "name": "时间线.svg", "media": "image/svg+xml", "language": "zh-CN",
        "sha256": hashlib.sha256(content).hexdigest(), "content": base64.b64encode(content).decode(),
    } | more  # fmt: skip


def test_a_picture_is_shown_and_can_do_nothing(store: SpeakingStore, browser_page: httpx.Client) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    assert store.report("paper", paper(svg)).status_code == 200
    page = page_of(browser_page, store)
    source = page.split('<img src="/papers/')[1].split('"')[0]
    shown = browser_page.get(f"/papers/{source}")
    assert shown.status_code == 200
    assert shown.headers["content-type"] == "image/svg+xml"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert shown.content == svg


def test_a_document_is_a_download_and_its_digest_is_compared_with_the_stores(
    enrolled: Enrol, browser_page: httpx.Client
) -> None:
    store = enrolled("文书店")
    content = b"<html><script>alert(1)</script></html>"
    digest = hashlib.sha256(content).hexdigest()
    listed = [{"name": "drafts/报告.html", "size": len(content), "sha256": digest},
              {"name": "事故报告.docx", "size": 1, "sha256": "ab" * 32}]  # fmt: skip
    store.report("incident", incident(documents=listed))
    store.report("paper", paper(content, name="drafts/报告.html", media="text/html"))
    page = page_of(browser_page, store).split('id="documents"')[1]
    assert "摘要相符" in page
    assert digest[:16] in page
    assert "在门店" in page
    got = browser_page.get(f"/papers/{store.store_id}/{ID}/drafts/报告.html")
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.headers["content-security-policy"].startswith("sandbox")
    other = hashlib.sha256(b"other").hexdigest()
    store.report("incident", incident(documents=[{"name": "drafts/报告.html", "size": 1, "sha256": other}]))
    assert "摘要不符" in page_of(browser_page, store)


def test_papers_of_a_store_that_one_may_not_look_at_do_not_exist(
    office: OfficeProcess, store: SpeakingStore, client: httpx.Client
) -> None:
    answer = client.get(f"/papers/{store.store_id}/{ID}/x.svg")
    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")


def test_the_page_is_fast_with_a_long_incident(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("长事件店")
    steps = [{"at": at(-3), "act": "note", "actor": "测试", "detail": f"第 {number} 条"} for number in range(2000)]
    assert store.report("incident", incident(steps=steps)).status_code == 200
    page_of(browser_page, store)
    answer = browser_page.get(f"/incidents/{store.store_id}/{ID}")
    milliseconds = float(answer.headers["server-timing"].split("dur=")[1])
    assert milliseconds < 200
    assert "第 1999 条" in answer.text
    assert "第 5 条" not in answer.text
