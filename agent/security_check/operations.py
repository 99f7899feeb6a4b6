"""`check.run|last|baseline|accept`: look at this machine, and say what is right on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from agent.incident.clocks import iso
from agent.incident.moments import zone_of
from agent.operation import Answer, Request
from agent.security_check.checking import accept, keep_baseline, last_check, run_check
from agent.security_check.records import CheckResult, Finding
from config.errors import ExitCode, UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent

MAY_RUN: Final[tuple[Role, ...]] = get_args(Role)
MAY_SAY: Final[tuple[Role, ...]] = ("security_lead", "security_deputy", "response_lead", "tech_support")
LONGEST_REASON: Final = 1000


def run(agent: Agent, request: Request) -> Answer:
    """Look at everything now; exit code 3 where something could not be looked at, 10 with `fail_on_findings`."""
    request.may(*MAY_RUN)
    incident = str(request.arguments.get("incident") or "")
    result = run_check(agent, request.caller.user, incident)
    return _answer(agent, result, fail_on_findings=bool(request.arguments.get("fail_on_findings")))


def last(agent: Agent, request: Request) -> Answer:
    """The newest result again.

    Raises:
        UsageError: none was ever made.
    """
    request.may(*MAY_RUN)
    result = last_check(agent)
    if result is None:
        raise UsageError(agent.text("check.never"))
    return _answer(agent, result, fail_on_findings=bool(request.arguments.get("fail_on_findings")))


def baseline(agent: Agent, request: Request) -> Answer:
    """Take what this machine is now for right, with a reason.

    Raises:
        UsageError: no reason.
        RefusedError: no right.
    """
    request.may(*MAY_SAY)
    at = keep_baseline(agent, request.caller.user, _reason(agent, request))
    return Answer(document={"schema": "cloche.check-baseline/1", "at": iso(at, _zone(agent))})


def accept_findings(agent: Agent, request: Request) -> Answer:
    """Take findings of the last check for right, by `keys`, with a reason.

    Raises:
        UsageError: no reason, or a key that the last check has not.
        RefusedError: no right.
    """
    request.may(*MAY_SAY)
    keys = [str(key) for key in request.arguments.get("keys") or ()]
    accept(agent, keys, request.caller.user, _reason(agent, request))
    return Answer(document={"schema": "cloche.check-accept/1", "keys": keys})


def _reason(agent: Agent, request: Request) -> str:
    reason = str(request.arguments.get("reason") or "").strip()
    if not reason:
        raise UsageError(agent.text("check.needs_reason"))
    return reason[:LONGEST_REASON]


def _answer(agent: Agent, result: CheckResult, *, fail_on_findings: bool) -> Answer:
    document = {
        "schema": "cloche.check/1", "at": iso(result.at, _zone(agent)), "by": result.by, "clean": result.clean,
        "incident": result.incident, "reduced": result.reduced, "unseen": list(result.unseen),
        "baseline_at": iso(result.baseline_at, _zone(agent)),
        "findings": [
            {
                **finding.document(), "blocks": finding.blocks, "says": says(agent, finding),
                "do": agent.text(f"check.do_{finding.area}"),
            }
            for finding in result.findings
        ],
    }  # fmt: skip
    if fail_on_findings and result.blocking:
        return Answer(document=document, exit_code=ExitCode.FINDINGS)
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if result.unseen else ExitCode.DONE)


def says(agent: Agent, finding: Finding) -> str:
    """A finding in a sentence."""
    values: dict[str, Any] = {"subject": finding.subject, "count": 0, **finding.values}
    if finding.what in ("new", "changed", "gone", "more") and finding.area != "altered":
        area = agent.text(f"check.area_{finding.area}")
        return agent.text(f"check.{finding.what}", area=area, **values)
    return agent.text(f"check.{finding.area}_{finding.what}", **values)


def _zone(agent: Agent) -> Any:
    return zone_of(agent.settings.store.timezone)
