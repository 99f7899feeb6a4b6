"""Drills: played by real processes on made-up customers, and nothing real within reach."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from shops import Clock

from agent.audit import verify
from agent.drill import due_on, last_drill, overdue
from agent.drill.carrying import Order, carry_out
from agent.drill.enclosure import Enclosure, facts_of, real_places
from agent.drill.lock import only_one
from agent.drill.records import Drill
from agent.drill.remains import sweep
from agent.drill.reminders import remind
from agent.drill.scenarios import find_scenario, load_plan, load_scenarios
from agent.drill.scoring import compared, judge
from agent.drill.store import DrillStore
from agent.drill.windows import Share
from agent.messages.queue import deliveries
from agent.operation import Caller, Request
from agent.operations import find_operation
from agent.wiring import build_agent
from config.errors import ClocheError, ExitCode, RefusedError, UsageError
from config.home import find_home
from config.schema import Settings
from config.text import LANGUAGES, Text, load_packs

PLANTED = "13800001111"
OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
LEADER = Caller(uid=7, gid=7, pid=1, user="lead", roles=frozenset({"security_lead"}))
STRANGER = Caller(uid=8, gid=8, pid=1, user="guest")
LAWYER = Caller(uid=9, gid=9, pid=1, user="law", roles=frozenset({"legal"}))
PEOPLE = [
    {"name": "李样例", "roles": ["response_lead"], "user": "lead", "email": "lead@example.com", "phone": "13800000001",
     "contact": "138 0000 0001", "substitute": "王测试"},
    {"name": "王测试", "roles": ["security_lead", "tech_support"], "email": "wang@example.com"},
    {"name": "张演示", "roles": ["legal", "customer_service"], "email": "zhang@example.com"},
    {"name": "陈模拟", "roles": ["store_manager"]},
]  # fmt: skip
NOON = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
FULL_TIER = ("root", "fanotify")
pytestmark = pytest.mark.timeout(300)  # a drill is many processes: on a busy machine they take their time


@pytest.fixture
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("d")  # short: a guard's socket has a name of 108 bytes at most
    yield folder
    subprocess.run(["chattr", "-R", "-f", "-i", str(folder)], check=False, capture_output=True)


@pytest.fixture
def home(place):
    found = find_home(place / "h")
    found.create()
    return found


@pytest.fixture
def shop(place):
    folder = place / "shop"
    folder.mkdir()
    for name in ("会员.csv", f"{PLANTED}.txt"):
        (folder / name).write_text(f"姓名,电话\n测试甲,{PLANTED}\n" * 20, encoding="utf-8")
    return folder


def settings_for(shop=None, **more):
    values = {"store": {"name": "测试一店"}, "people": PEOPLE, **more}
    if shop is not None:
        values["scan"] = {"roots": [str(shop)]}
    return Settings.model_validate(values)


@contextlib.contextmanager
def opened(home, settings=None, clock=None):
    with build_agent(home, settings or settings_for(), **({"now": clock} if clock else {})) as agent:
        yield agent


def call(agent, operation_name, caller=OWNER, /, **arguments):
    return find_operation(operation_name).load()(agent, Request(arguments=arguments, caller=caller))


def order(home, settings, scenario, **more):
    values = {"size": 0.01, "drafts": False, **more}
    return Order(
        folder=home.state / "drills" / "D1", scenario=scenario, facts=facts_of(settings),
        real=real_places(settings, home), **values,
    )  # fmt: skip


def played(home, settings, scenario, **more):
    (home.state / "drills").mkdir(mode=0o711, exist_ok=True)
    steps: list[str] = []
    return carry_out(order(home, settings, scenario, **more), steps.append), steps


def tree(folder, *, without=()):
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not name.startswith(tuple(without)):
            facts = path.lstat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[name] = (digest, facts.st_mode, facts.st_uid, facts.st_size, facts.st_mtime_ns if digest else 0)
    return found


def everything_in(folder):
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path, path.read_bytes()


def cloche(home, *arguments, **environment):
    program = os.path.join(os.path.dirname(sys.executable), "cloche")
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "CLOCHE_HOME": str(home.state), **environment},
    )  # fmt: skip


def write_settings(home, shop):
    people = "".join(
        "[[people]]\n" + "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in person.items())
        for person in PEOPLE
    )
    home.settings_file.write_text(f'[store]\nname = "测试一店"\n[scan]\nroots = ["{shop}"]\n{people}', encoding="utf-8")


# a whole drill


@pytest.mark.needs(*FULL_TIER)
def test_a_drill_of_an_insider_is_played_scored_and_certified_and_nothing_real_changes(home, shop):
    write_settings(home, shop)
    with opened(home, settings_for(shop)) as agent:
        call(agent, "scan", paths=[str(shop)])
    own = ("inventory.db", "audit.", "documents/D", "drills", "lock", "keys")
    before, before_shop = tree(home.state, without=own), tree(shop)
    done = cloche(home, "drill", "run", "--size", "0.03", "--keep", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["state"], document["passed"]) == (0, "done", True), done.stderr
    assert (tree(home.state, without=own), tree(shop)) == (before, before_shop)
    measures = {measure["name"]: measure for measure in document["measures"]}
    assert set(measures) == {
        "detect", "contain", "report_draft", "notify_draft", "left_files", "left_persons", "restored", "recorded",
    }  # fmt: skip
    assert all(measure["met"] for measure in measures.values()), measures
    assert document["samba"] is Share.possible()
    assert 0 < measures["left_files"]["value"] <= 5
    assert 0 < measures["left_persons"]["value"] <= 15
    assert document["tier"] in ("pre_access", "permission")
    assert document["confinement"] == {"files": "kernel", "network": "namespace", "exposed": []}
    acts = [step["act"] for step in document["timeline"]]
    assert [act for act in acts if act in ("declare", "deny", "stop", "vault", "dismiss", "release", "resume")] == [
        "declare", "deny", "stop", "vault", "dismiss", "release", "resume",
    ]  # fmt: skip
    assert all(step["ok"] for step in document["timeline"])
    assert sorted(os.listdir(home.state / "drills")) == ["lock"]
    names = [os.path.basename(path) for path in document["documents"]]
    assert {"应急演练证明-01.zh-CN.pdf", "应急演练证明-01.en.docx", "应急演练证明-01.zh-CN.html"} <= set(names)
    page = next(path for path in document["documents"] if path.endswith("证明-01.zh-CN.html"))
    text = Path(page).read_text(encoding="utf-8")
    for wanted in ("应急演练", "内部人员", "发现用时", "未核实", "watch.response = alert", "签字"):
        assert wanted in text, wanted
    drafted = [path for path in document["documents"] if "/drafts/" in path and path.endswith("zh-CN.html")]
    assert drafted
    assert all("【应急演练】" in Path(path).read_text(encoding="utf-8") for path in drafted)
    for path, content in everything_in(home.documents / document["id"]):
        assert PLANTED.encode() not in content, path
    with opened(home, settings_for(shop)) as agent:
        last = last_drill(agent)
        assert last is not None
        assert (last.id, last.score, last.passed) == (document["id"], 100.0, True)
        assert not overdue(agent, agent.now())
        assert [item.path for item in agent.inventory.items() if b"drills" in item.path] == []
        assert verify(home.audit_log, agent.keyring.public_key).ok
    recorded = [json.loads(line) for line in home.audit_log.read_bytes().splitlines()]
    mine = [(entry["act"], entry["details"].get("score")) for entry in recorded if entry["act"].startswith("drill.")]
    assert mine == [("drill.begun", None), ("drill.ended", 100.0)]


# scenarios


@pytest.mark.needs(*FULL_TIER)
def test_ransomware_is_stopped_and_what_it_overwrote_comes_back_from_the_copy(home, shop):
    measured = played(home, settings_for(shop), "ransomware")[0]["measured"]
    assert 0 < measured["damaged"] <= 5
    assert measured["detect"] < 5
    assert (measured["restored"], measured["recorded"]) == (1.0, 1.0)


def test_orders_of_somebody_absent_reach_the_substitute(home, shop):
    result = played(home, settings_for(shop), "key_person_absent")[0]
    assert result["measured"]["escalated"] == 1.0
    told = [step["text"]["zh-CN"] for step in result["timeline"] if step["act"] == "orders.reminded"]
    assert any("王测试" in text for text in told)


def test_a_role_has_the_daemon_play_a_vendor_leak_whose_canaries_name_the_vendor(home, shop):
    steps = []
    with opened(home, settings_for(shop)) as agent:
        answer = find_operation("drill.run").load()(
            agent,
            Request(
                arguments={"scenario": "vendor_leak", "size": 0.01, "drafts": False}, caller=LEADER,
                progress=lambda update: steps.append(update["step"]),
            ),
        )  # fmt: skip
    measures = {measure["name"]: measure["value"] for measure in answer.document["measures"]}
    assert measures["traced"] == 1.0
    assert [step for step in answer.document["steps"] if not step["ok"]] == []
    assert steps[:4] == ["scene", "keys", "scan", "attack"]
    assert (answer.document["by"], answer.document["state"]) == ("lead", "done")
    assert answer.exit_code == ExitCode.INCOMPLETE  # no drafts, no points for them
    assert sorted(os.listdir(home.state / "drills")) == ["lock"]


@pytest.mark.needs("root")
def test_without_head_office_and_without_a_guard_the_reduced_path_is_played_and_said(home, shop, place):
    deep = find_home(place / ("x" * 90))  # a guard's socket would not fit
    deep.create()
    result = played(deep, settings_for(shop), "hq_unreachable")[0]
    assert (result["tier"], result["blocking"]) == ("none", False)
    assert {"no_guard", "not_detected"} <= {note["key"] for note in result["notes"]}
    assert result["measured"]["detect"] is None
    assert result["measured"]["left_files"] == 12
    assert (result["measured"]["restored"], result["measured"]["queued"]) == (1.0, 1.0)
    assert result["measured"]["contain"] is not None


# nothing real within reach

CONFINED = """
import json, os, signal, socket, sys
from pathlib import Path
from agent.drill.confine import confine
folder, real, victim, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
kept = confine(folder, [real, "/usr/lib"])
def denied(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "allowed"
def connect():
    socket.create_connection(("127.0.0.1", port), 1).close()
(folder / "mine").write_text("x")
(folder / "mine").rename(folder / "yours")
print(json.dumps({
    "kept": [kept.files, kept.network, list(kept.exposed)],
    "read": denied(lambda: Path(real, "members.csv").read_text()),
    "list": denied(lambda: os.listdir(real)),
    "write": denied(lambda: Path(real, "new").write_text("x")),
    "link": denied(lambda: os.link(Path(real, "members.csv"), folder / "link")),
    "remove": denied(lambda: os.unlink(Path(real, "members.csv"))),
    "through_proc": denied(lambda: Path(f"/proc/{victim}/root{real}/members.csv").read_text()),
    "secrets": denied(lambda: Path("/etc/shadow").read_bytes()),
    "kill": denied(lambda: os.kill(victim, signal.SIGSTOP)),
    "connect": denied(connect),
    "child": os.spawnv(os.P_WAIT, "/bin/cat", ["cat", str(Path(real, "members.csv"))]) != 0,
}))
"""


@pytest.mark.needs("root")
def test_a_confined_process_reads_writes_links_kills_and_reaches_nothing_real(place):
    real, folder = place / "real", place / "drill"
    real.mkdir()
    folder.mkdir()
    (real / "members.csv").write_text("x")
    with socket.socket() as server, subprocess.Popen(["sleep", "60"]) as victim:
        server.bind(("127.0.0.1", 0))
        server.listen()
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-c", CONFINED, str(folder), str(real), str(victim.pid),
                 str(server.getsockname()[1])],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            found = json.loads(done.stdout)
        finally:
            victim.kill()
    assert found.pop("kept") == ["kernel", "namespace", ["/usr/lib"]]
    assert found.pop("child") is True
    assert found.pop("connect") in ("ConnectionRefusedError", "PermissionError")  # another network's loopback
    assert set(found.values()) <= {"PermissionError", "OSError"}, found
    assert found["read"] == found["write"] == found["kill"] == "PermissionError"
    assert os.listdir(real) == ["members.csv"]


class Gateway:
    """Counts who comes."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.came = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.came += 1
            connection.close()

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._thread.join()


START = """
import json, os, runpy, sys
request = json.loads(sys.argv[1]) | {"parent": os.getppid()}
lent = os.memfd_create("request")
os.write(lent, json.dumps(request).encode())
os.lseek(lent, 0, os.SEEK_SET)
os.dup2(lent, 0)
runpy.run_module("agent.drill.runner", run_name="__main__")
"""


@pytest.mark.needs("strace")
def test_a_lost_laptop_is_played_and_no_gateway_hears_of_it_nor_is_one_tried(home, shop, place):
    gateway = Gateway()
    try:
        web = f"http://127.0.0.1:{gateway.port}/x"
        settings = settings_for(
            shop,
            senders={"smtp_host": "127.0.0.1", "smtp_port": gateway.port, "smtp_security": "none",
                     "smtp_from": "a@example.com", "sms_url": web, "crm_url": web,
                     "robots": [{"name": "群", "kind": "webhook", "url": web}]},
        )  # fmt: skip
        folder = home.state / "drills" / "D1"
        folder.parent.mkdir(mode=0o711)
        wanted = order(home, settings, "lost_laptop")
        request = {
            "folder": str(folder), "scenario": wanted.scenario, "facts": wanted.facts, "real": list(wanted.real),
            "size": 0.01, "names": False, "drafts": False,
        }  # fmt: skip
        (place / "start.py").write_text(START)
        trace = place / "trace"
        done = subprocess.run(
            ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", str(trace), sys.executable, "-P",
             str(place / "start.py"), json.dumps(request)],
            capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert "result" in lines[-1], lines
        tried = [line for line in trace.read_text().splitlines() if "AF_INET" in line]
        assert tried == []
        assert gateway.came == 0
    finally:
        gateway.close()
    steps, result = [line["step"] for line in lines[:-1]], lines[-1]["result"]
    assert steps == ["scene", "keys", "scan", "attack", "declare", "contain", "count", "direct", "release", "verify"]
    assert result["declared_by"] == "person"
    assert result["measured"]["contain"] > 0
    assert (result["measured"]["restored"], result["measured"]["recorded"]) == (1.0, 1.0)
    counted = next(note["values"] for note in result["notes"] if note["key"] == "counted")
    assert counted == {"persons": 12, "complete": True}
    # nothing of the real store and nobody's address is anywhere in what the drill wrote
    for path, content in everything_in(folder / "home"):
        for secret in (PLANTED, "lead@example.com", "wang@example.com", "138 0000 0001"):
            assert secret.encode() not in content, (path, secret)
    assert not (folder / "home" / "outbox" / "link.json").exists()


def test_a_drills_settings_hold_nobodys_address_and_no_sender(home, shop):
    settings = settings_for(
        shop, senders={"smtp_host": "mail.example.com", "smtp_from": "a@example.com", "smtp_password": "geheim"},
        notice={"hotline": "400-123-4567"}, page={"url": "https://report.example.com/s/1"},
    )  # fmt: skip
    facts = json.dumps(facts_of(settings), ensure_ascii=False)
    for secret in ("example.com", "13800000001", "138 0000", "geheim", "400-123", "lead", str(shop)):
        assert secret not in facts.replace("response_lead", "").replace("security_lead", ""), secret
    made = Enclosure(home.state / "drills" / "D1").settings(facts_of(settings), names=False)
    assert not made.senders.any
    assert made.senders.mode == "record"
    assert made.page.url == ""
    assert [person.name for person in made.people] == [person["name"] for person in PEOPLE]
    assert all(not (p.email or p.phone or p.contact or p.user) for p in made.people)
    assert made.scan.roots == (str(home.state / "drills" / "D1" / "store"),)
    assert "应急演练" in made.store.name


def test_a_path_outside_of_the_drills_store_is_refused_by_links_and_dots_too(home, shop):
    enclosure = Enclosure(home.state / "drills" / "D1")
    enclosure.store.mkdir(parents=True)
    (enclosure.store / "out").symlink_to(shop)
    (enclosure.folder / "store2").mkdir()
    assert enclosure.inside(enclosure.store / "a.csv")
    for path in (
        shop,
        enclosure.store / "out" / "会员.csv",
        enclosure.store / ".." / "home",
        "/",
        enclosure.folder / "store2",
    ):
        with pytest.raises(RefusedError) as caught:
            enclosure.inside(path)
        assert PLANTED not in str(caught.value)


def test_the_thief_of_a_drill_refuses_a_folder_that_is_no_drills(shop, place):
    store = place / "store"
    shutil.copytree(shop, store)
    for folder in (shop, store, place):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "agent.drill.actor", "encrypt", str(folder), str(place)],
            input=b"go\n", capture_output=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (2, b"")
    assert sorted(os.listdir(store)) == sorted(os.listdir(shop))


