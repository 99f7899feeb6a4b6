"""The store of access events: masked, in order, bounded, and what the guard drops is told."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.guard import station as station_module
from agent.guard.decide import Target
from agent.guard.kernel import FAN_OPEN_PERM, FAN_Q_OVERFLOW, Group, KernelEvent
from agent.guard.marks import Marked, Marks
from agent.guard.protocol import BATCH, PACKET, ProtocolError, batches, decode, encode, listen
from agent.guard.responder import Responder
from agent.guard.state import StateLog
from agent.guard.station import Station
from agent.watch.api import AccessEvent, Crossing, Gap
from agent.watch.events import EventStore
from config.errors import CorruptError
from scanners.masking import mask_text

SECRET = "13800001111"


def access(number: int = 0, **facts: object) -> AccessEvent:
    known: dict[str, object] = {
        "at": 1000.0 + number, "monotonic_ns": number, "key": f"k{number}", "path": f"/share/{SECRET}.jpg".encode(),
        "operation": "open", "pid": 9, "started": 8, "program": b"/usr/bin/grep",
        "command": f"grep {SECRET} members.csv".encode(), "uid": 1001, "user": "till", "session": "s1",
        "cgroup": "/", "decision": "allow", "latency_us": 17.0,
    }  # fmt: skip
    return AccessEvent(**(known | facts))  # type: ignore[arg-type]


def crossing() -> Crossing:
    return Crossing(
        event=access(7, decision="deny"), rule="bound", subject="session", keys=("k1", "k2"), persons=12,
        response="stop", outcome="stopped", stopped_ms=1.5,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    made = EventStore(tmp_path / "events.db")
    yield made
    made.close()


def test_what_goes_in_comes_out_with_names_masked(store: EventStore):
    store.add(access(), mask_text)
    store.add(crossing(), mask_text)
    store.add(Gap(at=5000.0, cause="guard_queue", lost=3), mask_text)
    first, second, third = (recorded.happening for recorded in store.after(0))
    assert isinstance(first, AccessEvent)
    assert (first.key, first.pid, first.user, first.latency_us) == ("k0", 9, "till", 17.0)
    assert isinstance(second, Crossing)
    assert (second.keys, second.stopped_ms, second.event.decision) == (("k1", "k2"), 1.5, "deny")
    assert third == Gap(at=5000.0, cause="guard_queue", lost=3)


def test_no_byte_of_a_customers_number_reaches_the_disk(store: EventStore, tmp_path: Path):
    store.add(access(client_user=SECRET), mask_text)
    store.add(crossing(), mask_text)
    store.close()
    written = b"".join(path.read_bytes() for path in tmp_path.glob("events.db*"))
    assert b"grep" in written
    assert SECRET.encode() not in written
    assert SECRET not in repr(access())


def test_accesses_are_found_by_time_key_and_session(store: EventStore):
    for number in range(10):
        store.add(access(number, session=f"s{number % 2}"), mask_text)
    assert [entry.key for entry in store.accesses(since=1002, until=1004)] == ["k2", "k3", "k4"]
    assert [entry.key for entry in store.accesses(keys=["k5", "k1", "none"])] == ["k1", "k5"]
    assert len(store.accesses(session="s1")) == 5
    assert store.accesses(keys=[]) == []


def test_the_refused_open_of_a_crossing_is_an_access_too(store: EventStore):
    store.add(crossing(), mask_text)
    assert [entry.decision for entry in store.accesses()] == ["deny"]
    assert len(store.crossings(since=1000)) == 1


def test_the_oldest_go_when_there_are_too_many_or_they_are_too_old(tmp_path: Path):
    store = EventStore(tmp_path / "events.db", keep_rows=5, keep_seconds=100)
    for number in range(10):
        store.add(access(number), mask_text)
    assert store.tidy(now=1009) == 5
    assert [entry.key for entry in store.accesses()] == ["k5", "k6", "k7", "k8", "k9"]
    assert store.tidy(now=1108) == 3
    store.close()


def test_the_store_is_private_and_a_newer_or_broken_one_is_refused_by_name(store: EventStore, tmp_path: Path):
    assert os.stat(store.path).st_mode & 0o777 == 0o600
    store.close()
    database = sqlite3.connect(store.path)
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(CorruptError, match="version 99"):
        EventStore(store.path)
    (tmp_path / "noise.db").write_bytes(b"noise" * 2000)
    with pytest.raises(CorruptError, match=r"noise\.db"):
        EventStore(tmp_path / "noise.db")


# What the guard drops, it tells


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[Station, socket.socket]]:
    listener = listen(os.fsencode(tmp_path / "guard.sock"))
    station = Station(listener)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as daemon:
        daemon.connect(os.fsencode(tmp_path / "guard.sock"))
        daemon.settimeout(2)
        yield station, daemon
    station.hang_up()
    listener.close()


def events_from(daemon: socket.socket) -> list[dict[str, object]]:
    return list(decode(daemon.recv(PACKET))["events"])


@pytest.mark.needs("root")
def test_a_full_queue_keeps_the_oldest_counts_the_rest_and_tells_the_gap_last(
    ends: tuple[Station, socket.socket], monkeypatch: pytest.MonkeyPatch
):
    station, daemon = ends
    monkeypatch.setattr(station_module, "LIMIT", 3)
    for number in range(5):
        station.tell({"event": "access", "number": number})
    assert (station.waiting, station.lost) == (3, 2)
    assert station.accept()
    station.flush(10**12)
    assert [event["number"] for event in events_from(daemon)] == [0, 1, 2]
    station.flush(2 * 10**12)
    (gap,) = events_from(daemon)
    assert (gap["event"], gap["cause"], gap["lost"]) == ("gap", "guard_queue", 2)
    assert station.lost == 0


@pytest.mark.needs("root")
def test_a_daemon_that_reads_nothing_blocks_nobody_and_loses_nothing_below_the_limit(
    ends: tuple[Station, socket.socket],
):
    station, daemon = ends
    assert station.accept()
    for number in range(5000):
        station.tell({"event": "access", "number": number, "command": "x" * 200})
    now = 10**12
    while not station.flush(now):
        now += 10**9
    seen: list[object] = []
    while len(seen) < 5000:
        seen.extend(event["number"] for event in events_from(daemon))
        now += 10**9
        station.flush(now)
    assert seen == list(range(5000))


@pytest.mark.needs("root", "fanotify")
@pytest.mark.kernel
def test_an_overflow_of_the_kernels_queue_becomes_a_gap(ends: tuple[Station, socket.socket], tmp_path: Path):
    station, daemon = ends
    probe = tmp_path / "probe"
    probe.touch()
    group = Group.open(os.fsencode(probe))
    state = StateLog(os.fsencode(tmp_path / "guard.state"))
    responder = Responder(group, station, state, (0, 0))
    responder.answer(KernelEvent(FAN_Q_OVERFLOW, -1, 0, -1))
    assert station.accept()
    station.flush(10**12)
    assert [event["cause"] for event in events_from(daemon)] == ["kernel_queue"]
    group.close()
    os.close(state.descriptor)


@pytest.mark.needs("root", "fanotify")
@pytest.mark.kernel
def test_a_path_that_shows_another_file_than_the_daemon_saw_is_not_marked(tmp_path: Path):
    path = tmp_path / "members.csv"
    path.touch()
    (tmp_path / "link").symlink_to(path)
    group = Group.open(os.fsencode(path))
    marks = Marks(group)
    facts = path.stat()
    true = Marked(target=Target(key="k"), path=os.fsencode(path), device=facts.st_dev, inode=facts.st_ino)
    other = Marked(target=Target(key="k"), path=os.fsencode(path), device=facts.st_dev, inode=facts.st_ino + 1)
    link = Marked(target=Target(key="l"), path=os.fsencode(tmp_path / "link"), device=facts.st_dev, inode=facts.st_ino)
    assert marks.add(other, denied=False) == "changed"
    assert marks.add(link, denied=False) == "changed"
    assert marks.by_inode == {}
    assert marks.add(true, denied=False) == ""
    group.mark(os.fsencode(path), FAN_OPEN_PERM)
    group.close()


def test_state_of_another_boot_or_cut_in_mid_line_is_not_believed(tmp_path: Path):
    path = tmp_path / "guard.state"
    state = StateLog(os.fsencode(path))
    state.rewrite(iter([{"type": "deny", "keys": ["a"]}]))
    state.append({"type": "deny", "keys": ["b"]})
    os.write(state.descriptor, b'{"type":"den')
    assert [entry["keys"] for entry in state.entries()] == [["a"], ["b"]]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b'{"type":"boot","id":"another"}\n' + b"".join(lines[1:]))
    assert list(state.entries()) == []
    os.close(state.descriptor)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"type": 3}', b"\xff", b"[" * 60_000])
def test_nonsense_on_the_guards_socket_ends_the_connection(data: bytes):
    with pytest.raises(ProtocolError):
        decode(data)


def test_batches_fit_a_packet_whatever_the_paths_are():
    items = [{"type": "mark", "path": "\udcff" * (4095 if number % 7 == 0 else 20)} for number in range(300)]
    cut = list(batches(items))
    assert [item for batch in cut for item in batch] == items
    assert all(len(batch) <= BATCH and encode({"type": "mark", "items": batch}) for batch in cut)
