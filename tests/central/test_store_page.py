"""A store's pages: what lies there worst first, faults with what they mean, health, events, and settling."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
from accounts_desk import acts_of, database, hidden
from hq_shops import Chain, alert, inventory, place, tell
from sqlalchemy import select

from central.models import Fault, Gap, Store
from central.testing import OfficeProcess, SpeakingStore

Enrol = Callable[[str], SpeakingStore]


def read(page: httpx.Client, path: str, /, **query: str) -> str:
    answer = page.get(path, params={"lang": "zh-CN", **query})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_page_says_everything_that_was_told(browser_page: httpx.Client, chain: Chain) -> None:
    page = read(browser_page, f"/stores/{chain.open}")
    for words in (
        "会员名单",
        "/srv/示例/导出-0100.csv",
        "未加密",
        "需要密码",
        "没有防火墙",
        "示例外卖平台",
        "正在共享",
        "已过期",
        "内部人员窃取",
        "有没读完的",
        "磁盘快满",
        "HTTP 502",
        "512 条已锚定",
        "4 KB",
        "55",
    ):
        assert words in page, words
    assert re.search(r"证书有效到</dt><dd>\d{4}-\d\d-\d\d", page)
    certificate = page.index("证书有效到")
    assert "已过期" not in page[certificate : certificate + 80]


def test_a_store_that_told_nothing_has_a_page_that_says_so(browser_page: httpx.Client, chain: Chain) -> None:
    page = read(browser_page, f"/stores/{chain.silent}")
    for words in ("还没有发来任何报告", "还没有收到清单", "还没有收到运行状况", "还没有评估过", "还没有演练过"):
        assert words in page, words


def test_places_come_worst_first_and_fifty_a_page(browser_page: httpx.Client, chain: Chain) -> None:
    first = read(browser_page, f"/stores/{chain.open}/places")
    assert first.index("导出-0100.csv") < first.index("导出-0069.csv") < first.index("导出-0068.csv")
    assert "第 1–50 处" in first
    second = read(browser_page, f"/stores/{chain.open}/places", page="2")
    shown = re.findall(r"导出-(\d{4})\.csv", first + second)
    assert len(shown) == len(set(shown)) == 71


def test_places_are_filtered_by_kind_level_state_and_what_they_are_called(
    browser_page: httpx.Client, chain: Chain
) -> None:
    path = f"/stores/{chain.open}/places"
    for query in ({"kind": "spreadsheet"}, {"level": "4"}, {"state": "plain"}, {"q": "会员"}, {"q": "0100"}):
        page = read(browser_page, path, **query)
        assert re.findall(r"导出-(\d{4})\.csv", page) == ["0100"], query
    assert "没有符合条件的内容" in read(browser_page, path, level="4", kind="csv")
    assert len(re.findall("导出-", read(browser_page, path, level="9"))) == 50


def test_alerts_and_events_have_pages_of_their_own(browser_page: httpx.Client, chain: Chain) -> None:
    alerts = read(browser_page, f"/stores/{chain.alarmed}/alerts")
    assert alerts.count('data-key="a-') == 6
    assert alerts.index('data-key="a-2"') < alerts.index('data-key="a-3"')
    events = read(browser_page, f"/stores/{chain.open}/events")
    assert "示例事件 0 " in events
    assert events.index("示例事件 3 ") < events.index("示例事件 4 ")
    assert "示例事件 59" not in events
    assert "示例事件 59" in read(browser_page, f"/stores/{chain.open}/events", page="2")
    assert "示例事件 1 " not in read(browser_page, f"/stores/{chain.open}/events", severity="notice")


def test_a_fault_says_what_it_means_and_is_settled_with_a_note(
    enrolled: Enrol, browser_page: httpx.Client, office: OfficeProcess
) -> None:
    store = enrolled("重装店")
    tell(store, ("inventory", inventory([place(1)])))
    taken = store.body("alert", alert(1, open=False))
    assert store.send(taken).status_code == 200
    other = taken.replace(b'"id":"1"', b'"id":"2"')
    assert other != taken
    assert store.send(other).status_code == 409
    path = f"/stores/{store.store_id}"
    page = read(browser_page, path)
    assert "同一编号来过两份不同的报告" in page
    assert "确认只有一台服务器在用这个身份" in page

    fields = {"form_token": hidden(page, "form_token"), "note": "从备份恢复过"}
    unsure = browser_page.post(f"{path}/faults/conflict/settle", data=fields)
    assert unsure.status_code == 422
    assert (
        browser_page.post(f"{path}/faults/conflict/settle", data=fields | {"confirmed": "yes", "note": ""}).status_code
        == 422
    )
    assert browser_page.post(f"{path}/faults/none/settle", data=fields | {"confirmed": "yes"}).status_code == 404
    done = browser_page.post(f"{path}/faults/conflict/settle", data=fields | {"confirmed": "yes"})
    assert (done.status_code, done.headers["location"]) == (303, f"{path}#faults")
    with database(office) as session:
        kept = session.get_one(Store, store.store_id)
        assert (kept.faults, kept.urgency) == (0, 0)
    assert acts_of(office, "fault.settled")[-1].detail == "conflict x1: 从备份恢复过"
    assert "同一编号来过两份不同的报告" not in read(browser_page, path)

    assert store.send(other).status_code == 409
    assert "同一编号来过两份不同的报告" in read(browser_page, path)
    with database(office) as session:
        assert session.get_one(Store, store.store_id).urgency == 40


def test_reports_that_will_not_come_are_settled_too(
    enrolled: Enrol, browser_page: httpx.Client, office: OfficeProcess
) -> None:
    store = enrolled("漏报店")
    tell(store, ("inventory", inventory([place(1)])))
    store.body("alert", alert(1, open=False))  # written, never sent
    tell(store, ("alert", alert(2, open=False)))
    path = f"/stores/{store.store_id}"
    page = read(browser_page, path)
    assert "没有收到的报告" in page
    fields = {"form_token": hidden(page, "form_token"), "note": "旧硬盘已毁", "confirmed": "yes"}
    assert browser_page.post(f"{path}/gaps/settle", data=fields).status_code == 303
    with database(office) as session:
        assert list(session.scalars(select(Gap).where(Gap.store_id == store.store_id))) == []
        assert session.get_one(Store, store.store_id).faults == 0
    assert acts_of(office, "gaps.settled")[-1].detail == "1 (2): 旧硬盘已毁"


def test_who_may_not_settle_sees_no_form_and_is_refused(
    browser_page: httpx.Client, chain: Chain, office: OfficeProcess
) -> None:
    page = read(browser_page, f"/stores/{chain.faulty}")
    assert f'action="/stores/{chain.faulty}/faults/conflict/settle"' in page
    forged = browser_page.post(
        f"/stores/{chain.faulty}/faults/conflict/settle",
        data={"form_token": "guess", "note": "x", "confirmed": "yes"},
    )
    assert forged.status_code == 403
    with database(office) as session:
        assert session.get_one(Fault, (chain.faulty, "conflict")).settled_at is None


def test_charts_are_pictures_without_scripts_that_say_what_they_show(browser_page: httpx.Client, chain: Chain) -> None:
    for name in ("exposed", "persons", "coverage", "assessment", "alerts", "levels"):
        for under in ("", f"/stores/{chain.open}"):
            answer = browser_page.get(f"{under}/charts/{name}.svg", params={"lang": "en"})
            assert answer.headers["content-type"] == "image/svg+xml"
            assert "script" not in answer.text
            assert re.search(r'<svg[^>]*role="img"[^>]*aria-labelledby="title desc"', answer.text)
            assert "<desc" in answer.text
            assert "<table" in browser_page.get(f"{under}/charts/{name}").text or "No figures yet" in answer.text
    assert browser_page.get("/charts/none.svg").status_code == 404
