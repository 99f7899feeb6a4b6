"""Settings that all instances of head office share: its name and zone, who needs a second factor."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.routing import Route

from central.models import Fact
from central.pages.doors import Doors, Fields, Shown, Visit
from central.people.record import plain, read_fact
from central.people.second_factor import POLICIES, policy_of
from config.errors import UsageError

PATH: Final = "/settings"


class SettingsPages:
    """`/settings`."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def routes(self) -> list[Route]:
        """Paths of the page and its form."""
        return [
            self._doors.page(PATH, settings, "settings"),
            self._doors.form(PATH, change, "settings", fresh=True),
        ]


def settings(visit: Visit) -> Shown:
    """What is set."""
    return "settings.html", {
        "name": read_fact(visit.session, "name", "HQ"),
        "zone": read_fact(visit.session, "timezone", "Asia/Shanghai"),
        "policy": policy_of(visit.session), "policies": POLICIES, "login": visit.office.settings.login,
        "running_name": visit.office.name, "running_zone": str(visit.office.timezone), "refresh": 0,
    }  # fmt: skip


def change(visit: Visit, fields: Fields) -> str:
    """Set what changed; each change is an act of its own."""
    name, zone, policy = (
        plain(fields.text("name", most=80), 80).strip(), fields.text("zone", most=60), fields.text("policy", most=20)
    )  # fmt: skip
    if not name:
        raise UsageError("hq_people.name_missing")
    if policy not in POLICIES:
        raise UsageError("hq_people.policy_wrong")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError("hq_people.zone_wrong") from error
    for key, value in (("name", name), ("timezone", zone), ("second_factor", policy)):
        before = read_fact(visit.session, key, "")
        if before != value:
            visit.session.merge(Fact(key=key, value=value))
            visit.note("settings.changed", f"{key}: {before} to {value}")
    return PATH
