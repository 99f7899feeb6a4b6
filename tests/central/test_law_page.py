"""The lawyer's page: by deadline, a line for each duty and entity, filters, what is missing, submissions, CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from incident_reports import CODE, ENTITY, ID, at, clock, come_in, incident, owed, send_form, taken

from central.testing import OfficeProcess, SpeakingStore

Enrol = Callable[[str], SpeakingStore]
FOUR_HOURS = "cn-incident-reporting/province-4h"


@pytest.fixture(scope="module")
def lawyers_cookies(office: OfficeProcess) -> httpx.Cookies:
    with office.client() as http:
        return come_in(office, http, "lawyer", "legal@all").cookies


@pytest.fixture
def lawyer(office: OfficeProcess, lawyers_cookies: httpx.Cookies) -> Iterator[httpx.Client]:
    with office.client() as http:
        http.cookies.update(lawyers_cookies)
        yield http


def rows_of(browser: httpx.Client, **query: str) -> list[str]:
    page = browser.get("/law", params={"lang": "zh-CN"} | query)
    assert page.status_code == 200, page.text
    return re.findall(r"<tr data-line.*?</tr>", page.text, re.DOTALL)


def of_store(rows: list[str], store: SpeakingStore) -> list[str]:
    return [row for row in rows if store.store_id in row]


def test_lines_stand_by_deadline_with_office_entity_and_what_is_missing(enrolled: Enrol, lawyer: httpx.Client) -> None:
    store = enrolled("时限店")
    store.report(
        "incident",
        incident(
            clocks=[
                clock("eu-gdpr/art-33", deadline=at(30)), clock(FOUR_HOURS, deadline=at(-2)),
                clock("cn-pipl/art-57", counts_up=True), clock("the-plan/report-48h", "waiting"),
            ]
        ),
    )  # fmt: skip
    rows = of_store(rows_of(lawyer), store)
    assert [re.search(r"<strong>(.*?)</strong>", row)[1] for row in rows] == [  # type: ignore[index]
        "向省级网信部门报告", "通知主管部门", "向监管机构通报",
    ]  # fmt: skip
    assert "已超时 02:0" in rows[0]
    assert "上海市网信办" in rows[0]
    assert "机关名称未核实" in rows[0]
    assert ENTITY in rows[0]
    assert CODE in rows[0]
    assert "初步原因" in rows[0]


def test_filters_leave_what_they_say(enrolled: Enrol, lawyer: httpx.Client) -> None:
    store = enrolled("筛选店")
    store.report(
        "incident",
        incident(clocks=[clock(FOUR_HOURS, deadline=at(-2)), clock("eu-gdpr/art-33", deadline=at(60)),
                         clock("the-plan/report-48h", "waiting")]),
    )  # fmt: skip
    assert len(of_store(rows_of(lawyer, show="due"), store)) == 2
    assert len(of_store(rows_of(lawyer, show="overdue"), store)) == 1
    assert len(of_store(rows_of(lawyer, show="today"), store)) == 1
    assert len(of_store(rows_of(lawyer, show="waiting"), store)) == 1
    assert len(of_store(rows_of(lawyer, show="all"), store)) == 3
    assert of_store(rows_of(lawyer, entity="没有这家"), store) == []


def test_one_duty_of_two_entities_is_two_lines(enrolled: Enrol, lawyer: httpx.Client) -> None:
    store = enrolled("两主体店")
    both = [owed(), owed("测试加盟有限公司", missing=[])]
    store.report("incident", incident(clocks=[clock(FOUR_HOURS, deadline=at(1), entities=both)]))
    rows = of_store(rows_of(lawyer), store)
    assert len(rows) == 2
    assert sum("测试加盟有限公司" in row for row in rows) == 1


def test_stores_of_one_case_with_the_same_duty_are_one_line(
    enrolled: Enrol, lawyer: httpx.Client, browser_page: httpx.Client
) -> None:
    one, other = enrolled("同案甲店"), enrolled("同案乙店")
    ids = [one.store_id, other.store_id]
    sent = send_form(
        browser_page, "/declare", f"/declare?store={ids[0]}&store={ids[1]}", where="stores", store=ids, what="report",
        kind="vendor", summary="测试",
    )  # fmt: skip
    case = sent.headers["location"].rpartition("/")[2]
    later = [owed(missing=[{"field": "trend", "text": "发展趋势"}])]
    one.report("incident", incident(case=case, clocks=[clock(FOUR_HOURS, deadline=at(3))]))
    other.report("incident", incident(case=case, clocks=[clock(FOUR_HOURS, deadline=at(2), entities=later)]))
    (row,) = [row for row in rows_of(lawyer) if case in row]
    assert "还剩 01:5" in row, "the earliest deadline counts"
    assert "初步原因" in row
    assert "发展趋势" in row
    assert "2 家门店" in row
    path = f"/cases/{case}/do/submit"
    assert path in row
    done = send_form(lawyer, path, duty=FOUR_HOURS, channel="12387 热线", at="2026-11-26T12:00", receipt="测试 1")
    assert done.status_code == 303, done.text
    for store in (one, other):
        assert [order["kind"] for order in taken(store)] == ["report", "submit"]


def test_what_was_handed_in_is_off_the_list_and_kept_with_its_receipt(enrolled: Enrol, lawyer: httpx.Client) -> None:
    store = enrolled("已交店")
    handed = [
        owed(submissions=[{"at": at(-1), "by": "测试", "to": "上海市网信办", "channel": "12387", "receipt": "R7"}])
    ]
    store.report("incident", incident(clocks=[clock(FOUR_HOURS, deadline=at(1), entities=handed)]))
    assert of_store(rows_of(lawyer), store) == []
    (row,) = of_store(rows_of(lawyer, show="submitted"), store)
    assert "R7" in row


def test_duties_of_an_incident_that_has_ended_stay_until_they_are_done(enrolled: Enrol, lawyer: httpx.Client) -> None:
    store = enrolled("已结束店")
    ended = incident("closed", clocks=[clock("cn-incident-reporting/summary-30d", deadline=at(600))])
    store.report("incident", ended)
    (row,) = of_store(rows_of(lawyer), store)
    assert "天" in row
    store.report("incident", incident("dismissed", clocks=[clock(FOUR_HOURS, "stopped")]))
    assert of_store(rows_of(lawyer, show="all"), store) == []


def test_the_csv_holds_the_lines_and_no_formula(enrolled: Enrol, lawyer: httpx.Client) -> None:
    store = enrolled("=cmd|表格店")
    store.report("incident", incident(clocks=[clock(FOUR_HOURS, deadline=at(1))]))
    answer = lawyer.get("/law.csv", params={"lang": "zh-CN"})
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    (row,) = [row for row in rows if "cmd" in row["门店"]]
    assert row["门店"].startswith("'=")
    assert row["法律主体"] == ENTITY
    assert row["事件"] == ID
    assert row["已核实"] == "未核实"


def test_standing_duties_stand_in_a_calendar(enrolled: Enrol, lawyer: httpx.Client) -> None:
    store = enrolled("常设店")
    store.report(
        "health",
        {"tier": "none", "standing": [
            {"key": "cn-gbt-35273/training", "reached": True, "due": at(24 * 40), "done_at": at(-24 * 300)},
            {"key": "cn-officer/filing", "reached": True, "due": at(-48)},
            {"key": "cn-faces/filing", "reached": None},
        ]},
    )  # fmt: skip
    page = lawyer.get("/law/standing", params={"lang": "zh-CN"}).text
    assert "已过期" in page
    assert "应急响应培训和演练" in page
    assert "常设店" in page


def test_who_has_no_right_to_the_law_sees_none_of_it(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("无权店")
    with office.client() as http:
        browser = come_in(office, http, "nolaw", f"store_manager@store:{store.store_id}")
        assert browser.get("/law").status_code == 403
        assert browser.get("/law.csv").status_code == 403


def test_a_lawyer_of_one_entity_sees_its_stores_alone(office: OfficeProcess, enrolled: Enrol) -> None:
    store, other = enrolled("本主体店"), enrolled("他主体店")
    for one in (store, other):
        one.report("incident", incident(clocks=[clock(FOUR_HOURS, deadline=at(1))]))
    with office.client() as http:
        browser = come_in(office, http, "onelaw", f"legal@store:{store.store_id}")
        rows = rows_of(browser)
        assert of_store(rows, store)
        assert not of_store(rows, other)
