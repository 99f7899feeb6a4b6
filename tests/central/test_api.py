"""The API for programs: tokens, rights, pages, tags, problems, orders given once, exports, figures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import openpyxl
import pytest
from databases import BOTH
from postgres import Cluster
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from central.api.programs import describe_api, openapi_document
from central.api.reference import api_page
from central.database.engine import open_database
from central.models import Act, Delivery, Grant, Order, Person, Section, StoredAlert, StoredIncident, View
from central.moments import now
from central.people.tokens import make_token
from central.testing import OfficeProcess, SpeakingStore, serve_office
from central.throttle import Throttle

LISTS = (
    "summary", "drills", "assessments", "people", "record", "stores", "alerts", "events", "incidents", "cases",
    "clocks", "orders",
)  # fmt: skip


@contextmanager
def database(office: OfficeProcess) -> Iterator[Session]:
    engine = open_database(office.database or f"sqlite:///{office.folder / 'hq.db'}")
    try:
        with sessionmaker(engine).begin() as session:
            yield session
    finally:
        engine.dispose()


def token_of(office: OfficeProcess, *, writes: bool = False, role: str = "", store_id: str = "") -> str:
    """A token of the first officer, or of somebody new with one role in one store."""
    with database(office) as session:
        if role:
            person = Person(id=f"p-{role}-{store_id}"[:40], name="测试人员", mail="test@example.com", made_at=now())
            session.add(person)
            session.flush()
            session.add(Grant(person_id=person.id, role=role, scope="store", scope_id=store_id, since=now()))
        else:
            person = session.scalars(select(Person).where(Person.login == office.officer)).one()
        return make_token(session, person, "test", writes=writes)[0]


@pytest.fixture(scope="module", params=BOTH)
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficeProcess]:
    """A head office on each kind of database."""
    cluster: Cluster | None = request.getfixturevalue("cluster") if request.param == "postgresql" else None
    folder = tmp_path_factory.mktemp("hq") / "office"
    with serve_office(folder, database=cluster.create() if cluster else "") as running:
        yield running


@pytest.fixture(scope="module")
def stores(office: OfficeProcess) -> list[str]:
    """Three enrolled stores; the first with places, alerts and an incident."""
    found = []
    with office.client() as client:
        for name in ("测试一店", "=测试二店", "测试三店"):
            store = SpeakingStore(client=client)
            assert store.enrol(office.token(name)).status_code == 200
            assert store.report("health", {}).status_code == 200
            found.append(store.store_id)
    place = {
        "path": "/srv/会员.xlsx",
        "label": "会员名单",
        "kind": "spreadsheet",
        "level": 3,
        "persons": 7,
        "state": "plain",
    }
    with database(office) as session:
        for section in ("00", "3f"):
            places = [place | {"id": f"{section}{number:014x}", "entities": ["PERSON"]} for number in range(4)]
            places[0]["path"] = "=1+1"
            session.add(
                Section(
                    store_id=found[0], section=section, number=1, digests={section: "0" * 16}, places=4,
                    document=json.dumps(places).encode(),
                )
            )  # fmt: skip
        for number in range(5):
            session.add(
                StoredAlert(
                    store_id=found[number % 2], alert_id=f"a-{number}", number=number, is_open=number != 4,
                    at=now() - timedelta(hours=number), document={"kind": "bound", "severity": "high", "text": "读取"},
                )
            )  # fmt: skip
        clock = {"title": "报告监管部门", "regime": "pipl", "state": "running", "deadline": "2026-12-01T00:00:00Z"}
        session.add(
            StoredIncident(
                store_id=found[0], incident_id="i-1", number=9, kind="insider", phase="responding", is_open=True,
                discovered_at=now(), deadline_at=datetime(2026, 12, 1, tzinfo=UTC),
                document={"summary": "测试", "files": 2, "persons": 14, "types": ["PERSON"], "clocks": [clock]},
            )
        )  # fmt: skip
    return found


@pytest.fixture
def ask(office: OfficeProcess, client: httpx.Client) -> httpx.Client:
    """A client with a token that reads."""
    client.headers["Authorization"] = f"Bearer {token_of(office)}"
    return client


def test_without_a_token_that_holds_there_is_a_problem_document(office: OfficeProcess, client: httpx.Client) -> None:
    for headers in ({}, {"Authorization": "Bearer clq_000000000000_" + "a" * 43}, {"Authorization": "Basic eDp5"}):
        answer = client.get("/api/v1/stores", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["type"] == "urn:cloche:problem:token"


def test_stores_come_in_pages_that_miss_and_repeat_nothing(ask: httpx.Client, stores: list[str]) -> None:
    seen, cursor = [], None
    while True:
        answer = ask.get("/api/v1/stores", params={"limit": 1} | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        seen += [item["id"] for item in answer.json()["items"]]
        cursor = answer.json()["next"]
        if cursor is None:
            break
    assert seen == sorted(stores)


def test_every_list_answers_and_tells_what_stores_sent(ask: httpx.Client, stores: list[str]) -> None:
    for path in LISTS:
        answer = ask.get(f"/api/v1/{path}")
        assert answer.status_code == 200, f"{path}: {answer.text}"
    assert ask.get("/api/v1/summary").json()["stores"] == 3
    alerts = ask.get("/api/v1/alerts", params={"open": "true", "store": stores[0]}).json()["items"]
    assert [alert["id"] for alert in alerts] == ["a-0", "a-2"]
    assert ask.get(f"/api/v1/incidents/{stores[0]}/i-1").json()["document"]["persons"] == 14
    assert ask.get("/api/v1/clocks").json()["items"][0]["title"] == "报告监管部门"
    people = ask.get("/api/v1/people").json()["items"]
    assert all(person["mail"] is None and person["mobile"] is None for person in people)


def test_places_are_paged_over_sections(ask: httpx.Client, stores: list[str]) -> None:
    seen, cursor = [], None
    for _page in range(10):
        answer = ask.get(
            f"/api/v1/stores/{stores[0]}/places", params={"limit": 3} | ({"cursor": cursor} if cursor else {})
        )
        seen += [item["id"] for item in answer.json()["items"]]
        if (cursor := answer.json()["next"]) is None:
            break
    assert len(seen) == len(set(seen)) == 8
    assert seen == sorted(seen)
    assert ask.get(f"/api/v1/stores/{stores[0]}/places", params={"level": 1}).json()["items"] == []


def test_a_cursor_that_nobody_gave_is_refused(ask: httpx.Client, stores: list[str]) -> None:
    for cursor in ("x", "!!", "WzFd", "W10", "bnVsbA", "WyJhXHUwMDAwIl0", "WyJcdWQ4MDAiXQ", "W1tbW1tb" * 40):
        answer = ask.get("/api/v1/stores", params={"cursor": cursor})
        assert answer.status_code == 400, cursor
        assert answer.json()["type"] == "urn:cloche:problem:cursor"
    too_long = ask.get("/api/v1/stores", params={"limit": 501})
    assert too_long.status_code == 422
    assert too_long.json()["errors"] == [{"field": "query.limit", "reason": "less_than_equal"}]


def test_what_has_not_changed_is_not_sent_again(ask: httpx.Client, stores: list[str]) -> None:
    first = ask.get(f"/api/v1/incidents/{stores[0]}/i-1")
    again = ask.get(f"/api/v1/incidents/{stores[0]}/i-1", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = ask.get(f"/api/v1/stores/{stores[0]}", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_a_store_manager_sees_one_store_and_no_trace_of_others(
    office: OfficeProcess, client: httpx.Client, stores: list[str]
) -> None:
    client.headers["Authorization"] = f"Bearer {token_of(office, role='store_manager', store_id=stores[1])}"
    assert [item["id"] for item in client.get("/api/v1/stores").json()["items"]] == [stores[1]]
    assert client.get(f"/api/v1/stores/{stores[0]}").status_code == 404
    assert client.get(f"/api/v1/stores/{stores[0]}/places").status_code == 404
    assert client.get(f"/api/v1/incidents/{stores[0]}/i-1").status_code == 404
    assert client.get("/api/v1/incidents").json()["items"] == []
    assert {item["store"] for item in client.get("/api/v1/alerts").json()["items"]} == {stores[1]}
    assert client.get("/api/v1/record").status_code == 403
    refused = client.get("/api/v1/exports/stores.csv")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:cloche:problem:refused")
    assert client.get("/api/v1/summary").json()["stores"] == 1


def test_an_order_is_given_once_however_often_it_is_asked_for(
    office: OfficeProcess, client: httpx.Client, stores: list[str]
) -> None:
    client.headers["Authorization"] = f"Bearer {token_of(office, writes=True)}"
    wish = {"kind": "rescan", "stores": stores[:2], "params": {"full": True}, "reason": "测试重新扫描"}
    first = client.post("/api/v1/orders", json=wish, headers={"Idempotency-Key": "once-1"})
    again = client.post("/api/v1/orders", json=wish, headers={"Idempotency-Key": "once-1"})
    other = client.post("/api/v1/orders", json=wish | {"reason": "另一个"}, headers={"Idempotency-Key": "once-1"})
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409), first.text
    assert first.json()["id"] == again.json()["id"]
    whole = client.get(first.headers["location"]).json()
    assert sorted(delivery["store"] for delivery in whole["deliveries"]) == sorted(stores[:2])
    with database(office) as session:
        assert session.scalar(select(func.count()).select_from(Order).where(Order.kind == "rescan")) == 1
        assert session.scalar(select(func.count()).select_from(Delivery)) == 2
        assert session.scalar(select(func.count()).select_from(Act).where(Act.act == "api.order")) == 1


def test_what_a_program_may_not_order_is_refused_and_leaves_nothing(
    office: OfficeProcess, client: httpx.Client, stores: list[str]
) -> None:
    good = {"kind": "rescan", "stores": stores[:1], "params": {}, "reason": "测试"}
    client.headers["Authorization"] = f"Bearer {token_of(office)}"
    assert client.post("/api/v1/orders", json=good).status_code == 403  # a token that reads
    client.headers["Authorization"] = f"Bearer {token_of(office, writes=True)}"
    with database(office) as session:
        before = session.scalar(select(func.count()).select_from(Order))
    for wish, status in (
        (good | {"kind": "purge", "params": {"incident": "i-1", "reason": "不应"}}, 403),
        (good | {"kind": "policy", "params": {"settings": {"protect.mode": "observe"}}}, 403),
        (good | {"kind": "format"}, 422),
        (good | {"stores": ["s-unknown"]}, 404),
        (good | {"stores": []}, 422),
        (good | {"stores": "some"}, 422),
        (good | {"params": {"unknown": 1}}, 422),
        (good | {"reason": ""}, 422),
        (good | {"hours": 10_000}, 422),
        (good | {"case": "c-none"}, 422),
    ):
        answer = client.post("/api/v1/orders", json=wish)
        assert answer.status_code == status, (wish, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.post("/api/v1/orders", content=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    with database(office) as session:
        assert session.scalar(select(func.count()).select_from(Order)) == before


def test_an_export_opens_in_excel_and_holds_no_formula(ask: httpx.Client, stores: list[str], tmp_path: Path) -> None:
    answer = ask.get("/api/v1/exports/places.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 8
    assert sorted({row["path"] for row in rows}) == ["'=1+1", "/srv/会员.xlsx"]
    names = [
        row["name"] for row in csv.DictReader(io.StringIO(ask.get("/api/v1/exports/stores.csv").text.lstrip("\ufeff")))
    ]
    assert sorted(names) == sorted(["测试一店", "'=测试二店", "测试三店"])
    book = tmp_path / "places.xlsx"
    book.write_bytes(ask.get("/api/v1/exports/places.xlsx").content)
    sheet = openpyxl.load_workbook(book).active
    assert sheet is not None
    cells = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert cells[0][:4] == ["store", "name", "place", "path"]
    assert cells[1][3] == "=1+1"
    assert sheet["D2"].data_type == "s"  # text, no formula
    for table, count in (("stores", 3), ("incidents", 1), ("clocks", 1)):
        document = ask.get(f"/api/v1/exports/{table}.json").json()
        assert (document["table"], len(document["rows"])) == (table, count)
    record = ask.get("/api/v1/exports/record.json").json()["rows"]
    assert [row["id"] for row in record] == list(range(1, len(record) + 1))
    assert ask.get("/api/v1/exports/secrets.csv").status_code == 404


def test_pages_export_in_the_readers_language(browser_page: httpx.Client, stores: list[str]) -> None:
    chinese = browser_page.get("/export/stores.csv", headers={"Accept-Language": "zh-CN"})
    assert chinese.status_code == 200, chinese.text
    assert chinese.content.decode("utf-8-sig").startswith("门店编号,门店,法律主体")
    english = browser_page.get("/export/clocks.csv", headers={"Accept-Language": "en"})
    assert english.content.decode("utf-8-sig").startswith("Store,Name,Incident")
    assert browser_page.get("/export/nothing.csv").status_code == 404
    about = browser_page.get("/settings/api", headers={"Accept-Language": "en"})
    assert about.status_code == 200
    assert "GET /stores/{store}/places" in about.text
    assert "https://" not in about.text.partition("<main")[2].partition("</main>")[0]  # nothing from elsewhere


def test_views_and_acts_of_programs_are_on_record(office: OfficeProcess, ask: httpx.Client, stores: list[str]) -> None:
    ask.get(f"/api/v1/stores/{stores[2]}")
    ask.get("/api/v1/exports/stores.json")
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while True:
        with database(office) as session:
            seen = session.scalars(select(View.path).where(View.path.contains(f"/api/v1/stores/{stores[2]}"))).all()
            acts = session.scalars(select(Act.detail).where(Act.act == "export")).all()
        if seen or datetime.now(UTC) > deadline:
            break
    assert seen
    assert seen[0].endswith(")")  # with the token's id
    assert any(detail.startswith("stores.json") for detail in acts)


def test_figures_for_prometheus_need_a_token_and_name_no_store(
    office: OfficeProcess, client: httpx.Client, stores: list[str]
) -> None:
    assert client.get("/metrics").status_code == 401
    client.get(f"/api/v1/stores/{stores[0]}", headers={"Authorization": f"Bearer {token_of(office)}"})
    text = client.get("/metrics", headers={"Authorization": f"Bearer {token_of(office)}"}).text
    assert 'cloche_hq_stores{urgency="fine"}' in text
    assert 'page="/api/v1/stores/{store}"' in text
    for name in (
        "cloche_hq_queue_length", "cloche_hq_polls_connected", "cloche_hq_reports_total",
        "cloche_hq_database_errors_total", "cloche_hq_oldest_unacknowledged_order_seconds", "cloche_hq_database_up 1.0",
        'cloche_hq_certificate_days{certificate="server"}',
    ):  # fmt: skip
        assert name in text, name
    assert not any(store in text for store in stores)


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    moment = [0.0]
    throttle = Throttle(60, 3, clock=lambda: moment[0])
    assert [throttle.wait("a") for _try in range(4)] == [0, 0, 0, 1]
    assert throttle.wait("b") == 0
    moment[0] += 1
    assert [throttle.wait("a"), throttle.wait("a")] == [0, 1]
    for name in range(10_000):
        throttle.wait(str(name))
    assert len(throttle._buckets) <= 4096


def test_an_address_with_wrong_tokens_waits(office: OfficeProcess, stores: list[str]) -> None:
    with office.client() as client:
        answers = [client.get("/api/v1/stores", headers={"Authorization": "Bearer clq_wrong"}) for _try in range(25)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_the_page_about_the_api_is_what_the_program_says() -> None:
    written = Path(__file__).parents[2].joinpath("docs/api.md").read_text(encoding="utf-8")
    assert written == api_page(openapi_document(describe_api())), "python -m central.api.reference > docs/api.md"


def test_the_openapi_document_needs_nothing_and_names_every_operation(client: httpx.Client) -> None:
    document = client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "HTTPBearer" in document["components"]["securitySchemes"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation["responses"]["401"]["content"]["application/problem+json"], path
    assert client.get("/api/v1/wire.json").json()["paths"].keys() >= {"/reports", "/orders", "/enrol"}
    assert client.get("/api/v1/nothing").json()["status"] == 404
