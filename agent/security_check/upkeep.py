"""Whether what protects is there and was used: a fresh scan, the watch, a firewall, backups that are not plain."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.isolation.hand import hand_of
from agent.security_check.machine import Machine
from agent.security_check.records import Finding
from agent.watch.api import BLOCKING
from config.errors import ClocheError

if TYPE_CHECKING:
    from agent.wiring import Agent

PLAIN_BEGINNINGS: Final = (
    (b"SQLite format 3\0", "SQLite"), (b"PK\x03\x04", "zip"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"), (b"(\xb5/\xfd", "zstd"), (b"-- MySQL dump", "SQL"), (b"-- MariaDB dump", "SQL"),
    (b"-- PostgreSQL database dump", "SQL"), (b"PGDMP", "pg_dump"), (b"--\n-- PostgreSQL", "SQL"),
)  # fmt: skip
MOST_BACKUPS: Final = 2_000
SHOWN: Final = 5
HANDLED: Final = ("directed", "responding", "cleaning", "reviewing")


def under_way(agent: Agent) -> list[Incident]:
    """Incidents that are being handled."""
    return [incident for incident in incidents(agent).all() if incident.phase in HANDLED]


def scan(agent: Agent, now: datetime) -> Iterator[Finding]:
    """The last whole scan: after the containment of every open incident, not too old, and everything read."""
    roots = tuple(os.path.realpath(os.fsencode(root)) for root in agent.settings.scan.roots)
    last = agent.inventory.last_run(covering=roots) if roots else agent.inventory.last_run()
    if last is None or last.ended_at is None:
        yield Finding(area="scan", what="none", severity="warning")
        return
    ended = last.ended_at.isoformat(timespec="seconds")
    contained = [incident.declared_at for incident in under_way(agent) if incident.declared_at is not None]
    if contained and last.started_at < max(contained):
        yield Finding(area="scan", what="stale", severity="warning", evidence=(ended,))
    elif now - last.ended_at > timedelta(hours=agent.settings.check.scan_hours):
        yield Finding(
            area="scan", what="old", severity="warning", evidence=(ended,),
            values={"hours": round((now - last.ended_at).total_seconds() / 3600)},
        )  # fmt: skip
    if not last.clean:
        left = last.coverage.partial + last.coverage.unread
        yield Finding(area="scan", what="unclean", severity="notice", values={"count": left})


def watch(agent: Agent) -> Iterator[Finding]:
    """Who touches a file is known and can be refused."""
    if agent.watch.tier not in BLOCKING:
        yield Finding(area="watch", what="reduced", severity="notice", evidence=(agent.watch.tier,))


def alerts(agent: Agent) -> Iterator[Finding]:
    """Behaviours that nobody has looked at."""
    count = sum(1 for _alert in agent.inventory.alerts())
    if count:
        yield Finding(area="alerts", what="open", severity="notice", values={"count": count})


def firewall(agent: Agent, machine: Machine) -> Iterator[Finding]:
    """Something filters what arrives: nftables, or the older iptables by the names of its tables."""
    with suppress(ClocheError):
        if hand_of(agent.home).filters():
            return
    for name in ("1/net/ip_tables_names", "net/ip_tables_names"):
        with suppress(OSError):
            if "filter" in (machine.proc / name).read_text(encoding="ascii").split():
                return
    if any("ENABLED=yes" in line for line in machine.lines("/etc/ufw/ufw.conf")):
        return
    yield Finding(area="firewall", what="none", severity="notice")


def backups(agent: Agent, now: datetime) -> Iterator[Finding]:
    """Backups are there, not too old, and not readable by whoever takes the disk.

    What a scan found customers in is exposed for certain; what begins as a plain archive or dump does is told as well.
    """
    folders = agent.settings.check.backups
    if not folders:
        yield Finding(area="backups", what="none", severity="notice")
        return
    for folder in folders:
        shown = agent.mask(folder)
        newest, plain, count = _look_through(folder)
        if not count:
            yield Finding(area="backups", what="none", severity="notice", subject=shown)
            continue
        age = now - datetime.fromtimestamp(newest, UTC)
        if age > timedelta(days=agent.settings.check.backup_days):
            yield Finding(area="backups", what="old", severity="notice", subject=shown, values={"days": age.days})
        exposed = [
            item for item in agent.inventory.items(under=os.path.realpath(os.fsencode(folder)), states=("plain",))
            if item.findings
        ]  # fmt: skip
        names = [agent.mask(os.fsdecode(item.path)) for item in exposed[:SHOWN]] or [agent.mask(name) for name in plain]
        if names:
            yield Finding(
                area="backups", what="plain", severity="warning" if exposed else "notice", subject=shown,
                evidence=tuple(names[:SHOWN]), values={"count": len(exposed) or len(plain)},
            )  # fmt: skip


def _look_through(folder: str) -> tuple[float, list[str], int]:
    """Time of the newest file, names of those that begin as plain archives and dumps do, and how many files."""
    newest, count = 0.0, 0
    plain: list[str] = []
    for here, _folders, names in os.walk(folder):
        for name in sorted(names):
            if count >= MOST_BACKUPS:
                return newest, plain, count
            path = os.path.join(here, name)
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                count += 1
                newest = max(newest, os.fstat(descriptor).st_mtime)
                beginning = os.read(descriptor, 64)
            except OSError:
                continue
            finally:
                os.close(descriptor)
            if any(beginning.startswith(magic) for magic, _kind in PLAIN_BEGINNINGS):
                plain.append(path)
    return newest, plain, count
