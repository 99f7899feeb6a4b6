"""What follows a broken rule: record, alert, cut, declare; with a real agent on a real home."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.guard.decide import FIRST_PERSON_UID
from agent.incident.declare import Declaration
from agent.inventory.records import Severity
from agent.watch.api import AccessEvent, Crossing, Gap, NoWatch, Outcome, Rule, Tier
from agent.watch.behaviour import RULES, respond
from agent.watch.decoys import member_list, plant, plant_decoys
from agent.watch.rules.api import Action, Wording, kind_of_incident
from agent.wiring import Agent, build_agent
from config.errors import ClocheError
from config.home import find_home
from config.schema import Response, Settings, WatchSettings
from config.text import Text
from scanners.identity import Identities
from scanners.masking import mask_text
from scanners.records import Item

SECRET = "13800001111"


def access(**facts: object) -> AccessEvent:
    known: dict[str, object] = {
        "at": 1_800_000_000.0, "monotonic_ns": 1, "key": "k9", "path": f"/share/{SECRET}.csv".encode(),
        "operation": "open", "pid": 4_000_000, "started": 8, "program": b"/usr/bin/tar",
        "command": f"tar cf {SECRET}.tar".encode(), "uid": 1001, "user": "clerk", "session": "audit:7",
        "decision": "deny",
    }  # fmt: skip
    return AccessEvent(**(known | facts))  # type: ignore[arg-type]


def crossing(
    rule: Rule = "bound", response: Response = "stop", outcome: Outcome = "stopped", **facts: object
) -> Crossing:
    return Crossing(
        event=access(**facts), rule=rule, subject="session", keys=("k1", "k2"), persons=40, response=response,
        outcome=outcome, stopped_ms=1.25 if outcome == "stopped" else None,
    )  # fmt: skip


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    home = find_home(tmp_path / "home")
    home.create()
    decoy = str(tmp_path / "share" / "会员备份.csv")
    (tmp_path / "share").mkdir()
    with build_agent(home, Settings(watch=WatchSettings(decoys=(decoy,)))) as made:
        yield made


BOUND_CASES: list[tuple[Response, Outcome, Severity, Action]] = [
    ("alert", "alerted", "warning", "alert"),
    ("stop", "stopped", "critical", "stopped"),
    ("stop", "denied", "critical", "denied"),
]


@pytest.mark.parametrize(("response", "outcome", "severity", "action"), BOUND_CASES)
def test_a_crossed_bound_is_recorded_alerted_and_audited(
    agent: Agent, response: Response, outcome: Outcome, severity: Severity, action: Action
):
    respond(agent, crossing("bound", response, outcome))
    (alert,) = agent.inventory.alerts()
    assert (alert.kind, alert.severity, alert.action) == ("bound", severity, action)
    assert alert.keys == ("k1", "k2", "k9")
    assert (alert.session, alert.program, alert.user) == ("audit:7", "tar", "clerk")
    assert alert.stop_ms == (1.25 if outcome == "stopped" else None)
    assert "2" in alert.text
    assert "40" in alert.text
    assert len(agent.events.crossings()) == 1
    acts = [json.loads(line) for line in agent.home.audit_log.read_text().splitlines()]
    assert "watch.bound" in json.dumps(acts)


@pytest.mark.parametrize(("response", "outcome"), [("alert", "alerted"), ("stop", "stopped")])
def test_a_touched_decoy_is_critical_whatever_the_policy_does(agent: Agent, response: Response, outcome: Outcome):
    respond(agent, crossing("decoy", response, outcome))
    (alert,) = agent.inventory.alerts()
    assert (alert.kind, alert.severity) == ("decoy", "critical")
    assert "诱饵" in alert.text


def test_no_alert_and_no_record_carries_a_customers_number(agent: Agent):
    respond(agent, crossing("decoy", client_user=SECRET, client_address="192.0.2.7"))
    respond(agent, access())
    (alert,) = agent.inventory.alerts()
    assert SECRET not in repr(alert)
    assert SECRET not in agent.home.audit_log.read_text()
    assert SECRET not in repr(agent.events.after(0))


def test_a_mere_access_is_recorded_and_alarms_nobody(agent: Agent):
    respond(agent, access())
    assert len(agent.events.accesses()) == 1
    assert agent.inventory.alerts() == ()


@pytest.mark.parametrize("cause", ["kernel_queue", "guard_queue", "guard_lost", "guard_restart"])
def test_a_gap_is_recorded_and_told(agent: Agent, cause: str):
    gap = Gap(at=1_800_000_000.0, cause=cause, lost=4)  # type: ignore[arg-type]
    respond(agent, gap)
    (alert,) = agent.inventory.alerts()
    assert (alert.kind, alert.severity) == ("gap", "notice")
    assert [entry.happening for entry in agent.events.after(0)] == [gap]


def test_declare_puts_the_alerts_files_into_an_incident_of_the_machine(agent: Agent, tmp_path: Path):
    from agent.incident.store import incidents

    respond(agent, crossing("bound", "declare", "stopped"))
    (incident,) = incidents(agent).all()
    assert (incident.kind, incident.machine, incident.by, incident.scope) == ("insider", True, "cloche", "alerts")
    assert incident.discovered_at.timestamp() == 1_800_000_000.0
    assert "tar" in incident.summary


@pytest.mark.parametrize("response", ["alert", "stop"])
def test_less_than_declare_declares_nothing(agent: Agent, response: Response):
    from agent.incident.store import incidents

    respond(agent, crossing("bound", response, "stopped"))
    assert list(incidents(agent).all()) == []


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"uid": 0}, "intrusion"),
        ({"uid": 33}, "intrusion"),
        ({"uid": -1}, "intrusion"),
        ({"uid": FIRST_PERSON_UID}, "insider"),
        ({"uid": 65, "client_user": "clerk"}, "insider"),
    ],
)
def test_the_kind_of_incident_follows_the_account(facts: dict[str, object], kind: str):
    assert kind_of_incident(access(**facts)) == kind


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("rule", ["bound", "decoy"])
@pytest.mark.parametrize("action", ["alert", "stopped", "denied", "disconnected"])
@pytest.mark.parametrize(
    "facts", [{}, {"uid": -1, "user": ""}, {"client_user": "clerk", "client_address": "192.0.2.7"}]
)
def test_every_outcome_can_be_said_in_both_languages(
    language: str, rule: Rule, action: Action, facts: dict[str, object]
):
    wording = Wording(text=Text(language), mask=mask_text)  # type: ignore[arg-type]
    words = RULES[rule].words(crossing(rule, **facts), wording, action)
    assert "{" not in words
    assert SECRET not in words
    if "client_user" in facts:
        assert "192.0.2.7" in words or "192" in words


# Decoys


def test_a_missing_decoy_is_made_once_and_looks_like_a_member_list(agent: Agent):
    (watched,) = plant_decoys(agent)
    assert watched.decoy
    content = Path(os.fsdecode(watched.path)).read_bytes()
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert len(rows) > 200
    assert rows[0][1] == "姓名"
    assert [entry.path for entry in plant_decoys(agent)] == [watched.path]
    assert Path(os.fsdecode(watched.path)).read_bytes() == content


def test_no_number_in_a_decoy_can_be_a_strangers(agent: Agent):
    numbers = re.findall(r"(?<!\d)\d{11}(?!\d)", member_list(agent.text).decode("utf-8-sig"))
    assert len(numbers) > 200
    assert not any(re.match(r"1[3-9]", number) for number in numbers)


def test_an_existing_file_is_never_written_to(tmp_path: Path):
    path = tmp_path / "members.csv"
    path.write_text("真的")
    assert not plant(os.fsencode(path), Text("zh-CN"))
    assert path.read_text() == "真的"


def test_a_decoy_that_cannot_be_made_is_named_and_stops_nothing(tmp_path: Path, agent: Agent):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "missing" / "a.csv", tmp_path / "folder"):
        with pytest.raises(ClocheError, match=path.name):
            plant(os.fsencode(path), Text("zh-CN"))
    agent.settings = Settings(watch=WatchSettings(decoys=(str(tmp_path / "missing" / "a.csv"),)))
    assert plant_decoys(agent) == []


def full_disk(*_arguments: object) -> None:
    raise ClocheError("disk is full")


def test_a_crossing_is_declared_even_if_nothing_can_be_recorded(agent: Agent, monkeypatch: pytest.MonkeyPatch):
    declared: list[Declaration] = []
    monkeypatch.setattr("agent.incident.declare.declare", lambda _agent, declaration: declared.append(declaration))
    monkeypatch.setattr(agent.events, "add", full_disk)
    monkeypatch.setattr(agent.inventory, "add_alert", full_disk)
    with pytest.raises(ClocheError, match="full"):
        respond(agent, crossing("bound", "declare"))
    assert len(declared) == 1


def test_a_storm_of_sessions_is_one_alert_and_one_declaration(agent: Agent, monkeypatch: pytest.MonkeyPatch):
    declared: list[Declaration] = []
    monkeypatch.setattr("agent.incident.declare.declare", lambda _agent, declaration: declared.append(declaration))
    for number in range(50):
        respond(agent, crossing("bound", "declare", session=f"s{number}", pid=number, key=f"refused{number}"))
    assert len(agent.inventory.alerts()) == len(declared) == 1
    assert len(agent.outbox.pending()) == 1
    assert len(agent.events.crossings()) == 50
    respond(agent, crossing("bound", "declare", at=1_800_000_061.0))
    respond(agent, crossing("bound", "declare", user="another"))
    assert len(declared) == 3


def test_after_the_guard_was_away_what_is_fenced_is_denied_again(agent: Agent, tmp_path: Path):
    path = tmp_path / "share" / "fenced.csv"
    path.write_text("member,phone\n")
    with path.open("rb") as file:
        identity = Identities().of(file.fileno(), os.fstat(file.fileno()))
    item = Item(path=os.fsencode(path), kind="csv", status="read", size=9, level=3, persons=9, identity=identity)
    agent.inventory.record_run([item], roots=[os.fsencode(tmp_path)], at=datetime.now(UTC))
    agent.inventory.set_state(item.path, "fenced")
    watch = DenyingWatch()
    agent.watch = watch
    respond(agent, Gap(at=1_800_000_000.0, cause="guard_restart"))
    assert watch.denied == {identity.key}


class DenyingWatch(NoWatch):
    """A guard that remembers what is denied."""

    def __init__(self) -> None:
        self.denied: set[str] = set()

    @property
    def tier(self) -> Tier:
        return "permission"

    def deny(self, keys: Sequence[str]) -> frozenset[str]:
        self.denied |= set(keys)
        return frozenset(keys)
