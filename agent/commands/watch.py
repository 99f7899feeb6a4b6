"""`cloche watch`: follow accesses and broken rules as they are recorded. JSON lines with `--json`."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from agent.cli import common_options
from agent.client import daemon_running
from agent.console import Console, printable
from agent.watch.api import AccessEvent, Crossing, Gap, Happening
from agent.watch.events import EventStore, Recorded
from agent.watch.rules.api import Action, Wording
from config.errors import ExitCode, NoDaemonError, RefusedError
from config.load import load_settings

SCHEMA: Final = "cloche.watch/1"
POLL_SECONDS: Final = 0.2
_DAEMON_EVERY: Final = 5.0


@click.command(name="watch")
@click.option("--all", "from_start", is_flag=True, help="Begin with everything on record.")
@click.option("--once", is_flag=True, help="Show what is on record and end.")
@common_options
def command(console: Console, from_start: bool, once: bool) -> int:
    """Follow who touches customer information."""
    if not daemon_running(console.home):
        raise NoDaemonError(console.text("cli.no_daemon", socket=console.home.control_socket))
    if not os.access(console.home.events_db, os.R_OK):
        raise RefusedError(f"{console.home.events_db}: only its owner may read it")
    zone = ZoneInfo(load_settings(console.home.settings_file).store.timezone)
    store = EventStore(console.home.events_db)
    try:
        _follow(console, store, zone, after=0 if from_start or once else store.last(), once=once)
    except KeyboardInterrupt:
        return int(ExitCode.DONE)
    finally:
        store.close()
    return int(ExitCode.DONE)


def _follow(console: Console, store: EventStore, zone: ZoneInfo, *, after: int, once: bool) -> None:
    if not once and console.is_terminal:
        console.say("watch.following")
    asked = time.monotonic()
    while True:
        for recorded in store.after(after):
            after = recorded.id
            if console.as_json:
                click.echo(json.dumps(document(recorded), ensure_ascii=False))
            else:
                click.echo(printable(line(console, recorded.happening, zone)))
        if once and after >= store.last():
            return
        if time.monotonic() - asked > _DAEMON_EVERY:
            asked = time.monotonic()
            if not daemon_running(console.home):
                raise NoDaemonError(console.text("cli.no_daemon", socket=console.home.control_socket))
        time.sleep(POLL_SECONDS)


def document(recorded: Recorded) -> dict[str, Any]:
    """One line of `--json`. All names are masked already."""
    happening = recorded.happening
    base: dict[str, Any] = {"schema": SCHEMA, "id": recorded.id}
    if isinstance(happening, Gap):
        return base | {"event": "gap", "at": happening.at, "cause": happening.cause, "lost": happening.lost}
    if isinstance(happening, AccessEvent):
        return base | {"event": "access", **_access(happening)}
    return base | {
        "event": "crossing",
        **_access(happening.event),
        "rule": happening.rule,
        "subject": happening.subject,
        "files": len(happening.keys),
        "keys": list(happening.keys),
        "persons": happening.persons,
        "response": happening.response,
        "outcome": happening.outcome,
        "stopped_ms": happening.stopped_ms,
    }


def _access(access: AccessEvent) -> dict[str, Any]:
    return {
        "at": access.at,
        "key": access.key,
        "path": os.fsdecode(access.path),
        "operation": access.operation,
        "pid": access.pid,
        "program": os.fsdecode(access.program),
        "command": os.fsdecode(access.command),
        "uid": access.uid,
        "user": access.user,
        "session": access.session,
        "cgroup": access.cgroup,
        "decision": access.decision,
        "latency_us": access.latency_us,
        "client_address": access.client_address,
        "client_user": access.client_user,
    }


def line(console: Console, happening: Happening, zone: ZoneInfo) -> str:
    """One readable line."""
    if isinstance(happening, Gap):
        lost = happening.lost if happening.lost is not None else "?"
        return f"{_clock(happening.at, zone)}  !  {console.text(f'watch.gap_{happening.cause}', lost=lost)}"
    if isinstance(happening, AccessEvent):
        wording = Wording(text=console.text, mask=str)
        done = console.text(f"watch.line_{happening.decision}")
        what = console.text(f"watch.line_{happening.operation}")
        who, program = wording.who(happening).strip(), wording.program(happening)
        return f"{_clock(happening.at, zone)}  {done}  {who}  {program}  {what}  {os.fsdecode(happening.path)}"
    return f"{_clock(happening.event.at, zone)}  !  {_words(console, happening)}"


def _words(console: Console, crossing: Crossing) -> str:
    from agent.watch.behaviour import RULES

    actions: dict[str, Action] = {"alerted": "alert", "stopped": "stopped", "denied": "denied"}
    wording = Wording(text=console.text, mask=str)
    return RULES[crossing.rule].words(crossing, wording, actions[crossing.outcome])


def _clock(at: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at, zone).strftime("%H:%M:%S")
