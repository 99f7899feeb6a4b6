"""A copy through Samba, as a Windows client makes it, where Samba is installed and nobody else's smbd runs."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from processes import BIN, StepError, free_port

if TYPE_CHECKING:
    from stage import Stage

SBIN = "/usr/sbin:/usr/local/sbin"


def show(stage: Stage) -> None:
    """Serve the share, copy from it, and see that this client is cut off."""
    smbd = shutil.which("smbd", path=SBIN)
    if smbd is None or shutil.which("smbclient") is None or os.geteuid() or smbd_runs():
        stage.not_shown.append(stage.words("samba_absent"))
        return
    port, loot = free_port(), stage.output / "samba-loot"
    loot.mkdir()
    settings = stage.output / "smb.conf"
    settings.write_text(
        "[global]\nserver role = standalone server\nmap to guest = bad user\nguest account = nobody\n"
        "load printers = no\nprinting = bsd\ndisable spoolss = yes\ninterfaces = lo\nbind interfaces only = yes\n"
        f"server min protocol = SMB2\nlog file = {stage.logs}/smbd-inner.log\n"
        f"[share]\npath = {stage.share}\nguest ok = yes\nread only = yes\nforce user = {pwd.getpwuid(0).pw_name}\n"
    )
    server = stage.processes.start(
        "smbd", smbd, "--foreground", "--no-process-group", f"--configfile={settings}", f"--port={port}"
    )
    try:
        stage.processes.wait_for("smbd", lambda: answers(port), 10)
        stage.words.line(stage.words("step_thief", how=f"smbclient //{os.uname().nodename}/share -c 'mget *'"))
        before = stage.processes.cloche("status")["alerts"]
        with subprocess.Popen(
            ["smbclient", "//127.0.0.1/share", "-p", str(port), "-N", "-c", f"recurse; prompt; lcd {loot}; mget *"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as client:  # fmt: skip
            try:
                stage.processes.wait_for(
                    "the client to be cut off", lambda: stage.processes.cloche("status")["alerts"] > before, 15
                )
                client.wait(15)
            except (StepError, subprocess.TimeoutExpired):
                client.kill()
                raise
        time.sleep(0.5)
        got = [path for path in loot.rglob("*") if path.is_file() and path.stat().st_size]
        stage.check(len(got) <= 5)
        lines = stage.processes.call(BIN / "cloche", "watch", "--json", "--once").splitlines()
        crossing = [event for event in map(json.loads, lines) if event["event"] == "crossing"][-1]
        stage.check(bool(crossing["client_address"]))
        who = f"{crossing['client_user']}@{crossing['client_address']}"
        stage.tell("samba_refused", client=who, files=len(got))
    finally:
        stage.processes.stop(server)


def answers(port: int) -> bool:
    """The share can be listed."""
    done = subprocess.run(
        ["smbclient", "//127.0.0.1/share", "-p", str(port), "-N", "-c", "pwd"],
        capture_output=True,
        check=False,
        timeout=10,
    )
    return done.returncode == 0


def smbd_runs() -> bool:
    """Somebody's smbd is at work here already; its state folders are not ours to share."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if (entry / "comm").read_text().strip() == "smbd":
                    return True
            except OSError:
                continue
    return False
