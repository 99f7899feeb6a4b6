"""启动应急预案: contain at once, record everything, go on when a part fails. And 疑似上报, which contains nothing.

Nothing here waits for a meeting. Each part (deny, fence, stop, vault, evidence, outbox, documents) is tried on its
own; one that fails is recorded and named, and the rest goes on.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from agent.incident import evidence
from agent.incident.affected import AffectedSet, Affection
from agent.incident.containing import Containing
from agent.incident.course import Course, Outcome
from agent.incident.documents import write_documents
from agent.incident.levels import regrade, wake
from agent.incident.moments import zone_of
from agent.incident.records import Act, Declaration, Incident
from agent.incident.store import incidents
from agent.incident.telling import put
from agent.isolation.hook import on_declaration as isolate_by_policy
from config.errors import ClocheError, UsageError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("incident")
SAME_INCIDENT: Final = timedelta(hours=24)
__all__ = ["Declaration", "Incident", "declare", "preview", "report"]


def preview(agent: Agent, declaration: Declaration) -> AffectedSet:
    """What a declaration would contain; nothing is done.

    Raises:
        UsageError: a named path does not exist.
    """
    return _chooser(agent).choose(declaration, agent.mask)


def declare(agent: Agent, declaration: Declaration, incident_id: str | None = None) -> Incident:
    """Contain what is affected; `incident.complete` says if every part worked, `incident.steps` what did not.

    Args:
        agent: all parts.
        declaration: who says what.
        incident_id: a reported incident that is declared now; None makes a new one, or extends the one under way
            where a behaviour declares.

    Raises:
        UsageError: a named path does not exist, or the incident was declared or closed already: nothing was done.
    """
    affected = preview(agent, declaration)
    if incident_id is not None:
        _reported(agent, incident_id)
    _deny_first(agent, affected)
    under_way = _under_way(agent, declaration) if declaration.machine and incident_id is None else None
    act: Act = "extend" if under_way else "declare"
    incident = _extend(agent, under_way, affected) if under_way else _begin(agent, declaration, affected, incident_id)
    course = Course(agent, incident.id, declaration.by)
    course.record(act, scope=affected.scope, files=len(affected.items), machine=declaration.machine)
    if affected.left_out:
        causes: dict[str, int] = {}
        for left in affected.left_out:
            causes[left.why] = causes.get(left.why, 0) + 1
        course.record("left_out", files=len(affected.left_out), causes=causes)
    containing = Containing(course, affected)
    _contain(course, containing, direct=not under_way)
    isolate_by_policy(course)
    course.take("evidence", lambda: evidence.keep(course, containing))
    finish(course)
    return course.incident


def report(agent: Agent, declaration: Declaration) -> Incident:
    """疑似上报: record a suspicion, fill in what the inventory knows, start the clocks; contains nothing.

    What is named and does not exist is left aside: whoever reports in a hurry must not be turned away.
    """
    try:
        affected = _chooser(agent).choose(declaration, agent.mask)
    except UsageError:
        affected = AffectedSet(scope="named", items=())
    if affected.scope == "strays" and declaration.scope is None:
        affected = AffectedSet(scope="strays", items=())
    store = incidents(agent)
    incident = _add(agent, declaration, affected, declared=False)
    store.set_items(incident.id, affected.all)
    course = Course(agent, incident.id, declaration.by)
    course.record("report")
    _wake(course)
    finish(course)
    return course.incident


def finish(course: Course) -> None:
    """Write the documents, tell head office (which lists them), then anchor the record."""
    agent = course.agent
    course.take("documents", lambda: Outcome(details={"count": write_documents(agent, course.incident)}))
    tell_head_office(course)
    agent.audit.sign_head()


def tell_head_office(course: Course) -> None:
    """Put the incident as it stands into the outbox."""
    course.take("outbox", lambda: Outcome(details={"number": put(course.agent, course.id)}))


def _chooser(agent: Agent) -> Affection:
    tombstones = frozenset(stone for entry in agent.quarantine.entries("vaulted") for stone in entry.tombstones)
    return Affection(agent.inventory, agent.settings, agent.home, tombstones)


def _contain(course: Course, containing: Containing, *, direct: bool) -> None:
    """Contain; people get their orders once nobody can read any more, and before the vault, which may take minutes."""
    settings = course.agent.settings.respond
    if not settings.contain:
        course.record("vault_off")
        _direct(course, wanted=direct)
        return
    course.take("deny", containing.deny)
    containing.look()

    def fence_and_stop() -> Outcome:
        try:
            containing.fence()
        finally:
            if settings.stop_holders:
                course.take("stop", containing.stop)
            else:
                course.record("stop_off")
            _direct(course, wanted=direct)
        return containing.vault()

    course.take("vault", fence_and_stop)


def _direct(course: Course, *, wanted: bool) -> None:
    """指令下达: wake people and give the orders of the kind. Containment goes on whatever this runs into."""
    from agent.incident.life import enter

    if not wanted:
        return
    _wake(course)
    try:
        enter(course, "responding")
    except Exception as error:  # noqa: BLE001  no order is worth a readable file; the keeper gives what is missing
        log.error("orders could not be given", incident=course.id, error=describe(error))


def _wake(course: Course) -> None:
    """Grade by what is known and tell the people of that level."""
    try:
        wake(course.agent, regrade(course.agent, course.id, course.actor))
    except Exception as error:  # noqa: BLE001  a report stands, and containment goes on, if nobody can be told
        log.error("people could not be told", incident=course.id, error=describe(error))


def _deny_first(agent: Agent, affected: AffectedSet) -> None:
    """Before anything is written: on a full disk the record fails, and the guard needs no disk.

    `_contain` denies once more and puts it on record.
    """
    keys = sorted({item.key for item in affected.items if item.key})
    if keys and agent.settings.respond.contain:
        with suppress(ClocheError):
            agent.watch.deny(keys)


def _reported(agent: Agent, incident_id: str) -> Incident:
    """The reported incident of this id.

    Raises:
        UsageError: none, or it was declared or closed already.
    """
    incident = incidents(agent).get(incident_id)
    if incident.phase != "reported":
        phase = agent.text(f"incident.phase_{incident.phase}")
        raise UsageError(agent.text("incident.not_reported", id=incident.id, phase=phase))
    return incident


def _begin(agent: Agent, declaration: Declaration, affected: AffectedSet, incident_id: str | None) -> Incident:
    store = incidents(agent)
    if incident_id is None:
        incident = _add(agent, declaration, affected, declared=True)
    else:
        incident = _reported(agent, incident_id)
        store.change(
            incident.id, phase="directed", scope=affected.scope, declared_at=agent.now(),
            files=len(affected.all), persons=affected.persons, types=declaration.types or affected.types,
        )  # fmt: skip
    store.set_items(incident.id, affected.all)
    return incident


def _under_way(agent: Agent, declaration: Declaration) -> Incident | None:
    """The incident that this behaviour belongs to: the same kind, declared by a behaviour, not ended, not old.

    One thief with ten processes breaks the rule ten times; that is one incident.
    """
    since = agent.now() - SAME_INCIDENT
    for incident in incidents(agent).all():
        if (
            incident.machine and incident.kind == declaration.kind and incident.phase in ("directed", "responding")
            and incident.declared_at is not None and incident.declared_at >= since
        ):  # fmt: skip
            return incident
    return None


def _extend(agent: Agent, incident: Incident, affected: AffectedSet) -> Incident:
    store = incidents(agent)
    store.set_items(incident.id, affected.all)
    store.change(
        incident.id, files=len(store.get(incident.id).items), persons=incident.persons + affected.persons,
        types=tuple(sorted({*incident.types, *affected.types})),
    )  # fmt: skip
    return store.get(incident.id)


def _add(agent: Agent, declaration: Declaration, affected: AffectedSet, *, declared: bool) -> Incident:
    now = agent.now()
    mask = agent.mask
    store = agent.settings.store
    incident = Incident(
        id="", kind=declaration.kind, phase="directed" if declared else "reported", machine=declaration.machine,
        summary=mask(declaration.summary), place=mask(declaration.place) or store.name,
        types=declaration.types or affected.types, by=mask(declaration.by),
        scope=affected.scope if declared else None, discovered_at=declaration.discovered_at,
        occurred_at=declaration.occurred_at, reported_at=None if declared else now,
        declared_at=now if declared else None, handling_ended_at=None, closed_at=None, files=len(affected.all),
        persons=affected.persons,
    )  # fmt: skip
    return incidents(agent).add(incident, now.astimezone(zone_of(store.timezone)))
