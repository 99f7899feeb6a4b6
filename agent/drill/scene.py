"""The scene of a drill: its made-up store, its home, its agent and guard, and its thief. Only `runner` builds one.

Everything on it is real but the customers: the same operations, scan workers, guard, vault, evidence and documents as
in an incident. What the machine does not allow (no root, no fanotify, no Samba) is left out and named in `notes`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from agent.drill import synthetic
from agent.drill.actor import MARK
from agent.drill.enclosure import Enclosure
from agent.drill.leash import leashed
from agent.drill.scenarios import Scenario
from agent.drill.windows import Share
from agent.operation import Answer, Caller, Request
from agent.operations import find_operation
from agent.watch.api import BLOCKING, Crossing, Gap, Happening, NoWatch, Watch
from agent.watch.behaviour import respond
from agent.watch.fanotify import GuardWatch, NoGuardError
from agent.watch.shared import SharedWatch
from agent.watch.testing import start_guard
from agent.wiring import Agent, build_agent
from config.errors import ClocheError, RefusedError
from config.log import describe
from config.schema import Role, Settings
from containment.samba import client_of

PHONE: Final = re.compile(rb"1380\d{7}")
PUMP_SECONDS: Final = 0.05
GUARD_SECONDS: Final = 15.0


class Clock:
    """The drill's clock: the machine's, and ahead of it once a scenario lets time pass."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        """Aware, UTC."""
        return datetime.now(UTC) + self._ahead

    def pass_(self, minutes: float) -> None:
        """Let time pass."""
        self._ahead += timedelta(minutes=minutes)


@dataclass(kw_only=True)
class Scene:
    """See the module. `notes` are keys of texts `drill.note_<key>` with their values."""

    enclosure: Enclosure
    scenario: Scenario
    settings: Settings
    clock: Clock = field(default_factory=Clock)
    agent: Agent = field(init=False)
    share: Share | None = None
    crossings: list[Crossing] = field(default_factory=list)
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def blocking(self) -> bool:
        """A guard refuses and stops here."""
        return self.agent.watch.tier in BLOCKING

    def note(self, key: str, **values: Any) -> None:
        """Say what is not as in an incident, or what people should know."""
        self.notes.append((key, values))

    def perform(
        self, operation_name: str, role: Role, /, *, descriptors: tuple[int, ...] = (), **arguments: Any
    ) -> Answer:
        """Carry out an operation as somebody with this role, never as the owner: a role names scanned files only.

        Raises:
            ClocheError: what the operation raised.
            RefusedError: a path lies outside the drill's store.
        """
        for path in arguments.get("paths") or ():
            self.enclosure.inside(path)
        caller = Caller(
            uid=os.geteuid(), gid=os.getegid(), pid=os.getpid(), user=self.agent.text("drill.caller"),
            roles=frozenset({role}),
        )  # fmt: skip
        operation = find_operation(operation_name)
        request = Request(arguments=arguments, caller=caller, descriptors=descriptors)
        if operation.changes_files:
            with self.agent.exclusive:
                return operation.load()(self.agent, request)
        return operation.load()(self.agent, request)

    def thief(self) -> Thief:
        """The one who does it, ready to begin."""
        folder = Path(self.enclosure.inside(self.enclosure.store / self.scenario.target))
        if self.share is not None:
            return Thief(process=None, share=self.share)
        what = "copy" if self.scenario.actor == "copy" else "encrypt"
        command = [sys.executable, "-P", "-m", "agent.drill.actor", what, str(folder), str(self.enclosure.loot)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        if process.stdout is None or process.stdout.readline() != b"ready\n":
            process.kill()
            process.communicate()
            raise RefusedError("the drill's own thief refused this folder")
        return Thief(process=process, share=None)

    def loot(self) -> tuple[int, int]:
        """Files that were carried away whole or in part, and persons in them (distinct numbers)."""
        taken = [path for path in self.enclosure.loot.rglob("*") if path.is_file() and path.stat().st_size]
        persons = {found for path in taken for found in PHONE.findall(path.read_bytes())}
        return len(taken), len(persons)

    def pump(self) -> None:
        """Hear the watch and respond, as the daemon does, until the scene ends."""
        watch = self.agent.watch
        while not self._stop.is_set():
            for happening in watch.pump(PUMP_SECONDS):
                self._take(happening)
            if watch.fileno() < 0:
                self._stop.wait(PUMP_SECONDS)

    def _take(self, happening: Happening) -> None:
        try:
            respond(self.agent, happening)
        except ClocheError as error:
            self.note("part_failed", what=self.agent.mask(str(error)))
        except Exception as error:  # noqa: BLE001  one event must not end the drill; it is named in the result
            self.note("part_failed", what=describe(error))
        if isinstance(happening, Crossing):
            self.crossings.append(happening)
        elif isinstance(happening, Gap):
            self.note("gap", cause=happening.cause)

    def end(self) -> None:
        """Stop hearing."""
        self._stop.set()


@dataclass(kw_only=True)
class Thief:
    """The one who does it. A stopped process is killed at the end, whatever it holds."""

    process: subprocess.Popen[bytes] | None
    share: Share | None

    def begin(self) -> None:
        """Go."""
        if self.share is not None:
            self.process = self.share.copy()
        elif self.process is not None and self.process.stdin is not None:
            self.process.stdin.write(b"go\n")
            self.process.stdin.flush()

    @property
    def is_done(self) -> bool:
        """It ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def end(self) -> None:
        """Kill it."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@contextmanager
def set_scene(enclosure: Enclosure, scenario: Scenario, settings: Settings, size: float) -> Iterator[Scene]:
    """Make store, home, guard and agent; take all of it down again.

    Args:
        enclosure: its folders are made already.
        scenario: what is played.
        settings: the drill's.
        size: share of the made-up customers, 1 for some 4,500.

    Raises:
        ClocheError: the home cannot be made.
    """
    (enclosure.folder / MARK).touch()
    synthetic.build(enclosure.store, time.time(), size)
    for path in (enclosure.store, *enclosure.store.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    scene = Scene(enclosure=enclosure, scenario=scenario, settings=settings)
    with ExitStack() as stack:
        if scenario.via == "samba" and scenario.actor == "copy":
            scene.share = _share(scene, stack)
        watch = SharedWatch(_watch(scene, stack))
        agent = stack.enter_context(build_agent(enclosure.home, settings, watch, now=scene.clock))
        scene.agent = agent
        watch.exempt(os.getpid())
        pumping = threading.Thread(target=scene.pump, name="drill-pump")
        pumping.start()
        stack.callback(pumping.join)
        stack.callback(scene.end)
        yield scene


def _share(scene: Scene, stack: ExitStack) -> Share | None:
    if not Share.possible():
        scene.note("no_samba")
        return None
    share = Share(scene.enclosure, scene.enclosure.store / scene.scenario.target)
    stack.callback(share.stop)
    try:
        share.prepare()
        started = share.start()
    except OSError:  # no loopback of its own, no such account: a process copies instead
        started = False
    if not started:
        scene.note("no_samba")
        return None
    return share


def _watch(scene: Scene, stack: ExitStack) -> Watch:
    """The drill's own guard; without root or fanotify none, which is said plainly."""
    home = scene.enclosure.home
    if scene.scenario.declared_by != "behaviour":
        return NoWatch()
    if os.geteuid() != 0 or not scene.enclosure.takes_sockets:
        scene.note("no_guard")
        return NoWatch()
    try:
        guard = start_guard(home, wait=GUARD_SECONDS, before=leashed())
        stack.callback(_end_guard, guard)
        lookup = partial(client_of, settings=str(scene.share.settings)) if scene.share else client_of
        return GuardWatch(home.guard_socket, scene.settings.watch, lookup)
    except (NoGuardError, OSError):
        scene.note("no_guard")
        return NoWatch()


def _end_guard(guard: subprocess.Popen[bytes]) -> None:
    guard.terminate()
    try:
        guard.wait(5)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()
