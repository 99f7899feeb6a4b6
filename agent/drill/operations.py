"""The operations of `cloche drill`: begin, play, end; list, show, acknowledge, certificate.

A drill is played in a process of its own while this home stays free: a real incident never waits for one. The owner's
command line carries it out itself between `drill.begin` and `drill.finish`; for others the daemon does (`drill.run`).
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from agent.drill.asking import ask_people
from agent.drill.carrying import Order, carry_out
from agent.drill.certificate import write_certificate
from agent.drill.enclosure import Enclosure, facts_of, real_places
from agent.drill.lock import is_held, only_one
from agent.drill.records import Drill
from agent.drill.remains import folder_of, remove, sweep
from agent.drill.scenarios import Scenario, find_scenario, load_plan, load_scenarios
from agent.drill.standing import due_on, overdue
from agent.drill.store import DrillStore
from agent.drill.view import document_of, findings
from agent.incident.moments import zone_of
from agent.operation import Answer, Request
from config.errors import ClocheError, ExitCode, RefusedError, UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent

RUNNERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "response_lead", "privacy_officer", "area_manager",
)  # fmt: skip
READERS: Final[tuple[Role, ...]] = get_args(Role)
SIZES: Final = (0.01, 1.0)
KEPT: Final = "drafts"


def begin(agent: Agent, request: Request) -> Answer:
    """Clear away what a cut drill left, put this one on record, ask people: `cloche.drill.begun/1`.

    Arguments: `scenario`; `live`, ask people by real messages; `announced`, they know and will acknowledge; `held`, the
    owner's word that it holds the drills' lock already.

    Raises:
        RefusedError: no role, or another drill is being played.
        UsageError: the scenario is none, or nobody is there to be asked.
    """
    request.may(*RUNNERS)
    scenario = find_scenario(_text(request, "scenario") or next(iter(load_scenarios())))
    held = bool(request.arguments.get("held")) and request.caller.is_owner
    if not held and is_held(agent.home):
        raise RefusedError(agent.text("drill.already"))
    cleared = sweep(agent)
    live, now = bool(request.arguments.get("live")), agent.now()
    announced = live or bool(request.arguments.get("announced"))
    asked = tuple(dict.fromkeys(person.name for person in agent.people.holding(scenario.asked)))
    if announced and not asked:
        raise UsageError(agent.text("drill.nobody_asked"))
    minutes = load_plan().judging.acknowledge_minutes
    drill = DrillStore(agent).begin(
        Drill(
            id="", scenario=scenario.id, state="running", by=agent.mask(request.caller.user), at=now, ended_at=None,
            live=live, asked=asked if announced else (), ack_until=now + timedelta(minutes=minutes),
        )
    )  # fmt: skip
    agent.audit.append(
        "drill.begun", request.caller.user, drill=drill.id, scenario=scenario.id, live=live, asked=len(drill.asked)
    )
    told = ask_people(agent, drill, scenario) if live else 0
    document: dict[str, Any] = {
        "schema": "cloche.drill.begun/1", "id": drill.id, "scenario": scenario.id, "cleared": cleared, "told": told,
        "asked": list(drill.asked), "folder": str(folder_of(agent.home, drill.id)),
    }  # fmt: skip
    if request.caller.is_owner:
        document |= {"facts": facts_of(agent.settings), "real": list(real_places(agent.settings, agent.home))}
    return Answer(document=document)


def finish(agent: Agent, request: Request) -> Answer:
    """Take the result, keep it, write the certificate, clear everything away: `cloche.drill/1`.

    Arguments: `id`; `result` or `failed`; `keep`, also the documents that the drill drafted. For the owner alone: it is
    taken at its word.

    Raises:
        RefusedError: the caller is not the owner.
        UsageError: no such drill, or it ended already.
        ClocheError: what it left cannot be removed.
    """
    if not request.caller.is_owner:
        raise RefusedError(agent.text("drill.owner_only"))
    store = DrillStore(agent)
    drill = store.get(_text(request, "id"))
    if drill.state != "running":
        raise UsageError(agent.text("drill.is_ended", id=drill.id))
    result = request.arguments.get("result")
    return _finish(agent, drill, result if isinstance(result, dict) else None, request)


def run(agent: Agent, request: Request) -> Answer:
    """Begin, play and finish in one: `cloche.drill/1`. Arguments as of `begin`, `size`, `names`, `drafts`, `keep`."""
    with only_one(agent.home, agent.text):
        owner = replace(request.caller, is_owner=True)
        request.may(*RUNNERS)
        arguments = {**request.arguments, "held": True}
        begun = begin(agent, replace(request, arguments=arguments, caller=owner)).document
        drill = DrillStore(agent).get(begun["id"])
        order = order_of(begun, request.arguments)
        try:
            result: dict[str, Any] | None = carry_out(order, lambda key: request.progress({"step": key}))
        except ClocheError as error:
            result, arguments = None, {**arguments, "failed": str(error)}
        return _finish(agent, drill, result, replace(request, arguments=arguments))


def order_of(begun: dict[str, Any], arguments: dict[str, Any]) -> Order:
    """What the process is told.

    Raises:
        UsageError: the size is out of bounds.
    """
    size = arguments.get("size", 0.1)
    if not isinstance(size, int | float) or not SIZES[0] <= size <= SIZES[1]:
        raise UsageError(f"--size: from {SIZES[0]} to {SIZES[1]}")
    return Order(
        folder=Path(begun["folder"]), scenario=begun["scenario"], facts=begun["facts"], real=begun["real"],
        size=float(size), names=bool(arguments.get("names")), drafts=bool(arguments.get("drafts", True)),
    )  # fmt: skip


def _finish(agent: Agent, drill: Drill, result: dict[str, Any] | None, request: Request) -> Answer:
    store, folder = DrillStore(agent), folder_of(agent.home, drill.id)
    failed = agent.mask(_text(request, "failed"))
    if result is None:
        ended = store.end(drill.id, "failed", agent.now(), {"failed": failed})
    else:
        kept = {**result, "announced": bool(drill.asked)}
        confinement = dict(kept.get("confinement") or {})
        confinement["exposed"] = [agent.mask(str(path)) for path in confinement.get("exposed", ())]
        kept["confinement"] = confinement
        kept["findings"] = findings(agent, find_scenario(drill.scenario), kept)
        ended = store.end(drill.id, "done", agent.now(), kept)
    agent.audit.append(
        "drill.ended", request.caller.user, drill=drill.id, scenario=drill.scenario, state=ended.state,
        score=ended.score, passed=ended.passed, failed=failed,
    )  # fmt: skip
    code = ExitCode.FAILED if result is None else ExitCode.DONE if ended.passed else ExitCode.INCOMPLETE
    try:
        if result is not None:
            if request.arguments.get("keep"):
                _keep(agent, Enclosure(folder), drill.id)
            write_certificate(agent, ended)
    finally:
        remove(folder)
    return Answer(document=document_of(agent, store.get(drill.id)), exit_code=code)


def _keep(agent: Agent, enclosure: Enclosure, drill_id: str) -> None:
    """Copy the documents that the drill drafted, which carry the word drill in the store's name."""
    target = agent.home.documents / drill_id / KEPT
    try:
        shutil.copytree(enclosure.home.documents, target, dirs_exist_ok=True)
        for path in target.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
    except OSError as error:
        raise ClocheError(f"{target}: cannot be written: {error.strerror}") from error


