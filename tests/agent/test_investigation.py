"""技术调查: who (an account, a terminal) read what and since when, what may have happened, what people say of it."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from agent.incident.clocks import clocks
from agent.incident.investigation import is_concluded
from agent.incident.merging import merge
from agent.incident.records import Affected, Incident
from agent.incident.store import incidents
from agent.incident.wording import Wording
from agent.inventory.records import Alert
from agent.investigation import operations
from agent.investigation.document import build_document
from agent.investigation.findings import findings_of
from agent.investigation.graph_picture import draw_graph
from agent.investigation.hypotheses import HYPOTHESES, Case, Fresh, Window
from agent.investigation.known import is_fresh
from agent.investigation.records import Actor, ProgramUse, Scope
from agent.investigation.timeline_picture import draw_timeline
from agent.operation import Caller, Request
from agent.watch.api import AccessEvent, Crossing, Gap
from agent.wiring import build_agent
from config.errors import RefusedError, UsageError
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from config.text import LANGUAGES, Text
from containment.evidence import write_bundle
from scanners.records import FileIdentity, Finding, Item

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
FILES = 30
OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
PEOPLE = [{"name": "王测试", "roles": ["response_lead"], "user": "root"}]
PLANTED = "13800001111"


@pytest.fixture
def home(tmp_path):
    home = find_home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
def agent(home):
    settings = Settings.model_validate({"people": PEOPLE, "store": {"name": "测试一店"}})
    with build_agent(home, settings, now=lambda: NOW + timedelta(minutes=10)) as agent:
        agent.keyring.adopt(make_identity("recovery").public)
        yield agent


def identity(number):
    return FileIdentity(
        filesystem="test",
        inode=number + 1,
        birth_ns=1,
        device=1,
        mtime_ns=0,
        links=1,
        size=1000 * (number + 1),
        uid=0,
        mode=0o100640,
    )


def key(number):
    return identity(number).key


def met(number, seconds, **changes):
    """A Windows client opens a file, `seconds` from the discovery."""
    values = {
        "at": NOW.timestamp() + seconds, "monotonic_ns": 0, "key": key(number), "operation": "open",
        "path": b"/srv/share/%d.csv" % number, "pid": 7, "started": 5, "program": b"/usr/sbin/smbd", "command": b"smbd",
        "uid": 1001, "user": "till", "session": "3@ff", "decision": "allow", "client_user": "office3",
        "client_address": "192.0.2.23",
    }  # fmt: skip
    return AccessEvent(**{**values, **changes})


def local(number, seconds, program=b"/usr/bin/tar", **changes):
    values = {"client_user": "", "client_address": "", "user": "cook", "uid": 1004, "session": "audit:9"}
    return met(number, seconds, program=program, command=program + b" x", **{**values, **changes})


def inventoried(agent, at=NOW - timedelta(days=30)):
    items = [
        Item(
            path=b"/srv/share/%d.csv" % n, kind="csv", status="read", size=1000 * (n + 1), level=3, score=80,
            persons=100, findings=(Finding(entity="PHONE_NUMBER", count=9, distinct=7, confidence=0.9),),
            identity=identity(n),
        )
        for n in range(FILES)
    ]  # fmt: skip
    agent.inventory.record_run(items, roots=[b"/srv/share"], at=at)


def incident(agent, **changes):
    values = {
        "id": "", "kind": "insider", "phase": "responding", "machine": False, "summary": "拷贝", "place": "办公室",
        "types": ("PHONE_NUMBER",), "by": "root", "scope": "named", "discovered_at": NOW, "occurred_at": None,
        "reported_at": None, "declared_at": NOW + timedelta(seconds=1), "handling_ended_at": None, "closed_at": None,
        "files": FILES, "persons": FILES * 100,
    }  # fmt: skip
    store = incidents(agent)
    made = store.add(Incident(**{**values, **changes}), NOW)
    store.set_items(
        made.id,
        [
            Affected(
                key=key(n), path=b"/srv/share/%d.csv" % n, name=f"/srv/share/会员{n}.csv", persons=100,
                types=("PHONE_NUMBER",),
            )
            for n in range(FILES)
        ],
    )  # fmt: skip
    return made.id


def add(agent, *happenings):
    for happening in happenings:
        agent.events.add(happening, agent.mask)


def stolen(agent):
    """A Windows client copies 20 files, is stopped at the 21st and tries on; the kitchen reads two as always."""
    add(agent, met(0, -20 * 86_400, client_user="kitchen", client_address="192.0.2.5", session="3@aa"))
    add(agent, *(met(n, -60 + n) for n in range(20)))
    crossing = Crossing(
        event=met(20, -40, decision="deny"), rule="bound", subject="session", keys=tuple(map(key, range(20))),
        persons=2000, response="stop", outcome="stopped", stopped_ms=2.4,
    )  # fmt: skip
    add(agent, crossing, *(met(n, -39 + n / 10, decision="deny") for n in range(21, 25)))
    add(agent, *(met(n, -300, client_user="kitchen", client_address="192.0.2.5", session="3@aa") for n in range(2)))
    agent.inventory.add_alert(
        Alert(
            at=NOW, kind="bound", severity="critical", text="x", keys=(key(0), key(20)), session="3@ff",
            program="smbd", user="office3", action="stopped", stop_ms=2.4,
        )
    )  # fmt: skip


def states(found):
    return {hypothesis.id: hypothesis.state for hypothesis in found.hypotheses}


def ask(**arguments):
    return Request(arguments=arguments, caller=OWNER)


def test_it_tells_who_read_what_when_and_through_which_client(agent):
    inventoried(agent)
    stolen(agent)
    found = findings_of(agent, incident(agent))
    thief, kitchen = found.actors
    assert (thief.client, thief.user, thief.suspect) == ("office3 192.0.2.23", "till", True)
    assert (thief.files, thief.persons, thief.refused, thief.size) == (20, 2000, 5, sum(range(1, 21)) * 1000)
    assert thief.first == NOW - timedelta(seconds=60)
    assert [use.program for use in thief.programs] == ["/usr/sbin/smbd"]
    assert (kitchen.files, kitchen.suspect, kitchen.person) == (2, False, "")
    scope = found.scope
    assert (scope.suspects, scope.left_files, scope.left_persons, scope.left_size) == (1, 20, 2000, thief.size)
    assert (scope.files, scope.traced, scope.read) == (30, 25, 20)
    assert scope.earliest == NOW - timedelta(seconds=60)
    assert scope.blind_until is None
    assert [(crossed.actor, crossed.outcome) for crossed in found.crossings] == [(thief.id, "stopped")]
    assert states(found)["client_copy"] == "supported"
    assert states(found)["ransomware"] == states(found)["stolen_device"] == "not_supported"


def test_an_earlier_trace_of_the_same_terminal_is_found_however_old(agent):
    inventoried(agent)
    add(agent, met(3, -15 * 86_400, session="3@bb"))
    stolen(agent)
    assert findings_of(agent, incident(agent)).scope.earliest == NOW - timedelta(days=15)


def test_a_clock_that_was_set_back_hides_no_event(agent):
    inventoried(agent)
    stolen(agent)
    number = incident(agent)
    agent.now = lambda: NOW - timedelta(hours=2)
    assert findings_of(agent, number).scope.left_files == 20


def test_the_time_before_the_watch_and_its_gaps_are_said_and_asked(agent):
    inventoried(agent, at=NOW - timedelta(hours=1))
    stolen(agent)
    add(agent, Gap(at=NOW.timestamp() - 500, cause="kernel_queue"))
    found = findings_of(agent, incident(agent))
    assert found.scope.blind_until == NOW - timedelta(hours=1)
    assert (found.scope.gaps, found.scope.gap_times) == (1, (NOW - timedelta(seconds=500),))
    assert states(found)["unseen"] == "possible"
    assert {"before", "gaps", "where_to", "when", "copies"} <= {question.id for question in found.questions}


def test_without_a_trace_nothing_is_made_up(agent):
    found = findings_of(agent, incident(agent))
    assert found.actors == found.bins == found.crossings == ()
    assert found.scope.source == "none"
    assert found.scope.blind_until == found.scope.until
    assert [said.key for said in found.manner] == ["m_no_trace"]
    assert "supported" not in states(found).values()
    assert "who" in {question.id for question in found.questions}


def test_events_that_are_gone_leave_the_evidence(agent):
    number = incident(agent)
    deed = {
        "user": "till", "session": "3@ff", "program": "/usr/sbin/smbd", "command": "smbd",
        "client": "office3 192.0.2.23", "first": NOW.timestamp() - 60, "last": NOW.timestamp(), "files": 20,
        "persons": 2000, "refused": 4, "suspect": True,
    }  # fmt: skip
    write_bundle(agent.home.evidence / number, {"deeds.json": json.dumps([deed]).encode()}, agent.keyring.sign)
    found = findings_of(agent, number)
    assert (found.scope.source, found.bundles) == ("evidence", 1)
    assert [(actor.client, actor.files, actor.suspect) for actor in found.actors] == [("office3 192.0.2.23", 20, True)]
    write_bundle(agent.home.evidence / number, {"deeds.json": b"{broken"}, agent.keyring.sign)
    assert findings_of(agent, number).actors == found.actors


def test_connections_of_the_evidence_are_told(agent):
    inventoried(agent)
    stolen(agent)
    number = incident(agent)
    row = {
        "program": "/usr/bin/curl",
        "connections": [
            {"protocol": "tcp", "local": "192.0.2.1:5", "remote": "198.51.100.7:443", "state": "established"},
            {"protocol": "tcp", "local": "0.0.0.0:22", "remote": "", "state": "listening"},
        ],
    }  # fmt: skip
    write_bundle(agent.home.evidence / number, {"processes.json": json.dumps([row]).encode()}, agent.keyring.sign)
    write_bundle(agent.home.evidence / number, {"processes.json": b'{"a": 1}'}, agent.keyring.sign)
    told = [said for said in findings_of(agent, number).manner if said.key == "m_connected"]
    assert [said.values for said in told] == [{"program": "/usr/bin/curl", "remote": "198.51.100.7:443"}]


@pytest.mark.parametrize(
    ("happenings", "expected", "state"),
    [
        ([local(n, -50 + n) for n in range(6)], "local_copy", "supported"),
        ([local(0, -50)], "local_copy", "possible"),
        ([met(n, -50 + n, operation="modify", program=b"/tmp/x") for n in range(25)], "ransomware", "supported"),
        ([met(n, -80_000 + n * 3600, operation="modify") for n in range(21)], "ransomware", "not_supported"),
        (
            [local(n, -50 + n - day * 86_400, b"/opt/job", uid=0, user="root") for n in range(6) for day in range(6)],
            "backup", "supported",
        ),
        ([local(n, -50, b"/usr/bin/todesk") for n in range(2)], "vendor_session", "supported"),
        ([local(n, n - 50, b"/bin/php", uid=33, user="www-data") for n in range(6)], "service_account", "supported"),
        ([met(n, -50 + n) for n in range(3)], "client_copy", "possible"),
    ],
)  # fmt: skip
def test_a_hypothesis_is_judged_by_its_traces(agent, happenings, expected, state):
    inventoried(agent)
    add(agent, *happenings)
    assert states(findings_of(agent, incident(agent)))[expected] == state


SCOPE = Scope(
    since=NOW, until=NOW, files=1, traced=0, read=0, persons=1, counted=False, types=(), left_files=0, left_persons=0,
    left_size=0, suspects=0, earliest=None, watched_since=NOW, known_since=NOW, gaps=0, gap_times=(), attributed=True,
    source="events",
)  # fmt: skip


def case(agent, **changes):
    given = incidents(agent).get(incident(agent, **({"kind": changes.pop("kind")} if "kind" in changes else {})))
    values = {
        "incident": given, "scope": SCOPE, "actors": (), "uids": {}, "crossings": (), "habits": {},
        "own_programs": frozenset(), "windows": (), "fresh": (),
    }  # fmt: skip
    return Case(**{**values, **changes})


def test_what_no_trace_can_show_follows_the_report_and_the_registers(agent):
    use = ProgramUse(
        program="/usr/bin/less", command="", first=NOW, last=NOW, files=1, persons=1, events=1, refused=0, changed=0
    )
    actor = Actor(
        id="a-1", user="support", client="", session="1", sessions=1, first=NOW, last=NOW, files=1, persons=1, size=1,
        events=1, refused=0, changed=0, suspect=False, programs=(use,),
    )  # fmt: skip
    window = Window(
        vendor="样例软件", tool="", begun_at=NOW - timedelta(minutes=5), ended_at=NOW + timedelta(minutes=5)
    )
    late = replace(window, begun_at=NOW + timedelta(hours=1), ended_at=NOW + timedelta(hours=2))
    judge = HYPOTHESES
    assert judge["stolen_device"](case(agent, kind="lost_device"))[0] == "supported"
    assert judge["vendor_session"](case(agent, actors=(actor,), windows=(window,)))[0] == "supported"
    assert judge["vendor_session"](case(agent, actors=(actor,), windows=(late,)))[0] == "not_supported"
    assert judge["misdirected"](case(agent, kind="staff_mistake", fresh=(Fresh(name="a.csv", open_to_all=True),)))[
        0
    ] == ("supported")
    assert judge["misdirected"](case(agent, fresh=(Fresh(name="a.csv", open_to_all=False),)))[0] == "possible"
    assert judge["unseen"](case(agent, kind="sold_online"))[0] == "supported"


def test_an_export_is_fresh_if_it_was_made_in_the_two_days_before():
    assert is_fresh("会员.xlsx", 150, 100, 200)
    assert not is_fresh("会员.xlsx", 99, 100, 200)
    assert not is_fresh("会员.xlsx", 201, 100, 200)
    assert not is_fresh("till.db", 150, 100, 200)


def test_a_person_is_confirmed_on_record_and_never_called_guilty(agent):
    inventoried(agent)
    stolen(agent)
    number = incident(agent)
    actor = findings_of(agent, number).actors[0].id
    operations.person(agent, ask(id=number, actor=actor, person="王测试", reason="排班表"))
    found = findings_of(agent, number)
    assert (found.actors[0].person, found.actors[0].confirmed_by) == ("王测试", "root")
    assert not any(question.id.startswith("person:") for question in found.questions)
    step = incidents(agent).get(number).steps[-1]
    assert step.act == "investigation.person"
    assert agent.timelines.verify(number, agent.keyring.public_key).ok
    for language in LANGUAGES:
        words = json.dumps(texts_of(agent, number, language), ensure_ascii=False)
        assert "不等于认定责任" in words or "no finding of blame" in words
        assert not any(word in words for word in ("有罪", "嫌疑人", "作案", "guilty", "culprit", "thief"))


def texts_of(agent, number, language):
    wording = Wording(Text(language), ZoneInfo("Asia/Shanghai"))
    built = build_document(agent, incidents(agent).get(number), findings_of(agent, number), wording)
    return [repr(block) for block in built.blocks]


def test_people_judge_ask_answer_and_conclude(agent):
    inventoried(agent)
    stolen(agent)
    number = incident(agent)
    assert not is_concluded(agent, number)
    operations.hypothesis(agent, ask(id=number, act="reject", subject="unseen", words="路由器记录完整"))
    operations.hypothesis(agent, ask(id=number, act="add", words="有人借用了账号"))
    own = next(known.id for known in findings_of(agent, number).hypotheses if known.words)
    operations.hypothesis(agent, ask(id=number, act="confirm", subject=own, words="录像可见"))
    operations.question(agent, ask(id=number, act="add", words="U 盘在哪里？"))
    operations.question(agent, ask(id=number, act="answer", subject="where_to", words="U 盘"))
    answer = operations.conclude(
        agent, ask(id=number, manner="经共享文件夹拷贝", cause="密码共用", hypothesis=own)
    ).document
    found = findings_of(agent, number)
    assert found.hypotheses[0].id == own
    assert (found.hypotheses[0].state, found.hypotheses[0].reason) == ("confirmed", "录像可见")
    assert found.hypotheses[-1].id == "unseen"
    assert (found.hypotheses[-1].state, found.hypotheses[-1].judged) == ("rejected", "not_supported")
    answered = {question.id: question.answer for question in found.questions}
    assert answered["where_to"] == "U 盘"
    assert any(question.words == "U 盘在哪里？" and question.is_open for question in found.questions)
    assert is_concluded(agent, number)
    assert (answer["conclusion"]["manner"], answer["conclusion"]["cause"]) == ("经共享文件夹拷贝", "密码共用")
    assert len(answer["documents"]) == 6
    operations.hypothesis(agent, ask(id=number, act="confirm", subject="unseen", words="记录缺页"))
    assert states(findings_of(agent, number))["unseen"] == "confirmed"
    words = [Wording(Text("en"), ZoneInfo("UTC")).step(step) for step in incidents(agent).get(number).steps]
    assert any("hypothesis “Taken where it was out of sight” rejected by root" in line for line in words)


def test_what_people_type_is_masked_and_hostile_words_stay_words(agent):
    number = incident(agent)
    operations.question(agent, ask(id=number, act="add", words=f"{PLANTED} 是谁？ <script>"))
    operations.conclude(agent, ask(id=number, manner=f"问 {PLANTED}", cause="<b>未知</b>"))
    kept = agent.timelines.path(number).read_text() + agent.home.audit_log.read_text()
    assert PLANTED not in kept
    assert all(PLANTED.encode() not in path.read_bytes() for path in (agent.home.documents / number).iterdir())
    page = next((agent.home.documents / number).glob("*.html")).read_text()
    assert "<script>" not in page
    assert "&lt;b&gt;" in page


def test_unknown_subjects_empty_words_and_strangers_are_turned_away(agent):
    number = incident(agent)
    for call, arguments in (
        (operations.person, {"actor": "a-000000", "person": "王测试"}),
        (operations.hypothesis, {"act": "confirm", "subject": "nonsense", "words": "x"}),
        (operations.hypothesis, {"act": "add", "words": "  "}),
        (operations.hypothesis, {"act": "prove", "words": "x"}),
        (operations.question, {"act": "answer", "subject": "nonsense", "words": "x"}),
        (operations.conclude, {"manner": "x", "cause": ""}),
        (operations.conclude, {"manner": "x", "cause": "y", "hypothesis": "nonsense"}),
    ):
        with pytest.raises(UsageError):
            call(agent, ask(id=number, **arguments))
    waiter = Caller(uid=1000, gid=1000, pid=1, user="waiter")
    with pytest.raises(RefusedError):
        operations.show(agent, Request(arguments={"id": number}, caller=waiter))
    assert not agent.timelines.steps(number)


def test_an_ended_incident_takes_no_more_words(agent):
    number = incident(agent, phase="closed")
    with pytest.raises(UsageError, match=number):
        operations.conclude(agent, ask(id=number, manner="x", cause="y"))


def test_what_was_said_goes_along_when_incidents_are_merged(agent):
    first, second = incident(agent), incident(agent)
    operations.question(agent, ask(id=second, act="add", words="门禁记录呢？"))
    merge(agent, first, second, "root", "同一件事")
    assert any(question.words == "门禁记录呢？" for question in findings_of(agent, first).questions)


@pytest.mark.parametrize("language", LANGUAGES)
def test_pictures_are_whole_svg_without_anything_that_acts(agent, language):
    inventoried(agent)
    stolen(agent)
    add(agent, *(local(n, -30, program=b"/tmp/<script>alert(1)</script>&\"'") for n in range(20)))
    number = incident(agent)
    found, given = findings_of(agent, number), incidents(agent).get(number)
    wording = Wording(Text(language), ZoneInfo("Asia/Shanghai"))
    timeline = draw_timeline(found, given, clocks(given, NOW + timedelta(hours=1)), wording)
    graph = draw_graph(found, wording)
    for picture in (timeline, graph):
        root = ET.fromstring(picture)  # noqa: S314  our own
        assert {node.tag.rpartition("}")[2] for node in root.iter()} <= {
            "svg", "defs", "pattern", "rect", "line", "path", "circle", "text",
        }  # fmt: skip
        width = float(root.get("viewBox").split()[2])
        for node in root.iter("{http://www.w3.org/2000/svg}text"):
            assert 0 <= float(node.get("x")) <= width
    words = "".join(ET.fromstring(graph).itertext())  # noqa: S314  our own
    assert "▲ office3 192.0.2.23" in words
    assert "smbd" in words
    assert "会员19.csv" in words or "会员0.csv" in words
    assert found.graph.more_files == 8
    bars = sum(entry.got for entry in found.bins), sum(entry.refused for entry in found.bins)
    assert bars == (40, 5)


def test_a_hundred_thousand_events_take_seconds_and_little_memory(agent):
    """The bound for the whole report is 30 s; this part has a third of it."""
    number = incident(agent)
    fill(agent.events.path, 100_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    found = findings_of(agent, number)
    assert time.perf_counter() - began < 10
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 60
    assert len(found.actors) == 100
    assert sum(actor.events for actor in found.actors) + found.more_events == 100_000
    assert found.more_actors == 1100
    assert len(found.bins) <= 98


def fill(path, count):
    """Events of 1,000 sessions at the keyboard and 200 clients, evenly over an hour."""
    names = (
        "kind", "at", "monotonic_ns", "key", "path", "operation", "pid", "started", "program", "command", "uid", "user",
        "session", "cgroup", "decision", "latency_us", "client_address", "client_user",
    )  # fmt: skip

    def rows():
        for n in range(count):
            is_client = n % 2
            yield (
                "access", NOW.timestamp() - 3600 + n * 3600 / count, 0, key(n % FILES), b"/x", "open", 1, 1,
                b"/usr/sbin/smbd", b"", 1001, "till", f"s{n % 2000}", "", "allow" if n % 5 else "deny", 1.0,
                f"192.0.2.{n % 400 // 2}" if is_client else "", "office" if is_client else "",
            )  # fmt: skip

    connection = sqlite3.connect(path)
    marks = ",".join("?" * len(names))
    connection.executemany(f"INSERT INTO events ({','.join(names)}) VALUES ({marks})", rows())  # noqa: S608  names of our own
    connection.commit()
    connection.close()


def cloche(home, *arguments):
    program = os.path.join(os.path.dirname(sys.executable), "cloche")
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "CLOCHE_HOME": str(home.state)},
    )  # fmt: skip


def test_the_command_line_shows_and_records(home):
    home.settings_file.write_text('[store]\nname = "测试一店"\nlanguage = "en"\n')
    with build_agent(home, Settings(), now=lambda: NOW + timedelta(minutes=10)) as agent:
        inventoried(agent)
        stolen(agent)
        number = incident(agent)
    shown = cloche(home, "incident", "investigate", number)
    assert shown.returncode == 0, shown.stderr
    assert "office3 192.0.2.23" in shown.stdout
    assert "nothing here says that anybody is to blame" in shown.stdout
    done = cloche(
        home, "incident", "investigate", number, "hypothesis", "reject", "backup", "--reason", "no job", "--json"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "cloche.incident.investigation/1"
    assert {item["id"]: item["state"] for item in document["hypotheses"]}["backup"] == "rejected"
    answer = json.loads(cloche(home, "incident", "investigate", number, "--json").stdout)
    assert answer["actors"][0]["files"] == 20
    assert cloche(home, "incident", "investigate", number, "question", "answer", "nonsense", "x").returncode == 2
