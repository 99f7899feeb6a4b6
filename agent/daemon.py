"""The daemon: wires the agent once, then keeps seven things going beside each other.

- *pump*: what the guard saw goes to the event store at once; a crossed bound goes on to
- *respond*: alerts, stops, or declares, in a thread of its own, so that a long isolation loses no event;
- *work*: scans when it is due, seals by policy, reports;
- *direct*: orders of head office, the slow ones beside the others;
- *keep*: clocks, reminders and messages (`agent.keeper`), beside the work, for a scan may take an hour;
- *tell*: head office, of every incident that moves;
- *control*: operations of people.

The daemon has no network and imports neither Presidio nor an extractor: workers do, and they go when idle. Killed at
any moment, it recovers at the next start (`build_agent`); until then the guard goes on with what it was told.
"""

from __future__ import annotations

import math
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from agent.aftermath import deny_fenced
from agent.client import this_caller
from agent.control import ControlServer
from agent.direction.carrying import carry_out_waiting, recover
from agent.direction.taking import take
from agent.incident.telling import Pace, mark_open, tell_moved
from agent.keeper import tick
from agent.link.errands import has_answers
from agent.lock import hold_lock
from agent.operation import Request
from agent.operations import find_operation
from agent.reporting import continue_inventory, report_health, report_inventory
from agent.schedule import Schedule
from agent.sealing.policy import seal_by_policy
from agent.watch.api import BLOCKING, Crossing, Gap, Watch
from agent.watch.behaviour import respond
from agent.watch.connect import connect_watch
from agent.watch.decoys import plant_decoys
from agent.watch.own import mark
from agent.watch.shared import SharedWatch
from agent.wiring import Agent, build_agent
from config.errors import ClocheError
from config.home import Home
from config.log import describe, get_logger
from config.notify import notify, watchdog_seconds
from config.schema import Settings
from config.text import Text

log = get_logger("daemon")
TICK_SECONDS: Final = 0.5
DIRECT_SECONDS: Final = 0.25  # one fstat of a folder while nothing comes
HEALTH_EVERY: Final = 300.0
SEAL_EVERY: Final = 300.0
LOOK_EVERY: Final = 5.0  # an idle daemon asks its database no more often than this
KEEP_EVERY: Final = 30.0
KEEP_APART: Final = 1.0  # however much the link brings
STALLED_SECONDS: Final = 60.0


class StoppedError(ClocheError):
    """A scan that ends because the daemon does; what it had found is kept."""


class PausedError(ClocheError):
    """A scan that waits until head office has taken some reports; what it had found is kept."""


