"""An outbox that is full, far behind, or on a full disk: nothing dropped, what matters goes in, the scan pauses."""

import contextlib
import json
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.daemon import Daemon
from agent.doctor import head_office
from agent.link.carrier import Carrier
from agent.link.main import Link
from agent.link.orders import Courier
from agent.link.outbox import ALWAYS, FullError, Outbox
from agent.link.settings import SETTINGS_FILE, Enrolment
from agent.link.spool import LinkState, Spool, file_name
from agent.link.standing import standing
from agent.operation import Caller, Request
from agent.reporting import health_document
from agent.status import status
from agent.watch.api import NoWatch
from agent.watch.shared import SharedWatch
from agent.wiring import build_agent
from central.wire import COALESCED, KINDS
from config.errors import ClocheError
from config.home import find_home
from config.schema import Settings

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
ENROLMENT = Enrolment(url="https://x.invalid", authority_pem="", store="s-1", name="测试店", hq="测试总部")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "outbox"


def opened(folder, *, enrolled=True, **bounds):
    box = Outbox(folder, KEY.sign, **bounds)
    if enrolled:
        box.place(SETTINGS_FILE, ENROLMENT.encode())
    return box


def acknowledge(folder, number):
    spool = Spool(folder)
    spool.open_state()
    spool.write_state(replace(spool.state(), acknowledged=number))
    spool.close()


def test_a_full_outbox_takes_what_cannot_wait_and_refuses_what_can(folder):
    box = opened(folder, most_reports=5)
    for _ in range(5):
        box.put("events", {"events": []})
    assert box.waiting().full
    for kind in KINDS:
        if kind in ALWAYS:
            box.put(kind, {})
        else:
            with pytest.raises(FullError):
                box.put(kind, {})
    assert {"incident", "audit", "order", "alert"} | COALESCED == ALWAYS
    kept = [kind for _number, kind in box.pending()]
    assert kept.count("events") == 5
    acknowledge(folder, 3)
    assert box.waiting().reports == 5 + len(ALWAYS) - 3
    acknowledge(folder, 10)
    assert not box.waiting().full
    assert box.put("events", {})
    box.close()


def test_the_bound_in_bytes_counts_what_lies_there_and_a_restart_counts_the_same(folder):
    box = opened(folder, most_bytes=10_000)
    while not box.waiting().full:
        box.put("paper", {"content": "x" * 900})
    before = box.waiting()
    assert before.bytes == sum(file.stat().st_size for file in folder.glob("0*"))
    box.close()
    again = opened(folder, most_bytes=10_000)
    assert again.waiting() == before == standing(folder, most_bytes=10_000)
    acknowledge(folder, before.reports)
    assert (again.waiting().reports, again.waiting().bytes, again.waiting().full) == (0, 0, False)
    again.close()


def test_a_store_without_a_head_office_is_never_full(folder):
    box = opened(folder, enrolled=False, most_reports=3)
    for _ in range(10):
        box.put("drill", {})
    assert not box.waiting().full
    box.close()


def test_coalesced_reports_do_not_add_up_while_head_office_is_away(folder):
    box = opened(folder, most_reports=100)
    for round_ in range(8):
        for kind in sorted(COALESCED):
            box.put(kind, {"round": round_})
    assert box.waiting().reports == len(COALESCED)
    assert len(list(folder.glob("0*"))) == len(COALESCED)
    box.close()


@pytest.fixture
def home(tmp_path):
    made = find_home(tmp_path / "store")
    made.create()
    made.settings_file.write_text("[link]\nmax_spool_reports = 100\n", encoding="utf-8")
    return made