# cut


def processes_of(folder):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if os.fsencode(folder) in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


@pytest.mark.needs(*FULL_TIER)
def test_a_drill_that_is_killed_leaves_nothing_running_and_the_next_one_clears_up(home, shop):
    write_settings(home, shop)
    program = os.path.join(os.path.dirname(sys.executable), "cloche")
    with subprocess.Popen(
        [program, "drill", "run", "--size", "0.01"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "CLOCHE_HOME": str(home.state)},
    ) as running:  # fmt: skip
        drills = home.state / "drills"
        wait_for(lambda: any(drills.glob("D*/loot/*")), 200)  # the thief is at work
        assert processes_of(drills)
        running.send_signal(signal.SIGKILL)
    wait_for(lambda: not processes_of(drills), 10)
    assert str(drills) not in Path("/proc/mounts").read_text()
    (cut,) = [path.name for path in drills.glob("D*")]
    stuck = drills / cut / "store" / "stuck"
    stuck.write_text("x")
    subprocess.run(["chattr", "+i", str(stuck)], check=False, capture_output=True)
    with opened(home) as agent:
        assert call(agent, "drill.begin", scenario="wrong_group").document["cleared"] == [cut]
        found = [(drill.id == cut, drill.state) for drill in DrillStore(agent).all()]
        assert found == [(False, "running"), (True, "cut")]
    assert sorted(os.listdir(drills)) == ["lock"]
    assert f'"drill":"{cut}"' in home.audit_log.read_text()
    assert '"act":"drill.cut"' in home.audit_log.read_text()


