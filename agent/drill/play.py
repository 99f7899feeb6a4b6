"""Play a scenario: attack, detect, declare, contain, count, draft, direct, release, verify; each step timed.

The steps are those of a real incident, carried out by the same operations. One that fails is named and the drill goes
on: finding out what does not work is what it is for.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from agent import keeper
from agent.audit.verify import verify
from agent.drill.enclosure import Enclosure
from agent.drill.records import MeasureName
from agent.drill.scenarios import Scenario
from agent.drill.scene import Scene, set_scene
from agent.incident.moments import zone_of
from agent.incident.records import Incident, Step
from agent.incident.store import incidents
from agent.incident.wording import Wording
from config.errors import ClocheError, ExitCode
from config.identity import make_identity
from config.log import describe
from config.schema import Settings
from config.text import LANGUAGES, Text

DETECT_SECONDS: Final = 12.0
COPY_SECONDS: Final = 20.0
CONTAIN_SECONDS: Final = 40.0
DRAFTS: Final = frozenset({"report_draft", "notify_draft"})
MOST_STEPS: Final = 400
Told = Callable[[str], None]
Tree = dict[str, tuple[str, int, int, int, int]]


def play(
    enclosure: Enclosure, scenario: Scenario, settings: Settings, tell: Told, *, size: float, drafts: bool
) -> dict[str, Any]:
    """Carry the scenario out; what was measured, what happened, what could not be shown.

    Args:
        enclosure: the drill's folder.
        scenario: what is played.
        settings: the drill's own.
        tell: hears the key of each step as it begins.
        size: share of the made-up customers.
        drafts: also draft reports and notice; without them both are missing from what was measured.

    Raises:
        ClocheError: the scene could not be set.
    """
    tell("scene")
    with set_scene(enclosure, scenario, settings, size) as scene:
        course = Course(scene, tell, drafts=drafts)
        try:
            course.run()
        finally:
            course.finish()
        return course.document()


class Course:
    """One play. Times are of the monotonic clock, in seconds since the attack began."""

    def __init__(self, scene: Scene, tell: Told, *, drafts: bool) -> None:
        self._scene = scene
        self._drafts = drafts
        self._tell = tell
        self._measured: dict[MeasureName, float | None] = {}
        self._began = time.monotonic()
        self._began_wall = time.time()
        self._incident: Incident | None = None
        self._before: Tree = {}
        self._thief = None if scenario_is_quiet(scene.scenario) else scene.thief()
        self._steps: list[dict[str, Any]] = []
        self._persons = 0

    def run(self) -> None:
        """Every step in order."""
        scene = self._scene
        for key, step in (
            ("keys", self._keys), ("scan", self._scan), ("attack", self._attack), ("declare", self._declare),
            ("contain", self._contained), ("count", self._count), ("report_draft", self._report_draft),
            ("notify_draft", self._notify_draft), ("direct", self._direct), ("release", self._release),
            ("verify", self._verify),
        ):  # fmt: skip
            if key in DRAFTS and not self._drafts:
                continue
            self._tell(key)
            began = time.monotonic()
            ok = True
            try:
                step()
            except Exception as error:  # noqa: BLE001  a step that breaks is what a drill is there to find
                ok = False
                why = str(error) if isinstance(error, ClocheError) else describe(error)
                scene.note("step_failed", step=key, why=scene.agent.mask(why))
            self._steps.append({"step": key, "ok": ok, "seconds": round(time.monotonic() - began, 3)})

    def finish(self) -> None:
        """Nothing of the play goes on."""
        if self._thief is not None:
            self._thief.end()

    def document(self) -> dict[str, Any]:
        """What the drill came to."""
        scene, incident = self._scene, self._incident
        zone = zone_of(scene.settings.store.timezone)
        wordings = {language: Wording(Text(language), zone) for language in LANGUAGES}
        everything: tuple[Step, ...] = incidents(scene.agent).get(incident.id).steps if incident else ()
        steps = [step for step in everything if not step.act.startswith("messages.")]
        if len(steps) < len(everything):
            scene.note("messages", count=len(everything) - len(steps))
        return {
            "tier": scene.agent.watch.tier, "blocking": scene.blocking, "samba": scene.share is not None,
            "measured": self._measured, "steps": self._steps, "persons": self._persons,
            "incident": incident.id if incident else None,
            "declared_by": "behaviour" if incident and incident.machine else "person",
            "timeline": [
                {
                    "at": step.time.isoformat(), "act": step.act, "ok": step.ok,
                    "text": {language: _said(wording.step, step) for language, wording in wordings.items()},
                }
                for step in steps[:MOST_STEPS]
            ],
            "notes": [{"key": key, "values": values} for key, values in scene.notes],
        }  # fmt: skip

    # the steps

    def _keys(self) -> None:
        """A recovery key that is thrown away: what the drill seals opens by what its memory holds."""
        self._scene.perform("keys.init", "security_lead", public=_public(), proof="file")

    def _scan(self) -> None:
        answer = self._scene.perform("scan", "security_lead", paths=[str(self._scene.enclosure.store)])
        self._persons = int(answer.document["persons"])
        self._before = tree(self._scene.enclosure.store)
        if self._scene.scenario.backup:
            shutil.copytree(self._scene.enclosure.store, self._scene.enclosure.backup, dirs_exist_ok=True)

    def _attack(self) -> None:
        self._began, self._began_wall = time.monotonic(), time.time()
        scene = self._scene
        if scene.scenario.actor == "vendor":
            from agent.drill.vendor import sold_by_vendor

            self._measured["traced"] = 0.0
            self._measured["traced"] = float(sold_by_vendor(scene, scene.scenario.named))
        if self._thief is None:
            return
        self._thief.begin()
        if not scene.blocking:
            self._wait(lambda: bool(self._thief and self._thief.is_done), COPY_SECONDS)
            return
        self._wait(lambda: bool(scene.crossings), DETECT_SECONDS)
        alerts = [alert for alert in scene.agent.inventory.alerts() if alert.keys]
        if alerts:
            self._measured["detect"] = max(0.0, min(alert.at.timestamp() for alert in alerts) - self._began_wall)

    def _declare(self) -> None:
        """A behaviour has declared already, or a person reports (疑似上报) and somebody with a role declares."""
        scene = self._scene
        found = [item for item in incidents(scene.agent).all() if item.machine]
        if found:
            self._incident = incidents(scene.agent).get(found[0].id)
            return
        if scene.scenario.declared_by == "behaviour":
            scene.note("not_detected")
            self._measured["detect"] = None
        named = scene.scenario.named or (scene.scenario.target,)
        paths = [scene.enclosure.inside(scene.enclosure.store / name) for name in named]
        words = scene.scenario.words(scene.agent.text.language)
        if self._thief is None:
            self._began_wall = time.time()  # a person has noticed: from here it counts
        facts: dict[str, Any] = {"kind": scene.scenario.kind, "summary": words.summary or words.title, "paths": paths}
        reported = scene.perform("incident.report", "store_manager", **facts).document["id"]
        declared = scene.perform("incident.declare", "response_lead", incident=reported, **facts)
        self._incident = incidents(scene.agent).get(declared.document["id"])

    def _contained(self) -> None:
        """Until the affected files lie in the vault."""
        scene = self._scene
        incident = self._need()
        self._wait(lambda: self._step("vault") is not None, CONTAIN_SECONDS)
        incident = self._need()
        away = [item for item in incident.items if item.state == "vault"]
        left = [item for item in incident.items if item.state not in ("vault", "left") and os.path.lexists(item.path)]
        step = self._step("vault")
        if step is not None and away and not left:
            self._measured["contain"] = max(0.0, step.time.timestamp() - self._began_wall)
        else:
            self._measured["contain"] = None
        self._wait(lambda: self._step("outbox") is not None, CONTAIN_SECONDS)
        if self._thief is None:
            return
        files, persons = scene.loot()
        if scene.scenario.actor == "encrypt":
            damaged = list(scene.enclosure.store.rglob("*.locked"))
            self._measured["damaged"] = len(damaged)
            files = len(damaged)
            persons = sum(item.persons for item in scene.agent.inventory.items() if _locked(item.path))
        self._measured["left_files"], self._measured["left_persons"] = files, persons

    def _count(self) -> None:
        """Count the persons really, in the vault, as a notice would need it."""
        from agent.notice.persons import count_persons

        counted = count_persons(self._scene.agent, self._need().id)
        self._scene.note("counted", persons=counted.persons, complete=counted.complete)

    def _report_draft(self) -> None:
        """The drafts for the authorities, from when it was declared."""
        from agent.reports.drafting import write_drafts

        scene, incident = self._scene, self._need()
        agent = scene.agent
        began = time.monotonic()
        write_drafts(agent, incident, agent.text("drill.caller"), agent.now())
        folder = agent.home.documents / incident.id
        files = [path for path in folder.rglob("*") if path.is_file()]
        first = min((path.stat().st_mtime for path in files), default=None)
        if first is None:
            self._measured["report_draft"] = None
            return
        declared = incident.declared_at.timestamp() if incident.declared_at else first
        self._measured["report_draft"] = max(0.0, first - declared) + (time.monotonic() - began)

    def _notify_draft(self) -> None:
        """The words that customers would be told, in both languages; nobody is told anything."""
        scene, incident = self._scene, self._need()
        self._measured["notify_draft"] = None
        scene.perform("notice.draft", "customer_service", id=incident.id)
        if incident.declared_at is not None:
            self._measured["notify_draft"] = max(0.0, scene.clock().timestamp() - incident.declared_at.timestamp())

    def _direct(self) -> None:
        """Orders were given; where somebody is absent, time passes and they must reach the substitute."""
        from agent.incident.orders import orders_of

        scene, incident = self._scene, self._need()
        agent = scene.agent
        orders = orders_of(agent, incident.id)
        scene.note("orders", count=len(orders), owned=sum(bool(order.owner) for order in orders))
        if not scene.scenario.absent:
            return
        absent = {person.name for person in agent.people.holding(scene.scenario.absent)}
        theirs = [order for order in orders if order.owner in absent]
        for order in orders:
            if order.owner and order.owner not in absent:
                scene.perform("incident.ack", "security_lead", order=order.id, by=order.owner)
        for _ in range(4):
            scene.clock.pass_(scene.settings.respond.answer_minutes + 1)
            keeper.tick(agent, agent.now())
        told = [step for step in incidents(agent).get(incident.id).steps if step.act == "orders.reminded"]
        reached = {
            str(step.details["order"])
            for step in told
            if step.details["stage"] in ("substitute", "leader") and set(step.details["people"]) - absent
        }
        share = len({order.id for order in theirs} & reached) / len(theirs) if theirs else 0.0
        self._measured["escalated"] = share
        if share < 1:
            scene.note("no_substitute" if theirs else "nobody_absent")

    def _release(self) -> None:
        """The drill ends as a false alarm does: everything comes back bit for bit, and no key is needed."""
        scene, incident = self._scene, self._need()
        if self._thief is not None:
            self._thief.end()
        if scene.scenario.head_office == "unreachable":
            waiting = [kind for _number, kind in scene.agent.outbox.pending()]
            self._measured["queued"] = 1.0 if "incident" in waiting else 0.0
        reason = scene.agent.text("drill.end_reason")
        answer = scene.perform("incident.dismiss", "response_lead", id=incident.id, reason=reason)
        after = tree(scene.enclosure.store)
        restored = {name for name, facts in self._before.items() if after.get(name) == facts}
        damaged = set(self._before) - restored
        if scene.scenario.backup:
            damaged -= self._restore(damaged)
        self._measured["restored"] = 1 - len(damaged) / max(1, len(self._before))
        if answer.exit_code != ExitCode.DONE:
            scene.note("release_incomplete")

    def _restore(self, damaged: set[str]) -> set[str]:
        """Bring back from the copy what the attacker changed; the names that are as they were."""
        store, backup = self._scene.enclosure.store, self._scene.enclosure.backup
        for path in store.rglob("*.locked"):
            path.unlink()
        for name in damaged:
            with suppress(OSError):
                shutil.copy2(backup / name, store / name)
        self._scene.note("from_backup", count=len(damaged))
        after = tree(store)
        return {name for name in damaged if after.get(name) == self._before[name]}

    def _verify(self) -> None:
        """Timeline and record of the drill are whole, by the verifier an outsider has."""
        scene, incident = self._scene, self._need()
        agent = scene.agent
        agent.audit.sign_head()
        whole = verify(agent.home.audit_log, agent.keyring.public_key).ok
        line = agent.timelines.verify(incident.id, agent.keyring.public_key).ok
        self._measured["recorded"] = 1.0 if whole and line else 0.0

    # what they need

    def _need(self) -> Incident:
        """The incident as it stands now.

        Raises:
            ClocheError: there is none.
        """
        if self._incident is None:
            raise ClocheError("there is no incident")
        self._incident = incidents(self._scene.agent).get(self._incident.id)
        return self._incident

    def _step(self, act: str) -> Step | None:
        return next((step for step in reversed(self._need().steps) if step.act == act), None)

    @staticmethod
    def _wait(until: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            time.sleep(0.02)


def scenario_is_quiet(scenario: Scenario) -> bool:
    """Nobody does anything on the server."""
    return scenario.actor not in ("copy", "encrypt")


def tree(folder: Path) -> Tree:
    """SHA-256, mode, owner, group and time of every file, by relative name. The live database is compared too."""
    found: Tree = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        if stat.S_ISREG(facts.st_mode) and not path.name.endswith(".locked"):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[os.fspath(path.relative_to(folder))] = (
                digest, facts.st_mode, facts.st_uid, facts.st_gid, facts.st_mtime_ns
            )  # fmt: skip
    return found


def _public() -> str:
    from config.identity import encode_public

    return encode_public(make_identity("recovery").public)


def _locked(path: bytes) -> bool:
    return os.path.lexists(path + b".locked")


def _said(words: Callable[[Step], str], step: Step) -> str:
    """A step in words; one without words (a room that is newer) by its name."""
    try:
        return words(step)
    except KeyError:
        return step.act
