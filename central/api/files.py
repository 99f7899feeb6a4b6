"""Exports for programs: the same tables as from the pages, headed by the columns' keys."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from central.api.caller import Asker, problems
from central.api.exports.sending import read_wish, send_export
from central.api.exports.tables import TABLES
from central.api.exports.writing import MEDIA
from central.api.problems import ProblemError

router = APIRouter(tags=["exports"], responses=problems())
_FILES: Final = ", ".join(TABLES)


@router.get(
    "/exports/{file}", summary="An export", response_class=Response,
    responses={200: {"description": "the file", "content": {media.partition(";")[0]: {} for media in MEDIA.values()}}},
    description=f"`file` is one of {_FILES}, with `.csv`, `.xlsx` or `.json`. Streamed; two at once, then 429.",
)  # fmt: skip
def get_export(ask: Asker, file: str) -> Response:
    """A table as a file."""
    wish = read_wish(file)
    if wish is None:
        raise ProblemError(404, "not_found", "no such export")
    return send_export(ask.office, ask.viewer, wish)
