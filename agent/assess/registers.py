"""`assess.collection` and `assess.blind`: where customers hand over information, and what lies out of sight."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from agent.assess.look import Look
from agent.assess.measures.inventory import outlived, unexplained
from agent.assess.operations import KEEPERS, READERS, words_of
from agent.assess.store import AssessmentStore, BlindSpot, CollectionPoint
from agent.inventory.paths import path_fields
from agent.inventory.subjects import subject_of
from agent.operation import Answer, Request
from config.errors import UsageError

if TYPE_CHECKING:
    from agent.wiring import Agent

BY_SUBJECT: Final = {
    "reservations": "booking", "queue": "booking", "members": "member", "cards": "member", "customers": "member",
    "orders": "qr_order", "invoices": "invoice", "addresses": "delivery",
}  # fmt: skip
"""What a file is about → the channel that it probably comes from."""
MOST_DAYS: Final = 36_500
LONGEST_NAME: Final = 80


def collection(agent: Agent, request: Request) -> Answer:
    """List, enter, strike, check or suggest collection points; `act` says which.

    Raises:
        UsageError: no such act, channel, basis or point.
        RefusedError: the caller has no role.
    """
    act = str(request.arguments.get("act") or "list")
    store = AssessmentStore(agent.inventory.sessions)
    if act in ("add", "remove"):
        request.may(*KEEPERS)
        name = _name(agent, request)
        if act == "remove":
            store.remove_point(name)
        else:
            store.put_point(_point(agent, request, store, name))
        agent.audit.append(f"assess.collection_{act}", request.caller.user, name=name)
    else:
        request.may(*READERS)
    look = Look(agent=agent, now=agent.now())
    document: dict[str, Any] = {
        "schema": "cloche.assess.collection/1",
        "points": [_point_fields(agent, request, one) for one in store.points()],
    }  # fmt: skip
    if act == "check":
        points = store.points()
        document["unexplained"] = [
            {**_path(agent, request, file.path), "persons": file.persons, "entities": sorted(strange)}
            for file in look.survey.files
            if (strange := unexplained(file, points))
        ]
        document["outlived"] = [
            {**_path(agent, request, file.path), "persons": file.persons, "days": int(file.age_days(look.now))}
            for file in outlived(look, points)
        ]
        document["unseen"] = [
            one.name for one in points if one.paths and agent.inventory.last_run(covering=one.paths) is None
        ]  # fmt: skip
    if act == "suggest":
        document["suggested"] = _suggested(agent, request, look, store.points())
    return Answer(document=document)


def _point(agent: Agent, request: Request, store: AssessmentStore, name: str) -> CollectionPoint:
    """The point as asked; what is not said stays as it was."""
    given, pack = request.arguments, Look(agent=agent, now=agent.now()).pack
    known = next((one for one in store.points() if one.name == name), None)
    channel = str(given.get("channel") or (known.channel if known else ""))
    found = pack.channel(channel)
    if found is None:
        raise UsageError(f"{channel!r}: no channel; one of {', '.join(one.id for one in pack.channels)}")
    basis = str(given.get("basis") or "")
    if basis and basis not in pack.bases:
        raise UsageError(f"--basis: {basis!r} is none of {', '.join(pack.bases)}")
    days = given.get("retention_days")
    if days is not None and not 0 < int(days) <= MOST_DAYS:
        raise UsageError(f"--retention-days: from 1 to {MOST_DAYS}")
    entities = tuple(str(one).upper() for one in given.get("entities") or ())
    paths = tuple(os.fsencode(str(path)) for path in given.get("paths") or ())
    new = known or CollectionPoint(
        name=name, channel=channel, purpose="", basis="", retention_days=None, entities=found.entities, outside="",
        paths=(), changed_at=agent.now(),
    )  # fmt: skip
    return replace(
        new, channel=channel, purpose=words_of(agent, request, "purpose") or new.purpose, basis=basis or new.basis,
        retention_days=int(days) if days is not None else new.retention_days, entities=entities or new.entities,
        outside=words_of(agent, request, "outside") or new.outside, paths=paths or new.paths, changed_at=agent.now(),
    )  # fmt: skip


def _point_fields(agent: Agent, request: Request, point: CollectionPoint) -> dict[str, Any]:
    return {
        "name": point.name, "channel": point.channel, "purpose": point.purpose, "basis": point.basis,
        "retention_days": point.retention_days, "entities": list(point.entities), "outside": point.outside,
        "paths": [_path(agent, request, path)["path"] for path in point.paths], "lacks": list(point.lacks),
    }  # fmt: skip


def _suggested(agent: Agent, request: Request, look: Look, points: list[CollectionPoint]) -> list[dict[str, Any]]:
    """Points that what was found speaks of, one a channel and folder, with the most persons first."""
    found: dict[tuple[str, bytes], int] = {}
    for file in look.survey.files:
        if not unexplained(file, points):
            continue
        subject = subject_of(os.path.basename(file.path).decode("utf-8", "replace"))
        channel = BY_SUBJECT.get(subject, "other")
        place = file.path if file.is_database or file.live else os.path.dirname(file.path)
        found[channel, place] = max(found.get((channel, place), 0), file.persons)
    ordered = sorted(found.items(), key=lambda entry: -entry[1])
    return [
        {"channel": channel, "persons": persons, **_path(agent, request, place)}
        for (channel, place), persons in ordered[:20]
    ]  # fmt: skip


def _path(agent: Agent, request: Request, path: bytes) -> dict[str, str]:
    return path_fields(path, None if request.caller.is_owner else agent.mask)


def blind(agent: Agent, request: Request) -> Answer:
    """List, enter, attest, strike or suggest places out of sight; `act` says which.

    Raises:
        UsageError: no such act, kind or place, or an owner whom nobody knows.
        RefusedError: the caller has no role.
    """
    act = str(request.arguments.get("act") or "list")
    store, now = AssessmentStore(agent.inventory.sessions), agent.now()
    if act in ("add", "remove", "attest"):
        request.may(*KEEPERS)
        name = _name(agent, request)
        if act == "remove":
            store.remove_spot(name)
        elif act == "add":
            store.put_spot(_spot(agent, request, store, name))
        else:
            spot = store.spot(name)
            by = words_of(agent, request, "by") or spot.owner or agent.mask(request.caller.user)
            note = words_of(agent, request, "note")
            store.put_spot(replace(spot, attested_at=now, attested_by=by, note=note))
        agent.audit.append(f"assess.blind_{act}", request.caller.user, name=name)
    else:
        request.may(*READERS)
    spots = store.spots()
    document: dict[str, Any] = {
        "schema": "cloche.assess.blind/1",
        "spots": [
            {
                "name": spot.name, "kind": spot.kind, "place": spot.place, "owner": spot.owner,
                "every_days": spot.every_days, "overdue": spot.overdue(now), "note": spot.note,
                "attested_at": spot.attested_at.isoformat() if spot.attested_at else None,
                "attested_by": spot.attested_by,
            }
            for spot in spots
        ],
    }  # fmt: skip
    if act == "suggest":
        there = {spot.kind for spot in spots}
        document["suggested"] = [
            kind for kind in Look(agent=agent, now=now).pack.blind_kinds if kind not in there and kind != "other"
        ]  # fmt: skip
    return Answer(document=document)


def _spot(agent: Agent, request: Request, store: AssessmentStore, name: str) -> BlindSpot:
    given = request.arguments
    kinds = Look(agent=agent, now=agent.now()).pack.blind_kinds
    known = next((one for one in store.spots() if one.name == name), None)
    kind = str(given.get("kind") or (known.kind if known else ""))
    if kind not in kinds:
        raise UsageError(f"--kind: {kind!r} is none of {', '.join(kinds)}")
    owner = str(given.get("owner") or (known.owner if known else ""))
    if owner and agent.people.named(owner) is None:
        raise UsageError(agent.text("assess.unknown_person", file=str(agent.home.settings_file)))
    every = int(given.get("every_days") or (known.every_days if known else 90))
    if not 0 < every <= MOST_DAYS:
        raise UsageError(f"--every: days from 1 to {MOST_DAYS}")
    place = words_of(agent, request, "place")
    if known is not None:
        return replace(known, kind=kind, owner=owner, every_days=every, place=place or known.place)
    return BlindSpot(
        name=name, kind=kind, place=place, owner=owner, every_days=every, added_at=agent.now(), attested_at=None,
        attested_by="", note="",
    )  # fmt: skip


def _name(agent: Agent, request: Request) -> str:
    """The name given, masked: it is shown to everybody.

    Raises:
        UsageError: there is none, or it is too long.
    """
    name = words_of(agent, request, "name").strip()
    if not name or len(name) > LONGEST_NAME:
        raise UsageError(f"a name of 1 to {LONGEST_NAME} characters is needed")
    return name
