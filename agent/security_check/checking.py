"""Run a security check, keep its result, and keep what is right on this machine.

The baseline is made once, at the setup or the first run, and changes by a person's word only: what an intruder left
must not become right by itself. A baseline that was made after he came holds what he left: a check in an incident
that is older than the baseline is not clean before a person has said that he looked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from agent.incident.course import Course
from agent.incident.store import incidents
from agent.security_check import looking, upkeep
from agent.security_check.comparing import as_document, changes
from agent.security_check.machine import Machine
from agent.security_check.models import AcceptedRow, BaselineRow, CheckRow
from agent.security_check.records import SEVERITIES, CheckResult, Finding, finding_of
from agent.security_check.snapshot import take
from agent.vendors.windows import allowed_now
from config.errors import UsageError

if TYPE_CHECKING:
    from agent.wiring import Agent


def run_check(agent: Agent, actor: str, incident: str = "", machine: Machine | None = None) -> CheckResult:
    """Look at everything, compare with the baseline (made now if there is none), store and record the result.

    Args:
        agent: all parts.
        actor: who asks.
        incident: whose timeline it is put on; '' means every incident that is being handled.
        machine: what is looked at; this machine by default.

    Raises:
        UsageError: there is no such incident.
        ClocheError: the result cannot be stored.
    """
    where = machine or Machine()
    concerned = [_whole_id(agent, incident)] if incident else [found.id for found in upkeep.under_way(agent)]
    at, by = agent.now(), agent.mask(actor)
    findings, unseen, baseline_at = look(agent, where, by)
    taken = _accepted(agent)
    graded = sorted(
        (replace(finding, accepted=taken.get(finding.key, "")) for finding in findings),
        key=lambda finding: (bool(finding.accepted), SEVERITIES.index(finding.severity)),
    )
    result = CheckResult(
        id=0, at=at, by=by, incident=incident, findings=tuple(graded), unseen=unseen, reduced=os.geteuid() != 0,
        baseline_at=baseline_at,
    )  # fmt: skip
    stored = _store(agent, result)
    details: dict[str, Any] = {
        "clean": stored.clean, "findings": len(stored.findings), "blocking": len(stored.blocking),
        "unseen": list(stored.unseen), "keys": [finding.key for finding in stored.blocking][:20],
    }  # fmt: skip
    act = "check.clean" if stored.clean else "check.found"
    for incident_id in concerned:
        Course(agent, incident_id, by).record(act, **details)
    if not concerned:
        agent.audit.append(act, by, **details)
    return stored


def look(agent: Agent, machine: Machine, by: str) -> tuple[list[Finding], tuple[str, ...], datetime | None]:
    """Every area: what was found, what could not be looked at, and when the baseline is from (None: just made)."""
    now = agent.now()
    snapshot = take(machine)
    baseline = _baseline(agent)
    findings: list[Finding] = []
    if baseline is None:
        keep_baseline(agent, by, agent.text("check.first_reason"), machine, snapshot=as_document(snapshot))
        findings += changes({"uid0": {"root": _shell(snapshot)}, "preload": {}}, snapshot, agent.mask)
    else:
        if baseline.reduced and os.geteuid() == 0:
            findings.append(Finding(area="baseline", what="reduced", severity="notice"))
        findings += changes(json.loads(baseline.document), snapshot, agent.mask)
    findings += _too_late(agent, baseline.at if baseline else now)
    findings += looking.writable(machine)
    let_in = [
        tool.id
        for tool in looking.tools()
        if any(allowed_now(agent, now, name) for name in (tool.id, *tool.name.values()))
    ]
    allowed = (*agent.settings.check.allowed_remote_tools, *let_in)
    findings += looking.remote_tools(machine, allowed, agent.text.language, agent.mask)
    unseen = set(machine.denied)
    seconds = agent.settings.check.packages_seconds
    if machine.is_this and seconds:
        files, whole = looking.compare_packages(seconds)
        findings += looking.altered(files, agent.mask)
        if not whole:
            unseen.add("packages")
    findings += upkeep.scan(agent, now)
    findings += upkeep.watch(agent)
    findings += upkeep.alerts(agent)
    findings += upkeep.firewall(agent, machine)
    findings += upkeep.backups(agent, now)
    if os.geteuid() != 0:
        unseen.add("root")
    return findings, tuple(sorted(agent.mask(name) for name in unseen)), baseline.at if baseline else None


def last_check(agent: Agent) -> CheckResult | None:
    """The newest result; None where none was ever made."""
    with agent.inventory.sessions() as session:
        row = session.scalars(select(CheckRow).order_by(CheckRow.id.desc()).limit(1)).first()
        return None if row is None else _result(row)


def keep_baseline(
    agent: Agent, by: str, reason: str, machine: Machine | None = None, *, snapshot: dict[str, Any] | None = None
) -> datetime:
    """Take what this machine is now for right, by a person's word; when that was.

    Raises:
        ClocheError: it cannot be stored.
    """
    now = agent.now()
    document = snapshot if snapshot is not None else as_document(take(machine or Machine()))
    with agent.inventory.sessions.begin() as session:
        session.add(
            BaselineRow(
                at=now, by=agent.mask(by), reason=agent.mask(reason), reduced=os.geteuid() != 0,
                document=json.dumps(document, ensure_ascii=False),
            )
        )  # fmt: skip
    agent.audit.append(
        "check.baseline", agent.mask(by), reason=agent.mask(reason),
        entries={area: len(names) for area, names in document.items()},
    )  # fmt: skip
    return now


def accept(agent: Agent, keys: list[str], by: str, reason: str) -> None:
    """Take findings of the last check for right, by their keys, with a reason.

    Raises:
        UsageError: the last check has no such finding.
    """
    last = last_check(agent)
    known = {finding.key: finding for finding in last.findings} if last else {}
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise UsageError(agent.text("check.unknown_key", key=agent.mask(unknown[0])))
    words, who, now = agent.mask(reason), agent.mask(by), agent.now()
    with agent.inventory.sessions.begin() as session:
        for key in keys:
            session.merge(AcceptedRow(key=key, at=now, by=who, reason=words))
    agent.audit.append("check.accept", who, reason=words, keys=keys, subjects=[known[key].subject for key in keys])


def make_first_baseline(agent: Agent, now: datetime) -> None:  # noqa: ARG001  a duty's signature
    """A duty of the keeper: an installed service takes its machine for right once, before anything happened to it.

    Raises:
        ClocheError: it cannot be stored.
    """
    if agent.home.is_service and os.geteuid() == 0 and _baseline(agent) is None:
        keep_baseline(agent, "cloche", agent.text("check.first_reason"))


def _whole_id(agent: Agent, incident: str) -> str:
    """The whole id of an incident.

    Raises:
        UsageError: none, or more than one begins so.
    """
    return incidents(agent).get(incident).id


def _too_late(agent: Agent, made: datetime) -> Iterator[Finding]:
    """A baseline that is younger than an incident may hold what the intruder left: a person must look, and say so."""
    under = [incident.id for incident in upkeep.under_way(agent) if incident.discovered_at <= made]
    if under:
        yield Finding(area="baseline", what="first", severity="warning", evidence=tuple(sorted(under)))


def _shell(snapshot: Any) -> str:
    return str(snapshot["uid0"].get("root", ""))


def _baseline(agent: Agent) -> BaselineRow | None:
    with agent.inventory.sessions() as session:
        row = session.scalars(select(BaselineRow).order_by(BaselineRow.id.desc()).limit(1)).first()
        if row is not None:
            session.expunge(row)
        return row


def _accepted(agent: Agent) -> dict[str, str]:
    with agent.inventory.sessions() as session:
        return {row.key: f"{row.by}: {row.reason}" for row in session.scalars(select(AcceptedRow))}


def _store(agent: Agent, result: CheckResult) -> CheckResult:
    document = {
        "findings": [finding.document() for finding in result.findings], "unseen": list(result.unseen),
        "reduced": result.reduced, "baseline_at": result.baseline_at.isoformat() if result.baseline_at else None,
    }  # fmt: skip
    with agent.inventory.sessions.begin() as session:
        row = CheckRow(
            at=result.at, by=result.by, incident=result.incident, clean=result.clean,
            document=json.dumps(document, ensure_ascii=False),
        )  # fmt: skip
        session.add(row)
        session.flush()
        return _result(row)


def _result(row: CheckRow) -> CheckResult:
    document = json.loads(row.document)
    made = document["baseline_at"]
    return CheckResult(
        id=row.id, at=row.at, by=row.by, incident=row.incident,
        findings=tuple(finding_of(finding) for finding in document["findings"]), unseen=tuple(document["unseen"]),
        reduced=document["reduced"], baseline_at=datetime.fromisoformat(made) if made else None,
    )  # fmt: skip
