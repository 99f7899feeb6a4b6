"""The link's part in orders: ask head office for them, and lay what came before the daemon. It decides nothing.

A thread holds one request open (`GET /v1/orders`). What comes is written into `outbox/orders`, a file a delivery,
whole and durable; the daemon says in `outbox/orders.json` up to which number it has them and what challenge the next
answer shall carry. Everything in the folder is hostile to the daemon: a hijacked link can withhold an order, and
can make none.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from agent.link.bounded import ask
from agent.link.letters import read_bounded, write_whole
from agent.link.office import open_client
from agent.link.order_files import ASKING, DELIVERY, FOLDER, NEWS
from agent.link.settings import Enrolment, read_enrolment
from central.wire import ORDERS_SCHEMA
from config.errors import ClocheError, RefusedError
from config.log import get_logger

MAX_ANSWER: Final = 4 << 20
MAX_ASKING: Final = 4_096
MOST_WAITING: Final = 100
"""Deliveries that lie here before no more are asked for: the daemon is away, or slow."""
WAIT_SECONDS: Final = 50
LONGEST_PAUSE: Final = 60.0
LONGEST_AGAIN: Final = 600.0
SETTLE_SECONDS: Final = 5.0

log = get_logger("link.orders")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the daemon has, and what the next answer shall show."""

    after: int = 0
    challenge: str = ""


class OrderFolder:
    """The folder of deliveries as the link sees it, by descriptors opened before rights were dropped."""

    def __init__(self, outbox: Path) -> None:
        """Open it.

        Raises:
            RefusedError: the daemon has not made it, or it is not ours to use.
        """
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._outbox = os.open(outbox, flags)
            try:
                self._folder = os.open(outbox / FOLDER, flags)
            except OSError:
                os.close(self._outbox)
                raise
        except OSError as error:
            raise RefusedError(f"{outbox / FOLDER}: cannot be opened: {error.strerror}") from error

    def close(self) -> None:
        """Give the descriptors back. Calling it twice is harmless."""
        for descriptor in (self._outbox, self._folder):
            if descriptor >= 0:
                os.close(descriptor)
        self._outbox = self._folder = -1

    def enrolment(self) -> Enrolment | None:
        """Where head office is.

        Raises:
            ClocheError: the file is damaged.
        """
        return read_enrolment(self._outbox)

    def asked(self) -> Asked:
        """What the daemon last said; nothing where it said nothing."""
        content = read_bounded(self._outbox, ASKING, MAX_ASKING)
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError, OverflowError):
            values = json.loads(content or b"")
            return Asked(after=int(values["after"]), challenge=str(values["challenge"]))
        return Asked()

    def waiting(self) -> list[int]:
        """Numbers of deliveries that the daemon has not taken yet, in order."""
        return sorted(int(name[:16]) for name in os.listdir(self._folder) if DELIVERY.fullmatch(name))

    def sweep(self) -> None:
        """Remove what an earlier run left unfinished."""
        for name in os.listdir(self._folder):
            if name.endswith(".part"):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=self._folder)

    def keep(self, number: int, delivery: dict[str, Any]) -> None:
        """Lay a delivery before the daemon, durable.

        Raises:
            OSError: the disk refused it.
        """
        self._write(f"{number:016d}.json", delivery)

    def keep_news(self, news: dict[str, Any]) -> None:
        """Lay before it what else head office said.

        Raises:
            OSError: the disk refused it.
        """
        self._write(NEWS, news)

    def _write(self, name: str, document: dict[str, Any]) -> None:
        write_whole(self._folder, name, json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))


