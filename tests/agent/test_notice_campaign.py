"""Customers are told once: approvals, batches, receipts, crashes, quiet hours; through the real room of messages."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from agent.approvals import approve
from agent.incident.records import Affected, Incident
from agent.incident.store import incidents
from agent.messages.records import Answer
from agent.notice import sending
from agent.notice.campaign import campaign_of, decide_not, draft, newest_campaign, notice_decided, subject_of
from agent.notice.persons import count_persons
from agent.notice.told import ToldMemory
from agent.wiring import build_agent
from config.errors import CorruptError, RefusedError, UsageError
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from scanners.contacts import Gathering
from scanners.engine import Analyser
from scanners.extract.api import Budget, Source
from scanners.extract.formats import EXTRACTORS
from scanners.persons import Unread
from scanners.reading import Reader

NOON = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai
PEOPLE = [
    {"name": "组长测试", "roles": ["security_lead", "response_lead"], "user": "lead", "phone": "13800009001"},
    {"name": "法务样例", "roles": ["legal"], "user": "lawyer", "email": "legal@example.com"},
    {"name": "客服样例", "roles": ["customer_service"], "user": "service"},
]
SETTINGS = {
    "scan": {"names": False},
    "people": PEOPLE,
    "notice": {"hotline": "400 000 0000", "brand": "测试餐饮"},
    "senders": {
        "mode": "record", "notice_per_minute": 6000,
        "sms_sign": "测试餐饮",
        "sms_templates": [
            {"id": "SMS_1", "use": "notice", "parameters": ["types", "hotline"],
             "text": "您的{types}可能已泄露，请警惕诈骗，详询{hotline}。"}
        ],
    },
}  # fmt: skip


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.time = NOON

    def __call__(self):
        return self.time


class ReaderInThisProcess:
    """The real analyser without the second that a worker takes to start; workers are in test_notice_persons."""

    def __init__(self, request):
        self.analyser = Analyser(request.detect, names=False, run_key=request.run_key)

    def __exit__(self, *_error):
        pass

    def read(self, source, on_records, *, values=False):
        gathering = Gathering(
            entities=tuple(self.analyser.entities), fingerprints=self.analyser.fingerprints,
            normalise=self.analyser.normalise, wants_values=values,
            emit=lambda records, found: on_records(tuple(self.analyser.entities), records, tuple(found)),
        )  # fmt: skip
        self.analyser.gathering = gathering
        reports = []
        reader = Reader(analyser=self.analyser, extractors=EXTRACTORS, max_depth=1, emit=reports.append)
        size = os.fstat(source.descriptor).st_size
        with open(os.dup(source.descriptor), "rb") as stream:
            name = os.fsdecode(source.name)
            reader.read(Source(name=name, stream=stream, size=size, seekable=True, budget=Budget(1 << 24)), 60.0)
        gathering.flush()
        return tuple(Unread(suffix="", reason=report.reason) for report in reports if report.status != "read")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """What other tests are about and what takes seconds: workers, and documents."""
    monkeypatch.setattr("scanners.persons.PersonsReader", ReaderInThisProcess)
    monkeypatch.setattr("agent.notice.campaign.write_documents", lambda *_given: None)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def home(tmp_path):
    home = find_home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
def share(tmp_path):
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


@pytest.fixture
def agent(home, clock):
    with build_agent(home, Settings.model_validate(SETTINGS), now=clock) as agent:
        agent.keyring.adopt(make_identity("recovery").public)
        yield agent


def phone(number):
    return f"138{number:08d}"


def incident_of(agent, share, numbers, name="会员.csv", extra=()):
    """A declared incident about one file that lies in place."""
    path = share / name
    lines = ["手机号,邮箱", *(f"{phone(n)},guest{n}@example.com" for n in numbers), *extra]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return incident_with(agent, path)


def incident_with(agent, *paths):
    now, store = agent.now(), incidents(agent)
    incident = store.add(
        Incident(
            id="", kind="insider", phase="responding", machine=False, summary="有人在拷贝会员名单", place="测试店",
            types=(), by="测试甲", scope="named", discovered_at=now, occurred_at=None, reported_at=None,
            declared_at=now, handling_ended_at=None, closed_at=None, files=len(paths), persons=0,
        ),
        now,
    )  # fmt: skip
    store.set_items(
        incident.id, [Affected(key="", path=os.fsencode(path), name=path.name, persons=10) for path in paths]
    )
    return store.get(incident.id)


def approved(agent, incident):
    found = campaign_of(agent, incident.id)
    for user in ("lead", "lawyer"):
        try:
            sending.approval(agent, found, user)
        except RefusedError:
            continue
    return found


class Gateway:
    """Stands where the link's seal is: keeps what was handed over, and answers as it is told to."""

    def __init__(self, monkeypatch, agent):
        self.rows = []
        self.refuse = False
        self.monkeypatch = monkeypatch
        self.agent = agent
        monkeypatch.setattr("agent.messages.send_batch", self.send_batch)

    def send_batch(self, agent, campaign_id, channel, rows):
        if self.refuse:
            raise RefusedError("no link")
        self.rows += [(channel, row.number, row.to, row.text) for row in rows]
        return ("B1",)

    def answer(self, campaign, numbers, outcome, reason=""):
        sending.take_receipts(
            self.agent,
            Answer(
                purpose="receipts", about=campaign.name, person="", how="page", at=self.agent.now(),
                fields={"outcome": outcome, "channel": "sms", "rows": ",".join(map(str, numbers)),
                        "reasons": ",".join([reason] * len(numbers))},
            ),
        )  # fmt: skip


