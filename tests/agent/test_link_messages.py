"""Daemon and link as real processes: a message goes out and its receipt comes back, by an unprivileged link."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from agent.link.testing import web_server

CLOCHE = (sys.executable, "-P", "-c", "from agent.cli import main; main()")
LINK = (sys.executable, "-P", "-c", "from agent.link.main import main; main()")
SETTINGS = """
[store]
name = "测试一店"
[watch]
enabled = false
[page]
listen = "127.0.0.1:{port}"
url = "http://127.0.0.1:{port}"
[[people]]
name = "王测试"
roles = ["security_lead"]
"""
SECRETS = """
[senders]
robots = [{{ name = "应急群", kind = "feishu", url = "{url}?key=KEY-OF-THE-GROUP", secret = "SECRET-OF-THE-GROUP" }}]
"""


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "never came"
        time.sleep(0.1)
    return found


def cloche(home: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [*CLOCHE, *arguments, "--home", str(home), "--json"], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout


@pytest.fixture
def home(tmp_path):
    return tmp_path / "store"


def test_a_message_goes_out_while_its_link_has_no_rights_and_a_report_comes_in_by_the_page(home, tmp_path):
    home.mkdir(mode=0o700)
    port = 20_000 + os.getpid() % 20_000
    with web_server((503, {}, b""), (200, {}, b'{"code": 0}')) as group, (tmp_path / "log").open("w") as log:
        (home / "cloche.toml").write_text(SETTINGS.format(port=port))
        secrets = home / "secrets.toml"
        secrets.write_text(SECRETS.format(url=group.url))
        secrets.chmod(0o600)
        environment = os.environ | {"CLOCHE_SENDERS__RETRY_SECONDS": "0.1"}
        command = [*CLOCHE, "daemon", "--home", str(home), "--debug"]
        daemon = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        link = None
        try:
            wait_for(
                lambda: (home / "run" / "control.sock").exists() and (home / "outbox" / "post" / "page.json").exists()
            )
            link = subprocess.Popen([*LINK, "--home", str(home), "--debug"], stdout=log, stderr=log)
            wait_for(lambda: json.loads(cloche(home, "message", "list")[1])["link"])
            code, said = cloche(home, "message", "test", "应急群", "--wait", "5")
            (sent,) = json.loads(said)["messages"]
            one = wait_for(
                lambda: (
                    (found := json.loads(cloche(home, "message", "show", sent["id"])[1]))["state"] == "sent" and found
                ),
                70,
            )
            assert (code, one["attempts"]) in ((0, 0), (3, 1), (0, 1))
            assert len(group.heard) == 2
            if os.geteuid() == 0:
                status = Path(f"/proc/{link.pid}/status").read_text()
                assert "0" not in re.search(r"^Uid:(.*)$", status, re.MULTILINE)[1].split()
            page = wait_for(lambda: opened(f"http://127.0.0.1:{port}/"))
            assert "疑似上报" in page
            body = b"what=%E6%9C%89%E4%BA%BA%E5%9C%A8%E6%8B%B7%E8%B4%9D&kind=insider"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", body, timeout=10) as answer:
                assert re.search(r"R[0-9A-Z]{8}", answer.read().decode())
            incidents = wait_for(lambda: json.loads(cloche(home, "incident", "list")[1])["incidents"])
            assert [(found["kind"], found["phase"]) for found in incidents] == [("insider", "reported")]
        finally:
            for process in (link, daemon):
                if process is not None:
                    process.send_signal(signal.SIGTERM)
                    process.wait(timeout=20)
        assert (link.returncode, daemon.returncode) == (0, 0)
        assert not (home / "outbox" / "inbox" / "key").exists(), "an orderly end takes the key back"
    for path in (*home.rglob("*"), tmp_path / "log"):
        if path.is_file() and path != secrets:
            content = path.read_bytes()
            assert b"OF-THE-GROUP" not in content, f"a secret is in {path}"
            assert group.url.encode() not in content, f"a robot's address is in {path}"


def shown(home: Path, message: str) -> dict[str, object]:
    return dict(json.loads(cloche(home, "message", "show", message)[1]))


def opened(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  our own page
            return answer.read().decode()
    except OSError:
        return None
