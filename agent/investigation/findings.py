"""Put an investigation together: what the event store counted, what the inventory knows, what people said.

Where the events are gone (they are kept for half a year, a million of them), the evidence that was kept at the
declaration still says who did what.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.incident.trace import LOOK_BACK
from agent.incident.view import bundles
from agent.investigation.hypotheses import HYPOTHESES, Case, Window
from agent.investigation.kept import actors_of, connected_of
from agent.investigation.known import Known, known_of
from agent.investigation.naming import actor_id, moment_of, size_of
from agent.investigation.people import SaidSoFar, said_so_far
from agent.investigation.questions import questions_of
from agent.investigation.records import (
    LISTED_ACTORS,
    Actor,
    Bin,
    Crossed,
    Graph,
    Hypothesis,
    HypothesisState,
    Investigation,
    Link,
    ProgramUse,
    Said,
    Scope,
)
from agent.investigation.tallies import ActorTally, Tallies
from config.log import get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("investigation")

LISTED_PROGRAMS: Final = 8
DRAWN_ACTORS: Final = 6
DRAWN_PROGRAMS: Final = 7
DRAWN_FILES: Final = 12
FOREVER: Final = 32_503_680_000.0
"""The year 3000: while an incident is handled, an event counts that a clock set back since puts into the future."""


def findings_of(agent: Agent, incident_id: str) -> Investigation:
    """The investigation as it stands now.

    Raises:
        UsageError: no such incident.
        ClocheError: a database or the timeline cannot be read.
    """
    incident, now = incidents(agent).get(incident_id), agent.now()
    said = said_so_far(agent, incident.id)
    known = known_of(agent, incident)
    start = min(incident.discovered_at, incident.occurred_at or incident.discovered_at) - LOOK_BACK
    end = incident.handling_ended_at.timestamp() if incident.handling_ended_at else FOREVER
    affected = {item.key: (item.persons, known.sizes.get(item.key, 0)) for item in incident.items if item.key}
    with Tallies.of(
        agent.events.path, ((key, *weights) for key, weights in affected.items()), _suspects(agent, affected),
        (start.timestamp(), end),
    ) as tallies:  # fmt: skip
        return _put_together(agent, incident, _Parts(tallies=tallies, said=said, known=known, start=start, now=now))


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What is at hand."""

    tallies: Tallies
    said: SaidSoFar
    known: Known
    start: datetime
    now: datetime


def _put_together(agent: Agent, incident: Incident, parts: _Parts) -> Investigation:
    tallies, said = parts.tallies, parts.said
    tallied = tallies.actors(LISTED_ACTORS)
    actors = [_actor(agent, tallies, tally, said) for tally in tallied]
    total_actors, total_events, _, _ = tallies.totals()
    kept = bundles(agent.home.evidence / incident.id)
    from_evidence = False
    if not actors:
        actors = actors_of(kept, said)
        from_evidence = bool(actors)
    scope = _scope(agent, incident, parts, [tally for tally in tallied if tally.suspect], actors)
    scope = replace(scope, source="evidence" if from_evidence else "events" if actors else "none")
    crossings = tuple(_crossed(moment, key, details) for moment, key, details in tallies.crossings())
    step, bins = tallies.bins(incident.declared_at.timestamp() if incident.declared_at else None)
    case = Case(
        incident=incident, scope=scope, actors=actors,
        uids={actor.id: tally.key[1] for actor, tally in zip(actors, tallied, strict=False)}, crossings=crossings,
        habits={agent.mask(os.fsdecode(program)): days for program, days in tallies.habits().items()},
        own_programs=frozenset(agent.mask(os.fsdecode(own.program)) for own in agent.own_programs.learned()),
        windows=_windows(agent), fresh=parts.known.fresh, connected=connected_of(kept),
    )  # fmt: skip
    return Investigation(
        incident=incident.id, at=parts.now, scope=scope, manner=tuple(_manner(case)), actors=tuple(actors),
        more_actors=max(total_actors - len(tallied), 0),
        more_events=max(total_events - sum(tally.events for tally in tallied), 0), crossings=crossings,
        bins=tuple(Bin(start=moment_of(at), got=got, refused=refused) for at, got, refused in bins), bin_seconds=step,
        graph=_graph(incident, tallies, actors, tallied), bundles=len(kept), hypotheses=_hypotheses(case, said),
        questions=questions_of(incident, scope, actors, said), conclusion=said.conclusion,
    )  # fmt: skip


