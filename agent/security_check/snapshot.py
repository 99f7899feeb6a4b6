"""What may change on a machine without anybody being told: accounts, keys, units, cron, packages, sockets, modules.

Each area is a mapping from a name to its state; two snapshots are compared entry by entry. Order and format follow
passwd(5), sudoers(5), sshd(8) (authorized_keys), systemd.unit(5), crontab(5), dpkg(1) and proc_modules(5).
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from agent.security_check.machine import Machine
from agent.security_check.records import Area
from containment.connections import connections

Snapshot = Mapping[Area, Mapping[str, str]]
NO_LOGIN: Final = frozenset({"", "nologin", "false", "sync", "halt", "shutdown"})
ADMIN_GROUPS: Final = frozenset({"sudo", "wheel", "admin", "root", "docker", "lxd", "cloche"})
UNIT_FOLDERS: Final = (
    "/etc/systemd/system", "/etc/systemd/user", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
    "/usr/lib/systemd/user", "/run/systemd/system",
)  # fmt: skip
UNIT_ENDINGS: Final = ("*.service", "*.timer", "*.socket", "*.path", "*.conf")
CRON: Final = ("/etc/crontab", "/etc/anacrontab")
CRON_FOLDERS: Final = (
    "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly",
    "/var/spool/cron/crontabs", "/var/spool/cron", "/var/spool/cron/atjobs", "/var/spool/at",
)  # fmt: skip
STARTUP: Final = (
    "/etc/rc.local", "/etc/profile", "/etc/bash.bashrc", "/etc/environment", "/etc/ssh/sshd_config",
)  # fmt: skip
STARTUP_OF_ROOT: Final = (".bashrc", ".profile", ".bash_profile", ".ssh/rc")
STARTUP_FOLDERS: Final = (
    "/etc/profile.d", "/etc/ssh/sshd_config.d", "/etc/pam.d", "/etc/init.d", "/etc/xdg/autostart", "/etc/udev/rules.d",
    "/etc/modules-load.d",
)  # fmt: skip
PRELOAD: Final = "/etc/ld.so.preload"
KEY_FILES: Final = (".ssh/authorized_keys", ".ssh/authorized_keys2")
KEY_TYPES: Final = ("ssh-", "ecdsa-", "sk-")
EPHEMERAL: Final = 32_768
MOST_ACCOUNTS: Final = 2_000
RPM_SECONDS: Final = 20.0


def take(machine: Machine) -> dict[Area, dict[str, str]]:
    """The snapshot of this moment; what may not be read is in `machine.denied`."""
    return {area: dict(read(machine)) for area, read in AREAS.items()}


def accounts(machine: Machine) -> list[list[str]]:
    """Fields of each line of passwd(5) that has all seven."""
    lines = (line.split(":") for line in machine.lines("/etc/passwd"))
    return [fields for fields in lines if len(fields) == 7][:MOST_ACCOUNTS]


def uid0(machine: Machine) -> Iterator[tuple[str, str]]:
    """Accounts that are root, whatever they are called."""
    for name, _password, uid, _gid, _note, _home, shell in accounts(machine):
        if uid.isdigit() and int(uid) == 0:
            yield name, shell


def homes_of_root(machine: Machine) -> list[str]:
    """Homes of the accounts that are root, sorted, without a slash at the end."""
    homes = {home.rstrip("/") for _name, _password, uid, _gid, _note, home, _shell in accounts(machine) if uid == "0"}
    return sorted(home for home in homes if home.startswith("/"))


def logins(machine: Machine) -> Iterator[tuple[str, str]]:
    """Accounts that may log in, with their shells."""
    for name, _password, uid, _gid, _note, _home, shell in accounts(machine):
        if shell.rsplit("/", 1)[-1] not in NO_LOGIN:
            yield name, f"{shell} (uid {uid})"


def sudoers(machine: Machine) -> Iterator[tuple[str, str]]:
    """Rules of sudo, and who is in a group that is as good as root."""
    for path in ("/etc/sudoers", *machine.files("/etc/sudoers.d"), *machine.files("/etc/polkit-1/rules.d")):
        state = machine.state(path)
        if state:
            yield path, state
    for line in machine.lines("/etc/group"):
        fields = line.split(":")
        if len(fields) == 4 and fields[0] in ADMIN_GROUPS:
            for member in filter(None, fields[3].split(",")):
                yield f"{member} ∈ {fields[0]}", "member"


def keys(machine: Machine) -> Iterator[tuple[str, str]]:
    """Keys that open an account over SSH: account and fingerprint as ssh-keygen(1) shows it, never the comment."""
    for name, _password, _uid, _gid, _note, home, _shell in accounts(machine):
        for file in KEY_FILES:
            if not home.startswith("/"):
                continue
            path = f"{home.rstrip('/')}/{file}"
            for line in machine.lines(path):
                found = _fingerprint(line)
                if found:
                    yield f"{name} {found}", path


def _fingerprint(line: str) -> str:
    words = line.split()
    for number, word in enumerate(words[:-1]):
        if word.startswith(KEY_TYPES):
            with suppress(binascii.Error, ValueError):
                digest = hashlib.sha256(base64.b64decode(words[number + 1], validate=True)).digest()
                return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")
    return ""


def units(machine: Machine) -> Iterator[tuple[str, str]]:
    """Units, timers and drop-ins of systemd, of the system and of each account that has its own."""
    homes = {f"{home.rstrip('/')}/.config/systemd/user" for *_rest, home, _shell in accounts(machine)}
    for folder in (*UNIT_FOLDERS, *sorted(homes)):
        for path in machine.files(folder, deep=1):
            if any(fnmatch.fnmatchcase(path, f"*/{ending}") for ending in UNIT_ENDINGS):
                yield path, machine.state(path)


def cron(machine: Machine) -> Iterator[tuple[str, str]]:
    """What cron(8) and at(1) start."""
    for path in (*CRON, *(path for folder in CRON_FOLDERS for path in machine.files(folder))):
        state = machine.state(path)
        if state and not path.endswith("/.placeholder"):
            yield path, state


def startup(machine: Machine) -> Iterator[tuple[str, str]]:
    """What a boot or a login runs besides."""
    of_root = (f"{home}/{name}" for home in homes_of_root(machine) for name in STARTUP_OF_ROOT)
    for path in (*STARTUP, *of_root, *(path for folder in STARTUP_FOLDERS for path in machine.files(folder))):
        state = machine.state(path)
        if state:
            yield path, state


def preload(machine: Machine) -> Iterator[tuple[str, str]]:
    """Libraries that every program loads (ld.so(8))."""
    for line in machine.lines(PRELOAD):
        for word in line.partition("#")[0].replace(":", " ").split():
            yield word, PRELOAD


def packages(machine: Machine) -> Iterator[tuple[str, str]]:
    """Installed packages and their versions, by dpkg's own file or by rpm."""
    name = version = ""
    installed = False
    for line in [*machine.lines("/var/lib/dpkg/status", 64 << 20), ""]:
        key, _, value = line.partition(": ")
        if key == "Package":
            name = value
        elif key == "Version":
            version = value
        elif key == "Status":
            installed = value.endswith(" installed")
        elif not line:
            if name and installed:
                yield name, version
            name, version, installed = "", "", False
    if machine.is_this and machine.mode("/usr/bin/rpm"):
        with suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(
                ["rpm", "-qa", "--qf", "%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\n"], capture_output=True, text=True,
                timeout=RPM_SECONDS, check=True, errors="replace",
            )  # fmt: skip
            for line in done.stdout.splitlines():
                name, _, version = line.partition(" ")
                yield name, version


