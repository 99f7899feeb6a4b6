"""The timeline of an incident: every step, order, message and act, one hash-chained line each.

The same format and the same verifier as the record of every act (`agent.audit`), a file an incident. A tail that was
cut off together with its head shows only against a head kept elsewhere: the record of every act holds each entry's
hash, head office anchors that record's heads, and a report prints the timeline's own.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from agent.audit.log import AuditLog
from agent.audit.standalone import check_chain
from agent.audit.verify import AuditState, Head, verify
from agent.incident.records import Step
from config.errors import ClocheError, CorruptError


class Timelines:
    """The timelines of all incidents of this home. One writer: the holder of `home/lock`; safe among its threads."""

    def __init__(self, folder: Path, sign: Callable[[bytes], bytes], now: Callable[[], datetime]) -> None:
        """Keep them in `folder`; nothing is written before the first step.

        Args:
            folder: `home.timelines`.
            sign: Ed25519 by this store's seal key.
            now: aware clock.
        """
        self._folder = folder
        self._sign = sign
        self._now = now
        self._lock = threading.Lock()
        self._logs: dict[str, AuditLog] = {}

    def path(self, incident_id: str) -> Path:
        """The file of one incident."""
        return self._folder / f"{incident_id}.jsonl"

    def append(self, incident_id: str, step: Step) -> tuple[int, str]:
        """Add one step, durable on return; its number and hash.

        Raises:
            ClocheError: the disk refused it, or the step holds what is no JSON.
        """
        return self._log(incident_id).append(step.act, step.actor, ok=step.ok, **step.details)

    def steps(self, incident_id: str) -> tuple[Step, ...]:
        """All steps in order; none where nothing was written yet. The chain is not checked: see `verify`.

        Raises:
            CorruptError: a line is no step.
        """
        path = self.path(incident_id)
        found = []
        try:
            with path.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    try:
                        entry = json.loads(line)
                        details = dict(entry["details"])
                        found.append(
                            Step(
                                time=datetime.fromisoformat(entry["time"]), act=entry["act"], actor=entry["actor"],
                                ok=details.pop("ok", True), details=details,
                            )
                        )  # fmt: skip
                    except (ValueError, KeyError, TypeError) as error:
                        raise CorruptError(f"{path}: line {number} is no step: run cloche incident verify") from error
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ClocheError(f"{path}: cannot be read: {error.strerror}") from error
        return tuple(found)

    def hashes(self, incident_id: str) -> tuple[str, ...]:
        """The hash of each entry, as far as the chain holds."""
        try:
            with self.path(incident_id).open("rb") as lines:
                chain, _line, _fault = check_chain(lines)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ClocheError(f"{self.path(incident_id)}: cannot be read: {error.strerror}") from error
        return tuple(chain.hashes[number] for number in range(1, chain.entries + 1))

    def head(self, incident_id: str) -> Head:
        """The signed head as it stands now, for printing and anchoring.

        Raises:
            ClocheError: it cannot be written.
        """
        return self._log(incident_id).sign_head()

    def verify(self, incident_id: str, public_key: bytes, anchored: Head | None = None) -> AuditState:
        """Is the timeline whole, and does it hold what `anchored` has seen?

        Raises:
            RefusedError: it cannot be read.
        """
        return verify(self.path(incident_id), public_key, anchored)

    def close(self) -> None:
        """Sign what was added since the last signature."""
        with self._lock:
            for log in self._logs.values():
                log.close()

    def _log(self, incident_id: str) -> AuditLog:
        with self._lock:
            if incident_id not in self._logs:
                self._logs[incident_id] = AuditLog(self.path(incident_id), self._sign, now=self._now)
            return self._logs[incident_id]
