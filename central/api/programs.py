"""The API for programs, under /api/v1: one FastAPI application inside head office's.

FastAPI's own pages of documentation load scripts from elsewhere; ours is drawn here, without any.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from central.api import files, incidents, offices, orders, stores
from central.api.caller import Gate
from central.api.etag import Tagged
from central.api.problems import Problem, handle_problems
from central.api.wire_document import wire_document
from central.office import HeadOffice
from central.throttle import Throttle

PREFIX: Final = "/api/v1"
WRONG_A_MINUTE: Final = 20
ROUTERS: Final = (offices.router, stores.router, incidents.router, orders.router, files.router)
"""The explicit list."""
DESCRIPTION: Final = """What programs of the chain ask head office. Every answer is about the stores that the token's \
person may see, masked on the store. Lists come in pages: pass `next` as `cursor`. Errors are problem documents \
(RFC 9457). `ETag` and `If-None-Match` save the way of what has not changed. Every view and act is on record."""


def describe_api() -> FastAPI:
    """The application without a head office: enough for its OpenAPI document."""
    api = FastAPI(
        title="Cloche head office", version="1", summary="Stores, incidents, orders and the record, for programs.",
        description=DESCRIPTION, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )  # fmt: skip
    for router in ROUTERS:
        api.include_router(router)
    handle_problems(api)
    api.add_api_route("/openapi.json", lambda: openapi_document(api), include_in_schema=False)
    api.add_api_route("/wire.json", wire_document, include_in_schema=False)
    return api


def build_api(office: HeadOffice) -> ASGIApp:
    """The application, to be mounted at `PREFIX`."""
    api = describe_api()
    rate = office.settings.api.requests_a_minute
    api.state.gate = Gate(
        office=office, of_tokens=Throttle(rate, max(1, rate // 5)),
        of_addresses=Throttle(WRONG_A_MINUTE, WRONG_A_MINUTE),
    )  # fmt: skip
    return Tagged(api)


def openapi_document(api: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of the API: FastAPI's, with problem documents instead of its own error form."""
    if api.openapi_schema:
        return api.openapi_schema
    document = get_openapi(
        title=api.title, version=api.version, summary=api.summary, description=api.description, routes=api.routes,
        servers=[{"url": PREFIX}], license_info=api.license_info,
    )  # fmt: skip
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    described = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(described.pop("$defs", {}))
    schemas["Problem"] = described
    for path in document["paths"].values():
        for operation in path.values():
            given = operation["responses"].get("422", {}).get("content", {})
            given.pop("application/json", None)
    api.openapi_schema = document
    return document