def wait_for(what, seconds):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_drill_whose_process_fails_is_told_kept_as_failed_and_cleared(home):
    with opened(home) as agent:
        begun = call(agent, "drill.begin", scenario="wrong_group").document
        with pytest.raises(ClocheError, match=r"without a result|Error"):
            carry_out(
                Order(folder=home.state / "no" / "such", scenario="wrong_group", facts=begun["facts"], real=[]),
                lambda _key: None,
            )
        answer = call(agent, "drill.finish", id=begun["id"], failed=f"no space for {PLANTED}")
        assert (answer.exit_code, answer.document["state"]) == (ExitCode.FAILED, "failed")
        assert PLANTED not in json.dumps(answer.document)
        assert last_drill(agent) is None
        with pytest.raises(UsageError):
            call(agent, "drill.finish", id=begun["id"], failed="again")
        with pytest.raises(UsageError):
            call(agent, "drill.certificate", id=begun["id"])


def test_only_one_drill_is_played_at_a_time(home):
    with opened(home) as agent, only_one(home, agent.text):
        for name in ("drill.begin", "drill.run"):
            with pytest.raises(RefusedError):
                call(agent, name, scenario="wrong_group")
        assert DrillStore(agent).all() == []
        with pytest.raises(RefusedError):  # who is not the owner cannot claim to hold the lock
            call(agent, "drill.begin", LEADER, scenario="wrong_group", held=True)


