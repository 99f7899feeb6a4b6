"""The API's description for people: rows for the page at /settings/api, and docs/api.md from the same document."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from central.api.exports.tables import TABLES


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """Something that a request may say."""

    name: str
    place: str
    kind: str
    required: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    summary: str
    text: str
    parameters: tuple[Parameter, ...]
    body: str
    answer: str


def operations(document: dict[str, Any]) -> list[Operation]:
    """All of them, in the order of the document."""
    return [
        _operation(method, path, described)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]


def api_page(document: dict[str, Any]) -> str:
    """docs/api.md."""
    lines = [HEAD.rstrip()]
    for operation in operations(document):
        lines += ["", f"### `{operation.method} {operation.path}`", "", operation.text]
        if operation.parameters:
            lines += ["", "| parameter | in | type | |", "|---|---|---|---|"]
            lines += [
                f"| `{one.name}`{' *' if one.required else ''} | {one.place} | {one.kind} | {one.text} |"
                for one in operation.parameters
            ]
        if operation.body:
            lines += ["", f"Body: `{operation.body}`."]
        lines += ["", f"Answer: `{operation.answer}`." if operation.answer else "Answer: the file."]
    lines += ["", "## Forms"]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += ["", f"### `{name}`", "", schema.get("description", ""), "", "| field | type | |", "|---|---|---|"]
        needed = schema.get("required", [])
        lines += [
            f"| `{field}`{' *' if field in needed else ''} | {kind_of(said)} | {said.get('description', '')} |"
            for field, said in schema.get("properties", {}).items()
        ]
    lines += ["", "## Exports", "", "Columns, by which JSON rows and the API's CSV are keyed:", ""]
    lines += [f"- `{table.name}`: {', '.join(table.columns)}" for table in TABLES.values()]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def kind_of(schema: dict[str, Any]) -> str:
    """A type in few words."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "anyOf" in schema:
        return " or ".join(kind_of(part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "from"), ("maximum", "to"), ("maxLength", "at most"))
        if key in schema
    ]
    return " ".join([str(schema.get("format") or schema.get("type", "anything")), *bounds])


def _operation(method: str, path: str, described: dict[str, Any]) -> Operation:
    body = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    answers = described["responses"]
    good = next(code for code in ("200", "201") if code in answers)
    answer = answers[good].get("content", {}).get("application/json", {}).get("schema", {})
    return Operation(
        method=method.upper(), path=path, summary=described.get("summary", ""),
        text=" ".join(described.get("description", "").split()),
        parameters=tuple(
            Parameter(
                name=one["name"], place=one["in"], kind=kind_of(one["schema"]), required=one.get("required", False),
                text=one.get("description", ""),
            )
            for one in described.get("parameters", ())
        ),
        body=kind_of(body).strip("`") if body else "",
        answer=kind_of(answer).strip("`") if answer.get("$ref") else "",
    )  # fmt: skip


HEAD = """# The API of head office

Written from the program (`python -m central.api.reference`), and held to it by a test. The OpenAPI 3.1 document is at
`/api/v1/openapi.json`, a page about it at `/settings/api`; what stores speak is described at `/api/v1/wire.json` for
programs and in [wire-v1.md](wire-v1.md) for people.

## For all of it

- **Who asks.** `Authorization: Bearer TOKEN` (RFC 6750). A token is made by a person, speaks in their name, sees and
  does at most what they may at that moment, and ends with them. Read-only tokens look and export; one that writes may
  also give orders. What takes a person (approving, releasing, purging, policy, people, settings) no token may do.
- **What is in it.** Figures, masked names, times: never a customer's value. Times are UTC, ISO 8601.
- **Lists** come in pages: `{"items": […], "next": …}`; pass `next` as `cursor` until it is null. Rows that come or go
  between two pages are neither repeated nor hide others.
- **Not changed?** Each small answer has an `ETag`; with `If-None-Match` it is 304 without a body.
- **How often.** Each token has its own allowance (`[api] requests_a_minute` of `hq.toml`, 600, in each process), filled
  steadily; over it 429 with `Retry-After` in seconds. An address that sends wrong tokens waits too.
- **Errors** are `application/problem+json` (RFC 9457): `type` (`urn:cloche:problem:WORD`), `title`, `status`, `detail`
  and, for fields that do not fit, `errors` with `field` and `reason`. 401 no token that holds; 403 no right; 404 no
  such thing *or none that may be seen*; 422 a field; 429 too often or too busy; 503 the database is away.
- **Once.** `POST` takes `Idempotency-Key`: the same key with the same body answers the same order (200), with another
  body 409.
- **On record.** Every view is a view and every act an act in the name of the token's person, with the token's id.

## Metrics

`/metrics` for Prometheus, with a token, or from the machine itself without one where `hq.toml` says
`[api] metrics_on_loopback = true` (never behind a proxy that adds no header). Request times by route
(`cloche_hq_request_seconds`), reports by answer (`cloche_hq_reports_total`), the write queue
(`cloche_hq_queue_length`), long polls (`cloche_hq_polls_connected`), stores by urgency (`cloche_hq_stores`), database
errors, days left of certificates, the age of the oldest order that a store owes an answer to, webhook deliveries that
wait. Processes of one server tell their sum; of several servers each tells its own requests, and what is read from the
database is the same from all of them.

## Webhooks

Made under `/settings/hooks`: an https address, topics, a secret shown once. Each delivery is a `POST` in the
[Standard Webhooks](https://www.standardwebhooks.com) form: `webhook-id`, `webhook-timestamp`, `webhook-signature`
(`v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`, the key being the base64 behind `whsec_`). Body:
`{"type": TOPIC, "timestamp": …, "data": {…}}` with masked figures only. Delivered at least once: take `webhook-id` for
what you have had already. Order is not kept: `data.at` says when. Any 2xx takes it; 410 pauses the webhook; anything
else is tried again after 5 s, 30 s, 2 min, 10 min, 1 h, then every 6 h, for 3 days. Redirects are not followed.

| topic | when |
|---|---|
| `incident.opened` | a store told of a new incident |
| `incident.phase` | an incident went on to another phase |
| `alert.high` | an alert of high severity is open |
| `store.silent` | a store has not been heard from for an hour |
| `clock.due` | a clock of the law ends within 24 h, and once more when it is over |
| `order.refused` | a store refused an order, or could not carry it out |
| `fault.clone` | two machines speak as one store |

## Operations

Paths are below `/api/v1`; `*` marks what must be there.
"""


def main() -> None:
    """Write docs/api.md to stdout."""
    from central.api.programs import describe_api, openapi_document

    sys.stdout.write(api_page(openapi_document(describe_api())))


if __name__ == "__main__":
    main()