def _suspects(agent: Agent, keys: Iterable[str]) -> set[str]:
    """Sessions that broke a rule on one of these files, by the alerts; closed alerts count too."""
    wanted = set(keys)
    return {
        alert.session
        for alert in agent.inventory.alerts(open_only=False)
        if alert.session and not wanted.isdisjoint(alert.keys)
    }


def _actor(agent: Agent, tallies: Tallies, tally: ActorTally, said: SaidSoFar) -> Actor:
    user, uid, client_user, address, terminal = tally.key
    identity = actor_id(tally.key)
    word = said.persons.get(identity)
    mask = agent.mask
    return Actor(
        id=identity, user=mask(user or (str(uid) if uid >= 0 else "")),
        client=mask(" ".join(part for part in (client_user, address) if part)), session=terminal or tally.session,
        sessions=tally.sessions, first=moment_of(tally.first), last=moment_of(tally.last), files=tally.files,
        persons=tally.persons, size=tally.size, events=tally.events, refused=tally.refused, changed=tally.changed,
        suspect=tally.suspect,
        programs=tuple(
            ProgramUse(
                program=mask(os.fsdecode(use.program)), command=mask(os.fsdecode(use.command)),
                first=moment_of(use.first), last=moment_of(use.last), files=use.files, persons=use.persons,
                events=use.events, refused=use.refused, changed=use.changed,
            )
            for use in tallies.programs(tally.key, LISTED_PROGRAMS)
        ),
        person=word.words if word else "", confirmed_by=word.by if word else "",
    )  # fmt: skip


def _scope(agent: Agent, incident: Incident, parts: _Parts, suspects: list[ActorTally], actors: list[Actor]) -> Scope:
    tallies = parts.tallies
    _, _, traced, read = tallies.totals()
    files, persons, size, count = tallies.left()
    gaps, gap_times = tallies.gaps()
    earliest, watched = tallies.earliest(tally.key for tally in suspects), tallies.watched_since()
    named = any(actor.user or actor.client for actor in actors)
    return Scope(
        since=parts.start, until=incident.handling_ended_at or parts.now, files=len(incident.items), traced=traced,
        read=read,
        persons=incident.persons, counted=incident.counted_at is not None, types=incident.types, left_files=files,
        left_persons=min(persons, incident.persons) if incident.persons else persons, left_size=size, suspects=count,
        earliest=None if earliest is None else moment_of(earliest),
        watched_since=None if watched is None else moment_of(watched), known_since=parts.known.since, gaps=gaps,
        gap_times=tuple(map(moment_of, gap_times)), source="none",
        attributed=named or (not actors and agent.watch.tier != "inotify"),
    )  # fmt: skip


def _windows(agent: Agent) -> list[Window]:
    from agent.vendors.store import vendors

    register = vendors(agent)
    now = agent.now()
    return [
        Window(
            vendor=window.vendor, tool=window.tool, begun_at=window.begun_at,
            ended_at=window.ended_at or min(window.until, now),
        )
        for window in register.windows()
    ]  # fmt: skip


def _crossed(moment: float, key: tuple[str, int, str, str, str], details: dict[str, Any]) -> Crossed:
    stopped = details.get("stopped_ms")
    return Crossed(
        at=moment_of(moment), actor=actor_id(key), rule=str(details.get("rule", "")),
        files=len(details.get("keys", ())), persons=int(details.get("persons", 0)),
        outcome=str(details.get("outcome", "")), stopped_ms=None if stopped is None else float(stopped),
    )  # fmt: skip


