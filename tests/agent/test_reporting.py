"""What leaves a store: counts and masked names, in the form that head office checks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.enrolment import enrol
from agent.incident.declare import Declaration, report
from agent.incident.office_view import for_head_office
from agent.incident.records import Step
from agent.inventory.records import Alert
from agent.operation import Caller, Request
from agent.reporting import (
    alert_document,
    health_document,
    inventory_document,
    report_alert,
    report_health,
    report_inventory,
    report_record,
)  # fmt: skip
from agent.wiring import Agent, build_agent
from central.documents import Incident, read_report
from central.wire import encode
from config.errors import ClocheError, RefusedError
from config.home import find_home
from config.load import load_settings
from scanners.records import FileIdentity, Finding, Item

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PHONE = "13800001111"
RESIDENT_ID = "11010519491231002X"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    home = find_home(tmp_path / "store")
    home.create()
    with build_agent(home, load_settings(home.settings_file)) as built:
        yield built


def item(name: str, number: int, **more: object) -> Item:
    identity = FileIdentity(
        filesystem="f", inode=number, birth_ns=1, device=1, mtime_ns=1, size=10, links=1, uid=0, mode=0o100644
    )
    values = {
        "path": f"/srv/{name}".encode(), "kind": "spreadsheet", "status": "read", "size": 10, "level": 4,
        "score": 80.0, "persons": 30, "identity": identity,
        "findings": (Finding(entity="PHONE_NUMBER", count=30, distinct=30, confidence=1.0),),
    } | more  # fmt: skip
    return Item(**values)


def fill(agent: Agent) -> None:
    agent.inventory.record_run(
        [
            item(f"{PHONE}.xlsx", 1),
            item("member.db", 2, kind="sqlite", level=3, persons=0, findings=()),
            item("member.db#guests", 2, kind="table", level=3, persons=70, identity=None),
            item("member.db#orders", 2, kind="table", level=3, persons=50, identity=None),
            item(f"客人{RESIDENT_ID}.zip", 3, kind="archive", status="unread", reason="encrypted", findings=(),
                 level=1, persons=0),
            item("notes.txt", 4, kind="text", level=1, persons=0, findings=()),
        ],
        roots=[b"/srv"], at=NOW,
    )  # fmt: skip


def test_a_report_of_the_inventory_counts_files_and_masks_their_names(agent: Agent) -> None:
    fill(agent)
    document = inventory_document(agent)
    assert (document["places"], document["exposed"], document["sealed"]) == (2, 2, 0)
    assert document["causes"] == [{"reason": "encrypted", "items": 1}]
    assert document["coverage"]["listed"] == 6
    kinds = {group["kind"]: (group["items"], group["persons"]) for group in document["groups"]}
    assert kinds == {"spreadsheet": (1, 30), "sqlite": (1, 70)}
    told = [place for section in document["sections"].values() for place in section]
    assert {place["kind"] for place in told} == {"spreadsheet", "sqlite"}
    assert set(document["section_digests"]) == set(document["sections"])
    assert PHONE not in json.dumps(document)


def test_what_was_sealed_counts_as_sealed_and_what_is_gone_not_at_all(agent: Agent) -> None:
    fill(agent)
    agent.inventory.set_state(f"/srv/{PHONE}.xlsx".encode(), "sealed", sealed_path=b"/srv/x.cloche")
    agent.inventory.set_state(b"/srv/member.db", "gone")
    document = inventory_document(agent)
    assert (document["places"], document["exposed"], document["sealed"]) == (1, 0, 1)


def test_no_value_leaves_the_store_in_any_report(agent: Agent) -> None:
    fill(agent)
    seen = Alert(
        at=NOW, kind="bound", severity="critical", text=f"tar /srv/{PHONE}.xlsx", program=f"/tmp/{RESIDENT_ID}",
        user=f"u{PHONE}", action="stop", stop_ms=2.5, keys=("a",),
    )  # fmt: skip
    report_alert(agent, agent.inventory.add_alert(seen))
    report_inventory(agent)
    report_record(agent)
    report_health(agent)
    files = sorted(agent.home.outbox.glob("0*"))
    assert len(files) == 4
    for file in files:
        body = file.read_bytes()[64:]
        assert PHONE.encode() not in body
        assert RESIDENT_ID.encode() not in body
        envelope, document = read_report(body)
        assert envelope.number == int(file.name.split(".")[0])
        assert document.model_dump()


def test_health_names_open_alerts_the_tier_and_the_head_of_the_record(agent: Agent) -> None:
    first = agent.inventory.add_alert(Alert(at=NOW, kind="decoy", severity="warning", text="x"))
    second = agent.inventory.add_alert(Alert(at=NOW, kind="decoy", severity="warning", text="x"))
    agent.inventory.close_alerts([first.id])
    agent.audit.append("test", "tester")
    document = health_document(agent)
    assert document["open_alerts"] == [str(second.id)]
    assert document["tier"] == "none"
    assert document["keys_ready"] is False
    assert document["audit"]["entries"] == 1
    assert document["audit"]["head"] == agent.audit.sign_head().hash
    assert alert_document(agent, second)["open"] is True


STRANGER = Caller(uid=1234, gid=1234, pid=1, user="stranger")
OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)


def test_only_the_owner_or_the_leader_enrols(agent: Agent) -> None:
    with pytest.raises(RefusedError, match="stranger"):
        enrol(agent, Request(arguments={"step": "prepare", "token": "a.b.c"}, caller=STRANGER))


def test_an_answer_of_another_authority_changes_nothing(agent: Agent, tmp_path: Path) -> None:
    from central.home import HeadOfficeHome
    from central.stores.authority import make_authority

    home = HeadOfficeHome(folder=tmp_path / "other")
    home.create()
    make_authority(home, "x", ["localhost"])
    arguments = {
        "step": "finish", "url": "https://localhost", "token": f"id.secret.{encode(b'p' * 32)}",
        "authority_pem": home.authority_certificate.read_text(), "answer": {},
    }  # fmt: skip
    with pytest.raises(RefusedError):
        enrol(agent, Request(arguments=arguments, caller=OWNER))
    with pytest.raises(ClocheError):
        enrol(agent, Request(arguments=arguments | {"authority_pem": "nonsense"}, caller=OWNER))
    assert not agent.keyring.ready
    assert list(agent.home.outbox.glob("link.json")) == []


def test_an_incident_of_any_length_is_one_that_head_office_takes(agent: Agent) -> None:
    declaration = Declaration(kind="other", summary="测试", discovered_at=NOW, by="王测试")
    incident = report(agent, declaration)
    many = tuple(
        Step(time=NOW, act="note", actor="王测试", details={"text": f"第 {number} 条"}) for number in range(2500)
    )
    folder = agent.home.documents / incident.id
    for number in range(250):
        (folder / f"报告-{number:03d}.html").write_bytes(b"x")
    document = for_head_office(agent, replace(incident, steps=many), NOW)
    assert document["steps"][-1]["detail"].endswith("第 2499 条"), "the newest are told"
    number = agent.outbox.put("incident", document)
    waiting = agent.outbox.pending()
    assert (number, "incident") in waiting
    taken = Incident.model_validate(json.loads(json.dumps(document)))
    assert (len(taken.steps), len(taken.documents)) == (2000, 200)
