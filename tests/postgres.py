"""A private PostgreSQL in a folder of its own, for tests and benchmarks: started, killed, started again.

It runs as the unprivileged user `postgres` (PostgreSQL refuses root), on a socket in its folder without a password and
on loopback with one. `durable` leaves `fsync` on, as in production.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

USER = "postgres"


def find_programs() -> Path | None:
    """The folder with `initdb` and `pg_ctl` of the newest PostgreSQL here."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    return Path(program).parent if program else None


def is_usable() -> bool:
    """It is installed, and there is somebody to run it."""
    if find_programs() is None:
        return False
    if os.geteuid() != 0:
        return True
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return shutil.which("setpriv") is not None


@dataclass(kw_only=True)
class Cluster:
    """One server. `superuser` needs no password on the socket; `account` has `password` on loopback."""

    folder: Path
    programs: Path
    port: int
    durable: bool
    password: str
    superuser: str = "cloche"

    def url(self, database: str) -> str:
        """By the socket."""
        return f"postgresql://{self.superuser}@/{database}?host={self.folder}&port={self.port}"

    def loopback_url(self, database: str, password: str | None = None) -> str:
        """By TCP, with a password."""
        return f"postgresql://{self.superuser}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str | None = None) -> str:
        """A new database; its URL."""
        name = database or f"hq_{secrets.token_hex(6)}"
        self.run(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """The rows of a statement, committed at once."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start it and wait until it takes connections (after a kill: until it has recovered)."""
        self._call("pg_ctl", "-D", "data", "-l", "log", "-w", "-t", "60", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it in order; `immediate` is a crash without a signal to the machine."""
        self._call("pg_ctl", "-D", "data", "-m", mode, "-w", "stop", check=False)

    def kill(self) -> None:
        """SIGKILL to the postmaster and all its children, as a power cut takes them."""
        pid = self.pid()
        if pid is None:
            return
        children = [pid, *_children(pid)]
        for one in children:
            _kill(one, signal.SIGSTOP)
        for one in [*children, *_children(pid)]:
            _kill(one, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while any(_is_alive(one) for one in children) and time.monotonic() < deadline:
            time.sleep(0.01)
        for left in (self.folder / "data" / "postmaster.pid", *self.folder.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)  # whoever was killed may still be a zombie: its number would count as alive

    def pid(self) -> int | None:
        """Of the postmaster."""
        try:
            return int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None

    def remove(self) -> None:
        """End it and delete everything."""
        self.stop("immediate")  # a killed one leaves its piece of System V memory behind
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def make(self) -> None:
        """`initdb`, and settings."""
        (self.folder / "password").write_text(self.password)
        own = ["-D", "data", "-U", self.superuser, "--auth-local=trust", "--auth-host=scram-sha-256"]
        self._call("initdb", *own, "--pwfile=password", "--no-locale", "-E", "UTF8", "-N")
        lines = [
            f"unix_socket_directories = '{self.folder}'", "listen_addresses = '127.0.0.1'", f"port = {self.port}",
            f"fsync = {'on' if self.durable else 'off'}", "max_connections = 200", "shared_buffers = 256MB",
            "max_wal_size = 2GB", "log_min_messages = fatal", "dynamic_shared_memory_type = mmap",
        ]  # fmt: skip
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write("\n".join(lines) + "\n")

    def _call(self, program: str, *arguments: str, check: bool = True) -> None:
        command = [str(self.programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
        done = subprocess.run(
            command, cwd=self.folder, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        if check and done.returncode:
            log = self.folder / "log"
            raise AssertionError(f"{program} failed: {log.read_text()[-2000:] if log.exists() else ''}")


@contextmanager
def run_cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """A new server until the end of the block."""
    programs = find_programs()
    assert programs is not None
    memory = Path("/dev/shm")
    is_roomy = not durable and memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30
    # neither is a long path: a socket's may have 107 bytes at most
    folder = Path(tempfile.mkdtemp(prefix="cloche-pg-", dir=memory if is_roomy else "/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER, USER)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    cluster = Cluster(
        folder=folder, programs=programs, port=port, durable=durable, password=secrets.token_hex(12)
    )  # fmt: skip
    try:
        cluster.make()
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                status = (entry / "stat").read_text()
            except OSError:
                continue
            if int(status.rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1][:3]
    except OSError:
        return False
