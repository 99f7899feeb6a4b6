"""Orders from a real head office to a real store: its daemon, its link, its files."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hq_founding import found
from sqlalchemy.orm import Session

from agent.link.settings import read_enrolment
from central.database.engine import open_database
from central.direct.keyfile import make_key_file, open_key_file, sign_text
from central.direct.officers import confirm_key, key_words, register_key
from central.direct.orders import give_order, open_case, sign_order
from central.direct.signing import sessions_with_key
from central.home import HeadOfficeHome
from central.models import Delivery, Grant, Order, Person, Store
from central.people.directory import machine_viewer
from central.testing import OfficeProcess, serve_office

CLOCHE = (sys.executable, "-P", "-c", "from agent.cli import main; main()")
LINK = (sys.executable, "-P", "-c", "from agent.link.main import main; main()")
QUICK = {"CLOCHE_LINK__RETRY_SECONDS": "0.3", "CLOCHE_LINK__MAX_RETRY_SECONDS": "1"}
PASSPHRASE = "correct horse battery"

pytestmark = pytest.mark.timeout(300)


@contextmanager
def desk(office: OfficeProcess) -> Iterator[Session]:
    engine = open_database(f"sqlite:///{office.folder / 'hq.db'}")
    try:
        with sessions_with_key(HeadOfficeHome(folder=office.folder), engine).begin() as session:
            yield session
    finally:
        engine.dispose()


@pytest.fixture(scope="module")
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[OfficeProcess]:
    folder = tmp_path_factory.mktemp("hq") / "office"
    with serve_office(folder, made=found(folder), port=port) as running:
        yield running


@pytest.fixture(scope="module")
def officers(office: OfficeProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two officers; 甲 is from IT, 乙 is not."""
    folder = tmp_path_factory.mktemp("officers")
    files = {name: folder / f"{name}.key" for name in ("jia", "yi")}
    with desk(office) as session:
        public, people = {}, {}
        for name, role in (("jia", "security_lead"), ("yi", "legal")):
            people[name] = Person(id=f"p-{name}", name=f"测试{name}", login=name, made_at=datetime.now(UTC))
            session.add(people[name])
            session.flush()
            session.add(Grant(person_id=f"p-{name}", role=role, scope="all", scope_id="", since=datetime.now(UTC)))
            public[name] = make_key_file(files[name], PASSPHRASE)
            session.flush()
            register_key(session, people[name], public[name], "")
        for by, whose in (("jia", "yi"), ("yi", "jia")):
            confirm_key(session, people[by], f"p-{whose}", public[whose], key_words(public[whose]))
    return files


