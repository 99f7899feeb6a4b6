"""The link's side of errands: post each signed request to head office, and lay the answer before the daemon.

A thread of its own with a connection of its own: an answer that does not come must delay no report.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

from agent.link.bounded import Answered, ask
from agent.link.errands import ANSWER_SCHEMA, ANSWERS, CONTEXTS, ERRANDS, MAX_ERRAND, NAME
from agent.link.letters import read_bounded, write_whole
from agent.link.office import open_client
from agent.link.settings import Enrolment
from central.wire import HEADER_SIGNATURE, decode
from config.errors import ClocheError, RefusedError
from config.log import describe, get_logger

ROUND_SECONDS: Final = 1.0
LATER: Final = frozenset({429, 500, 502, 503, 504})

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
log = get_logger("link")


class Carrier:
    """Carries what lies in `errands`.

    Promise: a request is posted until head office has said something final, each answer is written once. Limit: after
    a crash a request may be posted twice.
    """

    def __init__(self, outbox: Path, instance: str, *, jitter: Callable[[], float] | None = None) -> None:
        """Open the outbox folder; the two folders in it may come later.

        Raises:
            RefusedError: it does not exist or may not be read.
        """
        try:
            self._outbox = os.open(outbox, _FOLDER)
        except OSError as error:
            raise RefusedError(f"{outbox}: cannot be opened: {error.strerror}") from error
        self._instance = instance
        self._jitter = jitter or random.SystemRandom().random
        self._client: httpx.Client | None = None
        self._enrolment: Enrolment | None = None
        self._done: set[str] = set()
        self._failures = 0
        self._not_before = 0.0

    def close(self) -> None:
        """End the connection and give the descriptor back. Calling it twice is harmless."""
        self._hang_up()
        if self._outbox >= 0:
            os.close(self._outbox)
        self._outbox = -1

    def run(self, stop: threading.Event, enrolment: Callable[[], Enrolment | None]) -> None:
        """Work until stopped; `enrolment` says where head office is now."""
        while not stop.is_set():
            try:
                self.round(enrolment())
            except ClocheError as error:
                log.error("errands cannot be carried", why=str(error))
            stop.wait(ROUND_SECONDS)
        self._hang_up()

    def round(self, enrolment: Enrolment | None) -> None:
        """Carry what lies here now.

        Raises:
            ClocheError: the certificates of the enrolment are damaged.
        """
        if enrolment is None or time.monotonic() < self._not_before:
            return
        for name, errand in self._errands():
            if self._client is None or enrolment != self._enrolment:
                self._hang_up()
                self._client, self._enrolment = open_client(enrolment, self._instance), enrolment
            try:
                answer = ask(
                    self._client, "POST", errand["path"], content=decode(errand["body"]),
                    headers={HEADER_SIGNATURE: errand["signature"], "Content-Type": "application/json"},
                )  # fmt: skip
            except (httpx.HTTPError, ssl.SSLError) as error:
                self._wait(enrolment, 0.0)
                log.warning("an errand failed", errand=name, fault=type(error).__name__)
                return
            if answer.status in LATER:
                asked = answer.headers.get("Retry-After", "")
                self._wait(enrolment, min(float(asked), 3600.0) if asked.isdecimal() else 0.0)
                return
            self._failures = 0
            self._write(name, errand["id"], answer)

    def _errands(self) -> list[tuple[str, dict[str, Any]]]:
        """Name and content of each request that was not dealt with yet."""
        found = []
        with contextlib.suppress(OSError):
            folder = os.open(ERRANDS, _FOLDER, dir_fd=self._outbox)
            try:
                for file in sorted(os.listdir(folder)):
                    match = NAME.fullmatch(file)
                    content = read_bounded(folder, file, MAX_ERRAND) if match else None
                    errand = _read(content) if content is not None else None
                    if match and errand is not None and errand["id"] not in self._done:
                        found.append((match[1], errand))
            finally:
                os.close(folder)
        return found

    def _write(self, name: str, identifier: str, answer: Answered) -> None:
        document: Any = None
        with contextlib.suppress(ValueError, RecursionError):
            document = json.loads(answer.body)
        content = {"schema": ANSWER_SCHEMA, "id": identifier, "status": answer.status, "document": document}
        try:
            folder = os.open(ANSWERS, _FOLDER, dir_fd=self._outbox)
            try:
                write_whole(folder, f"answer-{name}.json", json.dumps(content, ensure_ascii=False).encode())
            finally:
                os.close(folder)
        except OSError as error:
            log.error("an answer could not be written", errand=name, error=describe(error))
            self._not_before = time.monotonic() + 5.0
            return
        self._done.add(identifier)

    def _wait(self, enrolment: Enrolment, asked: float) -> None:
        ceiling = min(enrolment.max_retry_seconds, enrolment.retry_seconds * 2 ** min(self._failures, 30))
        self._failures += 1
        self._not_before = time.monotonic() + max(asked, ceiling * (0.5 + self._jitter() / 2))

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _read(content: bytes) -> dict[str, Any] | None:
    """A request that may be posted; None for anything else."""
    try:
        errand = json.loads(content)
        if errand["path"] in CONTEXTS and all(isinstance(errand[key], str) for key in ("id", "body", "signature")):
            return dict(errand)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return None
