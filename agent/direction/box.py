"""The folder between link and daemon in which deliveries lie, from the daemon's side, and what a process remembers.

The link writes it (0700, its account); what lies in it is hostile: bounded in size and number, read without following
links, removed once it was taken.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.link.letters import read_bounded
from agent.link.order_files import ASKING, DELIVERY, FOLDER, MAX_DELIVERY, MAX_NEWS, NEWS
from config.errors import ClocheError

if TYPE_CHECKING:
    from agent.wiring import Agent

MOST_READ: Final = 100


@dataclass(kw_only=True)
class Told:
    """Head office's signed time as this process last heard it.

    `offset` is what has to be added to the machine's clock, at least; it may be behind by `late` seconds, for which the
    link may have held the answer back.
    """

    offset: float
    late: float


class OrderBox:
    """Deliveries that lie here, and the process's memory of this room.

    `driven` is set by the daemon, whose own threads take and carry out; `again` asks it to start anew, for settings or
    packs have changed. One challenge is open at a time and is answered once.
    """

    def __init__(self, outbox: Path, owner: tuple[int, int]) -> None:
        """Make the folder.

        Raises:
            ClocheError: it cannot be made.
        """
        self.driven = False
        self.again = False
        self.stopping = threading.Event()
        self.taking = threading.Lock()
        self.carrying = threading.Lock()
        self.slow = threading.Lock()
        self.challenge = ""
        self.challenged_at = 0.0
        self.told: Told | None = None
        self.published: tuple[int, str] | None = None
        self.started: float | None = None
        self.refused = 0
        self.refused_told: float | None = None
        self.seen: tuple[int, int] | None = None
        self.retold: dict[str, float] = {}
        folder = outbox / FOLDER
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            os.fchown(self._folder, *owner)
            os.fchmod(self._folder, 0o700)
        except OSError as error:
            raise ClocheError(f"{folder}: cannot be prepared: {error.strerror}") from error

    def close(self) -> None:
        """Give the descriptor back."""
        if self._folder >= 0:
            os.close(self._folder)
        self._folder = -1

    def has_changed(self) -> bool:
        """Whether anything was put here since this was last asked: one `fstat` while nothing comes."""
        facts = os.fstat(self._folder)
        stamp = facts.st_mtime_ns, facts.st_nlink
        changed, self.seen = stamp != self.seen, stamp
        return changed

    def names(self) -> list[str]:
        """Names of what lies here, deliveries in order; whatever else the link put here too."""
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    found.append(entry.name)
                    if len(found) >= MOST_READ:
                        break
        return sorted(found)

    def read(self, name: str) -> dict[str, Any] | None:
        """A delivery or the news as the link wrote it; None where it is none."""
        if not (DELIVERY.fullmatch(name) or name == NEWS):
            return None
        content = read_bounded(self._folder, name, MAX_NEWS if name == NEWS else MAX_DELIVERY)
        if content is None:
            return None
        with contextlib.suppress(ValueError, RecursionError):
            document = json.loads(content)
            return document if isinstance(document, dict) else None
        return None

    def drop(self, name: str) -> None:
        """Remove what the link wrote, whatever it is."""
        try:
            os.unlink(name, dir_fd=self._folder)
        except IsADirectoryError:
            shutil.rmtree(name, ignore_errors=True, dir_fd=self._folder)
        except OSError:
            return

    def publish(self, agent: Agent, after: int) -> None:
        """Say up to which delivery we have them, and the open challenge.

        Raises:
            ClocheError: the disk refused it.
        """
        if not self.challenge:
            self.renew_challenge(agent)
        wanted = (after, self.challenge)
        if wanted != self.published:
            content = json.dumps({"after": after, "challenge": self.challenge}).encode()
            agent.outbox.place(ASKING, content)
            self.published = wanted

    def renew_challenge(self, agent: Agent) -> None:
        """A new one: answers to the old one are worth nothing from now on."""
        self.challenge = secrets.token_urlsafe(24)
        self.challenged_at = agent.steady().seconds