class RealStore:
    """A store server in a folder: what people see of it, and its processes."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "store"
        self.files = folder / "srv"
        self.files.mkdir()
        for number in range(3):
            (self.files / f"会员{number}.csv").write_text("姓名,电话\n测试甲,13800138000\n测试乙,13900139000\n" * 20)
        self.home.mkdir()
        roots = f'[scan]\nroots = ["{self.files}"]\nnames = false\n[store]\nname = "测试店"\n'
        (self.home / "cloche.toml").write_text(roots)
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def call(self, *arguments: str, check: bool = True) -> dict[str, Any]:
        done = subprocess.run(
            [*CLOCHE, *arguments, "--home", str(self.home), "--json"], capture_output=True, text=True, check=False,
            env=os.environ | QUICK,
        )  # fmt: skip
        assert not check or done.returncode in (0, 3), done.stderr
        return dict(json.loads(done.stdout or "{}"))

    @property
    def id(self) -> str:
        found = read_enrolment(self.home / "outbox")
        assert found is not None
        return found.store

    def start(self, *parts: str) -> None:
        for part in parts or ("daemon", "link"):
            command = [*CLOCHE, "daemon"] if part == "daemon" else [*LINK]
            self.processes[part] = subprocess.Popen(
                [*command, "--home", str(self.home)], stderr=subprocess.DEVNULL, text=True, env=os.environ | QUICK
            )
        if "daemon" in self.processes:
            eventually((self.home / "run" / "control.sock").exists)

    def stop(self, part: str, number: signal.Signals = signal.SIGTERM) -> None:
        process = self.processes.pop(part)
        process.send_signal(number)
        process.wait(timeout=30)

    def end(self) -> None:
        for part in list(self.processes):
            self.stop(part)


@pytest.fixture(scope="module")
def store(
    office: OfficeProcess, officers: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealStore]:
    """One store for all of them: what one test leaves, the next one meets, as in life."""
    made = RealStore(tmp_path_factory.mktemp("real"))
    made.call("enrol", office.url, "--token", office.token("测试店"))
    made.call("scan")
    made.start()
    try:
        yield made
    finally:
        made.end()


def eventually(condition: Callable[[], object], seconds: float = 60, step: float = 0.1) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "never came"
        time.sleep(step)
    return time.monotonic() - begun


def give(office: OfficeProcess, kind: Any, store: RealStore, params: dict[str, Any], case: str | None = None) -> str:
    with desk(office) as session:
        row = session.get_one(Store, store.id)
        return give_order(session, machine_viewer(), kind, [row], params, reason="测试", case_id=case).id


def sign(office: OfficeProcess, order: str, *keys: Path) -> None:
    for key in keys:
        with desk(office) as session:
            found = session.get_one(Order, order)
            sign_order(session, found, f"p-{key.stem}", sign_text(open_key_file(key, PASSPHRASE), found.body))


def standing(office: OfficeProcess, order: str) -> tuple[str, str, dict[str, Any]]:
    with desk(office) as session:
        row = session.query(Delivery).filter(Delivery.order_id == order).one_or_none()
        return (row.state, row.reason, row.answer or {}) if row else ("", "", {})


def ended(office: OfficeProcess, order: str, seconds: float = 60) -> tuple[str, str, dict[str, Any]]:
    eventually(lambda: standing(office, order)[0] not in ("", "waiting", "told", "received"), seconds)
    return standing(office, order)


def summaries(store: RealStore) -> list[str]:
    return [incident["summary"] for incident in store.call("incident", "list")["incidents"]]


def exported(files: Path) -> list[str]:
    return sorted(path.name for path in files.iterdir() if path.suffix == ".csv")


def test_a_declaration_of_head_office_quarantines_within_seconds_and_two_officers_give_it_back(
    office: OfficeProcess, store: RealStore, officers: dict[str, Path]
) -> None:
    before = {path.name: path.read_bytes() for path in store.files.iterdir()}
    with desk(office) as session:
        case = open_case(session, machine_viewer(), "insider", "有人在拷贝会员名单").id
    order = give(office, "declare", store, {"kind": "insider", "summary": "拷贝会员名单", "scope": "strays"}, case)
    seconds = eventually(lambda: not exported(store.files))
    assert seconds < 20, f"{seconds:.1f} s"
    state, _reason, answer = ended(office, order)
    assert state == "done"
    assert answer["files"] == 3
    # head office's key alone gives nothing back
    release = give(office, "release", store, {"incident": answer["incident"]})
    time.sleep(2)
    assert exported(store.files) == []
    sign(office, release, officers["jia"], officers["yi"])
    state, reason, _answer = ended(office, release)
    assert state == "done", reason
    assert {name: (store.files / name).read_bytes() for name in exported(store.files)} == before
    acts = [json.loads(line) for line in (store.home / "audit.jsonl").read_text().splitlines()]
    assert any("总部" in act["actor"] for act in acts if act["act"] == "direction.begun")


def test_a_daemon_that_was_killed_takes_up_its_orders_and_head_office_away_hinders_nothing(
    office: OfficeProcess, store: RealStore, port: int
) -> None:
    store.stop("daemon", signal.SIGKILL)
    order = give(office, "report", store, {"kind": "other", "summary": "停机期间下达"})
    eventually(lambda: standing(office, order)[0] == "told")
    assert standing(office, order)[0] == "told"
    store.start("daemon")
    assert ended(office, order)[0] == "done"
    assert summaries(store).count("停机期间下达") == 1


@pytest.mark.parametrize("mark", ["direction.received", "direction.begun"])
def test_a_daemon_killed_between_receiving_and_acknowledging_carries_an_order_out_once(
    office: OfficeProcess, store: RealStore, mark: str
) -> None:
    record = store.home / "audit.jsonl"
    before = record.read_text().count(mark)
    order = give(office, "report", store, {"kind": "other", "summary": f"杀于 {mark}"})
    eventually(lambda: record.read_text().count(mark) > before, step=0.002)
    store.stop("daemon", signal.SIGKILL)
    store.start("daemon")
    assert ended(office, order, 120)[0] == "done"
    assert summaries(store).count(f"杀于 {mark}") == 1


def test_settings_of_head_office_hold_after_the_daemon_has_started_itself_anew(
    office: OfficeProcess, store: RealStore
) -> None:
    pid = store.processes["daemon"].pid
    order = give(office, "policy", store, {"settings": {"protect.mode": "protect"}})
    state, reason, _answer = ended(office, order)
    assert state == "done", reason
    again = give(office, "policy", store, {"settings": {"protect.mode": "protect"}})
    assert ended(office, again)[2] == {"already": True}
    eventually(lambda: (store.home / "audit.jsonl").read_text().count("daemon.started") >= 2)
    assert store.processes["daemon"].poll() is None
    assert store.processes["daemon"].pid == pid
    eventually(lambda: store.call("status", check=False).get("mode") == "protect")
    weaker = give(office, "policy", store, {"settings": {"protect.mode": None}})
    with desk(office) as session:
        assert session.get_one(Order, weaker).officers_needed == 2


def test_a_store_hears_of_orders_when_head_office_is_back(office: OfficeProcess, store: RealStore, port: int) -> None:
    os.kill(office.pid, signal.SIGSTOP)
    try:
        time.sleep(1.5)
        reported = store.call(
            "incident", "report", "--kind", "other", "--summary", "总部联系不上", "--json", check=False
        )
        assert reported
    finally:
        os.kill(office.pid, signal.SIGCONT)
    order = give(office, "rescan", store, {"full": True})
    state, reason, answer = ended(office, order, 90)
    assert state == "done", reason
    assert answer["listed"] == 3


def test_once_takes_orders_without_a_running_link_or_daemon(office: OfficeProcess, store: RealStore) -> None:
    store.end()
    order = give(office, "report", store, {"kind": "other", "summary": "单机"})
    subprocess.run([*LINK, "--home", str(store.home), "--once"], check=False, timeout=60, capture_output=True)
    store.call("scan")  # a command that tells head office does what is due
    subprocess.run([*LINK, "--home", str(store.home), "--once"], check=False, timeout=60, capture_output=True)
    assert standing(office, order)[0] == "done"
