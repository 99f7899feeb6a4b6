"""What may have happened, judged by the traces: an explicit list, each with its reasons for and against.

A judgement is a pointer for people, never a finding about a person: `supported` says that traces point there,
`possible` that they do not rule it out. Only people confirm or reject, and their word stands above these.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agent.incident.records import Incident
from agent.investigation.records import Actor, Crossed, HypothesisState, ProgramUse, Said, Scope
from config.packs import read_pack

MANY_FILES: Final = 5
MASS_CHANGE: Final = 20
MASS_CHANGE_SECONDS: Final = 120.0
HABIT_DAYS: Final = 3
FIRST_PERSON_UID: Final = 1000
FRESH: Final = timedelta(hours=48)
EXPORTS: Final = frozenset({"csv", "xlsx", "xls", "txt", "tsv", "json", "zip", "sql"})


@dataclass(frozen=True, kw_only=True)
class Window:
    """A time in which a vendor was let in, as recorded."""

    vendor: str
    tool: str
    begun_at: datetime
    ended_at: datetime


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """An export that appeared shortly before the discovery; `open_to_all` by its mode. `name` is masked."""

    name: str
    open_to_all: bool


@dataclass(frozen=True, kw_only=True)
class Connected:
    """Whom a process of the evidence was talking to when that was kept."""

    program: str
    remote: str


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the hypotheses are judged by. `habits` are days of the month before on which a program met these files."""

    incident: Incident
    scope: Scope
    actors: Sequence[Actor]
    uids: Mapping[str, int]
    crossings: Sequence[Crossed]
    habits: Mapping[str, int]
    own_programs: frozenset[str]
    windows: Sequence[Window]
    fresh: Sequence[Fresh]
    connected: Sequence[Connected] = ()

    @property
    def suspects(self) -> list[Actor]:
        """Actors that broke a rule; where none did, whoever got many files."""
        return [actor for actor in self.actors if actor.suspect] or [
            actor for actor in self.actors if actor.files >= MANY_FILES
        ]

    def uses(self) -> Iterator[tuple[Actor, ProgramUse]]:
        """Every suspect's programs."""
        for actor in self.suspects:
            for use in actor.programs:
                yield actor, use


Judged = tuple[HypothesisState, tuple[Said, ...]]
Judge = Callable[[Case], Judged]


def names(group: str) -> frozenset[str]:
    """Base names of programs of a use."""
    return frozenset(read_pack("investigation", "programs.toml")[group])


def remote_tools() -> dict[str, str]:
    """Base name of a remote-control program → the tool's id in the pack of the security check."""
    pack = read_pack("check", "remote_tools.toml")
    return {
        name: tool for tool, facts in pack.items() if isinstance(facts, dict) for name in facts.get("processes", ())
    }


def base(use: ProgramUse) -> str:
    """The program's base name, in small letters."""
    return posixpath.basename(use.program).lower()


def span(use: ProgramUse | Actor) -> float:
    """Seconds from first to last, one at least."""
    return max((use.last - use.first).total_seconds(), 1.0)


def client_copy(case: Case) -> Judged:
    """Somebody inside copied from a Windows client through the shared folder."""
    found = [actor for actor in case.suspects if actor.is_client and actor.files]
    said = [
        Said(
            key="e_client", values={
                "client": actor.client, "files": actor.files, "persons": f"{actor.persons:,}",
                "seconds": f"{span(actor):.3g}",
            },
        )
        for actor in found
        if actor.suspect or actor.files >= MANY_FILES
    ]  # fmt: skip
    said += _refusals(found)
    if said:
        return "supported", tuple(said)
    if any(actor.is_client for actor in case.actors):
        return "possible", (Said(key="e_clients_few"),)
    return "not_supported", (Said(key="e_no_client"),)


def local_copy(case: Case) -> Judged:
    """Somebody with an account on this server copied with a program."""
    copying, suspects = names("copying"), {actor.id for actor in case.suspects}
    found: dict[bool, list[Said]] = {True: [], False: []}
    for actor in case.actors:
        if actor.is_client or case.uids.get(actor.id, -1) == 0:
            continue
        for use in actor.programs:
            if use.files and (actor.suspect or base(use) in copying):
                found[actor.id in suspects].append(
                    Said(
                        key="e_copying", values={
                            "user": actor.user, "session": actor.session, "program": use.command or use.program,
                            "files": use.files, "seconds": f"{span(use):.3g}",
                        },
                    )
                )  # fmt: skip
    if found[True]:
        return "supported", (*found[True], *found[False])
    return ("possible", tuple(found[False])) if found[False] else ("not_supported", (Said(key="e_no_copying"),))


def backup(case: Case) -> Judged:
    """A backup or another regular job read the files: perhaps no incident at all."""
    known = names("backup")
    said = []
    for actor, use in case.uses():
        days = case.habits.get(use.program, 0)
        if days >= HABIT_DAYS and use.program not in case.own_programs:
            said.append(Said(key="e_habit", values={"program": use.program, "days": days}))
        elif base(use) in known:
            said.append(Said(key="e_backup_name", values={"program": use.program, "user": actor.user}))
    if said:
        return "supported", tuple(said)
    return "not_supported", (Said(key="e_no_habit"),)