def _manner(case: Case) -> Iterable[Said]:
    """What the traces show, and nothing beyond: by which way, how much, whether it was stopped."""
    scope = case.scope
    if not case.actors:
        yield Said(key="m_no_trace", values={"files": scope.files})
        return
    if scope.suspects:
        yield Said(
            key="m_left", values={
                "suspects": scope.suspects, "files": scope.left_files, "persons": f"{scope.left_persons:,}",
                "size": size_of(scope.left_size),
            },
        )  # fmt: skip
    else:
        yield Said(key="m_no_suspect", values={"actors": len(case.actors), "files": scope.read})
    for actor in case.suspects[:LISTED_PROGRAMS]:
        for use in actor.programs[:1]:
            key = "m_client" if actor.is_client else "m_local"
            yield Said(
                key=key, values={
                    "user": actor.user, "where": actor.where, "program": use.command or use.program,
                    "first": actor.first, "last": actor.last, "files": actor.files, "refused": actor.refused,
                },
            )  # fmt: skip
    for connected in case.connected[:LISTED_PROGRAMS]:
        yield Said(key="m_connected", values={"program": connected.program, "remote": connected.remote})
    stopped = [crossed for crossed in case.crossings if crossed.outcome in ("stopped", "denied")]
    if stopped:
        yield Said(key="m_stopped", values={"at": stopped[0].at, "count": len(stopped)})


def _hypotheses(case: Case, said: SaidSoFar) -> tuple[Hypothesis, ...]:
    rank = {"confirmed": 0, "supported": 1, "possible": 2, "not_supported": 3, "rejected": 4}
    found = []
    for name, judge in HYPOTHESES.items():
        state, evidence = judge(case)
        found.append(_with_word(Hypothesis(id=name, state=state, judged=state, evidence=evidence), said))
    for name, word in said.own_hypotheses.items():
        own = Hypothesis(id=name, state="possible", judged="possible", words=word.words, by=word.by, at=word.at)
        found.append(_with_word(own, said))
    return tuple(sorted(found, key=lambda hypothesis: rank[hypothesis.state]))


def _with_word(hypothesis: Hypothesis, said: SaidSoFar) -> Hypothesis:
    confirmed, rejected = said.confirmed.get(hypothesis.id), said.rejected.get(hypothesis.id)
    word = confirmed or rejected
    if word is None:
        return hypothesis
    state: HypothesisState = "confirmed" if confirmed else "rejected"
    return replace(hypothesis, state=state, by=word.by, reason=word.words, at=word.at)


def _graph(incident: Incident, tallies: Tallies, actors: list[Actor], tallied: list[ActorTally]) -> Graph:
    """The busiest actors, their programs, and the files with most persons; names only, for drawing."""
    chosen = list(zip(actors, tallied, strict=False))[:DRAWN_ACTORS]
    keys, more_files = tallies.files(DRAWN_FILES)
    names = {item.key: item.name for item in incident.items}
    busy: dict[str, int] = {}
    for actor, _ in chosen:
        for use in actor.programs:
            busy[use.program] = busy.get(use.program, 0) + use.events
    programs = sorted(busy, key=lambda name: -busy[name])[:DRAWN_PROGRAMS]
    links: dict[tuple[str, str], int] = {}
    for actor, tally in chosen:
        for use, raw in zip(actor.programs, tallies.programs(tally.key, LISTED_PROGRAMS), strict=False):
            if use.program not in programs:
                continue
            links[actor.id, use.program] = links.get((actor.id, use.program), 0) + max(use.files, 1)
            for key, files in tallies.touched(tally.key, raw.program, keys).items():
                links[use.program, key] = max(links.get((use.program, key), 0), files)
    return Graph(
        actors=tuple((actor.id, actor.client or f"{actor.user} {actor.session}".strip()) for actor, _ in chosen),
        programs=tuple((name, os.path.basename(name) or name) for name in programs),
        files=tuple((key, os.path.basename(names.get(key, key))) for key in keys),
        links=tuple(Link(source=source, target=target, files=files) for (source, target), files in links.items()),
        more_actors=max(len(actors) - len(chosen), 0), more_programs=max(len(busy) - len(programs), 0),
        more_files=more_files,
    )  # fmt: skip
