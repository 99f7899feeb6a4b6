"""What this machine lets Cloche do, and why not more: each check with its reason and what would help.

A check never changes anything and never needs the daemon; it asks the kernel, not a version number, wherever the
kernel can be asked.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from agent.client import daemon_running
from agent.guard.kernel import Group
from config.errors import ClocheError
from config.home import Home
from config.load import load_settings
from config.privileges import network_can_be_left
from containment.keyring import Keyring
from containment.network import program as nft_program

State = Literal["ok", "reduced", "missing"]
LOW_DISK: Final = 1 << 30
SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at. `why` and `remedy` are keys of `config/data/text/doctor.toml`, with values."""

    name: str
    state: State
    why: str
    values: tuple[tuple[str, str], ...] = ()


def examine(home: Home) -> Iterator[Check]:
    """All checks, the most telling first."""
    for check in CHECKS:
        yield check(home)


def watch_tier(_home: Home) -> Check:
    """Which fanotify tier this process can reach."""
    kernel = (("kernel", platform.release()),)
    try:
        with tempfile.TemporaryFile() as probe:
            group = Group.open(b"/proc/self/fd/%d" % probe.fileno())
    except OSError:
        return Check(name="watch", state="reduced", why="watch_root" if os.geteuid() else "watch_kernel", values=kernel)
    group.close()
    return Check(name="watch", state="ok", why=f"watch_{group.tier}", values=kernel)


def settings_file(home: Home) -> Check:
    """The settings can be read."""
    try:
        settings = load_settings(home.settings_file)
    except ClocheError as error:
        return Check(name="settings", state="missing", why="settings_bad", values=(("error", str(error)),))
    if not settings.scan.roots:
        return Check(
            name="settings", state="reduced", why="settings_no_roots", values=(("file", str(home.settings_file)),)
        )
    mode = settings.protect.mode
    return Check(name="settings", state="ok", why=f"settings_{mode}", values=(("response", settings.watch.response),))


def keys(home: Home) -> Check:
    """There is somebody to seal to."""
    if not os.access(home.keys, os.R_OK):
        return Check(name="keys", state="missing", why="keys_unseen" if home.keys.exists() else "keys_none")
    ready = Keyring(home.keys).ready
    return Check(name="keys", state="ok" if ready else "missing", why="keys_ready" if ready else "keys_none")


def daemon(home: Home) -> Check:
    """A daemon answers."""
    try:
        running = daemon_running(home)
    except ClocheError:
        return Check(name="daemon", state="reduced", why="daemon_unreachable")
    return Check(name="daemon", state="ok" if running else "missing", why="daemon_runs" if running else "daemon_none")


def guard(home: Home) -> Check:
    """A guard's socket is there."""
    present = home.guard_socket.is_socket()
    return Check(name="guard", state="ok" if present else "reduced", why="guard_runs" if present else "guard_none")


def workers(_home: Home) -> Check:
    """Scan workers can be shut in."""
    if not network_can_be_left():
        return Check(name="workers", state="reduced", why="workers_network")
    if os.geteuid():
        return Check(name="workers", state="reduced", why="workers_same_user")
    return Check(name="workers", state="ok", why="workers_shut_in")