def listening(machine: Machine) -> Iterator[tuple[str, str]]:
    """What this machine can be reached by: protocol, where from, port and program; not what a client opened."""
    for found in connections(machine.proc):
        if found.state != "listening" and (
            found.protocol != "udp" or found.remote_port or found.local_port >= EPHEMERAL or not found.local_port
        ):
            continue
        scope = "*" if found.local.is_unspecified else "loopback" if found.local.is_loopback else "address"
        program = found.program.decode("utf-8", "replace") or "?"
        yield f"{found.protocol} {scope}:{found.local_port} {program}", scope


def modules(machine: Machine) -> Iterator[tuple[str, str]]:
    """Loaded kernel modules, with marks where they are not the kernel's own: `O` built elsewhere, `E` unsigned."""
    try:
        text = (machine.proc / "modules").read_text(encoding="ascii", errors="replace")[: 1 << 20]
    except OSError:
        return
    for line in text.splitlines():
        words = line.split()
        if words:
            yield words[0], words[-1] if words[-1].startswith("(") else ""


AREAS: Final[dict[Area, Callable[[Machine], Iterator[tuple[str, str]]]]] = {
    "uid0": uid0, "logins": logins, "sudoers": sudoers, "keys": keys, "units": units, "cron": cron,
    "startup": startup, "preload": preload, "packages": packages, "listening": listening, "modules": modules,
}  # fmt: skip
