"""What stands in the navigation bar: the explicit list, shown to whoever has the right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from central.people.rights import Act, Viewer


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One link. `key` is the whole key of its text (`hq_pages.nav_drills`); `act` is the right its page asks for."""

    key: str
    path: str
    act: Act = "look"
    of_one_store: bool = False
    """Only for whoever holds a role for a single store."""


ENTRIES: Final = (
    Entry(key="hq_my.nav", path="/my", of_one_store=True),
    Entry(key="hq_pages.nav_overview", path="/"),
    Entry(key="hq_pages.nav_search", path="/search"),
    Entry(key="hq_incident.cases", path="/cases"),
    Entry(key="hq_direct.orders", path="/orders"),
    Entry(key="hq_law.nav", path="/law", act="law"),
    Entry(key="hq_pages.nav_drills", path="/drills"),
    Entry(key="hq_pages.nav_training", path="/training"),
    Entry(key="hq_pages.nav_vendors", path="/vendors"),
    Entry(key="hq_pages.nav_assessment", path="/assessment"),
    Entry(key="hq_register.stores", path="/settings/stores", act="stores"),
    Entry(key="hq_people.people", path="/people", act="people"),
    Entry(key="hq_direct.officers", path="/officers", act="release"),
    Entry(key="hq_people.record", path="/record", act="record"),
    Entry(key="hq_people.settings", path="/settings", act="settings"),
)


@dataclass(frozen=True, kw_only=True)
class Link:
    """An entry as somebody sees it on a page."""

    key: str
    path: str
    is_current: bool
    is_section: bool
    """The page is one below this entry's."""


def links_for(viewer: Viewer | None, path: str) -> tuple[Link, ...]:
    """The entries that this person may follow; the one that the page at `path` belongs to is marked."""
    if viewer is None:
        return ()
    has_own = any(right.scope == "store" for right in viewer.rights)
    shown = [entry for entry in ENTRIES if viewer.may(entry.act) and (has_own or not entry.of_one_store)]
    nearest = max(
        (entry.path for entry in shown if entry.path != "/" and f"{path}/".startswith(f"{entry.path}/")),
        key=len,
        default="/" if path.startswith("/stores/") else "",
    )
    return tuple(
        Link(
            key=entry.key,
            path=entry.path,
            is_current=entry.path == path,
            is_section=entry.path == nearest and entry.path != path,
        )
        for entry in shown
    )