class Courier:
    """Holds a request for orders open until told to stop.

    Promise: an order that head office sent lies in the folder before the next is asked for. A failure is followed by a
    pause that doubles up to a minute, each drawn from its upper half.
    """

    def __init__(self, folder: OrderFolder, instance: str, *, jitter: Callable[[], float] | None = None) -> None:
        self._folder = folder
        self._instance = instance
        self._jitter = jitter or random.SystemRandom().random
        self._failures = 0
        self.heard = -math.inf
        """When head office last answered, by the monotonic clock."""
        self._client: httpx.Client | None = None
        self._enrolment: Enrolment | None = None

    def run(self, stop: threading.Event) -> None:
        """Ask and ask again. The first time somewhat later, so that a fleet that starts together does not come so."""
        self._folder.sweep()
        pause = 0.0
        try:
            while not stop.wait(pause):
                enrolment = self._current()
                if enrolment is None or not enrolment.certificate_pem:
                    pause = 1.0
                    continue
                if self._client is None:
                    self._open(enrolment)
                    if stop.wait(self._jitter() * min(enrolment.retry_seconds, SETTLE_SECONDS)):
                        break
                pause = self.ask_once(enrolment, wait=0 if self._failures else WAIT_SECONDS)
        finally:
            self.close()

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def once(self) -> str:
        """Ask once without waiting; '' or what went wrong."""
        enrolment = self._current()
        if enrolment is None or not enrolment.certificate_pem:
            return ""
        self._open(enrolment)
        try:
            return "" if self.ask_once(enrolment, wait=0) >= 0 and not self._failures else "orders"
        finally:
            self.close()

    def ask_once(self, enrolment: Enrolment, *, wait: int) -> float:
        """One request; seconds until the next."""
        waiting = self._folder.waiting()
        if len(waiting) >= MOST_WAITING:
            return SETTLE_SECONDS
        asked = self._folder.asked()
        after = waiting[-1] if waiting else asked.after
        client = self._client
        if client is None:
            return 1.0
        address = f"/v1/orders?after={after}&wait={wait}"
        if re.fullmatch(r"[A-Za-z0-9_-]{16,64}", asked.challenge):
            address += f"&challenge={asked.challenge}"
        try:
            answer = ask(client, "GET", address, most=MAX_ANSWER)
        except (httpx.HTTPError, httpx.StreamError, ssl.SSLError, RuntimeError) as error:
            return self._fail(enrolment, type(error).__name__, 0.0)
        if answer.status != 200:
            value = answer.headers.get("Retry-After", "")
            asked_for = min(float(value), LONGEST_AGAIN) if value.isdecimal() else 0.0
            return self._fail(enrolment, f"HTTP {answer.status}", asked_for)
        try:
            again = self._keep(answer.body)
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            return self._fail(enrolment, "bad answer", 0.0)
        except OSError as error:
            return self._fail(enrolment, f"orders cannot be kept: {error.strerror}", 0.0)
        self._failures = 0
        self.heard = time.monotonic()
        return again

    def _keep(self, body: bytes) -> float:
        """Write down what came, news first: the time in them is for these deliveries."""
        document = json.loads(body)
        if document["schema"] != ORDERS_SCHEMA:
            raise ValueError("not an answer about orders")
        deliveries = [(int(one["number"]), one) for one in document["deliveries"]][:MOST_WAITING]
        self._folder.keep_news({"time": document.get("time"), "wants": document.get("wants") or []})
        for number, one in deliveries:
            if not 1 <= number < 10**16:
                raise ValueError("no number of a delivery")
            content = {"number": number, "body": str(one["body"]), "signatures": list(one["signatures"])}
            self._folder.keep(number, content)
        again = float(document.get("again_in") or 0)
        return max(0.0, min(again, LONGEST_AGAIN))

    def _current(self) -> Enrolment | None:
        try:
            current = self._folder.enrolment()
        except ClocheError:
            current = None
        if current != self._enrolment:
            self.close()
            self._enrolment = current
        return current

    def _open(self, enrolment: Enrolment) -> None:
        self._client = open_client(enrolment, self._instance, seconds=WAIT_SECONDS + 20)

    def _fail(self, enrolment: Enrolment, fault: str, asked_for: float) -> float:
        if not self._failures:
            log.warning("orders cannot be asked for", fault=fault, url=enrolment.url)
        ceiling = min(
            LONGEST_PAUSE, enrolment.max_retry_seconds, enrolment.retry_seconds * 2 ** min(self._failures, 30)
        )
        self._failures += 1
        if self._failures > 1:
            self.close()
        pause: float = max(asked_for, ceiling * (0.5 + self._jitter() / 2))
        return pause