def test_what_stays_is_removed_and_a_link_leads_nowhere(home, shop):
    with opened(home) as agent:
        drills = home.state / "drills"
        drills.mkdir(exist_ok=True)
        (drills / "D9").symlink_to(shop)
        (drills / "D8" / "store").mkdir(parents=True)
        assert sweep(agent) == ["D8", "D9"]
        assert os.listdir(shop)
        assert not any(drills.glob("D*"))


# people


def result_of(**measured):
    values = {"contain": 5.0, "report_draft": 3.0, "notify_draft": 9.0, "restored": 1.0, "recorded": 1.0, **measured}
    return {"measured": values, "persons": 10, "tier": "none", "blocking": False, "samba": False, "steps": [],
            "timeline": [], "notes": [], "incident": "I1", "declared_by": "person",
            "confinement": {"files": "kernel", "network": "namespace", "exposed": []}}  # fmt: skip


def test_in_an_announced_drill_people_acknowledge_and_who_is_late_does_not_count(home):
    clock = Clock(NOON)
    with opened(home, clock=clock) as agent:
        begun = call(agent, "drill.begin", scenario="wrong_group", announced=True).document
        assert set(begun["asked"]) == {"李样例", "王测试", "陈模拟", "张演示"}
        assert begun["told"] == 0
        assert deliveries(agent) == ()
        clock.now += timedelta(minutes=2)
        assert call(agent, "drill.ack", LEADER).document["in_time"] is True
        assert call(agent, "drill.ack", LEADER).document["new"] is False
        assert call(agent, "drill.ack", OWNER, person="王测试").document["how"] == "phone"
        with pytest.raises(RefusedError):
            call(agent, "drill.ack", STRANGER, person="张演示")
        with pytest.raises(UsageError):
            call(agent, "drill.ack", STRANGER)
        with pytest.raises(UsageError):
            call(agent, "drill.ack", OWNER, person="路人")
        finished = call(agent, "drill.finish", id=begun["id"], result=result_of()).document
        shares = {measure["name"]: measure["value"] for measure in finished["measures"]}
        assert shares["acknowledged"] == 0.5
        clock.now += timedelta(minutes=2)
        call(agent, "drill.ack", OWNER, person="张演示")
        clock.now += timedelta(minutes=20)
        assert call(agent, "drill.ack", OWNER, person="陈模拟").document["in_time"] is False
        shown = call(agent, "drill.show").document
        assert next(m for m in shown["measures"] if m["name"] == "acknowledged")["value"] == 0.75
        assert finished["score"] < shown["score"] < 100
        paths = call(agent, "drill.certificate").document["paths"]
        page = next(path for path in paths if path.endswith("02.zh-CN.html"))
        assert "陈模拟" in Path(page).read_text(encoding="utf-8")


