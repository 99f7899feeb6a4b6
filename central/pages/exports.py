"""Exports from pages, and the page about the API. Their own connections to the database outlive the page's."""

from __future__ import annotations

from functools import cache
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from central.api.exports.sending import read_wish, send_export
from central.api.exports.tables import TABLES
from central.api.programs import PREFIX, describe_api, openapi_document
from central.api.reference import Operation, operations
from central.pages.doors import Doors, Visit
from central.pages.render import choose_language


def routes(doors: Doors) -> list[Route]:
    """Paths."""
    doors.pages.prepare(_described)
    return [
        doors.page("/export/{file}", export, "export"),
        doors.page("/settings/api", about_api),
    ]


def export(visit: Visit) -> Response:
    """A table as a file, headed in the reader's language."""
    wish = read_wish(visit.request.path_params["file"], choose_language(visit.request))
    if wish is None:
        raise HTTPException(404)
    visit.session.rollback()  # the page's own reading ends before the file's begins
    return send_export(visit.office, visit.viewer, wish)


def about_api(_visit: Visit) -> tuple[str, dict[str, Any]]:
    """What programs can ask, drawn from the API's own description: no script, nothing from elsewhere."""
    return "api.html", {"operations": _described(), "prefix": PREFIX, "tables": list(TABLES), "refresh": 0}


@cache
def _described() -> tuple[Operation, ...]:
    """It does not change while the program runs, and takes 0.15 s to make."""
    return tuple(operations(openapi_document(describe_api())))
