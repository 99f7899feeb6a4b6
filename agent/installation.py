"""Install the service from a checkout: accounts, a virtual environment of its own, settings, units.

Every step can be repeated: a second run upgrades. What exists is kept (settings, keys, state). Each run makes an
environment under a name of its own; `venv` is a link that one rename(2) points at it. So a cut installation leaves the
old one in place, and what still runs keeps importing from the environment it was started from, until it is restarted.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from config.errors import ClocheError, RefusedError, UsageError
from config.home import SERVICE_SETTINGS, SERVICE_STATE
from config.load import SECRETS
from config.sample import sample_settings
from containment.atomic import write_file

PREFIX: Final = Path("/opt/cloche")
UNITS: Final = Path("/etc/systemd/system")
PROGRAMS: Final = Path("/usr/local/bin")
HQ_STATE: Final = Path("/var/lib/cloche-hq")
STORE_UNITS: Final = (
    "cloche-guard.service", "cloche-network.socket", "cloche-network.service", "cloche.service", "cloche-link.service",
    "cloche-link.path",
)  # fmt: skip
HQ_UNITS: Final = ("cloche-hq.service", "cloche-hq.path")
ACCOUNTS: Final = {"cloche-scan": "scan workers", "cloche-link": "link to head office"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to install. `checkout` is the source tree; `roots` are the folders to scan."""

    checkout: Path
    roots: tuple[str, ...]
    store_name: str
    head_office: bool = False
    start: bool = True


def install(plan: Plan) -> Iterator[str]:
    """Carry the plan out; yields a key of `config/data/text/setup.toml` before each step.

    Raises:
        RefusedError: not root, or no systemd.
        UsageError: the checkout is none, or a root does not exist.
        ClocheError: a step failed; the message carries the end of its output.
    """
    _check(plan)
    if (UNITS / HQ_UNITS[0]).exists():
        plan = replace(plan, head_office=True)  # an upgrade of one is an upgrade of both: they share the environment
    os.umask(0o022)  # the accounts of workers and link read the environment, whatever root's umask is
    steps: list[tuple[str, Callable[[], None]]] = [
        ("accounts", lambda: make_accounts(plan)),
        ("environment", lambda: make_environment(plan)),
        ("settings", lambda: write_settings(plan)),
        ("units", lambda: write_units(plan)),
    ]
    if plan.start:
        steps.append(("start", lambda: start(plan)))
    for key, step in steps:
        yield key
        step()


def _check(plan: Plan) -> None:
    if os.geteuid() != 0:
        raise RefusedError("setup needs root: run it with sudo")
    if not Path("/run/systemd/system").is_dir():
        raise RefusedError("this machine was not started by systemd: run cloche daemon by hand instead")
    for needed in ("pyproject.toml", "requirements/base.txt", "systemd/cloche.service"):
        if not (plan.checkout / needed).is_file():
            raise UsageError(f"{plan.checkout}: is no checkout of Cloche ({needed} is missing); pass --checkout")
    for root in plan.roots:
        if not Path(root).is_dir():
            raise UsageError(f"{root}: is not a folder")


def make_accounts(plan: Plan) -> None:
    """System accounts without a shell, and the group `cloche` whose members may reach the daemon."""
    accounts = {**ACCOUNTS, "cloche-hq": "head office"} if plan.head_office else ACCOUNTS
    try:
        grp.getgrnam("cloche")
    except KeyError:
        _run("groupadd", "--system", "cloche")
    for name, purpose in accounts.items():
        try:
            pwd.getpwnam(name)
        except KeyError:
            _run("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
                 "--shell", "/usr/sbin/nologin", "--comment", f"Cloche {purpose}", name)  # fmt: skip


def make_environment(plan: Plan) -> None:
    """A virtual environment with the locked dependencies and Cloche itself, root-owned."""
    wanted = "central" if plan.head_office else "base"
    PREFIX.mkdir(mode=0o755, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="venv-", dir=PREFIX))
    try:
        fresh.chmod(0o755)
        _run(sys.executable, "-m", "venv", "--symlinks", str(fresh))
        pip = (str(fresh / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
        _run(*pip, "--require-hashes", "-r", str(plan.checkout / "requirements" / f"{wanted}.txt"))
        _run(*pip, "--no-deps", str(plan.checkout))
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    _point(PREFIX / "venv", fresh)


def remove_old_environments() -> None:
    """Remove environments that are not the present one. Only after a restart: until then they are in use."""
    present = (PREFIX / "venv").resolve()
    for folder in PREFIX.glob("venv-*"):
        if folder != present and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)


def _point(link: Path, target: Path) -> None:
    """Make `link` lead to `target`, in one step, whatever link it was before."""
    fresh = link.with_name(f"{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def write_settings(plan: Plan) -> None:
    """Settings with every key explained, in `observe`; an existing file is kept."""
    SERVICE_SETTINGS.parent.mkdir(mode=0o755, exist_ok=True)
    if not SERVICE_SETTINGS.exists():
        SERVICE_SETTINGS.write_text(sample_settings(roots=plan.roots, store_name=plan.store_name), encoding="utf-8")
        SERVICE_SETTINGS.chmod(0o644)
    secrets = SERVICE_SETTINGS.with_name(SECRETS)
    if not secrets.exists():
        write_file(secrets, b"# Passwords and addresses of robots, as in cloche.toml. Mode 600.\n[senders]\n")
    SERVICE_STATE.mkdir(mode=0o711, exist_ok=True)
    if plan.head_office and not HQ_STATE.exists():
        HQ_STATE.mkdir(mode=0o700)
        shutil.chown(HQ_STATE, "cloche-hq", "cloche-hq")


def write_units(plan: Plan) -> None:
    """The units of `systemd/`, with the path of the environment filled in."""
    for name in _units(plan):
        unit = (plan.checkout / "systemd" / name).read_text(encoding="utf-8")
        (UNITS / name).write_text(unit.replace("@VENV@", str(PREFIX / "venv")), encoding="utf-8")
        (UNITS / name).chmod(0o644)
    for name in ("cloche", "cloche-hq") if plan.head_office else ("cloche",):
        _point(PROGRAMS / name, PREFIX / "venv" / "bin" / name)
    _run("systemctl", "daemon-reload")


def start(plan: Plan) -> None:
    """Enable and (re)start. The units of link and head office wait by themselves for an enrolment and for `init`."""
    units = _units(plan)
    _run("systemctl", "enable", *units)
    _run("systemctl", "restart", *units)
    remove_old_environments()


def _units(plan: Plan) -> tuple[str, ...]:
    return STORE_UNITS + (HQ_UNITS if plan.head_office else ())


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise ClocheError(f"{' '.join(command[:4])}: failed ({done.returncode}): {tail}")
