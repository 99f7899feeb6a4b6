"""`incident.report|declare|list|show|close|dismiss`: check what was asked, do it, answer with documents."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, get_args

from agent.incident import declare as declaring
from agent.incident import life, undo
from agent.incident.moments import parse_moment, zone_of
from agent.incident.records import KINDS, SCOPES, Declaration, Incident
from agent.incident.store import incidents
from agent.incident.view import clocks_of, full, summary
from agent.operation import Answer, Request
from config.errors import ExitCode, RefusedError, UsageError
from config.schema import Role
from containment.keys import Unlocker

if TYPE_CHECKING:
    from agent.wiring import Agent

DECLARERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "response_lead", "tech_support", "store_manager",
    "area_manager", "privacy_officer",
)  # fmt: skip
ENDERS: Final[tuple[Role, ...]] = ("security_lead", "security_deputy", "response_lead")
READERS: Final[tuple[Role, ...]] = get_args(Role)
LONGEST_TEXT: Final = 4000
MOST_REPORTS: Final = 10


def report(agent: Agent, request: Request) -> Answer:
    """疑似上报: anyone may; contains nothing. Who has no role gets the number and the clocks, no view of the data.

    Raises:
        RefusedError: somebody without a role reported `MOST_REPORTS` times within the hour: each writes documents and
            goes to head office, and a full disk is what a thief would want.
    """
    if not request.caller.is_owner and not request.caller.roles:
        not_too_many(agent, request.caller.user)
    incident = declaring.report(agent, read_declaration(agent, request))
    document = full(agent, incident, agent.now())
    if not request.caller.is_owner and not request.caller.roles:
        kept = ("schema", "id", "kind", "phase", "discovered_at", "reported_at", "clocks", "complete", "failures")
        document = {name: document[name] for name in kept}
    return Answer(document=document, exit_code=code_of(incident))


def not_too_many(agent: Agent, user: str) -> None:
    """Bound the reports of one account.

    Raises:
        RefusedError: it made `MOST_REPORTS` within the hour.
    """
    by, since = agent.mask(user), agent.now() - timedelta(hours=1)
    made = [
        incident
        for incident in incidents(agent).all()
        if incident.by == by and incident.reported_at is not None and incident.reported_at > since
    ]
    if len(made) >= MOST_REPORTS:
        raise RefusedError(agent.text("incident.too_many_reports", count=MOST_REPORTS))


def declare(agent: Agent, request: Request) -> Answer:
    """启动应急预案. With `preview` only the set is shown. `incident` names a report that is declared now."""
    request.may(*DECLARERS)
    declaration = read_declaration(agent, request)
    if request.arguments.get("preview"):
        return Answer(document=preview_document(agent, declaration))
    incident = declaring.declare(agent, declaration, text_of(request, "incident") or None)
    return Answer(document=full(agent, incident, agent.now()), exit_code=code_of(incident))


def list_incidents(agent: Agent, request: Request) -> Answer:
    """Every incident, newest first, each with its most urgent clock."""
    request.may(*READERS)
    now, zone = agent.now(), zone_of(agent.settings.store.timezone)
    rows = [
        {
            **summary(incident, zone),
            "clock": clocks_of(agent, incident, now)[0].document(agent.text.language, zone),
        }
        for incident in incidents(agent).all()
    ]
    return Answer(document={"schema": "cloche.incidents/1", "incidents": rows})


def show(agent: Agent, request: Request) -> Answer:
    """One incident with all that is known."""
    request.may(*READERS)
    incident = incidents(agent).get(text_of(request, "id"))
    document = full(agent, incident, agent.now())
    following = life.next_phase(incident)
    document["next_phase"] = following
    document["unmet"] = [
        unmet.words(agent.text) for unmet in (life.unmet_for(agent, incident, following) if following else ())
    ]
    return Answer(document=document)


def close(agent: Agent, request: Request) -> Answer:
    """The end, out of the review; with `false_alarm` the same as `dismiss`.

    Raises:
        RefusedError: the check is not clean, the report is not handed in, or orders are open; `override` says why not.
    """
    if request.arguments.get("false_alarm"):
        return dismiss(agent, request)
    request.may(*ENDERS)
    move = life.Move(to="closed", override=text_of(request, "override"), reason=text_of(request, "reason"))
    incident = life.advance(agent, text_of(request, "id"), request.caller.user, move)
    return Answer(document=full(agent, incident, agent.now()), exit_code=code_of(incident))


def dismiss(agent: Agent, request: Request) -> Answer:
    """误报: undo everything. A key file may come as the first descriptor."""
    request.may(*ENDERS)
    unlocker: Unlocker | None = agent.keyring.unlocker(request.descriptors[0]) if request.descriptors else None
    incident = undo.dismiss(agent, text_of(request, "id"), request.caller.user, text_of(request, "reason"), unlocker)
    return answer_for(agent, incident, "dismiss")


def answer_for(agent: Agent, incident: Incident, act: str) -> Answer:
    """The document; exit code by the steps since the last `act`."""
    last = max(number for number, step in enumerate(incident.steps) if step.act == act)
    failed = any(not step.ok for step in incident.steps[last:])
    document = full(agent, incident, agent.now())
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if failed else ExitCode.DONE)


def code_of(incident: Incident) -> ExitCode:
    """3 where a part failed."""
    return ExitCode.DONE if incident.complete else ExitCode.INCOMPLETE


def preview_document(agent: Agent, declaration: Declaration) -> dict[str, Any]:
    """`cloche.incident.preview/1`: the set that a declaration would contain."""
    affected = declaring.preview(agent, declaration)
    return {
        "schema": "cloche.incident.preview/1", "scope": affected.scope, "files": len(affected.items),
        "persons": affected.persons, "types": list(affected.types),
        "items": [
            {"name": item.name, "persons": item.persons, "types": list(item.types)} for item in affected.items
        ],
        "left_out": [{"name": left.name, "why": left.why} for left in affected.left_out],
    }  # fmt: skip


def read_declaration(agent: Agent, request: Request) -> Declaration:
    """The declaration that the arguments make.

    Raises:
        UsageError: a kind or scope that is none, a time that cannot be, no summary, a path that is not absolute.
    """
    arguments = request.arguments
    now, zone = agent.now(), zone_of(agent.settings.store.timezone)
    kind, scope = text_of(request, "kind"), text_of(request, "scope")
    if kind not in KINDS:
        raise UsageError(f"--kind: {kind!r} is none of {', '.join(KINDS)}")
    if scope and scope not in SCOPES:
        raise UsageError(f"--scope: {scope!r} is none of {', '.join(SCOPES)}")
    words = text_of(request, "summary").strip()
    if not words:
        raise UsageError("--summary: say in a sentence what was seen")

    def moment(name: str) -> datetime | None:
        text = text_of(request, name)
        return parse_moment(text, f"--{name.replace('_', '-')}", now, zone) if text else None

    paths = tuple(map(absolute, arguments.get("paths") or ()))
    if not request.caller.is_owner:
        within_roots(agent, paths)
    discovered_at, occurred_at = moment("discovered_at") or noticed(agent, scope, now), moment("occurred_at")
    if occurred_at and occurred_at > discovered_at:
        raise UsageError("--occurred-at: lies after --discovered-at")
    return Declaration(
        kind=kind, summary=words[:LONGEST_TEXT], discovered_at=discovered_at,
        occurred_at=occurred_at, place=text_of(request, "place")[:LONGEST_TEXT],
        types=tuple(agent.mask(str(name)) for name in arguments.get("types") or ()),
        paths=paths, scope=scope or None,
        by=request.caller.user,
    )  # fmt: skip


def noticed(agent: Agent, scope: str, now: datetime) -> datetime:
    """When it was discovered, if nobody says: what open alerts are about was discovered by the first of them."""
    alerts = agent.inventory.alerts() if scope == "alerts" else ()
    return min((alert.at for alert in alerts if alert.keys), default=now)


def within_roots(agent: Agent, paths: tuple[bytes, ...]) -> None:
    """Who is not the owner may name what is scanned: a role must not move the system's own files.

    Raises:
        RefusedError: a path lies elsewhere.
    """
    roots = [os.path.realpath(os.fsencode(root)) for root in agent.settings.scan.roots]
    for path in paths:
        real = os.path.realpath(path)
        if not any(real == root or real.startswith(root.rstrip(b"/") + b"/") for root in roots):
            raise RefusedError(f"{agent.mask(os.fsdecode(path))}: lies outside the scanned folders")


def absolute(text: object) -> bytes:
    """A path as bytes, without `..` and doubled slashes.

    Raises:
        UsageError: it is not absolute.
    """
    path = os.fsencode(str(text))
    if not path.startswith(b"/"):
        raise UsageError(f"--path: {text} is not absolute")
    return os.path.normpath(path)


def text_of(request: Request, name: str) -> str:
    """A text argument, '' where it is absent.

    Raises:
        UsageError: it is no text.
    """
    value = request.arguments.get(name) or ""
    if not isinstance(value, str):
        raise UsageError(f"{name}: must be text")
    return value
