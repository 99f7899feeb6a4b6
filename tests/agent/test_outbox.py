"""The outbox: numbered, signed, durable; never a report lost, doubled or forged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.link.outbox import Outbox
from agent.link.spool import LinkState, Spool
from central.wire import COALESCED, KINDS, MAX_BODY, digest, is_signed, report_message
from config.errors import ClocheError, RefusedError

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox", KEY.sign)
    yield box
    box.close()


def read_all(folder: Path) -> list[tuple[int, str, dict[str, object]]]:
    """Number, kind and envelope of every waiting report, its signature checked."""
    spool, found = Spool(folder), []
    try:
        for number, kind in spool.pending():
            report = spool.read(number, kind)
            assert report is not None
            assert is_signed(PUBLIC, report_message(report.body), report.signature)
            envelope = json.loads(report.body)
            assert (envelope["number"], envelope["kind"]) == (number, kind)
            found.append((number, kind, envelope | {"digest": digest(report.body)}))
    finally:
        spool.close()
    return found


def acknowledge(folder: Path, number: int) -> None:
    spool = Spool(folder)
    spool.open_state()
    spool.write_state(LinkState(acknowledged=number))
    spool.close()


def test_only_the_newest_inventory_waits_but_every_incident_does(outbox: Outbox, tmp_path: Path) -> None:
    for round_ in range(3):
        outbox.put("inventory", {"round": round_})
        outbox.put("incident", {"round": round_})
        outbox.put("audit", {"round": round_})
        outbox.put("health", {"round": round_})
    waiting = [(kind, envelope["document"]["round"]) for _n, kind, envelope in read_all(tmp_path / "outbox")]
    assert sorted(waiting) == sorted(
        [("inventory", 2), ("health", 2)] + [(kind, n) for kind in ("incident", "audit") for n in range(3)]
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from(KINDS), max_size=12), restarts=st.sets(st.integers(0, 12)))
def test_every_report_names_the_last_kept_one_before_it(
    kinds: list[str], restarts: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("chain") / "outbox"
    box = Outbox(folder, KEY.sign)
    for step, kind in enumerate(kinds):
        if step in restarts:
            box.close()
            box = Outbox(folder, KEY.sign)
        assert box.put(kind, {}) == step + 1
    box.close()
    last = None
    kept = {}
    for number, _kind, envelope in read_all(folder):
        kept[number] = envelope["digest"]
        expected = [earlier for earlier in range(1, number) if kinds[earlier - 1] not in COALESCED]
        last = expected[-1] if expected else None
        assert (envelope["previous"] or {}).get("number") == last
        if last is not None:
            assert envelope["previous"]["digest"] == kept[last]


def test_what_was_acknowledged_goes_and_numbers_go_on(outbox: Outbox, tmp_path: Path) -> None:
    for _ in range(3):
        outbox.put("alert", {})
    acknowledge(tmp_path / "outbox", 2)
    assert outbox.pending() == [(3, "alert")]
    outbox.put("alert", {})
    assert sorted(path.name for path in (tmp_path / "outbox").glob("0*")) == [
        "0000000000000003.alert", "0000000000000004.alert",
    ]  # fmt: skip
    outbox.close()
    again = Outbox(tmp_path / "outbox", KEY.sign)
    assert again.put("alert", {}) == 5
    again.close()


@pytest.mark.parametrize("torn", [b"", b'{"acknowledged": 9', b'{"acknowledged": "x"}', b"[]", b"\xff" * 100_000])
def test_a_torn_word_of_the_link_drops_nothing(outbox: Outbox, tmp_path: Path, torn: bytes) -> None:
    outbox.put("alert", {})
    (tmp_path / "outbox" / "link.state").write_bytes(torn)
    outbox.put("alert", {})
    assert [number for number, _kind in outbox.pending()] == [1, 2]


def test_a_report_over_four_megabytes_is_refused_and_nothing_kept(outbox: Outbox, tmp_path: Path) -> None:
    with pytest.raises(ClocheError, match="over"):
        outbox.put("inventory", {"x": "a" * MAX_BODY})
    assert read_all(tmp_path / "outbox") == []
    assert outbox.put("alert", {}) == 1


def test_a_name_that_is_no_unicode_can_be_reported(outbox: Outbox, tmp_path: Path) -> None:
    outbox.put("alert", {"path": os.fsdecode(b"/srv/\xff.csv")})
    assert len(read_all(tmp_path / "outbox")) == 1


def test_a_folder_that_somebody_replaced_by_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "outbox").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedError):
        Outbox(tmp_path / "outbox", KEY.sign)


@pytest.mark.root
@pytest.mark.needs("root")
def test_the_links_account_reads_reports_and_can_change_only_its_own_word(outbox: Outbox, tmp_path: Path) -> None:
    folder = tmp_path / "outbox"
    outbox.put("alert", {})
    outbox.continue_at(5)
    owner = (folder / "link.state").stat()
    spool = Spool(folder)
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
        os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)
        os.fchdir(spool._directory)
        denied = 0
        for attempt in (
            lambda: os.open("0000000000000001.alert", os.O_RDWR),
            lambda: os.unlink("0000000000000001.alert"),
            lambda: os.open("forged", os.O_CREAT | os.O_WRONLY),
            lambda: os.open("head", os.O_RDONLY),
            lambda: os.rename("link.state", "0000000000000002.alert"),
        ):
            try:
                attempt()
            except PermissionError:
                denied += 1
        readable = spool.read(1, "alert") is not None
        spool.open_state()
        os._exit(0 if denied == 5 and readable else 1)
    spool.close()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    "kinds", [("alert",), ("alert", "alert"), ("alert", "health"), ("incident", "inventory", "audit")]
)
def test_a_restart_reuses_no_number_and_keeps_the_chain(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    folder = tmp_path / "outbox"
    box = Outbox(folder, KEY.sign)
    for kind in kinds:
        box.put(kind, {})
    box.close()
    again = Outbox(folder, KEY.sign)
    assert again.put("alert", {}) == len(kinds) + 1
    again.close()
    found = {number: envelope for number, _kind, envelope in read_all(folder)}
    last_kept = max(number for number, kind in enumerate(kinds, start=1) if kind not in COALESCED)
    assert found[len(kinds) + 1]["previous"] == {"number": last_kept, "digest": found[last_kept]["digest"]}


PUTTER = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from agent.link.outbox import Outbox
box = Outbox(Path(sys.argv[1]), Ed25519PrivateKey.from_private_bytes(b"\\x07" * 32).sign)
while True:
    number = box.put("incident", {"x": "y" * 500})
    print(number, flush=True)
    box.put("health", {})
"""