def test_a_live_drill_asks_staff_only_each_marked_as_a_drill_and_takes_their_code(home):
    settings = settings_for(senders={"mode": "record", "smtp_host": "127.0.0.1", "smtp_from": "a@example.com"})
    with opened(home, settings) as agent:
        begun = call(agent, "drill.begin", scenario="insider", live=True).document
        sent = deliveries(agent)
        assert {message.person for message in sent} == set(begun["asked"]) <= {person["name"] for person in PEOPLE}
        assert begun["told"] == len(begun["asked"]) == 4
        assert all("应急演练" in message.subject and "应急演练" in message.text for message in sent)
        with pytest.raises(RefusedError):
            call(agent, "drill.ack", STRANGER, person="李样例", code="000000")
        from agent.messages.inbox import dispatch
        from agent.messages.records import Answer as Word

        dispatch(
            agent,
            Word(purpose="ack", about=f"drill:{begun['id']}", person="李样例", how="link", at=agent.now()),
        )
        (given,) = DrillStore(agent).get(begun["id"]).acknowledged
        assert (given.person, given.how) == ("李样例", "link")


def test_nobody_to_ask_is_said_before_anything_begins(home):
    with opened(home, Settings()) as agent:
        with pytest.raises(UsageError, match="people"):
            call(agent, "drill.begin", scenario="insider", live=True)
        assert DrillStore(agent).all() == []