def rounds(agent, incident, most=50):
    for _ in range(most):
        done = sending.round_of(agent, campaign_of(agent, incident.id), agent.now())
        if done.ended or done.waits:
            return done
    return done


def test_nothing_goes_out_before_two_people_approved_exactly_this(agent, share):
    incident = incident_of(agent, share, range(1, 4))
    made = draft(agent, incident.id, None, "service")
    with pytest.raises(RefusedError):
        sending.start(agent, made, None, "lead")
    assert ToldMemory(agent).counts(made.name) == {}
    with pytest.raises(RefusedError, match=r"法务样例"):
        sending.start(agent, made, None, "lead")
    approve(agent, subject_of(incident.id), agent.people.named("法务样例"), "code")
    started = sending.start(agent, made, None, "lead")
    assert started.state == "sending"
    rounds(agent, incident)
    assert ToldMemory(agent).counts(made.name) == {"sms": {"sent": 3}}
    assert newest_campaign(agent, incident.id).state == "sent"
    assert notice_decided(agent, incident.id)


def test_a_list_made_anew_needs_approval_again_and_tells_nobody_twice(agent, share, monkeypatch):
    incident = incident_of(agent, share, range(1, 6))
    draft(agent, incident.id, None, "service")
    first = approved(agent, incident)
    gateway = Gateway(monkeypatch, agent)
    sending.start(agent, first, None, "lead")
    rounds(agent, incident)
    gateway.answer(first, range(5), "sent")
    rounds(agent, incident)
    assert len(gateway.rows) == 5
    again = draft(agent, incident.id, None, "service", anew=True)
    assert again.digest != first.digest
    with pytest.raises(RefusedError):
        sending.start(agent, again, None, "service")
    approved(agent, incident)
    sending.start(agent, again, None, "lead")
    assert rounds(agent, incident).ended
    assert len(gateway.rows) == 5