def ransomware(case: Case) -> Judged:
    """A program changed, renamed or removed many files in a short time."""
    said = [
        Said(
            key="e_changed", values={
                "who": actor.client or actor.user, "program": use.program, "changed": use.changed,
                "seconds": f"{span(use):.3g}",
            },
        )
        for actor in case.actors
        for use in actor.programs
        if use.changed >= MASS_CHANGE and span(use) / use.changed * MASS_CHANGE <= MASS_CHANGE_SECONDS
    ]  # fmt: skip
    if said:
        return "supported", tuple(said)
    if case.incident.kind == "ransomware":
        return "possible", (Said(key="e_kind_reported"), Said(key="e_no_mass_change"))
    return "not_supported", (Said(key="e_no_mass_change"),)


def vendor_session(case: Case) -> Judged:
    """A vendor, or somebody by way of a remote-control tool."""
    tools = remote_tools()
    said = [
        Said(key="e_remote_tool", values={"tool": tools[base(use)], "user": actor.user})
        for actor in case.actors
        for use in actor.programs
        if base(use) in tools
    ]
    for window in case.windows:
        inside = [
            actor
            for actor in case.actors
            if actor.first <= window.ended_at and actor.last >= window.begun_at and not actor.is_client
        ]
        if inside:
            said.append(
                Said(
                    key="e_window", values={
                        "vendor": window.vendor, "tool": window.tool or "–", "actors": len(inside),
                        "at": window.begun_at,
                    },
                )
            )  # fmt: skip
    if said:
        return "supported", tuple(said)
    if case.incident.kind == "vendor":
        return "possible", (Said(key="e_kind_reported"),)
    return "not_supported", (Said(key="e_no_window"),)


def service_account(case: Case) -> Judged:
    """A service's account read what is not its own: an intruder who took that service over."""
    said = [
        Said(key="e_service", values={"user": actor.user, "program": use.program, "files": use.files})
        for actor, use in case.uses()
        if not actor.is_client and 0 < case.uids.get(actor.id, -1) < FIRST_PERSON_UID and use.files
        and use.program not in case.own_programs
    ]  # fmt: skip
    if said:
        return "supported", tuple(said)
    if case.incident.kind == "intrusion":
        return "possible", (Said(key="e_kind_reported"),)
    return "not_supported", (Said(key="e_no_service"),)


def misdirected(case: Case) -> Judged:
    """An export was made and put, or sent, where it does not belong."""
    said = [Said(key="e_fresh_open" if fresh.open_to_all else "e_fresh", values={"name": fresh.name})
            for fresh in case.fresh[:MANY_FILES]]  # fmt: skip
    if len(case.fresh) > MANY_FILES:
        said.append(Said(key="e_fresh_more", values={"count": len(case.fresh) - MANY_FILES}))
    if case.incident.kind == "staff_mistake":
        return "supported" if said else "possible", (Said(key="e_kind_reported"), *said)
    if said:
        return "possible", tuple(said)
    return "not_supported", (Said(key="e_no_fresh"),)


def stolen_device(case: Case) -> Judged:
    """A device or a paper book is gone: whoever has it needs no trace here."""
    if case.incident.kind == "lost_device":
        return "supported", (Said(key="e_kind_reported"), Said(key="e_device_no_trace"))
    return "not_supported", (Said(key="e_no_device"),)


def unseen(case: Case) -> Judged:
    """It was taken where nobody watched: before the watch began, through a gap, another server, a photograph."""
    said = []
    if case.scope.blind_until is not None:
        said.append(Said(key="e_blind", values={"until": case.scope.blind_until}))
    if case.scope.gaps:
        said.append(Said(key="e_gaps", values={"count": case.scope.gaps}))
    if not case.scope.attributed:
        said.append(Said(key="e_nobody_named"))
    if case.incident.kind == "sold_online":
        said.append(Said(key="e_kind_reported"))
    if not case.suspects:
        return "supported" if case.incident.kind == "sold_online" else "possible", (*said, Said(key="e_no_suspect"))
    return ("possible", tuple(said)) if said else ("not_supported", (Said(key="e_watched"),))


def _refusals(actors: Sequence[Actor]) -> list[Said]:
    return [
        Said(key="e_refused", values={"who": actor.where or actor.user, "refused": actor.refused})
        for actor in actors
        if actor.refused
    ]


HYPOTHESES: Final[dict[str, Judge]] = {
    "client_copy": client_copy,
    "local_copy": local_copy,
    "backup": backup,
    "ransomware": ransomware,
    "vendor_session": vendor_session,
    "service_account": service_account,
    "misdirected": misdirected,
    "stolen_device": stolen_device,
    "unseen": unseen,
}
"""By id; the id is stable, its words are `investigation.h_<id>`."""
