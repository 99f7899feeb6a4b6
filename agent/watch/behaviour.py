"""What follows what the watch saw: it is recorded, people are told, one Samba client is cut, an incident declared.

The guard has already refused and stopped (`agent.guard`); this is the slow part, in the daemon. The store and the
alert come before the declaration, which chooses the affected files by the open alerts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from agent.aftermath import deny_fenced
from agent.inventory.records import Alert
from agent.reporting import report_alert
from agent.watch.api import BLOCKING, Crossing, Gap, Happening, Rule
from agent.watch.own import mark
from agent.watch.rules.api import Action, BehaviourRule, Wording, kind_of_incident
from agent.watch.rules.bound import Bound
from agent.watch.rules.decoy import Decoy
from config.errors import ClocheError, RefusedError
from config.log import get_logger
from containment.samba import SambaClient, disconnect

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("watch")
REPEATED_SECONDS: Final = 60.0
RULES: Final[Mapping[Rule, BehaviourRule]] = {"bound": Bound(), "decoy": Decoy()}


def respond(agent: Agent, happening: Happening) -> None:
    """Do what the policy says about one happening.

    Each part is tried on its own: a full disk that refuses the event or the alert is no reason not to declare.

    Raises:
        ClocheError: it could not be recorded, or the incident not be declared; what was done stays done.
    """
    if isinstance(happening, Crossing):
        _crossed(agent, happening)
        return
    agent.events.add(happening, agent.mask)
    if isinstance(happening, Gap):
        _missed(agent, happening)
    elif agent.own_programs.met(happening):
        agent.audit.append("watch.learned", "cloche", program=agent.mask(os.fsdecode(happening.program)))
        agent.watch.teach(agent.own_programs.taught(happening.at))


def _crossed(agent: Agent, crossing: Crossing) -> None:
    action = _cut(crossing)
    wording = Wording(text=agent.text, mask=agent.mask)
    words = RULES[crossing.rule].words(crossing, wording, action)
    steps: list[Callable[[], object]] = [lambda: agent.events.add(crossing, agent.mask)]
    if not _is_repeated(agent, crossing, wording.program(crossing.event)):
        log.warning("rule broken", rule=crossing.rule, action=action, pid=crossing.event.pid)
        steps.append(lambda: _alert(agent, crossing, wording, words, action))
        if crossing.response == "declare":
            steps.append(lambda: _declare(agent, crossing, words))
    failures: list[Exception] = []
    for step in steps:
        try:
            step()
        except Exception as error:  # noqa: BLE001  whatever one part runs into, the next is tried; the first is raised
            failures.append(error)
    if failures:
        raise failures[0]


def _is_repeated(agent: Agent, crossing: Crossing, program: str) -> bool:
    """Whether an alert of the last minute says all of it: the same rule, account and program, and no file more.

    A loop that starts a session for each file would else fill the disk, the record and head office.
    """
    access = crossing.event
    user = agent.mask(access.client_user or access.user)
    got = set(crossing.keys)
    if crossing.rule == "decoy" or crossing.outcome == "alerted":
        got.add(access.key)
    try:
        alerts = agent.inventory.alerts()
    except ClocheError:
        return False
    return any(
        (alert.kind, alert.user, alert.program) == (crossing.rule, user, program)
        and abs(alert.at.timestamp() - access.at) < REPEATED_SECONDS
        and got.issubset(alert.keys)
        for alert in alerts
    )


def _alert(agent: Agent, crossing: Crossing, wording: Wording, words: str, action: Action) -> None:
    access = crossing.event
    alert = agent.inventory.add_alert(
        Alert(
            at=datetime.fromtimestamp(access.at, UTC),
            kind=crossing.rule,
            severity=RULES[crossing.rule].severity(crossing),
            text=words,
            keys=tuple(dict.fromkeys((*crossing.keys, access.key))),
            session=access.session,
            program=wording.program(access),
            user=agent.mask(access.client_user or access.user),
            action=action,
            stop_ms=crossing.stopped_ms,
        )
    )
    report_alert(agent, alert)
    agent.audit.append(
        f"watch.{crossing.rule}", "cloche", action=action, session=access.session, files=len(crossing.keys),
        persons=crossing.persons, stopped_ms=crossing.stopped_ms,
    )  # fmt: skip


def _cut(crossing: Crossing) -> Action:
    """What the guard did, and for a Samba client what is left to do: end its own smbd."""
    access = crossing.event
    if crossing.outcome == "alerted":
        return "alert"
    if crossing.outcome == "denied" and access.session.startswith("smbd:"):
        client = SambaClient(
            pid=access.pid, started=access.started, user=access.client_user, address=access.client_address
        )
        try:
            if disconnect(client).action == "disconnected":
                return "disconnected"
        except RefusedError as error:
            log.warning("client not disconnected", why=str(error))
    return crossing.outcome


def _declare(agent: Agent, crossing: Crossing, words: str) -> None:
    from agent.incident.declare import Declaration, declare

    access = crossing.event
    at = datetime.fromtimestamp(access.at, UTC)
    declare(
        agent,
        Declaration(
            kind=kind_of_incident(access),
            summary=agent.text(f"watch.declared_{crossing.rule}", text=words),
            discovered_at=at,
            occurred_at=at,
            place=agent.settings.store.name,
            # a decoy is no customer file: who found it may be after all of them
            scope=None if crossing.rule == "decoy" else "alerts",
            by="cloche",
            machine=True,
        ),
    )


def _missed(agent: Agent, gap: Gap) -> None:
    """Tell, and mark all again: a guard that came back may lack what was marked while it was away."""
    alert = agent.inventory.add_alert(
        Alert(
            at=datetime.fromtimestamp(gap.at, UTC),
            kind="gap",
            severity="notice",
            text=agent.text(f"watch.gap_{gap.cause}", lost=gap.lost if gap.lost is not None else "?"),
        )
    )
    report_alert(agent, alert)
    if gap.cause == "guard_restart" and agent.watch.tier in BLOCKING:
        try:
            mark(agent, agent.inventory.watch_list(agent.settings.watch.decoys))
            deny_fenced(agent)
        except ClocheError as error:
            log.warning("not marked again", why=agent.mask(str(error)))