def test_two_incidents_on_the_same_person_tell_once_unless_a_person_asks(agent, share, monkeypatch, clock):
    first = incident_of(agent, share, range(1, 5), "一.csv")
    gateway = Gateway(monkeypatch, agent)
    made = draft(agent, first.id, None, "service")
    sending.start(agent, approved(agent, first), None, "lead")
    rounds(agent, first)
    gateway.answer(made, range(4), "sent")
    clock.time += timedelta(days=3)
    second = incident_of(agent, share, range(3, 7), "二.csv")
    draft(agent, second.id, None, "service")
    sending.start(agent, approved(agent, second), None, "lead")
    rounds(agent, second)
    assert sorted(to for _channel, _number, to, _text in gateway.rows) == [phone(n) for n in range(1, 7)]
    draft(agent, second.id, None, "service", also_told=True)
    sending.start(agent, approved(agent, second), None, "lead")
    rounds(agent, second)
    told = [to for _channel, _number, to, _text in gateway.rows]
    assert sorted(told) == sorted([phone(n) for n in range(1, 7)] + [phone(3), phone(4)])


def test_staff_canaries_and_the_chains_own_contacts_are_never_told(home, share, clock, monkeypatch):
    settings = {
        **SETTINGS,
        "vendors": {"canary_phones": [phone(77)], "canary_emails": ["*@canary.example.com"]},
        "notice": {"hotline": phone(78)},
    }
    with build_agent(home, Settings.model_validate(settings), now=clock) as agent:
        agent.keyring.adopt(make_identity("recovery").public)
        incident = incident_of(
            agent, share, [1, 77, 78, 2],
            extra=["13800009001,", f"{phone(80)},x@canary.example.com", "17012345678转1234,", "138****0009,"],
        )  # fmt: skip
        (share / "员工.csv").write_text(f"员工姓名,员工手机\n李样例,{phone(90)}\n", encoding="utf-8")
        counted = count_persons(agent, incident.id)
        assert (counted.persons, counted.own, counted.virtual, counted.masked) == (3, 3, 1, 1)
        gateway = Gateway(monkeypatch, agent)
        draft(agent, incident.id, None, "service")
        sending.start(agent, approved(agent, incident), None, "lead")
        rounds(agent, incident)
        assert sorted(to for _channel, _number, to, _text in gateway.rows) == [phone(1), phone(2)]


def test_in_quiet_hours_nothing_goes_out(agent, share, clock, monkeypatch):
    incident = incident_of(agent, share, range(1, 4))
    draft(agent, incident.id, None, "service")
    sending.start(agent, approved(agent, incident), None, "lead")
    gateway = Gateway(monkeypatch, agent)
    clock.time = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)  # 22:30 in Shanghai
    sending.send_due(agent, clock.time)
    assert (gateway.rows, campaign_of(agent, incident.id).waits) == ([], "quiet")
    clock.time = datetime(2026, 11, 27, 0, 0, tzinfo=UTC)  # 08:00
    sending.send_due(agent, clock.time)
    assert len(gateway.rows) == 3


def test_a_gateway_that_times_out_is_not_tried_again_without_a_persons_word(agent, share, monkeypatch):
    incident = incident_of(agent, share, range(1, 6))
    draft(agent, incident.id, None, "service")
    made = approved(agent, incident)
    gateway = Gateway(monkeypatch, agent)
    sending.start(agent, made, None, "lead")
    rounds(agent, incident)
    gateway.answer(made, [0], "failed", "timeout")
    gateway.answer(made, [1], "unknown")
    gateway.answer(made, [2, 3, 4], "sent")
    assert rounds(agent, incident).ended
    assert ToldMemory(agent).counts(made.name) == {"sms": {"sent": 3, "uncertain": 2}}
    assert len(gateway.rows) == 5
    sending.start(agent, campaign_of(agent, incident.id), None, "lead")
    assert sending.settle_uncertain(agent, made, "lead", resend=True) == 2
    rounds(agent, incident)
    assert sorted(number for _channel, number, _to, _text in gateway.rows[5:]) == [0, 1]