def list_drills(agent: Agent, request: Request) -> Answer:
    """`cloche.drills/1`: drills, newest first, and the scenarios with when each was last played."""
    request.may(*READERS)
    zone, language = zone_of(agent.settings.store.timezone), agent.text.language
    drills = DrillStore(agent).all()
    last = {drill.scenario: drill for drill in reversed(drills) if drill.state == "done"}
    due = due_on(agent)
    document = {
        "schema": "cloche.drills/1", "due_on": due.isoformat() if due else None,
        "overdue": overdue(agent, agent.now()),
        "scenarios": [
            {
                "id": scenario.id, "kind": scenario.kind, "title": scenario.words(language).title,
                "story": scenario.words(language).story,
                "last_at": _iso(last[scenario.id].at, zone) if scenario.id in last else None,
                "last_score": last[scenario.id].score if scenario.id in last else None,
            }
            for scenario in load_scenarios().values()
        ],
        "drills": [
            {
                "id": drill.id, "scenario": drill.scenario, "title": _title(drill.scenario, agent), "by": drill.by,
                "state": drill.state, "at": _iso(drill.at, zone), "live": drill.live, "score": drill.score,
                "passed": drill.passed, "asked": len(drill.asked), "acknowledged": len(drill.acknowledged),
            }
            for drill in drills
        ],
    }  # fmt: skip
    return Answer(document=document)


