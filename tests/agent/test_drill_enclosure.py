"""Nothing real is within a drill's reach: no file, process, network, gateway or address."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading

import drill_shop
import pytest
from drill_shop import PEOPLE, PLANTED, everything_in, order, settings_for

from agent.drill.enclosure import Enclosure, facts_of
from config.errors import RefusedError

place = drill_shop.place
home = drill_shop.home
shop = drill_shop.shop
pytestmark = pytest.mark.timeout(300)  # a drill is many processes: on a busy machine they take their time

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
