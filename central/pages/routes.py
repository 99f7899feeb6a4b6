"""All pages, by module: the explicit list. A page that no line below names does not exist."""

from __future__ import annotations

from starlette.routing import Route

from central.pages import (
    acts,
    case,
    case_acts,
    charts,
    declaring,
    exports,
    fleet,
    incident,
    lawyer,
    manager,
    officers,
    orders,
    overview,
    papers,
    search,
    store,
    trouble,
)  # fmt: skip
from central.pages.doors import Doors
from central.pages.hooks import HookPages
from central.pages.own import OwnPages
from central.pages.people import PeoplePages
from central.pages.proving import ProvingPages
from central.pages.record import RecordPages
from central.pages.register import RegisterPages
from central.pages.settings import SettingsPages


def all_routes(doors: Doors) -> list[Route]:
    """Routes of every page and form behind a login, in the order in which they are tried."""
    return [
        *overview.routes(doors),
        *charts.routes(doors),
        *ProvingPages(doors).routes(),
        *OwnPages(doors).routes(),
        *PeoplePages(doors).routes(),
        *RecordPages(doors).routes(),
        *SettingsPages(doors).routes(),
        *RegisterPages(doors).routes(),
        *store.routes(doors),
        *fleet.routes(doors),
        *search.routes(doors),
        *incident.routes(doors),
        *acts.routes(doors),
        *papers.routes(doors),
        *case.routes(doors),
        *case_acts.routes(doors),
        *declaring.routes(doors),
        *lawyer.routes(doors),
        *manager.routes(doors),
        *trouble.routes(doors),
        *exports.routes(doors),
        *orders.routes(doors),
        *officers.routes(doors),
        *HookPages(doors).routes(),
    ]
