"""Reports over the real wire: taken once, in any order, from whoever holds the store's key, and nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ingesting import read

from central.database.engine import open_database
from central.models import Store
from central.testing import OfficeProcess, SpeakingStore
from central.wire import MAX_BODY, encode

Enrol = Callable[[str], SpeakingStore]
HEAD = "ab" * 32


def alert(number: int = 1, **more: object) -> dict[str, object]:
    return {"id": str(number), "at": datetime.now(UTC).isoformat(), "kind": "bound", "open": True} | more


def store_page(page: httpx.Client, store: SpeakingStore) -> str:
    answer = page.get(f"/stores/{store.store_id}", params={"lang": "en"})
    assert answer.status_code == 200
    return answer.text


def test_a_report_is_taken_once_and_its_repetition_is_known(enrolled: Enrol) -> None:
    store = enrolled("测试甲店")
    body = store.body("alert", alert())
    assert store.send(body).json()["outcome"] == "accepted"
    again = store.send(body)
    assert (again.status_code, again.json()["outcome"]) == (200, "known")


def test_the_same_number_with_other_content_is_refused_and_shown(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("测试乙店")
    assert store.send(store.body("alert", alert())).status_code == 200
    other = store.send(store.body("alert", alert(text="other"), number=1))
    assert (other.status_code, other.json()["error"]) == (409, "conflict")
    page = store_page(browser_page, store)
    assert "Same number, other content" in page
    assert "other</p>" not in page


def test_a_forged_signature_has_no_effect_and_is_shown(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("测试丙店")
    body = store.body("incident", {"id": "x", "kind": "insider", "phase": "responding", "discovered_at": "2026-01-01"})
    thief = Ed25519PrivateKey.generate()
    assert store.send(body, signature=encode(thief.sign(body))).status_code == 401
    # a signature by the store's own key over the bare body: another context, so not a report's signature
    assert store.send(body, signature=encode(store.key.sign(body))).status_code == 401
    page = store_page(browser_page, store)
    assert "Wrong signature" in page
    assert "/incidents/" not in page


def test_a_store_cannot_speak_for_another(enrolled: Enrol) -> None:
    first, second = enrolled("测试丁店"), enrolled("测试戊店")
    assert first.send(first.body("alert", alert()), store=second.store_id).status_code == 401
    assert first.send(first.body("alert", alert()), store="s-000000000000").status_code == 401


def test_one_flipped_byte_is_noticed(enrolled: Enrol) -> None:
    store = enrolled("测试己店")
    body = store.body("alert", alert(text="aaaa"))
    signature = encode(store.key.sign(b"cloche.report/1\x00" + body))
    assert store.send(body.replace(b"aaaa", b"aaab"), signature=signature).status_code == 401
    assert store.send(body, signature=signature).status_code == 200


def test_an_older_picture_never_replaces_a_newer_one(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("测试庚店")
    older = store.body("inventory", {"persons": 111_111, "places": 1})
    newer = store.body("inventory", {"persons": 222_222, "places": 2})
    assert store.send(newer).status_code == 200
    assert store.send(older).status_code == 200
    page = store_page(browser_page, store)
    assert "222,222" in page
    assert "111,111" not in page


def test_a_withheld_report_is_a_gap_until_it_arrives(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("测试辛店")
    withheld = store.body("audit", {"entries": 7, "head": HEAD})
    assert store.report("alert", alert()).status_code == 200
    assert 'data-key="gaps"' in store_page(browser_page, store)
    assert store.send(withheld).status_code == 200
    assert 'data-key="gaps"' not in store_page(browser_page, store)


def test_a_missing_inventory_is_no_gap(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("测试壬店")
    store.body("inventory", {"persons": 1})
    assert store.report("inventory", {"persons": 2}).status_code == 200
    assert 'data-key="gaps"' not in store_page(browser_page, store)


def test_a_rewritten_record_is_noticed(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("测试癸店")
    store.report("audit", {"entries": 5, "head": HEAD})
    store.report("audit", {"entries": 5, "head": "cd" * 32})
    assert "Record was rewritten" in store_page(browser_page, store)


def test_health_closes_alerts_that_are_no_longer_open(enrolled: Enrol, office: OfficeProcess) -> None:
    store = enrolled("测试子店")
    store.report("alert", alert(1, text="first"))
    store.report("alert", alert(2, text="second"))
    store.report("health", {"open_alerts": ["2"]})
    engine = open_database(f"sqlite:///{office.folder / 'hq.db'}")
    with read(engine) as session:
        assert session.get_one(Store, store.store_id).open_alerts == 1
    engine.dispose()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'{"schema": "cloche.report/2"}', b"[" * 100_000, b"\xff\xfe",
        b'{"schema": "cloche.report/1", "kind": "alert", "number": 99999999999999999999, "document": {}}',
        b'{"schema": "cloche.report/1", "kind": "health", "number": 1, "written_at": "9999-12-31", "document": {}}',
        b'{"schema": "cloche.report/1", "kind": "audit", "number": 1, "written_at": "2026-01-01", "document": {}}',
        b'{"schema": "cloche.report/1", "kind": "gossip", "number": 1, "written_at": "2026-01-01", "document": {}}',
    ],
)  # fmt: skip
def test_a_malformed_body_is_refused_without_an_echo(enrolled: Enrol, body: bytes) -> None:
    store = enrolled("测试丑店")
    answer = store.send(body)
    assert answer.status_code == 422
    assert answer.json()["error"] == "malformed"
    assert len(answer.content) < 400


def test_an_oversized_body_is_refused_before_it_is_read(enrolled: Enrol, client: httpx.Client) -> None:
    store = enrolled("测试寅店")
    assert store.send(b" " * (MAX_BODY + 1)).status_code == 413

    def endless() -> object:
        for _ in range(6):
            yield b" " * (1 << 20)

    answer = store.own.post(
        "/v1/reports", content=endless(), headers={"Cloche-Wire": "1", "Cloche-Store": store.store_id}
    )
    assert answer.status_code == 413
    assert store.report("health", {}).status_code == 200


def test_another_wire_version_is_told_which_ones_are_spoken(enrolled: Enrol) -> None:
    store = enrolled("测试卯店")
    answer = store.send(store.body("health", {}), wire="2")
    assert (answer.status_code, answer.json()) == (400, {"error": "wire", "supported": [1]})


def test_unknown_fields_are_ignored_and_long_ones_cut(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("测试辰店")
    document = alert(text="\u202e\x1b[31m" + "长" * 10_000, invented={"a": 1})
    assert store.report("alert", document).status_code == 200
    page = store_page(browser_page, store)
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert 3_900 < page.count("长") < 4_001


def test_markup_in_what_a_store_sends_stays_text(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("<img src=x onerror=alert(1)>")
    store.report("alert", alert(text="<script>alert(1)</script>", user="'\"><b id=x>"))
    for page in (store_page(browser_page, store), browser_page.get("/").text):
        assert "<script>" not in page
        assert "<img src=x" not in page
        assert "<b id=x" not in page


def test_every_answer_carries_the_headers_that_keep_a_page_safe(client: httpx.Client, office: OfficeProcess) -> None:
    for path in ("/login", "/", "/nothing", "/static/cloche.css", "/static/../app.py", "/v1/ca", "/v1/nothing"):
        answer = client.get(path)
        assert answer.status_code < 500
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["strict-transport-security"]
        assert "server" not in answer.headers
    assert json.loads(client.get("/v1/nothing").text) == {"error": "certificate"}