def test_the_scan_pauses_and_status_doctor_and_health_say_so(home, tmp_path, monkeypatch):
    (tmp_path / "share").mkdir()
    settings = {"link": {"max_spool_reports": 100}, "scan": {"roots": [str(tmp_path / "share")]}}
    with build_agent(home, Settings.model_validate(settings)) as agent:
        agent.outbox.place(SETTINGS_FILE, ENROLMENT.encode())
        daemon = Daemon(agent, SharedWatch(NoWatch()))
        daemon._rescan.set()
        assert daemon._is_scan_due()
        for _ in range(100):
            agent.outbox.put("alert", {})
        assert not daemon._is_scan_due(), "not even after a gap of the watch"
        asked = Request(arguments={}, caller=Caller(uid=0, gid=0, pid=1, user="root", is_owner=True))
        assert status(agent, asked).document["outbox"]["scan_paused"] is True
        health = health_document(agent)
        assert (health["scan_paused"], health["waiting"]) == (True, 100)
        check = head_office(home)
        assert (check.state, check.why) == ("reduced", "hq_full")
        acknowledge(agent.home.outbox, 50)
        assert daemon._is_scan_due()
        assert health_document(agent)["scan_paused"] is False


def test_a_scan_under_way_is_cut_when_the_outbox_fills_and_keeps_what_it_found(home, tmp_path):
    folder = tmp_path / "share"
    folder.mkdir()
    for number in range(30):
        (folder / f"会员{number}.csv").write_text("姓名,手机号\n" + "王测试,13800001111\n" * 20, encoding="utf-8")
    settings = {"link": {"max_spool_reports": 100}, "scan": {"roots": [str(folder)], "names": False, "workers": 1}}
    with build_agent(home, Settings.model_validate(settings)) as agent:
        agent.outbox.place(SETTINGS_FILE, ENROLMENT.encode())
        for _ in range(100):
            agent.outbox.put("alert", {})
        with pytest.raises(ClocheError, match="cut short"):
            Daemon(agent, SharedWatch(NoWatch()))._scan()
        assert agent.inventory.last_run() is None
        acknowledge(agent.home.outbox, 100)
        Daemon(agent, SharedWatch(NoWatch()))._scan()
        assert agent.inventory.last_run().coverage.read == 30


def test_a_put_beside_a_hundred_thousand_waiting_reports_costs_what_it_costs_beside_none(folder):
    box = opened(folder)
    box.put("alert", {})
    first = cost(box)
    body = (folder / file_name(1, "alert")).read_bytes()
    box.close()
    for number in range(100, 100_100):  # put(…) itself fsyncs each: made without, only their names count here
        (folder / file_name(number, "alert")).write_bytes(body[:80])
    (folder / file_name(100_099, "alert")).write_bytes(body)
    begun = time.perf_counter()
    full = opened(folder, most_reports=1_000_000)
    assert time.perf_counter() - begun < 10
    assert full.waiting().reports == 100_000 + 1 + 10 + 1
    behind = cost(full)
    begun = time.perf_counter()
    for _ in range(20):
        full.waiting()
    assert (time.perf_counter() - begun) / 20 < 0.002
    assert behind < max(5 * first, 0.02), f"{first * 1000:.1f} ms beside none, {behind * 1000:.1f} ms beside 100,000"
    full.close()


def cost(box):
    """Seconds of a put: the median of twenty."""
    taken = []
    for number in range(20):
        begun = time.perf_counter()
        box.put("health" if number % 2 else "alert", {"x": 1})
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[10]


def test_the_links_look_reads_the_folder_only_when_something_came(folder, monkeypatch):
    from agent.link.sender import Sender

    box = opened(folder)
    spool = Spool(folder)
    spool.open_state()
    sender = Sender.__new__(Sender)
    sender._spool, sender._state, sender._seen = spool, LinkState(), None
    looks = []
    real = Spool.entries
    monkeypatch.setattr(Spool, "entries", lambda self: looks.append(1) or real(self))
    box.put("health", {})
    sent = []
    monkeypatch.setattr(Sender, "_send", lambda _self, report: sent.append(report.number))
    sender.send_waiting(lambda: False, lambda: None)
    time.sleep(1.1)  # until the folder's time is certain
    monkeypatch.setattr(Sender, "_state", LinkState(acknowledged=1), raising=False)
    sender._state = LinkState(acknowledged=1)
    sender.send_waiting(lambda: False, lambda: None)
    before = len(looks)
    for _ in range(10):
        sender.send_waiting(lambda: False, lambda: None)
    assert len(looks) == before
    box.put("alert", {})
    sender.send_waiting(lambda: False, lambda: None)
    assert sent[-1] == 2
    spool.close()
    box.close()