class Daemon:
    """One daemon of one home.

    Promise: no failure of a part is silent; a part that breaks ends the process, and systemd starts it anew, with
    recovery. Limit: a pump that hangs is noticed by systemd's watchdog alone, and only the pump's beat is asked.
    """

    def __init__(self, agent: Agent, watch: SharedWatch) -> None:
        self._agent = agent
        self._watch = watch
        self._stop = threading.Event()
        self._crossings: queue.Queue[Crossing | None] = queue.Queue()
        self._pumped = time.monotonic()
        self._rescan = threading.Event()
        self._changed = threading.Event()
        self._acted = threading.Event()
        self._slow_orders = threading.Event()
        agent.orders.driven = True  # before any thread runs: the keeper leaves them alone
        self._changed.set()  # what a command without a daemon changed
        self._paused = False
        self._schedule = Schedule(agent.settings, lambda: datetime.now(UTC))

    def run(self) -> bool:
        """Run until SIGTERM or SIGINT, or until head office has changed what is read at a start: then True."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self._stop.set())
        self._mark()
        server = ControlServer(self._agent, changed=self._changed.set, acted=self._acted.set)
        threads = [
            threading.Thread(target=self._guarded, args=(loop,), name=loop.__name__.strip("_"))
            for loop in (
                self._pump,
                self._respond,
                self._work,
                self._keep,
                self._tell,
                self._direct,
                self._direct_slowly,
            )
        ]
        for thread in threads:
            thread.start()
        server.start()
        notify("READY=1")
        log.info("started", tier=self._watch.tier, mode=self._agent.settings.protect.mode)
        self._agent.audit.append("daemon.started", "cloche", tier=self._watch.tier)
        pause = min(watchdog_seconds() or TICK_SECONDS, TICK_SECONDS)
        while not self._stop.wait(pause):
            if time.monotonic() - self._pumped < STALLED_SECONDS:
                notify("WATCHDOG=1")
            if self._agent.orders.again:
                break
        anew = not self._stop.is_set()
        self._stop.set()
        self._agent.orders.stopping.set()
        if not anew:  # systemd would take it for the end, and kill what starts anew after its time
            notify("STOPPING=1")
        server.close()
        self._crossings.put(None)
        for thread in threads:
            thread.join()
        self._agent.audit.append("daemon.stopped", "cloche")
        return anew

    def _guarded(self, loop: Callable[[], None]) -> None:
        """Run a loop; if it breaks, end the process so that it starts anew, rather than limp on unseen."""
        try:
            loop()
        except Exception as error:  # noqa: BLE001  the boundary of a thread
            log.error("a part of the daemon broke", part=loop.__name__.strip("_"), error=describe(error))
            os.kill(os.getpid(), signal.SIGTERM)

    # pump

    def _pump(self) -> None:
        reconnect = time.monotonic()
        while not self._stop.is_set():
            for event in self._watch.pump(TICK_SECONDS):
                if isinstance(event, Crossing):
                    self._crossings.put(event)
                    continue
                if isinstance(event, Gap):
                    self._rescan.set()
                self._attempt("record an access", partial(respond, self._agent, event))
            self._pumped = time.monotonic()
            if self._watch.tier not in BLOCKING and time.monotonic() - reconnect > 5:
                reconnect = time.monotonic()
                self._attempt("take up the guard", self._reconnect)

    def _reconnect(self) -> None:
        """A guard that came back, or came at last, takes over."""
        if not self._agent.settings.watch.enabled or not self._agent.home.guard_socket.exists():
            return
        fresh = connect_watch(self._agent.home, self._agent.settings)
        if fresh.tier in BLOCKING:
            self._watch.replace(fresh)
            self._mark()
            log.info("the guard is back", tier=fresh.tier)
        else:
            fresh.close()

    def _respond(self) -> None:
        while (crossing := self._crossings.get()) is not None:
            self._attempt("respond to a crossed bound", partial(respond, self._agent, crossing))
            self._changed.set()

    def _mark(self) -> None:
        """Hand the watch what the inventory knows, and the decoys."""
        settings = self._agent.settings.watch
        self._watch.exempt(os.getpid())
        decoys = plant_decoys(self._agent) if settings.enabled else []
        result = mark(self._agent, [*self._agent.inventory.watch_list(settings.decoys), *decoys])
        deny_fenced(self._agent)
        if result.failed:
            log.warning("some files are not watched", count=len(result.failed), cause=result.failed[0][1])

    # keep

    def _keep(self) -> None:
        """Every half minute, and at once when the link has brought something or was started anew."""
        kept, met = -math.inf, ""
        while not self._stop.wait(TICK_SECONDS):
            post = self._agent.post
            present = post.link_id
            since = time.monotonic() - kept
            if since > KEEP_EVERY or (since > KEEP_APART and (present != met or self._has_news())):
                kept, met = time.monotonic(), present
                self._attempt("keep what is due", partial(tick, self._agent, self._agent.now()))

    # tell

    def _tell(self) -> None:
        """Head office hears of every incident that moves, also while drafts are written for it: at once what somebody
        did here or by an order, who waits to see it, and the rest at its pace."""
        pace = Pace()
        self._attempt("look at open incidents", partial(mark_open, self._agent))
        while not self._stop.wait(TICK_SECONDS):
            acted = self._acted.is_set()
            self._acted.clear()
            if self._agent.moved and (pace.is_time(time.monotonic()) or acted):
                self._attempt("tell head office of incidents", partial(tell_moved, self._agent))

    def _has_news(self) -> bool:
        """The link has brought something."""
        return bool(self._agent.post.news(1)) or has_answers(self._agent.home.outbox)

    # direct

    def _direct(self) -> None:
        """Take orders of head office as they come and carry them out, beside the work: a scan may take an hour."""
        orders = self._agent.orders
        self._attempt("go on with orders", partial(recover, self._agent))
        looked = -math.inf
        while not self._stop.wait(DIRECT_SECONDS):
            if orders.has_changed() or time.monotonic() - looked > KEEP_EVERY:
                looked = time.monotonic()
                self._attempt("take orders", partial(take, self._agent))
                self._attempt(
                    "carry out orders", partial(carry_out_waiting, self._agent, self._order_ended, slow=False)
                )
                self._slow_orders.set()

    def _direct_slowly(self) -> None:
        """Those that may take an hour: a declaration does not wait for them."""
        while not self._stop.is_set():
            if self._slow_orders.wait(TICK_SECONDS):
                self._slow_orders.clear()
                self._attempt("carry out orders", partial(carry_out_waiting, self._agent, self._order_ended, slow=True))

    def _order_ended(self) -> None:
        """Head office hears how things stand after an order, and what fell due by it is done at once."""
        self._changed.set()
        self._acted.set()
        self._attempt("keep what is due", partial(tick, self._agent, self._agent.now()))

    # work

    def _work(self) -> None:
        looked = health = sealing = -math.inf  # by the monotonic clock: the machine's time may be set back by years
        while not self._stop.wait(TICK_SECONDS):
            if self._rescan.is_set() or time.monotonic() - looked > LOOK_EVERY:
                looked = time.monotonic()
                if self._is_scan_due():
                    self._rescan.clear()
                    self._attempt("scan", self._scan)
                    sealing = -math.inf
                self._attempt("report the rest of the inventory", partial(continue_inventory, self._agent))
            if time.monotonic() - sealing > SEAL_EVERY:
                sealing = time.monotonic()
                self._attempt("seal by policy", self._seal)
            if self._changed.is_set():
                self._changed.clear()
                self._attempt("report the inventory", partial(report_inventory, self._agent))
                health = -math.inf
            if time.monotonic() - health > HEALTH_EVERY:
                health = time.monotonic()
                self._attempt("report", partial(report_health, self._agent))

    def _is_scan_due(self) -> bool:
        roots = tuple(os.path.realpath(os.fsencode(root)) for root in self._agent.settings.scan.roots)
        if not roots or self._is_paused():
            return False
        if self._rescan.is_set():
            return True
        last = self._agent.inventory.last_run(covering=roots)
        return self._schedule.due(last.ended_at if last else None, datetime.now(UTC))

    def _is_paused(self) -> bool:
        """Too much waits for head office; said once each time."""
        paused = self._agent.outbox.waiting().full
        if paused and not self._paused:
            log.warning("scheduled scans pause: the reports that may wait for head office are there")
        self._paused = paused
        return paused

    def _scan(self) -> None:
        def look_up(_update: dict[str, Any]) -> None:
            if self._stop.is_set():
                raise StoppedError("the scan was cut short: the daemon stops")
            if self._is_paused():
                raise PausedError("the scan was cut short: too many reports wait for head office")

        request = Request(arguments={"scheduled": True}, caller=this_caller(), progress=look_up)
        find_operation("scan").load()(self._agent, request)
        self._changed.set()

    def _seal(self) -> None:
        if not self._agent.keyring.ready:
            return
        with self._agent.exclusive:
            seal_by_policy(self._agent, dry_run=self._agent.settings.protect.mode == "observe")
        self._changed.set()

    def _attempt(self, what: str, step: Callable[[], Any]) -> None:
        """Do a step; if it fails, say so and go on: what is done in rounds is tried again in the next."""
        try:
            step()
        except ClocheError as error:
            log.warning("a step failed", step=what, why=self._agent.mask(str(error)))
        except Exception as error:  # noqa: BLE001  one bad file must not end the watch
            log.error("a step failed", step=what, error=describe(error))


def run_daemon(home: Home, settings: Settings) -> bool:
    """Take the lock, connect to the guard (or the fallback), recover, and run; True if it wants to be started anew.

    Raises:
        RefusedError: another process holds the lock.
        ClocheError: recovery or a database failed; nothing was started.
    """
    os.umask(0o077)
    with hold_lock(home, Text(settings.store.language)):
        inner: Watch = connect_watch(home, settings)
        watch = SharedWatch(inner)
        with build_agent(home, settings, watch) as agent:
            return Daemon(agent, watch).run()
