"""A Windows client that copies a share: a Samba server of the drill's own, with folders of its own, and smbclient.

Other smbd of this machine are left alone: this one has its own state, its own port on the drill's own loopback, and
ends with the drill.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from agent.drill.enclosure import Enclosure
from agent.drill.leash import leashed

SBIN: Final = "/usr/sbin:/usr/local/sbin:/usr/bin"
START_SECONDS: Final = 10.0


class Share:
    """A share of the drill's store."""

    def __init__(self, enclosure: Enclosure, folder: Path) -> None:
        self._enclosure = enclosure
        self._folder = folder
        self._state = enclosure.folder / "samba"
        self._server: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.settings = self._state / "smb.conf"

    @staticmethod
    def possible() -> bool:
        """Samba and its client are installed, and this is root."""
        return os.geteuid() == 0 and all(shutil.which(name, path=SBIN) for name in ("smbd", "smbclient"))

    def prepare(self) -> None:
        """Write the server's settings (smb.conf(5)) with every folder of its state in the drill's own."""
        self._state.mkdir(mode=0o755)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        kinds = ("private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir")
        folders = []
        for kind in kinds:
            place = self._state / kind.replace(" ", "-")
            place.mkdir(mode=0o755)
            folders.append(f"{kind} = {place}")
        self.settings.write_text(
            "[global]\nserver role = standalone server\nmap to guest = bad user\nguest account = nobody\n"
            "load printers = no\nprinting = bsd\ndisable spoolss = yes\ninterfaces = lo\nbind interfaces only = yes\n"
            f"server min protocol = SMB2\nlog file = {self._state}/log\n" + "\n".join(folders) + "\n"
            f"[share]\npath = {self._folder}\nguest ok = yes\nread only = yes\n"
            f"force user = {pwd.getpwuid(0).pw_name}\n",
            encoding="utf-8",
        )

    def start(self) -> bool:
        """Serve; False if it does not come up here (no loopback, no rights)."""
        smbd = shutil.which("smbd", path=SBIN) or "smbd"
        self._server = subprocess.Popen(
            [*leashed(), smbd, "--foreground", "--no-process-group", f"--configfile={self.settings}",
             f"--port={self.port}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._server.poll() is None:
            if self._client("pwd").wait(START_SECONDS) == 0:
                return True
            time.sleep(0.2)
        self.stop()
        return False

    def copy(self) -> subprocess.Popen[bytes]:
        """A client that takes everything, at once."""
        return self._client(f"recurse; prompt; lcd {self._enclosure.loot}; mget *")

    def stop(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(10)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None

    def _client(self, command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*leashed(), "smbclient", "//127.0.0.1/share", "-p", str(self.port), "-N", "-c", command],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