def show(agent: Agent, request: Request) -> Answer:
    """`cloche.drill/1`: one drill, compared with the last of the same scenario. Argument: `id`, or `latest`."""
    request.may(*READERS)
    return Answer(document=document_of(agent, DrillStore(agent).get(_text(request, "id") or "latest")))


def certificate(agent: Agent, request: Request) -> Answer:
    """Write the next version of a drill's certificate: `cloche.drill.certificate/1`. Argument: `id`, or `latest`.

    Raises:
        RefusedError: no role.
        UsageError: the drill was not played to its end.
        ClocheError: it cannot be written.
    """
    request.may(*RUNNERS, "legal")
    drill = DrillStore(agent).get(_text(request, "id") or "latest")
    if drill.state != "done":
        raise UsageError(agent.text("drill.not_done", id=drill.id))
    paths = write_certificate(agent, drill)
    agent.audit.append("drill.certified", request.caller.user, drill=drill.id, score=drill.score)
    document = {"schema": "cloche.drill.certificate/1", "id": drill.id, "paths": [str(path) for path in paths]}
    return Answer(document=document)


def acknowledge(agent: Agent, request: Request) -> Answer:
    """Say that one is there: `cloche.drill.ack/1`. Arguments: `id` or `latest`; `person` with `code`, or by phone.

    Raises:
        RefusedError: a wrong code, or a caller without a role speaks for somebody.
        UsageError: no such drill, nobody was asked, or the person was not.
    """
    from agent.messages.codes import redeem

    store = DrillStore(agent)
    drill = store.get(_text(request, "id") or "latest")
    name, code = _text(request, "person"), _text(request, "code")
    how = "account"
    if code:
        how = redeem(agent, name, f"drill:{drill.id}", code).how
    else:
        own = agent.people.of_account(request.caller.user)
        if not name and own is None:
            raise UsageError(agent.text("drill.who", user=request.caller.user))
        if name and (own is None or own.name != name):
            request.may(*RUNNERS)
            how = "phone"
        name = name or (own.name if own else "")
    return Answer(document=note_acknowledgement(agent, drill, name, how))


def note_acknowledgement(agent: Agent, drill: Drill, person: str, how: str) -> dict[str, Any]:
    """Put an acknowledgement on record.

    Raises:
        UsageError: the person was not asked, or the drill was cut.
    """
    if drill.state not in ("running", "done") or person not in drill.asked:
        raise UsageError(agent.text("drill.not_asked", id=drill.id))
    now = agent.now()
    fresh = DrillStore(agent).acknowledge(drill.id, person, now, how)
    in_time = now <= drill.ack_until
    if fresh:
        seconds = round((now - drill.at).total_seconds())
        agent.audit.append(
            "drill.acknowledged", agent.mask(person), drill=drill.id, how=how, seconds=seconds, in_time=in_time
        )
    return {
        "schema": "cloche.drill.ack/1", "id": drill.id, "person": agent.mask(person), "how": how, "in_time": in_time,
        "new": fresh,
    }  # fmt: skip


def _title(scenario_id: str, agent: Agent) -> str:
    scenario: Scenario | None = load_scenarios().get(scenario_id)
    return scenario.words(agent.text.language).title if scenario else scenario_id


def _iso(moment: datetime, zone: Any) -> str:
    return moment.astimezone(zone).isoformat(timespec="seconds")


def _text(request: Request, name: str) -> str:
    value = request.arguments.get(name) or ""
    if not isinstance(value, str):
        raise UsageError(f"{name}: must be text")
    return value
