"""What head office hears of an incident, and that it hears of every move at once."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from premises import PLANTED
from shops import declaration, opened

from agent.incident import cases, directing
from agent.incident.declare import declare, report
from agent.incident.office_view import for_head_office
from agent.incident.store import incidents
from agent.incident.telling import LONGEST, Pace, mark_open, tell_moved
from agent.operation import Caller, Request
from central.documents import Incident
from config.home import find_home

ROOT = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)


@pytest.fixture
def agent(tmp_path: Path) -> Any:
    home = find_home(tmp_path / "home")
    home.create()
    with opened(home) as agent:
        yield agent


def ask(**arguments: Any) -> Request:
    return Request(arguments=arguments, caller=ROOT)


def told(agent: Any) -> list[dict[str, Any]]:
    found = []
    for number, kind in agent.outbox.pending():
        if kind == "incident":
            (file,) = agent.home.outbox.glob(f"{number:016d}.incident")
            found.append(json.loads(file.read_bytes()[64:])["document"])
    return found


def document_of(agent: Any, incident_id: str) -> dict[str, Any]:
    return for_head_office(agent, incidents(agent).get(incident_id), agent.now())


def test_an_order_an_acknowledgement_and_a_note_each_reach_head_office(agent: Any) -> None:
    incident = declare(agent, declaration(scope="alerts"))
    tell_moved(agent)
    before = len(told(agent))
    given = directing.order(agent, ask(id=incident.id, role="legal", what="请核对时限", minutes=30)).document
    assert tell_moved(agent) == 1
    directing.ack(agent, ask(order=given["id"]))
    assert tell_moved(agent) == 1
    directing.note(agent, ask(id=incident.id, text=f"电话 {PLANTED}"))
    assert tell_moved(agent) == 1
    assert tell_moved(agent) == 0, "what did not move is not told again"
    states = [
        next(order["state"] for order in document["orders"] if order["id"] == given["id"])
        for document in told(agent)[before:]
    ]
    assert states == ["open", "acknowledged", "acknowledged"]
    assert PLANTED not in json.dumps(told(agent), ensure_ascii=False)


def test_telling_puts_no_step_of_its_own_on_the_timeline(agent: Any) -> None:
    incident = report(agent, declaration())
    directing.note(agent, ask(id=incident.id, text="一"))
    before = agent.timelines.hashes(incident.id)
    tell_moved(agent)
    assert agent.timelines.hashes(incident.id) == before


def test_after_a_start_every_open_incident_is_told_once(agent: Any) -> None:
    incident = report(agent, declaration())
    agent.moved.clear()
    mark_open(agent)
    assert agent.moved == {incident.id}


def test_clocks_say_to_whom_in_whose_name_and_what_is_missing(agent: Any) -> None:
    incident = declare(agent, declaration(scope="alerts"))
    document = document_of(agent, incident.id)
    assert document["untold"] == []
    clock = next(clock for clock in document["clocks"] if clock["regime"])
    assert {"key", "state", "deadline", "counts_up", "verified", "source", "entities"} <= set(clock)
    (entity,) = clock["entities"]
    assert entity["office"]
    fields = {gap["field"] for row in document["clocks"] for side in row["entities"] for gap in side["missing"]}
    assert fields, "nobody has filled anything in yet"
    assert document["entity"] == entity["name"]


def test_what_may_follow_is_said_with_what_holds_it_up(agent: Any) -> None:
    incident = declare(agent, declaration(scope="alerts"))
    forward = document_of(agent, incident.id)["next"][0]
    assert (forward["phase"], forward["back"]) == ("cleaning", False)
    keys = {unmet["key"] for unmet in forward["unmet"]}
    assert {"not_concluded", "notice_open"} <= keys
    assert all(unmet["text"] for unmet in forward["unmet"])


def test_head_office_reads_all_that_a_store_tells(agent: Any) -> None:
    incident = declare(agent, declaration(scope="alerts"))
    document = json.loads(json.dumps(document_of(agent, incident.id)))
    taken = Incident.model_validate(document)
    again = Incident.model_validate(taken.model_dump(mode="json"))
    assert again == taken
    assert {len(taken.clocks), len(taken.orders), len(taken.next)} == {
        len(document[name]) for name in ("clocks", "orders", "next")
    }
    assert taken.tasks[0].texts["en"]
    assert taken.clocks[0].entities[0].missing or any(clock.entities[0].missing for clock in taken.clocks)


def test_an_incident_keeps_the_case_that_head_office_gave_it(agent: Any) -> None:
    incident = report(agent, declaration())
    assert document_of(agent, incident.id)["case"] is None
    cases.note_case(agent, incident.id, "c-1", "总部")
    cases.note_case(agent, incident.id, "c-1", "总部")
    assert document_of(agent, incident.id)["case"] == "c-1"
    assert sum(step.act == "case" for step in incidents(agent).get(incident.id).steps) == 1


def test_a_part_that_cannot_be_told_is_named_and_the_rest_is_told(agent: Any) -> None:
    incident = declare(agent, declaration(scope="alerts"))
    (agent.home.documents / incident.id / "drafts").mkdir(parents=True, exist_ok=True)
    path = agent.timelines.path(incident.id)
    held = incidents(agent).get(incident.id)
    path.chmod(0o600)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"nonsense\n" + b"".join(lines[2:]))
    document = for_head_office(agent, held, agent.now())
    assert document["id"] == incident.id
    assert document["orders"]


def test_what_goes_on_for_long_is_told_ever_less_often() -> None:
    pace, told_at, now = Pace(), [], 0.0
    while now < 300:
        if pace.is_time(now):
            told_at.append(now)
        now += 0.5
    gaps = [later - earlier for earlier, later in pairwise(told_at)]
    assert told_at[0] == 0
    assert max(gaps) <= LONGEST
    assert len(told_at) < 20
    assert pace.is_time(now + timedelta(minutes=5).total_seconds()), "after a quiet time at once"
