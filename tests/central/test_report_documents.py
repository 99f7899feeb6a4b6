"""What a report may hold: whatever comes, it is a bounded, harmless document or a field's name."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from central.documents import (
    MODELS,
    Alert,
    DocumentError,
    Health,
    Incident,
    Inventory,
    OrderState,
    encode_document,
    read_report,
)  # fmt: skip
from central.wire import KINDS

NOW = datetime.now(UTC).isoformat()
SMALLEST: dict[str, dict[str, Any]] = {
    "inventory": {}, "health": {}, "training": {}, "vendors": {}, "events": {"events": []}, "assessment": {"at": NOW},
    "alert": {"id": "1", "at": NOW, "kind": "b"}, "audit": {"entries": 1, "head": "ab" * 32},
    "incident": {"id": "i", "kind": "insider", "phase": "closed", "discovered_at": NOW},
    "order": {"order": "o", "delivery": 1, "state": "done"}, "drill": {"id": "d", "scenario": "s", "at": NOW},
    "paper": {"incident": "i", "name": "a", "media": "text/html", "sha256": "ab" * 32, "content": ""},
    "persons": {"incident": "i", "part": 0, "parts": 1, "count": 0},
}  # fmt: skip


def report(kind: str, document: object, **more: object) -> bytes:
    whole = {"schema": "cloche.report/1", "kind": kind, "number": 1, "written_at": NOW, "document": document} | more
    return json.dumps(whole).encode()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_form_that_survives_writing_and_reading(kind: str) -> None:
    _, document = read_report(report(kind, SMALLEST[kind] | {"invented": {"a": [1]}}))
    assert type(document) is MODELS[kind]
    assert type(document).model_validate(json.loads(encode_document(document))) == document
    assert b"invented" not in encode_document(document)


@pytest.mark.parametrize("is_ascii", [True, False])
def test_texts_are_cut_and_made_harmless_wherever_they_are(is_ascii: bool) -> None:
    bad = "a\u202eb\x1bc\u0007d\u200be\ufefff\u00adg\x7fh\U000e0041i"
    document = {
        "id": bad, "kind": "x" * 500, "phase": "responding", "discovered_at": NOW, "summary": f"one\ntwo\r{bad}",
        "place": "长" * 5000, "types": [bad], "states": {bad: 1},
        "who": [{"user": bad, "program": "p\nq"}],
        "next": [{"phase": "x", "unmet": [{"key": "k", "values": {bad: bad}}]}],
    }  # fmt: skip
    body = json.dumps(
        {"schema": "cloche.report/1", "kind": "incident", "number": 1, "written_at": NOW, "document": document},
        ensure_ascii=is_ascii,
    ).encode()
    _, incident = read_report(body)
    assert isinstance(incident, Incident)
    clean = "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffdg\ufffdh\ufffdi"
    assert (incident.id, incident.types, incident.who[0].user) == (clean, (clean,), clean)
    assert incident.summary == f"one\ntwo\ufffd{clean}"
    assert incident.who[0].program == "p\ufffdq"
    assert (len(incident.kind), len(incident.place)) == (80, 400)
    assert incident.states == {clean: 1}
    assert incident.next[0].unmet[0].values == {clean: clean}


def test_a_lone_surrogate_is_taken_as_an_agent_may_send_it() -> None:
    _, alert = read_report(report("alert", SMALLEST["alert"] | {"text": "x\udcffy", "user": "\ud800"}))
    assert isinstance(alert, Alert)
    assert (alert.text, alert.user) == ("x\ufffdy", "\ufffd")


def test_what_an_order_brought_is_harmless_as_well() -> None:
    answer = {"deep": [{"text\x00": "a\x1bb" * 3000, "n": 1, "ok": True, "none": None}]}
    _, order = read_report(report("order", SMALLEST["order"] | {"answer": answer}))
    assert isinstance(order, OrderState)
    assert order.answer is not None
    (entry,) = order.answer["deep"]
    assert "\x1b" not in entry["text\ufffd"]
    assert len(entry["text\ufffd"]) == 4000
    assert (entry["n"], entry["ok"], entry["none"]) == (1, True, None)


@pytest.mark.parametrize(
    ("told", "meant"),
    [("2026-03-01", "2026-03-01T00:00:00+00:00"), ("2026-03-01T10:00:00", "2026-03-01T10:00:00+00:00"),
     ("2026-03-01T10:00:00+08:00", "2026-03-01T02:00:00+00:00"), ("2026-03-01 10:00:00Z", "2026-03-01T10:00:00+00:00")],
)  # fmt: skip
def test_times_are_understood_and_without_a_zone_they_are_utc(told: str, meant: str) -> None:
    _, alert = read_report(report("alert", SMALLEST["alert"] | {"at": told}))
    assert isinstance(alert, Alert)
    assert alert.at == datetime.fromisoformat(meant)
    assert alert.at.tzinfo is not None


@pytest.mark.parametrize(
    ("kind", "document", "field"),
    [
        ("alert", {"id": "1", "kind": "b"}, "at"), ("alert", {"id": 1, "at": NOW, "kind": "b"}, "id"),
        ("alert", {"id": "1", "at": "1999-12-31T00:00:00Z", "kind": "b"}, "at"),
        ("alert", {"id": "1", "at": (datetime.now(UTC) + timedelta(days=9000)).isoformat(), "kind": "b"}, "at"),
        ("inventory", {"persons": -1}, "persons"), ("inventory", {"persons": 2**53}, "persons"),
        ("inventory", {"groups": [{"kind": "a", "level": 9, "items": 1, "persons": 1}]}, "groups.level"),
        ("inventory", {"worst": [{"path": 1}]}, "worst.path"),
        ("inventory", {"causes": [{"reason": "r", "items": 1}] * 65}, "causes"),
        ("inventory", {"section_digests": {"zz": "ab" * 8}}, "section_digests"),
        ("inventory", {"section_digests": {"aa": "short"}}, "section_digests"),
        ("inventory", {"sections": {"aa": [{"id": "bb01", "path": "/", "kind": "k", "level": 1, "persons": 1,
                                            "state": "plain"}]}}, "sections"),
        ("audit", {"entries": 1, "head": "xyz"}, "head"),
        ("events", {"events": [{"at": NOW, "kind": "k"}] * 501}, "events"),
        ("order", {"order": "o", "delivery": 1, "state": "13800138000"}, "state"),
        ("paper", SMALLEST["paper"] | {"media": "application/x-sh"}, "media"),
        ("paper", SMALLEST["paper"] | {"name": ""}, "name"), ("health", [], "body"), ("health", None, "body"),
        ("persons", SMALLEST["persons"] | {"parts": 0}, "parts"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_its_field_and_never_repeated(kind: str, document: Any, field: str) -> None:
    with pytest.raises(DocumentError) as refused:
        read_report(report(kind, document))
    assert str(refused.value) == field
    assert "13800138000" not in str(refused.value)


def test_a_key_that_came_is_not_in_the_message() -> None:
    with pytest.raises(DocumentError) as refused:
        read_report(report("incident", SMALLEST["incident"] | {"states": {"13800138000": -1}}))
    assert "13800138000" not in str(refused.value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    ),
    st.sampled_from(KINDS),
    st.sampled_from(sorted({name for model in MODELS.values() for name in model.__struct_fields__})),
)
def test_whatever_comes_is_a_document_or_an_error_of_ours(value: Any, kind: str, field: str) -> None:
    body = report(kind, SMALLEST[kind] | {field: value})
    try:
        _, document = read_report(body)
    except DocumentError:
        return
    text = encode_document(document).decode()
    decoded = json.loads(text)
    for piece in texts_of(decoded):
        assert len(piece) <= 2_796_208
        assert not any(unicodedata.category(sign) in {"Cc", "Cf", "Cs"} and sign != "\n" for sign in piece)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_nothing_are_refused(body: bytes) -> None:
    with pytest.raises(DocumentError):
        read_report(body)


def texts_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [piece for entry in value for piece in texts_of(entry)]
    if isinstance(value, dict):
        return [piece for name, entry in value.items() for piece in (name, *texts_of(entry))]
    return []


def test_pages_read_what_was_kept() -> None:
    health = Health.model_validate({"version": "1", "last_scan_at": NOW, "open_alerts": ["1"]})
    assert health.last_scan_at == datetime.fromisoformat(NOW)
    assert Inventory.model_validate(Inventory(persons=3).model_dump()).persons == 3
    assert Health.model_validate(health) is health