def test_roles_are_asked_for_and_only_the_owner_hands_in_a_result(home):
    with opened(home) as agent:
        for name in ("begin", "run", "list", "show", "certificate"):
            with pytest.raises(RefusedError):
                call(agent, f"drill.{name}", STRANGER)
        for name in ("begin", "run"):
            with pytest.raises(RefusedError):
                call(agent, f"drill.{name}", LAWYER)
        begun = call(agent, "drill.begin", LEADER, scenario="wrong_group").document
        assert "facts" not in begun
        with pytest.raises(RefusedError):
            call(agent, "drill.finish", LEADER, id=begun["id"], result=result_of())
        with pytest.raises(UsageError):
            call(agent, "drill.begin", scenario="earthquake")
        with pytest.raises(UsageError):
            call(agent, "drill.show", id="D1999")


# judging


def test_points_fall_with_distance_from_the_target_and_a_missing_measure_has_none():
    scenario, plan = find_scenario("wrong_group"), load_plan()

    def score(**measured):
        values = {"contain": 60.0, "report_draft": 60.0, "notify_draft": 300.0, "restored": 1.0, "recorded": 1.0}
        return judge(scenario, plan, {**values, **measured}, asked=0)[1]

    assert score() == 100.0
    assert score(contain=61.0) == score(contain=180.0) < 100
    assert score(contain=181.0) == score(contain=None) < score(contain=61.0)
    assert score(restored=0.5) == pytest.approx((score() + score(restored=0.0)) / 2, abs=0.1)
    measures, _score = judge(scenario, plan, {"restored": 1.0}, asked=2)
    assert sum(measure.worth for measure in measures) == pytest.approx(100)
    assert {measure.name for measure in measures if measure.met} == {"restored"}