def test_nothing_that_was_put_is_lost_when_the_daemon_is_killed(tmp_path: Path) -> None:
    folder, told = tmp_path / "outbox", []
    for round_ in range(6):
        process = subprocess.Popen([sys.executable, "-c", PUTTER, str(folder)], stdout=subprocess.PIPE, text=True)
        told.append(int(process.stdout.readline()))
        time.sleep(0.01 + round_ * 0.013)
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        told += [int(line) for line in rest.splitlines() if line.strip()]
    Outbox(folder, KEY.sign).close()
    found = read_all(folder)
    numbers = [number for number, kind, _ in found if kind == "incident"]
    assert len(told) == len(set(told))
    assert set(told) <= set(numbers)
    previous = None
    for number, kind, envelope in found:
        if kind == "incident":
            assert (envelope["previous"] or {}).get("number") == previous
            previous = number
    assert list(folder.glob("*.part")) == []


@pytest.mark.parametrize(
    "words",
    [
        b'{"acknowledged": 1e999, "last_contact": "", "fault": "", "refused": []}',
        b"[" * 16_000,
        b'{"acknowledged": 1, "last_contact": "", "fault": "", "refused": [[1e999, 2]]}',
        b"null",
    ],
)
def test_what_a_hijacked_link_writes_keeps_no_report_from_being_put(
    outbox: Outbox, tmp_path: Path, words: bytes
) -> None:
    (tmp_path / "outbox" / "link.state").write_bytes(words)
    number = outbox.put("incident", {"round": 1})
    assert [entry[0] for entry in outbox.pending()] == [number]