def fill(file):
    """Until nothing more fits."""
    with file.open("wb", buffering=0) as target, contextlib.suppress(OSError):
        while True:
            target.write(bytes(4096))


@pytest.mark.root
@pytest.mark.needs("root")
def test_on_a_full_disk_nothing_is_lost_and_the_message_names_the_file(tmp_path):
    image, mount = tmp_path / "disk.img", tmp_path / "disk"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(4 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(mount)], check=True)
    try:
        box = opened(mount / "outbox")
        told = [box.put("incident", {"text": "第一件"})]
        fill(mount / "filler")
        with pytest.raises(ClocheError, match="No space left"):
            told.extend(box.put("incident", {"text": "x" * 20_000}) for _ in range(200))
        assert [number for number, _kind in box.pending()] == told
        (mount / "filler").unlink()
        told.append(box.put("incident", {"text": "之后"}))
        box.close()
        again = Outbox(mount / "outbox", KEY.sign)
        assert [number for number, _kind in again.pending()] == told == list(range(1, len(told) + 1))
        previous = None
        for number, kind in again.pending():
            envelope = json.loads(again._spool.read(number, kind).body)
            assert (envelope["previous"] or {}).get("number") == previous
            previous = number
        again.close()
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=False)


@pytest.mark.parametrize("last", ["alert", "health"])
def test_number_and_chain_are_known_by_the_newest_report_even_when_all_were_acknowledged(folder, last):
    box = opened(folder)
    box.continue_at(40)
    assert [box.put(kind, {}) for kind in ("alert", "health", "alert", last)] == [40, 41, 42, 43]
    kept = 43 if last == "alert" else 42
    acknowledge(folder, 43)
    assert box.waiting().reports == 0
    box.close()
    again = Outbox(folder, KEY.sign)
    assert (again.waiting().reports, again.pending()) == (0, [])
    assert again.put("alert", {}) == 44
    envelope = json.loads(again._spool.read(44, "alert").body)
    assert envelope["previous"]["number"] == kept
    again.continue_at(60)
    again.close()
    once_more = Outbox(folder, KEY.sign)
    assert once_more.put("alert", {}) == 60
    assert json.loads(once_more._spool.read(60, "alert").body)["previous"]["number"] == 44
    once_more.close()


def test_a_newest_report_that_is_damaged_is_named(folder):
    box = opened(folder)
    box.put("alert", {})
    box.close()
    (folder / file_name(1, "alert")).write_bytes(b"x" * 100)
    again = Outbox(folder, KEY.sign)
    with pytest.raises(ClocheError, match="damaged"):
        again.put("alert", {})
    again.close()


def test_files_of_the_spool_belong_to_nobody_else(folder):
    box = opened(folder)
    box.keep("sections.json", b"{}")
    assert (folder / "sections.json").stat().st_mode & 0o777 == 0o600
    assert box.own_file("sections.json") == b"{}"
    assert box.own_file("nothing") is None
    assert [Path(name).suffix for name in os.listdir(folder) if name.endswith(".part")] == []
    box.close()


def test_reports_go_on_as_soon_as_head_office_answers_about_orders(folder):
    """After weeks the pause between two tries is ten minutes; the courier asks every minute."""
    box = opened(folder)
    spool, carrier = Spool(folder), Carrier(folder, "i" * 12)
    courier = Courier.__new__(Courier)
    courier.heard = 100.0
    link = Link(spool, carrier, courier=courier)
    assert not link._is_back(None), "head office was there, and asked for the pause"
    assert not link._is_back(100.5)
    courier.heard = 101.0
    assert link._is_back(100.5)
    assert not Link(spool, carrier)._is_back(100.5)
    carrier.close()
    spool.close()
    box.close()
