"""Workers: confined, mortal, and never believed."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import DetectSettings, ScanSettings
from scanners.pool import Workshop, new_run_key
from scanners.wire import HEADER, Frames, ProtocolError, SignMessage, pack


def item(**changes) -> bytes:
    """A frame as a worker that was taken over may send it."""
    values = {
        "type": "item", "order": 0, "suffix": "", "kind": "text", "status": "read", "reason": "", "encoding": None,
        "size": 1, "level": 1, "score": 0.0, "persons": 0, "findings": [],
    }  # fmt: skip
    body = json.dumps(values | changes).encode()
    return HEADER.pack(len(body), 0) + body


@pytest.fixture
def worker():
    shop = Workshop(
        scan=ScanSettings(), detect=DetectSettings(), names=False, run_key=new_run_key(), on_worker=lambda _pid: None
    )
    one = shop.open()
    yield one
    one.kill()


def facts(pid: int) -> dict[str, str]:
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)


@pytest.mark.needs("root")
def test_a_worker_has_no_account_no_capability_no_network_and_gains_none(worker):
    status = facts(worker.pid)
    assert "0" not in status["Uid"].split()
    assert "0" not in status["Gid"].split()
    assert status["Groups"].strip() == ""
    assert {status[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {""}
    assert status["NoNewPrivs"] == "1"
    with open(f"/proc/{worker.pid}/net/dev", encoding="ascii") as devices:
        assert [line.split(":")[0].strip() for line in devices if ":" in line] in ([], ["lo"])
    assert os.readlink(f"/proc/{worker.pid}/ns/net") != os.readlink("/proc/self/ns/net")


@pytest.mark.needs("root")
def test_a_worker_is_bounded_in_memory_processes_and_descriptors(worker):
    with open(f"/proc/{worker.pid}/limits", encoding="ascii") as lines:
        limits = {line[:26].strip(): line[26:].split()[0] for line in lines}
    assert limits["Max processes"] == "0"
    assert limits["Max core file size"] == "0"
    assert int(limits["Max open files"]) <= 64
    assert int(limits["Max address space"]) < 4 << 30
    assert limits["Max file size"] == str(ScanSettings().max_expanded_mb << 20)


@pytest.mark.needs("root")
def test_a_worker_holds_no_descriptor_but_its_socket(worker):
    folder = f"/proc/{worker.pid}/fd"
    kinds = {os.readlink(f"{folder}/{name}").split(":")[0] for name in os.listdir(folder)}
    assert kinds <= {"/dev/null", "socket"}


def test_workers_end_with_the_process_that_started_them_even_when_they_hang():
    program = (
        "import os\nfrom config.schema import *\nfrom scanners.pool import *\n"
        "w = Workshop(scan=ScanSettings(), detect=DetectSettings(), names=False, run_key=b'x'*32,"
        " on_worker=lambda p: None).open()\nprint(w.pid, flush=True)\nos.kill(w.pid, 19)\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    pid = int(done.stdout)
    for _ in range(100):
        try:
            if facts(pid)["State"].startswith("Z"):
                break
        except FileNotFoundError:
            break
        subprocess.run(["sleep", "0.05"], check=True)
    else:
        os.kill(pid, signal.SIGKILL)
        pytest.fail("the worker lives on")


def test_the_daemons_side_loads_no_extractor_and_no_detector():
    program = (
        "import sys, scanners.scan\nbad = [name for name in sys.modules if name.split('.')[0] in "
        "('presidio_analyzer', 'spacy', 'numpy', 'pypdfium2', 'python_calamine', 'chardet', 'olefile') "
        "or name.startswith(('scanners.extract', 'scanners.detectors', 'scanners.engine'))]\nprint(bad)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_messages_arrive_whole_however_they_are_cut():
    data = item(suffix="!a") + pack(SignMessage(type="done"))
    frames = Frames()
    heard = [message for at in range(len(data)) for message, _ in frames.feed(data[at : at + 1])]
    assert [message.type for message in heard] == ["item", "done"]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "fine"}, {"level": 9}, {"score": 1e9}, {"score": float("nan")}, {"kind": "x"}, {"suffix": "測"},
        {"order": -1}, {"order": 10**9}, {"persons": -1}, {"persons": 10**30}, {"reason": "13800001111"},
        {"encoding": "a b"}, {"suffix": "x" * 9000}, {"size": "1"},
    ],
)  # fmt: skip
def test_a_message_out_of_bounds_is_refused(changes):
    with pytest.raises(ProtocolError):
        Frames().feed(item(**changes))


@pytest.mark.parametrize(
    "data",
    [
        HEADER.pack(1 << 31, 0),
        HEADER.pack(2, 1 << 31),
        HEADER.pack(2, 7),
        HEADER.pack(4, 0) + b"null",
        HEADER.pack(100_000, 0) + b"[" * 100_000,
        HEADER.pack(2, 0) + b"\xff\xff",
        HEADER.pack(30, 0) + b'{"type": "done", "extra": 1}  ',
    ],
)
def test_a_frame_of_nonsense_is_refused_without_being_gathered(data):
    with pytest.raises(ProtocolError):
        Frames().feed(data)


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_without_a_word_of_them(data):
    with pytest.raises(ProtocolError) as refusal:
        Frames().feed(struct.pack(">II", len(data), 0) + data)
    assert refusal.value.__cause__ is None


def test_what_a_worker_calls_a_sample_cannot_steer_a_terminal():
    finding = {
        "entity": "PERSON", "count": 1, "distinct": 1, "confidence": 0.9, "samples": ("\x1b[2Jx",),
        "nature": "masked", "subject": "customer",
        "place": {"table": "a\nb", "column": None, "member": None, "page": None, "line": 1},
    }  # fmt: skip
    ((message, _),) = Frames().feed(item(findings=(finding,)))
    record = message.findings[0].record()
    assert record.samples[0].isprintable()
    assert record.place.table.isprintable()
    assert (record.nature, record.subject) == ("masked", "customer")
