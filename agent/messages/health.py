"""Whether messages get out and the page is open, seen from outside the daemon: for `cloche doctor`.

Reads the database without writing and never asks a server: who wants to know more runs `cloche message test`.
"""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from agent.link.letters import INBOX, KEY
from config.home import Home
from config.messaging import PageSettings, SendersSettings

LATELY: Final = timedelta(days=1)
Found = tuple[Literal["ok", "reduced", "missing"], str, tuple[tuple[str, str], ...]]


def senders_health(home: Home, senders: SendersSettings, zone: str) -> Found:
    """State, key of `config/data/text/doctor.toml`, and its values."""
    from config.schema import known_zone

    ways = ", ".join(
        way
        for way, there in (
            ("SMTP", senders.mails), ("SMS", bool(senders.sms_url.get_secret_value())),
            *((f"{robot.kind}: {robot.name}", True) for robot in senders.robots),
            ("CRM", bool(senders.crm_url.get_secret_value())),
        )
        if there
    )  # fmt: skip
    if senders.mode == "record":
        return "reduced", "senders_record", ()
    if not ways:
        return "reduced", "senders_none", ()
    try:
        runs = (home.outbox / INBOX / KEY).exists()
    except OSError:
        return "reduced", "senders_unseen", ()
    if not runs:
        return "missing", "senders_no_link", (("ways", ways),)
    last, failing = _counts(home)
    if failing:
        return "missing", "senders_failing", (("ways", ways), ("count", str(failing)))
    if last is None:
        return "reduced", "senders_untried", (("ways", ways),)
    from zoneinfo import ZoneInfo

    shown = last.astimezone(ZoneInfo(known_zone(zone))).strftime("%Y-%m-%d %H:%M")
    return "ok", "senders_sent", (("ways", ways), ("time", shown))


def page_health(page: PageSettings) -> Found:
    """The page is open where the settings say."""
    if not page.listen:
        return "reduced", "page_none", ()
    host, _, port = page.listen.rpartition(":")
    host = host.strip("[]")
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  where it listens, seen from here
    try:
        with socket.create_connection((near, int(port)), timeout=2):
            pass
    except OSError as error:
        return "missing", "page_shut", (("listen", page.listen), ("error", error.strerror or type(error).__name__))
    if not page.url:
        return "reduced", "page_no_url", (("listen", page.listen),)
    return "ok", "page_open", (("url", page.url),)


def _counts(home: Home) -> tuple[datetime | None, int]:
    """When a message last got out, and how many did not within the last day."""
    since = (datetime.now(UTC) - LATELY).replace(tzinfo=None).isoformat(" ")
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.connect(f"{home.inventory_db.resolve().as_uri()}?mode=ro", uri=True)
        with contextlib.closing(connection):
            (last,) = connection.execute("SELECT max(sent_at) FROM messages").fetchone()
            (failing,) = connection.execute(
                "SELECT count(*) FROM messages WHERE state IN ('failed', 'given_up') AND made_at > ? "
                "AND reason NOT IN ('nobody', 'no_channel')",
                (since,),
            ).fetchone()
        return (datetime.fromisoformat(last).replace(tzinfo=UTC) if last else None), int(failing)
    return None, 0
