"""OpenAPI of what stores speak to (`/v1`), for programs that try it: the fuzz test first of all.

docs/wire-v1.md is the normative text. A request that is not from an enrolled store is refused whatever it holds; the
bodies here are described by their outer form only, for their signature is over their bytes.
"""

from __future__ import annotations

from typing import Any, Final

from central.wire import WIRE

_B64: Final = {"type": "string", "pattern": "^[A-Za-z0-9_-]*$"}
_WORD: Final = {"type": "string", "maxLength": 80}
_NUMBER: Final = {"type": "integer", "minimum": 1, "maximum": 2**53 - 1}
_PEM: Final = {"description": "PEM", "content": {"application/x-pem-file": {}}}
_SIGNED: Final = ("Cloche-Store", "Cloche-Signature")
_REFUSALS: Final = {
    "400": "another wire, or no request at all", "401": "no certificate, no such store, or not its signature",
    "403": "a token or certificate that does not hold", "409": "the number was used for other bytes",
    "413": "too large", "415": "a content encoding", "422": "malformed", "429": "busy", "503": "the database is away",
}  # fmt: skip


def wire_document() -> dict[str, Any]:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Cloche wire", "version": str(WIRE), "summary": "Between a store and head office."},
        "servers": [{"url": "/v1"}],
        "paths": {
            "/ca": {"get": {"summary": "The authority's certificate", "responses": {"200": _PEM}}},
            "/enrol": {"post": _operation("Enrol a store", _enrol(), ("Cloche-Signature",))},
            "/reports": {"post": _operation("A report", _report(), (*_SIGNED, "Cloche-Number", "Cloche-Instance"))},
            "/renew": {
                "post": _operation("A new certificate", _signed("cloche.renew/1", csr={"type": "string"}), _SIGNED)
            },
            "/group-key": {
                "post": _operation("The group key", _signed("cloche.group-key/1", key={"type": "string"}), _SIGNED)
            },
            "/orders": {"get": _poll()},
        },
        "components": {"schemas": {"Error": {"type": "object", "required": ["error"], "properties": {"error": _WORD}}}},
    }  # fmt: skip


def _operation(summary: str, body: dict[str, Any] | None, headers: tuple[str, ...]) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answers = {code: {"description": text, "content": error} for code, text in _REFUSALS.items()}
    done = {"description": "done", "content": {"application/json": {"schema": {"type": "object"}}}}
    described: dict[str, Any] = {
        "summary": summary, "parameters": _headers(headers), "responses": {"200": done, **answers},
    }  # fmt: skip
    if body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return described


def _headers(names: tuple[str, ...]) -> list[dict[str, Any]]:
    wire = {"name": "Cloche-Wire", "in": "header", "required": True, "schema": {"type": "integer", "enum": [WIRE]}}
    texts = {"Cloche-Number": _NUMBER, "Cloche-Signature": _B64}
    others = [
        {"name": name, "in": "header", "required": name != "Cloche-Instance", "schema": texts.get(name, _WORD)}
        for name in names
    ]
    return [wire, *others]


def _poll() -> dict[str, Any]:
    described = _operation("Orders, by long poll", None, ("Cloche-Store",))
    number: dict[str, Any] = {"type": "integer", "minimum": 0}
    return described | {
        "parameters": [
            *described["parameters"],
            {"name": "after", "in": "query", "required": True, "schema": number},
            {"name": "wait", "in": "query", "schema": number | {"maximum": 1}},
        ]
    }


def _signed(schema: str, **fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "required": ["schema", *fields],
        "properties": {"schema": {"type": "string", "enum": [schema]}, **fields},
    }  # fmt: skip


def _enrol() -> dict[str, Any]:
    return _signed(
        "cloche.enrol/1", token=_WORD, secret=_WORD, public_key=_B64, name={"type": "string"}, csr={"type": "string"}
    )


def _report() -> dict[str, Any]:
    previous = {"type": ["object", "null"], "properties": {"number": _NUMBER, "digest": {"type": "string"}}}
    return _signed(
        "cloche.report/1", kind=_WORD, number=_NUMBER, previous=previous,
        written_at={"type": "string", "format": "date-time"}, document={"type": "object"},
    )  # fmt: skip
