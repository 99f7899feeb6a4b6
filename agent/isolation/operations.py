"""`isolate.on|off|status`: cut this machine off, or one client alone, and let it be again."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, get_args

from agent.incident.store import incidents
from agent.isolation.carrying import lift, note, order, seen
from agent.isolation.kept import Kept, all_kept, ended_by, links_told, offers
from agent.isolation.state import Isolation, Isolations, boot_id
from agent.operation import Answer, Request
from config.errors import ExitCode, RefusedError, UsageError
from config.schema import Role
from containment.allowlist import covers, parse_allowed, parse_client
from containment.connections import Connection, connections
from containment.network import LONGEST_SECONDS, MOST_CLIENTS

if TYPE_CHECKING:
    from agent.wiring import Agent

MAY_CUT: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "response_lead", "tech_support", "store_manager",
    "area_manager", "privacy_officer",
)  # fmt: skip
MAY_LIFT: Final[tuple[Role, ...]] = ("security_lead", "security_deputy", "response_lead", "tech_support")
MAY_LOOK: Final[tuple[Role, ...]] = get_args(Role)
LONGEST_REASON: Final = 1000


def on(agent: Agent, request: Request) -> Answer:
    """Cut all but what is kept, or with `clients` these alone. With `preview` only the outcome is shown.

    Arguments of the request: `clients`, `minutes`, `allow` (entries for this time), `keep` (the till's connections),
    `incident`, `reason`, `session` (far address and own port of whoever asks over the network), `preview`.

    Raises:
        UsageError: an address, entry, time or incident is none.
        RefusedError: no right; whoever asks would lock himself out; or the kernel does not let us.
    """
    request.may(*MAY_CUT)
    arguments = request.arguments
    clients = tuple(str(parse_client(str(text))) for text in arguments.get("clients") or ())
    extra = tuple(str(parse_allowed(str(text), where="--allow")) for text in arguments.get("allow") or ())
    minutes = _minutes(arguments.get("minutes"), agent.settings.isolate.minutes)
    incident = incidents(agent).get(str(arguments["incident"])).id if arguments.get("incident") else ""
    found = connections()
    _never_ourselves(clients, found)
    if not clients and arguments.get("keep"):
        extra += tuple(str(offer.entry) for offer in offers(agent, found))
    kept = all_kept(agent, extra, found)
    if not clients and not minutes:
        _no_lock_out(agent, arguments.get("session"), kept)
    if arguments.get("preview"):
        return Answer(document=_preview(agent, clients, kept, found))
    now, user = agent.now(), agent.mask(request.caller.user)
    until = now + timedelta(minutes=minutes) if minutes else None
    reason = agent.mask(str(arguments.get("reason") or "")[:LONGEST_REASON])

    def change(known: Isolation | None) -> Isolation:
        base = known.without_ended(now) if known else Isolation(since=now, by=user)
        ordered = replace(base, since=now, by=user, reason=reason, incident=incident or base.incident)
        if not clients:
            return replace(ordered, everything=True, until=until, kept=extra)
        together = {**base.clients, **dict.fromkeys(clients, until)}
        if len(together) > MOST_CLIENTS:
            raise UsageError(f"--client: more than {MOST_CLIENTS} clients: isolate the whole machine")
        return replace(ordered, clients=together)

    done = order(agent, change)
    if clients:
        note(agent, done.isolation, "client", actor=user, clients=", ".join(clients), minutes=minutes, why=reason)
    else:
        note(
            agent, done.isolation, "on", actor=user, kept=len(kept), minutes=minutes, unknown=list(done.unknown),
            ends=links_told(agent, ended_by(kept, found)), why=reason,
        )  # fmt: skip
    document = {**_document(agent, kept, found), "unknown": list(done.unknown)}
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if done.unknown else ExitCode.DONE)


def off(agent: Agent, request: Request) -> Answer:
    """Let everything through again, or with `clients` these alone.

    Raises:
        UsageError: an address is none, or is not cut.
        RefusedError: no right, or the kernel does not let us.
    """
    request.may(*MAY_LIFT)
    clients = tuple(str(parse_client(str(text))) for text in request.arguments.get("clients") or ())
    current = Isolations(agent.journal).current()
    for client in clients:
        if current is None or client not in current.clients:
            raise UsageError(agent.text("isolate.not_cut", client=client))
    before = lift(agent, clients)
    if before is not None:
        note(agent, before, "off", actor=agent.mask(request.caller.user), clients=", ".join(clients))
    return Answer(document=_document(agent, all_kept(agent, ()), []))


def status(agent: Agent, request: Request) -> Answer:
    """What is cut by order and by the kernel's word, what goes on, and what the till's programs would need."""
    request.may(*MAY_LOOK)
    current = Isolations(agent.journal).current()
    found = connections()
    document = _document(agent, all_kept(agent, current.kept if current else (), found), found)
    return Answer(
        document=document, exit_code=ExitCode.DONE if document["as_ordered"] is not False else ExitCode.INCOMPLETE
    )


def _document(agent: Agent, kept: list[Kept], found: list[Connection]) -> dict[str, Any]:
    """`cloche.isolate/1`. `as_ordered` None: the kernel could not be asked."""
    current = Isolations(agent.journal).current()
    kernel = seen(agent)
    ordered = current.without_ended(agent.now()) if current else None
    as_ordered = None
    if kernel is not None:
        clients = {str(cut.address) for cut in kernel.clients}
        as_ordered = kernel.everything == bool(ordered and ordered.everything) and clients == set(
            ordered.clients if ordered else ()
        )
    listed = [entry.entry for entry in kept]
    return {
        "schema": "cloche.isolate/1",
        "ordered": None if ordered is None or not ordered.cuts else {
            **{key: value for key, value in ordered.document().items() if key not in ("boot", "told")},
            "before_reboot": ordered.boot != boot_id(),
        },
        "kernel": None if kernel is None else {
            "everything": kernel.everything, "seconds_left": kernel.seconds, "refused_packets": kernel.refused,
            "clients": [{"address": str(cut.address), "seconds_left": cut.seconds} for cut in kernel.clients],
        },
        "as_ordered": as_ordered,
        "kept": [{"entry": str(item.entry), "why": item.why} for item in kept],
        "offered": [
            {"entry": str(offer.entry), "program": offer.program}
            for offer in offers(agent, found)
            if not _is_listed(offer.entry.network, offer.entry.port, offer.entry.direction, listed)
        ],
    }  # fmt: skip


def _preview(agent: Agent, clients: tuple[str, ...], kept: list[Kept], found: list[Connection]) -> dict[str, Any]:
    """`cloche.isolate.preview/1`: what would end now."""
    wanted = set(clients)
    ended = [link for link in found if link.leaves and str(link.remote) in wanted] if clients else ended_by(kept, found)
    return {
        "schema": "cloche.isolate.preview/1", "clients": list(clients),
        "kept": [] if clients else [{"entry": str(item.entry), "why": item.why} for item in kept],
        "needed": [
            client for client in clients
            if any(item.entry.network is not None and ipaddress.ip_address(client) in item.entry.network
                   for item in kept if item.why not in ("order", "enrolment"))
        ],
        "ends": links_told(agent, ended),
        "ends_count": len(ended),
    }  # fmt: skip


def _is_listed(network: Any, port: int | None, direction: Any, listed: list[Any]) -> bool:
    return network is not None and covers(listed, network.network_address, port, direction)


def _minutes(given: Any, default: float) -> float:
    minutes = default if given is None else given
    if not isinstance(minutes, int | float) or not 0 <= minutes * 60 <= LONGEST_SECONDS:
        raise UsageError(f"--minutes: 0 to {LONGEST_SECONDS // 60}")
    return float(minutes)


def _never_ourselves(clients: tuple[str, ...], found: list[Connection]) -> None:
    own = {str(connection.local) for connection in found}
    for client in clients:
        if client in own:
            raise UsageError(f"--client: {client} is this machine's own address")


def _no_lock_out(agent: Agent, session: Any, kept: list[Kept]) -> None:
    """Whoever works here over the network must be able to undo it.

    Raises:
        RefusedError: this session would be cut, and nothing ends the isolation by itself.
    """
    if not isinstance(session, dict) or not session.get("address"):
        return
    try:
        address, port = parse_client(str(session["address"])), int(session.get("port") or 0)
    except (UsageError, ValueError):
        return
    if not covers([item.entry for item in kept], address, port, "in"):
        raise RefusedError(agent.text("isolate.lock_out", address=address, port=port))
