"""`vendor.trace`: whose copy is it? A file that turned up is searched for the canaries of every package.

A canary went into one package and nowhere else, so one that is found names the package. One alone may have got out by
another way (somebody called the number and noted it); two of one package do not by chance: that is the confidence. How
many of a package's canaries are in the file tells about how much of the package is. Without any, the persons in it are
compared with what was shared, by keyed fingerprints, where the recovery key opens the sealed segments: that says what
was shared to whom, never whose copy it is.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agent.confined import run_confined
from agent.vendors.approval import text_of
from agent.vendors.ending import digest_of
from agent.vendors.models import TraceRow
from agent.vendors.reading import Read, read_persons
from agent.vendors.records import Share
from agent.vendors.segment import read_segment
from agent.vendors.store import vendors
from config.errors import ClocheError, ExitCode, UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.operation import Answer, Request
    from agent.wiring import Agent

TRACERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "response_lead", "legal", "privacy_officer", "store_manager",
    "tech_support",
)  # fmt: skip
ONE: Final = 0.9
"""Confidence by a single canary."""
SEVERAL: Final = 0.99
SEARCH_SECONDS: Final = 900.0
MOST_COMPARED: Final = 500
LEAST_OVERLAP: Final = 3
"""Persons in common from which a package is named: two or three may be customers of any shop."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What a look at a file found. `found` and `overlaps` are documents, the surest first."""

    found: tuple[dict[str, Any], ...]
    overlaps: tuple[dict[str, Any], ...]
    compared: int
    unread: dict[str, int]
    persons: int | None
    types: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """All of the file was read."""
        return not self.unread


def trace(agent: Agent, request: Request) -> Answer:
    """Descriptors: the file, and the recovery key where there is one. Arguments: `name`, `report`.

    Raises:
        UsageError: no file.
        RefusedError: no role, or the key is another store's.
        ClocheError: the file could not be read at all.
    """
    from agent.operation import Answer

    request.may(*TRACERS)
    if not request.descriptors:
        raise UsageError(agent.text("vendor.no_files"))
    file, *key = request.descriptors
    name = text_of(request, "name")[-200:] or "-"
    sha256 = digest_of(file)
    done = look(agent, name, file, key[0] if key else None)
    verdict = {
        "found": list(done.found), "overlaps": list(done.overlaps), "compared": done.compared,
        "unread": done.unread, "complete": done.complete, "persons": done.persons,
    }  # fmt: skip
    row = TraceRow(
        at=agent.now(), by=agent.mask(request.caller.user), name=agent.mask(name), sha256=sha256,
        verdict=json.dumps(verdict, ensure_ascii=False), incident="",
    )  # fmt: skip
    number = vendors(agent).add_trace(row)
    agent.audit.append(
        "vendor.trace", request.caller.user, trace=number, file=agent.mask(name), sha256=sha256,
        packages=[found["package"] for found in done.found], complete=done.complete,
    )  # fmt: skip
    document = {
        "schema": "cloche.vendor.trace/1", "trace": number, "name": agent.mask(name), "sha256": sha256, **verdict,
        "incident": report(agent, request, number, done) if request.arguments.get("report") else "",
    }  # fmt: skip
    return Answer(document=document, exit_code=ExitCode.DONE if done.complete else ExitCode.INCOMPLETE)


def look(agent: Agent, name: str, file: int, key: int | None) -> Trace:
    """Search a file, and compare it where nothing was found and a key is at hand."""
    store = vendors(agent)
    plantings = store.plantings()
    canaries = [{"id": p.id, "phone": p.phone or "", "email": p.email or ""} for p in plantings]
    answer = run_confined(
        agent, "vendor.search", {"name": name, "canaries": canaries}, (file,), seconds=SEARCH_SECONDS
    )  # fmt: skip
    owner = {planting.id: planting.share for planting in plantings}
    totals = Counter(owner.values())
    hits = Counter(owner[canary] for canary in answer.get("hits", {}) if canary in owner)
    found = [_found(agent, store.share(share), count, totals[share]) for share, count in hits.most_common()]
    unread = {str(reason)[:40]: int(count) for reason, count in dict(answer.get("unread", {})).items()}
    if found or key is None:
        return Trace(found=tuple(found), overlaps=(), compared=0, unread=unread, persons=None, types=())
    read = read_persons(agent, [(name, file)])[0]
    overlaps, compared = _overlaps(agent, read, key)
    return Trace(
        found=(), overlaps=tuple(overlaps), compared=compared, unread=unread, persons=read.persons, types=read.types
    )  # fmt: skip


def _found(agent: Agent, share: Share, count: int, total: int) -> dict[str, Any]:
    vendor = vendors(agent).get(share.vendor)
    return {
        "package": share.id, "vendor": vendor.id, "vendor_name": vendor.name, "purpose": share.purpose,
        "contract": share.contract, "shared_at": share.shared_at.isoformat(), "state": share.state,
        "canaries_found": count, "canaries": total, "part": round(count / total, 3),
        "confidence": ONE if count == 1 else SEVERAL, "persons": share.persons,
    }  # fmt: skip


def _overlaps(agent: Agent, read: Read, key: int) -> tuple[list[dict[str, Any]], int]:
    """Packages with persons of the file, those with the largest part of it first, and how many were compared."""
    unlocker = agent.keyring.unlocker(key)
    store = vendors(agent)
    overlaps, compared, refused = [], 0, None
    for share in [share for share in store.shares() if share.segment][:MOST_COMPARED]:
        try:
            keys = read_segment(agent, share.segment, unlocker)
        except ClocheError as error:
            refused = error
            continue
        compared += 1
        common = len(keys & read.keys)
        if common >= LEAST_OVERLAP:
            vendor = store.get(share.vendor)
            overlaps.append(
                {
                    "package": share.id, "vendor": vendor.id, "vendor_name": vendor.name,
                    "shared_at": share.shared_at.isoformat(), "common": common,
                    "of_file": round(common / max(1, len(read.keys)), 3),
                    "of_package": round(common / max(1, len(keys)), 3),
                }
            )  # fmt: skip
    if refused is not None and not compared:
        raise refused
    overlaps.sort(key=lambda overlap: (overlap["of_file"], overlap["of_package"]), reverse=True)
    return overlaps, compared


def report(agent: Agent, request: Request, number: int, done: Trace) -> str:
    """疑似上报 of what was found: an incident of kind `vendor` (`sold_online` where no package is named)."""
    from agent.incident import declare as declaring
    from agent.incident.records import Declaration

    if done.found:
        first = done.found[0]
        summary = agent.text(
            "vendor.report_found", vendor=first["vendor_name"], package=first["package"],
            count=first["canaries_found"], total=first["canaries"], trace=number,
        )  # fmt: skip
        types = vendors(agent).share(first["package"]).types
    else:
        summary, types = agent.text("vendor.report_unknown", trace=number), done.types
    incident = declaring.report(
        agent,
        Declaration(
            kind="vendor" if done.found or done.overlaps else "sold_online", summary=summary,
            discovered_at=agent.now(), types=types, by=request.caller.user,
        ),
    )  # fmt: skip
    vendors(agent).link_trace(number, incident.id)
    return incident.id
