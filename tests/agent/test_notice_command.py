"""`incident persons` and `incident notify`: operations with their documents, what a terminal shows, what is written."""

import csv
import io
import json
import os
import time
from datetime import UTC, datetime

import pytest

from agent.incident.records import Affected, Incident
from agent.incident.store import incidents
from agent.notice import duties
from agent.notice.campaign import campaign_of
from agent.notice.persons import count_persons, last_count
from agent.notice.pictures import count_lines, notice_lines
from agent.operation import Caller, Request
from agent.operations import find_operation
from agent.watch.api import NoWatch
from agent.watch.shared import SharedWatch
from agent.wiring import build_agent
from config.errors import RefusedError, UsageError
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from config.text import LANGUAGES, Text
from containment.sealed import is_sealed

NOON = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
SETTINGS = {
    "scan": {"names": False},
    "people": [
        {"name": "组长测试", "roles": ["security_lead"], "user": "lead", "phone": "13800009001"},
        {"name": "法务样例", "roles": ["legal"], "user": "lawyer"},
        {"name": "客服样例", "roles": ["customer_service"], "user": "service", "email": "service@example.com"},
    ],
    "notice": {"hotline": "400 000 0000", "brand": "测试餐饮", "mailbox": "privacy@example.com"},
    "senders": {
        "mode": "record", "notice_per_minute": 6000,
        "sms_templates": [
            {"id": "S1", "use": "notice", "parameters": ["types", "hotline"], "text": "{types}可能泄露，详询{hotline}"}
        ],
    },
}  # fmt: skip


@pytest.fixture
def agent(tmp_path):
    home = find_home(tmp_path / "home")
    home.create()
    with build_agent(home, Settings.model_validate(SETTINGS), now=lambda: NOON) as agent:
        agent.keyring.adopt(make_identity("recovery").public)
        yield agent


@pytest.fixture
def incident(agent, tmp_path):
    path = tmp_path / "订单.csv"
    path.write_text(
        "顾客姓名,顾客电话\n王测试,13800000001\n李样例,=cmd|021-61234567\n李样例,021-61234567\n张测试,17012345678转1234\n",
        encoding="utf-8",
    )
    store = incidents(agent)
    made = store.add(
        Incident(
            id="", kind="vendor", phase="responding", machine=False, summary="", place="测试店", types=(), by="测试甲",
            scope="named", discovered_at=NOON, occurred_at=None, reported_at=None, declared_at=NOON,
            handling_ended_at=None, closed_at=None, files=1, persons=0,
        ),
        NOON,
    )  # fmt: skip
    store.set_items(made.id, [Affected(key="", path=os.fsencode(path), name="订单.csv", persons=10)])
    return store.get(made.id)


def ask(agent, name, incident, user="lead", descriptors=(), **arguments):
    person = agent.people.of_account(user)
    caller = Caller(
        uid=12345, gid=12345, pid=1, user=user, roles=frozenset(person.roles if person else ()), is_owner=False
    )
    request = Request(arguments={"id": incident.id, **arguments}, caller=caller, descriptors=descriptors)
    return find_operation(name).load()(agent, request)


def test_from_draft_to_sent_with_every_document_and_both_languages_on_the_terminal(agent, incident, tmp_path):
    with pytest.raises(RefusedError):
        ask(agent, "notice.draft", incident, user="stranger")
    with pytest.raises(UsageError):
        ask(agent, "notice.status", incident)
    drafted = ask(agent, "notice.draft", incident, user="service")
    assert drafted.document["schema"] == "cloche.notice/1"
    assert (drafted.document["state"], drafted.document["list"]["persons"]) == ("draft", 2)
    plan = ask(agent, "notice.preview", incident).document["plan"]
    assert plan == {"call": 1, "sms": 1}
    assert ask(agent, "notice.test", incident, to="客服样例").document["messages"]
    assert ask(agent, "notice.approve", incident, user="service").exit_code == 3
    with pytest.raises(RefusedError):
        ask(agent, "notice.approve", incident, user="stranger")
    assert ask(agent, "notice.approve", incident, user="lawyer").exit_code == 0
    sent = ask(agent, "notice.send", incident)
    assert (sent.document["state"], sent.document["told"]) == ("sent", {"sms": {"sent": 1}})
    assert set(sent.document["approved_by"]) >= {"客服样例", "法务样例"}
    names = {path.name.partition("-01")[0] for path in (agent.home.documents / incident.id).iterdir()}
    assert names == {"notice-texts", "public-notice", "platform-letter"}
    for language in LANGUAGES:
        text = Text(language)
        for document in (drafted.document, {**sent.document, "plan": plan, "waits": "quiet", "reason": "因"}):
            shown = "\n".join(notice_lines(text, document, "12:00", texts=True))
            assert "400 000 0000" in shown
            assert "13800000001" not in shown
        assert "\n".join(count_lines(text, ask(agent, "incident.persons", incident).document, "12:00"))


