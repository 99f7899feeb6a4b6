"""What the first page says has changed since yesterday; nobody has asked this head office before, who would be answered
the same for a quarter of a minute."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
from accounts_desk import database
from hq_shops import alert, health, inventory, place, tell

from central.models import DayFigures
from central.moments import now
from central.testing import OfficeProcess, SpeakingStore

Enrol = Callable[[str], SpeakingStore]


def change(page: str, kind: str) -> str:
    """What a change says, without markup."""
    found = re.search(rf'<li data-key="{kind}">(.*?)</li>', page, re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", found[1])) if found else ""


def test_what_changed_since_yesterday_is_said_by_kind(
    enrolled: Enrol, browser_page: httpx.Client, office: OfficeProcess
) -> None:
    worse, better, moved = enrolled("变差店"), enrolled("变好店"), enrolled("换版店")
    tell(worse, ("inventory", inventory([place(1, state="plain"), place(2, state="plain")])), ("alert", alert(1)))
    tell(better, ("inventory", inventory([place(1), place(2), place(3)])), ("health", health()))
    tell(moved, ("inventory", inventory([place(1)])), ("health", health(version="9.9.9", tier="inotify")))
    yesterday = datetime.now(UTC).astimezone(now().astimezone().tzinfo).date()
    with database(office) as session:
        fact = {"persons": 1, "places": 3, "unread": 0, "open_alerts": 0, "open_incidents": 0, "score": None}
        same = {"version": "0.1.0", "tier": "permission"}
        for day in {yesterday - timedelta(days=1), yesterday, yesterday + timedelta(days=-2)}:
            for store, figures in (
                (worse, {"sealed": 2, "exposed": 0, "version": "", "tier": ""}),
                (better, {"sealed": 0, "exposed": 3, **same}),
                (moved, {"sealed": 1, "exposed": 0, **same}),
            ):
                session.merge(DayFigures(store_id=store.store_id, day=day, **(fact | figures)))
    with_changes = browser_page.get("/", params={"lang": "en"}).text
    assert "变差店" in change(with_changes, "needing")
    assert "More places lie open: 2" in change(with_changes, "exposed_more")
    assert "变差店 (2)" in change(with_changes, "exposed_more")
    assert "变好店" in change(with_changes, "exposed_less")
    assert "Places newly sealed: 3 (stores: 1)" in change(with_changes, "sealed")
    assert "换版店" in change(with_changes, "tier")
    assert "9.9.9: 1" in change(with_changes, "version")