def leases(home: Home) -> Check:
    """The filesystem of the home grants leases, without which nothing is sealed while it may be open."""
    folder = home.state if home.state.is_dir() else Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.fcntl(file.fileno(), fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        return Check(
            name="leases", state="reduced", why="leases_none", values=(("error", os.strerror(error.errno or 0)),)
        )
    return Check(name="leases", state="ok", why="leases_granted")


def samba(_home: Home) -> Check:
    """Whether a Windows client behind Samba can be named."""
    if shutil.which("smbd", path=SBIN) is None:
        return Check(name="samba", state="ok", why="samba_absent")
    if shutil.which("smbstatus") is None or os.geteuid():
        return Check(name="samba", state="reduced", why="samba_unnamed")
    return Check(name="samba", state="ok", why="samba_named")


def isolation(home: Home) -> Check:
    """This machine can be cut off the network: nftables is there, and whoever would do it may."""
    if nft_program() is None:
        return Check(name="isolation", state="reduced", why="isolation_no_nft")
    if home.is_service and not (home.run / "network.sock").is_socket():
        return Check(name="isolation", state="reduced", why="isolation_no_helper")
    if os.geteuid():
        return Check(name="isolation", state="reduced", why="isolation_root")
    return Check(name="isolation", state="ok", why="isolation_ready")


def disk(home: Home) -> Check:
    """Room for the vault: quarantine copies before it removes."""
    folder = next(parent for parent in (home.state, *home.state.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    return Check(
        name="disk",
        state="ok" if free > LOW_DISK else "reduced",
        why="disk_free" if free > LOW_DISK else "disk_low",
        values=(("free", f"{free / 1e9:.1f}"), ("folder", str(folder))),
    )


def documents(_home: Home) -> Check:
    """A font for Chinese is there: without one no PDF is made."""
    from agent.documents.typeset import obstacle

    why = obstacle()
    if why is not None:
        return Check(name="documents", state="reduced", why="documents_no_pdf", values=(("error", str(why)),))
    return Check(name="documents", state="ok", why="documents_all")


def head_office(home: Home) -> Check:
    """This store is enrolled, and its reports leave."""
    from agent.link.standing import standing

    enrolled = (home.outbox / "link.json").exists()
    try:
        link = load_settings(home.settings_file).link
        waiting = standing(home.outbox, most_bytes=link.max_spool_bytes, most_reports=link.max_spool_reports)
    except ClocheError as error:
        return Check(name="head_office", state="missing", why="settings_bad", values=(("error", str(error)),))
    if enrolled and waiting.full:
        values = (("waiting", str(waiting.reports)),)
        return Check(name="head_office", state="reduced", why="hq_full", values=values)
    if enrolled and _certificate_ended(home):
        return Check(name="head_office", state="reduced", why="hq_certificate")
    return Check(
        name="head_office", state="ok" if enrolled else "reduced", why="hq_enrolled" if enrolled else "hq_none"
    )


def _certificate_ended(home: Home) -> bool:
    """The certificate that head office knows us by has run out, or there is none; False where that cannot be read."""
    from agent.link.settings import read_enrolment

    try:
        enrolment = read_enrolment(home.outbox)
        if enrolment is None or not enrolment.certificate_pem:
            return enrolment is not None
        received = datetime.fromisoformat(enrolment.received_at)
    except (ClocheError, ValueError):
        return False
    return datetime.now(UTC) >= received + timedelta(seconds=enrolment.certificate_seconds)


def senders(home: Home) -> Check:
    """People can be reached, and it worked lately."""
    from agent.messages.health import senders_health

    try:
        settings = load_settings(home.settings_file)
    except ClocheError as error:
        return Check(name="senders", state="missing", why="settings_bad", values=(("error", str(error)),))
    state, why, values = senders_health(home, settings.senders, settings.store.timezone)
    return Check(name="senders", state=state, why=why, values=values)


def page(home: Home) -> Check:
    """The page for reports without login is open."""
    from agent.messages.health import page_health

    try:
        settings = load_settings(home.settings_file)
    except ClocheError as error:
        return Check(name="page", state="missing", why="settings_bad", values=(("error", str(error)),))
    state, why, values = page_health(settings.page)
    return Check(name="page", state=state, why=why, values=values)


CHECKS: Final[tuple[Callable[[Home], Check], ...]] = (
    watch_tier, guard, daemon, settings_file, keys, workers, leases, samba, isolation, disk, documents, head_office,
    senders, page,
)  # fmt: skip


def tier(checks: list[Check]) -> Literal["full", "reduced"]:
    """Full: who touches a file is known and can be refused. Otherwise reduced: told afterwards at best."""
    return "full" if next(check for check in checks if check.name == "watch").state == "ok" else "reduced"