def test_the_list_and_the_call_list_are_seen_by_nobody_before_two_people_approved(
    agent, incident, tmp_path, monkeypatch
):
    monkeypatch.setattr("agent.notice.campaign.write_documents", lambda *_given: None)
    ask(agent, "notice.draft", incident)
    targets = [os.open(tmp_path / name, os.O_RDWR | os.O_CREAT, 0o600) for name in ("list.csv", "calls.html")]
    try:
        for name, target, more in (
            ("incident.persons", targets[0], {"list": True}), ("notice.call_list", targets[1], {})
        ):  # fmt: skip
            with pytest.raises(RefusedError, match="法务样例"):
                ask(agent, name, incident, descriptors=(target,), **more)
            assert os.fstat(target).st_size == 0
        from agent.approvals import approve

        approve(agent, f"persons:{incident.id}", agent.people.named("法务样例"), "code")
        assert ask(agent, "incident.persons", incident, descriptors=(targets[0],), list=True).document["written"] == 2
        assert ask(agent, "notice.call_list", incident, descriptors=(targets[1],)).document["written"] == 1
    finally:
        for target in targets:
            os.close(target)
    rows = list(csv.reader(io.StringIO((tmp_path / "list.csv").read_text(encoding="utf-8-sig"))))
    assert sorted(row[1] for row in rows[1:]) == ["02161234567", "13800000001"]
    calls = (tmp_path / "calls.html").read_text(encoding="utf-8")
    assert "02161234567" in calls
    assert "13800000001" not in calls
    acts = [step.act for step in incidents(agent).get(incident.id).steps]
    assert acts.count("notice.list_seen") == acts.count("notice.call_list") == 1
    (sealed,) = (agent.home.state / "notice").glob("*.cloche")
    with sealed.open("rb") as file:
        assert is_sealed(file.fileno())


def test_a_decision_and_a_count_are_documents_with_stable_keys(agent, incident):
    with pytest.raises(RefusedError):
        ask(agent, "notice.decide_not", incident, user="service", reason="加密")
    decided = ask(agent, "notice.decide_not", incident, user="lawyer", reason="磁盘已加密").document
    assert (decided["state"], decided["list"], decided["told"]) == ("decided_not", None, {})
    counted = ask(agent, "incident.persons", incident, user="service", count=True).document
    assert list(counted) == [
        "schema", "incident", "persons", "customers", "staff", "suppliers", "sensitive", "reachable", "virtual",
        "masked", "own", "types", "files", "unreadable", "complete", "unread", "counted_at", "by",
    ]  # fmt: skip
    assert json.dumps(counted)
    with pytest.raises(UsageError):
        campaign_of(agent, incident.id)


def test_the_keeper_counts_what_nobody_counted_once_and_only_in_a_daemon(agent, incident):
    duties.count_due(agent, NOON)
    assert last_count(agent, incident.id) is None
    agent.watch = SharedWatch(NoWatch())
    assert [due.id for due in duties.uncounted(agent)] == [incident.id]
    duties.count_due(agent, NOON)
    deadline = time.monotonic() + 60
    while last_count(agent, incident.id) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    with duties._COUNTING:
        counted = last_count(agent, incident.id)
    assert (counted.persons, counted.virtual, counted.by) == (2, 1, "cloche")
    assert duties.uncounted(agent) == []
    assert incidents(agent).get(incident.id).level


def test_what_the_law_needs_and_what_a_template_may_ask_is_checked_before_anything_is_sent(tmp_path, incident, agent):
    template = {"id": "S", "use": "notice", "parameters": ["name"]}
    for changes, said in (
        ({"notice": {}}, "hotline"),
        ({"senders": {"mode": "record", "sms_templates": [template]}}, "name"),
        ({"notice": {"hotline": "400 000 0000", "brand": "www.example.cn"}}, "链接"),
    ):  # fmt: skip
        agent.settings = Settings.model_validate({**SETTINGS, **changes})
        with pytest.raises(UsageError, match=said):
            ask(agent, "notice.draft", incident)
    assert count_persons(agent, incident.id).persons == 2
