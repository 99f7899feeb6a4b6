"""What is wrong whatever it was before: folders that everybody may write to, altered programs, remote-control tools."""

from __future__ import annotations

import fnmatch
import os
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.security_check.machine import Machine
from agent.security_check.records import Finding
from agent.security_check.snapshot import CRON_FOLDERS, UNIT_FOLDERS, homes_of_root, packages
from config.packs import read_pack
from config.text import Language
from containment.connections import Connection, connections

SYSTEM_FOLDERS: Final = (
    "/", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/etc", "/etc/cloche", "/etc/ssh", "/etc/sudoers.d", "/etc/pam.d",
    "/etc/profile.d", "/usr", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/sbin",
    "/usr/local/lib", "/opt", "/opt/cloche", "/var/lib/cloche", "/var/lib/dpkg", "/var/log", "/var/spool/cron",
    *UNIT_FOLDERS, *CRON_FOLDERS,
)  # fmt: skip
SYSTEM_FILES: Final = (
    "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/sudoers", "/etc/crontab", "/etc/ld.so.preload", "/etc/hosts",
    "/etc/ssh/sshd_config", "/etc/cloche/cloche.toml", "/etc/profile", "/etc/environment",
)  # fmt: skip
QUIET_PATHS: Final = (
    "/usr/share/doc/",
    "/usr/share/man/",
    "/usr/share/locale/",
    "/usr/share/info/",
    "/usr/share/lintian/",
)
PROGRAM_PATHS: Final = (
    "/bin/",
    "/sbin/",
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/local/",
    "/boot/",
    "/lib/modules/",
    "/lib/systemd/",
    "/usr/lib/systemd/",
)
GROUP_DEPTH: Final = 5
MOST_ALTERED: Final = 30
MOST_MATCHES: Final = 5


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A remote-control tool of the pack."""

    id: str
    name: dict[str, str]
    processes: frozenset[str]
    units: tuple[str, ...]
    packages: frozenset[str]
    paths: tuple[str, ...]
    ports: frozenset[int]
    verified: bool


def tools() -> list[Tool]:
    """The pack `check/remote_tools.toml`."""
    return [
        Tool(
            id=key, name=facts["name"], processes=frozenset(facts["processes"]), units=tuple(facts["units"]),
            packages=frozenset(facts["packages"]), paths=tuple(facts["paths"]), ports=frozenset(facts["ports"]),
            verified=facts["verified"],
        )
        for key, facts in read_pack("check", "remote_tools.toml").items()
    ]  # fmt: skip


def writable(machine: Machine) -> Iterator[Finding]:
    """Folders and files of the system that everybody may write to (a sticky folder such as /tmp is none of them)."""
    of_root = [path for home in homes_of_root(machine) for path in (home, f"{home}/.ssh/authorized_keys")]
    for path in dict.fromkeys((*SYSTEM_FOLDERS, *SYSTEM_FILES, *of_root)):
        facts = machine.mode(path)
        if facts is None or stat.S_ISLNK(facts.st_mode) or not facts.st_mode & stat.S_IWOTH:
            continue
        if stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX:
            continue
        mode = stat.filemode(facts.st_mode)
        yield Finding(area="writable", what="present", severity="critical", subject=path, evidence=(mode,))


def altered(files: Sequence[str], mask: Callable[[str], str]) -> Iterator[Finding]:
    """Files of packages that differ from what was installed.

    A program, a library or a kernel file each by itself, as a warning; others together by their folder, as a notice:
    software that renews itself (npm, a browser) leaves hundreds.
    """
    programs = [path for path in files if path.startswith(PROGRAM_PATHS) or ".so" in os.path.basename(path)]
    for path in programs[:MOST_ALTERED]:
        yield Finding(area="altered", what="changed", severity="warning", subject=mask(path))
    if len(programs) > MOST_ALTERED:
        count = len(programs) - MOST_ALTERED
        yield Finding(area="altered", what="more", severity="warning", values={"count": count})
    folders: dict[str, list[str]] = {}
    for path in files:
        if path not in programs:
            folders.setdefault("/".join(path.split("/")[:GROUP_DEPTH]), []).append(path)
    for folder, paths in sorted(folders.items())[:MOST_ALTERED]:
        yield Finding(
            area="altered", what="present", severity="notice", subject=mask(folder),
            evidence=tuple(mask(path) for path in paths[:MOST_MATCHES]), values={"count": len(paths)},
        )  # fmt: skip


def compare_packages(seconds: float) -> tuple[list[str], bool]:
    """Files of packages that differ from what was installed, by dpkg or rpm; and whether all of it was compared.

    Settings files, which differ by right, and documentation, which small installations leave out, are not among them.
    """
    for command, parse in ((["dpkg", "--verify"], _dpkg), (["rpm", "-Va", "--nomtime", "--noconfig"], _rpm)):
        try:
            done = subprocess.run(
                ["nice", *command], capture_output=True, text=True, errors="replace", timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return [], False
        except OSError:
            continue
        if done.returncode == 127:  # nice(1): not installed
            continue
        return list(parse(done.stdout)), True
    return [], True


def _dpkg(output: str) -> Iterator[str]:
    """Lines of dpkg(1) --verify: nine marks or `missing`, `c` before a settings file, the path."""
    for line in output.splitlines():
        marks, _, path = line.partition("/")
        path = f"/{path}"
        is_settings = marks.split()[-1:] == ["c"]
        if not is_settings and (marks[2:3] == "5") and not path.startswith(QUIET_PATHS):
            yield path


def _rpm(output: str) -> Iterator[str]:
    for line in output.splitlines():
        marks, _, path = line.partition("/")
        if marks[2:3] == "5" and marks.split()[-1:] != ["c"] and not f"/{path}".startswith(QUIET_PATHS):
            yield f"/{path}"


def remote_tools(
    machine: Machine, allowed: Sequence[str], language: Language, mask: Callable[[str], str]
) -> Iterator[Finding]:
    """Each tool that is met: running, installed, or waiting for a connection, with how it was met."""
    running = _running(machine)
    installed = {name for name, _version in packages(machine)}
    present = [path for folder in UNIT_FOLDERS for path in machine.files(folder)]
    sockets = connections(machine.proc)
    for tool in tools():
        evidence = [
            *_processes(tool, running), *_units(tool, present),
            *(f"package {name}" for name in sorted(tool.packages & installed)), *_paths(tool, machine),
        ]  # fmt: skip
        ports = list(_ports(tool, sockets))
        if not evidence and not ports:
            continue
        what: Any = "allowed" if tool.id in allowed else "present"
        if not evidence:
            # a port alone may be anybody's: it is told, and the program that listens there is named
            what = "open" if what == "present" else "allowed"
        severity: Any = "warning" if what == "present" else "notice"
        shown = [mask(text)[:200] for text in (*evidence[:12], *ports)]
        yield Finding(
            area="remote", what=what, severity=severity, subject=tool.name[language], evidence=tuple(shown),
            values={"id": tool.id},
        )  # fmt: skip


def _running(machine: Machine) -> list[tuple[str, set[str]]]:
    """Each process: what is shown of it, and the names it goes by (executable, argv[0], comm), in small letters."""
    found = []
    with suppress(OSError):
        for pid in filter(str.isdigit, os.listdir(machine.proc)):
            folder = machine.proc / pid
            names: set[str] = set()
            shown = ""
            with suppress(OSError):
                shown = os.readlink(folder / "exe").removesuffix(" (deleted)")
                names.add(os.path.basename(shown).lower())
            with suppress(OSError):
                first = (folder / "cmdline").read_bytes()[:4096].split(b"\0")[0].decode("utf-8", "replace")
                names.add(os.path.basename(first).lower())
            with suppress(OSError):
                names.add((folder / "comm").read_text(encoding="utf-8", errors="replace").strip().lower())
            names.discard("")
            if names:
                found.append((f"process {pid} {shown or min(names)}", names))
    return found


def _processes(tool: Tool, running: list[tuple[str, set[str]]]) -> Iterator[str]:
    for shown, names in running:
        # comm is cut at 15 bytes (proc_pid_comm(5))
        if any(name in names or name[:15] in names for name in tool.processes):
            yield shown


def _units(tool: Tool, present: list[str]) -> Iterator[str]:
    for path in present:
        if any(fnmatch.fnmatchcase(os.path.basename(path).lower(), pattern) for pattern in tool.units):
            yield f"unit {path}"


def _paths(tool: Tool, machine: Machine) -> Iterator[str]:
    homes = homes_of_root(machine)
    for pattern in (
        spelt for path in tool.paths
        for spelt in ([f"{home}{path[1:]}" for home in homes] if path.startswith("~/") else [path])
    ):  # fmt: skip
        matches = sorted(Path(machine.root).glob(pattern.lstrip("/")))[:MOST_MATCHES]
        for match in matches:
            yield f"/{match.relative_to(machine.root)}"


def _ports(tool: Tool, sockets: Sequence[Connection]) -> Iterator[str]:
    for found in sockets:
        if found.state == "listening" and found.local_port in tool.ports and not found.local.is_loopback:
            yield f"{found.protocol} {found.local_port} {os.fsdecode(found.program) or '?'}"