def test_a_drill_is_compared_with_the_last_of_its_scenario(home):
    clock = Clock(NOON)
    with opened(home, clock=clock) as agent:
        for scenario, contain in (("wrong_group", 9.0), ("lost_laptop", 1.0), ("wrong_group", 5.0)):
            begun = call(agent, "drill.begin", scenario=scenario).document
            shown = call(agent, "drill.finish", id=begun["id"], result=result_of(contain=contain)).document
            clock.now += timedelta(days=30)
        changes = {measure["name"]: measure["change"] for measure in shown["measures"]}
        assert (changes["contain"], changes["restored"]) == (-4.0, 0.0)
        first, _laptop, last = reversed(DrillStore(agent).all())
        assert compared(last.measures, first.measures)["contain"] == -4.0
        assert shown["before"]["id"] == first.id
        assert due_on(agent).isoformat() == plus_a_year(last)
        assert not overdue(agent, last.at + timedelta(days=364))
        assert overdue(agent, last.at + timedelta(days=367))
        listed = call(agent, "drill.list").document
        assert {row["id"]: row["last_score"] for row in listed["scenarios"]}["lost_laptop"] == 100.0


def plus_a_year(drill: Drill) -> str:
    day = drill.at.astimezone(UTC).date()
    return day.replace(year=day.year + 1).isoformat()


def test_whoever_leads_is_reminded_once_a_stage_by_day_and_nobody_before_a_first_drill(home):
    clock = Clock(NOON)
    settings = settings_for(senders={"mode": "record", "smtp_host": "127.0.0.1", "smtp_from": "a@example.com"})
    with opened(home, settings, clock) as agent:
        remind(agent, clock.now)
        begun = call(agent, "drill.begin", scenario="wrong_group").document
        call(agent, "drill.finish", id=begun["id"], result=result_of())
        for days, hours, count in (
            (0, 0, 0),
            (334, 12, 0),
            (336, 0, 1),
            (336, 1, 1),
            (366, 0, 2),
            (400, 0, 3),
            (401, 0, 3),
        ):
            clock.now = NOON + timedelta(days=days, hours=hours)
            remind(agent, clock.now)
            assert len(deliveries(agent)) == count, (days, hours)
        assert {message.person for message in deliveries(agent)} == {"王测试"}


def test_every_scenario_and_text_is_whole():
    plan, packs = load_plan(), load_packs()
    assert set(load_scenarios()) == {
        "insider", "ransomware", "lost_laptop", "vendor_leak", "wrong_group", "hq_unreachable", "key_person_absent",
    }  # fmt: skip
    assert next(iter(load_scenarios())) == "insider"
    for name in plan.points:
        assert f"drill.measure_{name}" in packs
    for scenario in load_scenarios().values():
        assert set(scenario.targets) <= set(plan.points)
        assert scenario.asked
        assert scenario.named or scenario.target
        assert (scenario.declared_by == "person") == bool(scenario.chinese.summary)
        for language in LANGUAGES:
            words = scenario.words(language)
            assert words.title
            assert words.story
            assert len(words.points) >= 2
    for files in ("kernel", "checks"):
        for network in ("namespace", "no_tcp", "checks"):
            if (files, network) != ("checks", "no_tcp"):
                assert f"drill.kept_{files}_{network}" in packs
    for state in ("running", "done", "cut", "failed"):
        assert f"drill.state_{state}" in packs
    for stage in plan.reminders:
        assert Text("en")(f"drill.remind_{stage.stage}", store="s", due="d")


def test_the_command_line_lists_scenarios_and_refuses_real_messages_without_a_yes(home, shop):
    write_settings(home, shop)
    listed = cloche(home, "drill", "run", "--list", CLOCHE_STORE__LANGUAGE="en")
    assert "Ransomware" in listed.stdout
    assert "No drill was ever held" in listed.stdout
    refused = cloche(home, "drill", "run", "--live")
    assert (refused.returncode, "--yes" in refused.stderr) == (4, True)
    wrong = json.loads(cloche(home, "drill", "run", "--scenario", "x", "--json").stdout)
    assert wrong["exit_code"] == 2