def test_a_number_that_does_not_exist_is_told_by_mail_instead(agent, share, monkeypatch):
    incident = incident_of(agent, share, [1])
    draft(agent, incident.id, None, "service")
    made = approved(agent, incident)
    gateway = Gateway(monkeypatch, agent)
    sending.start(agent, made, None, "lead")
    rounds(agent, incident)
    gateway.answer(made, [0], "failed", "recipient")
    agent.now.time += timedelta(hours=1)
    rounds(agent, incident)
    assert [(channel, to) for channel, _number, to, _text in gateway.rows] == [
        ("sms", phone(1)), ("mail", "guest1@example.com"),
    ]  # fmt: skip
    assert "尊敬的顾客" in gateway.rows[1][3]


def test_a_busy_gateway_is_tried_again_and_then_given_up(agent, share, monkeypatch):
    incident = incident_of(agent, share, [1], extra=())
    draft(agent, incident.id, None, "service")
    made = approved(agent, incident)
    gateway = Gateway(monkeypatch, agent)
    sending.start(agent, made, None, "lead")
    for _ in range(20):
        rounds(agent, incident, 3)
        gateway.answer(made, [0], "failed", "busy")
        agent.now.time += timedelta(minutes=20)
    ways = [channel for channel, *_rest in gateway.rows]
    assert ways == ["sms"] * 3 + ["mail"] * 3
    assert newest_campaign(agent, incident.id).state == "sent"
    assert ToldMemory(agent).counts(made.name) == {"mail": {"failed": 1}}


def test_without_a_link_nobody_counts_as_told_and_it_goes_on_later(agent, share, monkeypatch):
    incident = incident_of(agent, share, range(1, 4))
    draft(agent, incident.id, None, "service")
    made = approved(agent, incident)
    gateway = Gateway(monkeypatch, agent)
    gateway.refuse = True
    sending.start(agent, made, None, "lead")
    assert rounds(agent, incident).waits == "no_link"
    gateway.refuse = False
    rounds(agent, incident)
    assert len(gateway.rows) == 3


def test_only_the_lawyer_decides_that_nobody_is_told_and_says_why(agent, share):
    incident = incident_of(agent, share, [1])
    assert not notice_decided(agent, incident.id)
    with pytest.raises(RefusedError, match="法务样例"):
        decide_not(agent, incident.id, "lead", "已加密")
    with pytest.raises(UsageError):
        decide_not(agent, incident.id, "lawyer", " ")
    decide_not(agent, incident.id, "lawyer", f"磁盘已加密，{phone(1)} 未外泄")
    assert notice_decided(agent, incident.id)
    assert phone(1) not in newest_campaign(agent, incident.id).reason


def test_an_incident_without_anybodys_data_needs_no_notice_once_all_was_read(agent, share):
    path = share / "菜单.csv"
    path.write_text("菜名,价格\n宫保鸡丁,38\n", encoding="utf-8")
    incident = incident_with(agent, path)
    assert not notice_decided(agent, incident.id)
    counted = count_persons(agent, incident.id)
    assert (counted.persons, counted.complete) == (0, True)
    assert notice_decided(agent, incident.id)


def test_a_changed_list_is_not_sent(agent, share):
    incident = incident_of(agent, share, range(1, 4))
    draft(agent, incident.id, None, "service")
    made = approved(agent, incident)
    (file,) = (agent.home.state / "notice").glob("*.cloche")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(CorruptError):
        sending.start(agent, made, None, "lead")


def test_no_contact_is_in_the_database_the_record_or_the_documents(agent, share):
    incident = incident_of(agent, share, range(1, 30))
    draft(agent, incident.id, None, "service")
    sending.start(agent, approved(agent, incident), None, "lead")
    rounds(agent, incident)
    assert ToldMemory(agent).counts(campaign_of(agent, incident.id).name) == {"sms": {"sent": 29}}
    needles = [phone(n).encode() for n in range(1, 30)] + [b"guest1@example.com"]
    searched = 0
    for path in agent.home.state.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            searched += 1
            assert not any(needle in content for needle in needles), path
    assert searched > 10
    assert (
        json.loads(json.dumps(campaign_of(agent, incident.id).texts))["sms"]["parameters"]["hotline"] == "400 000 0000"
    )
