"""`quarantine.purge|purges|veto`: ask for a destruction, see where it stands, say no to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from agent.incident.clocks import iso
from agent.incident.moments import zone_of
from agent.operation import Answer, Request
from agent.purge.carrying import approve_or_ask, ask, cancel, carry_out
from agent.purge.records import Purge
from agent.purge.store import Purges
from agent.quarantining import wanted_entries
from config.errors import ExitCode, UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent

MAY_ASK: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "response_lead", "legal", "privacy_officer", "store_manager",
)  # fmt: skip
MAY_SAY_NO: Final[tuple[Role, ...]] = get_args(Role)
LONGEST_TEXT: Final = 2000


def purge(agent: Agent, request: Request) -> Answer:
    """Ask for entries to be destroyed, or go on with a request whose time has come.

    Arguments of the request: `ids`, `paths` or `all`; or `purge`, the id of a request; `reason`; `originals` with
    `statement`.

    Raises:
        UsageError: something named is not in quarantine, nothing is named, or words are missing.
        RefusedError: no right; not in the vault; the lawyer's word is needed; who still has to approve.
    """
    request.may(*MAY_ASK)
    arguments, actor = request.arguments, request.caller.user
    if arguments.get("purge"):
        found = Purges(agent).get(str(arguments["purge"]))
    else:
        entries = [entry for entry in wanted_entries(agent, arguments) if entry.state in ("fenced", "vaulted")]
        found = ask(
            agent, entries, actor, reason=_text(arguments, "reason"), originals=bool(arguments.get("originals")),
            statement=_text(arguments, "statement"),
        )  # fmt: skip
    if found.state == "asked":
        found = approve_or_ask(agent, found, actor)
    elif found.state == "carrying" or (found.state == "waiting" and found.due_at and found.due_at <= agent.now()):
        found = carry_out(agent, found, actor)
    whole = found.state == "done" and not found.outcome.get("left")
    document = {"schema": "cloche.quarantine-purge/1", **fields(agent, found)}
    return Answer(document=document, exit_code=ExitCode.DONE if whole else ExitCode.INCOMPLETE)


def purges(agent: Agent, request: Request) -> Answer:
    """Every purge, newest first."""
    request.may(*MAY_SAY_NO)
    listed = [fields(agent, found) for found in Purges(agent).all()]
    return Answer(document={"schema": "cloche.quarantine-purges/1", "purges": listed})


def veto(agent: Agent, request: Request) -> Answer:
    """Say no to a purge by its `purge` id ('' means the only one that is open), with a `reason`.

    Raises:
        UsageError: none is open, more than one is, or it is over.
        RefusedError: the caller has no role.
    """
    request.may(*MAY_SAY_NO)
    wanted = _text(request.arguments, "purge")
    open_ones = Purges(agent).all("asked", "waiting")
    if wanted:
        found = Purges(agent).get(wanted)
    elif len(open_ones) == 1:
        found = open_ones[0]
    else:
        raise UsageError(agent.text("purge.which", ids=", ".join(one.id for one in open_ones) or "–"))
    ended = cancel(agent, found, request.caller.user, _text(request.arguments, "reason"))
    return Answer(document={"schema": "cloche.quarantine-purge/1", **fields(agent, ended)})


def fields(agent: Agent, found: Purge) -> dict[str, Any]:
    """A purge as JSON; keys are stable."""
    zone = zone_of(agent.settings.store.timezone)
    left = found.outcome.get("left", {})
    return {
        "id": found.id, "state": found.state, "originals": found.originals, "reason": found.reason,
        "statement": found.statement, "by": found.by, "asked_at": iso(found.asked_at, zone),
        "approved_at": iso(found.approved_at, zone), "due_at": iso(found.due_at, zone),
        "ended_at": iso(found.ended_at, zone), "ended_by": found.ended_by, "subject": found.subject,
        "items": [
            {
                "id": item.id, "incident": item.incident, "name": item.name, "size": item.size,
                "sealed_sha256": item.sealed_sha256, "hold": item.hold, "left": left.get(item.id, ""),
            }
            for item in found.items
        ],
        "destroyed": len(found.outcome.get("destroyed", ())), "keys": found.outcome.get("keys", []),
        "papers": found.outcome.get("papers", []),
    }  # fmt: skip


def _text(arguments: dict[str, Any], name: str) -> str:
    return str(arguments.get(name) or "")[:LONGEST_TEXT]
