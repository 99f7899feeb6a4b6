"""All pages, by module: the explicit list. A page that no line below names does not exist."""

from __future__ import annotations

from starlette.routing import Route

from central.pages import charts, exports, incident, overview, store
from central.pages.doors import Doors
from central.pages.own import OwnPages
from central.pages.proving import ProvingPages


def all_routes(doors: Doors) -> list[Route]:
    """Routes of every page and form behind a login, in the order in which they are tried."""
    return [
        *overview.routes(doors),
        *charts.routes(doors),
        *ProvingPages(doors).routes(),
        *OwnPages(doors).routes(),
        *store.routes(doors),
        *incident.routes(doors),
        *exports.routes(doors),
    ]
