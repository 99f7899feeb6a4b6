"""The folders between daemon and link, from the daemon's side, and what the room keeps in memory.

`post` is ours to write (0750, group `cloche-link`), `inbox` is the link's (0700, its account). What lies in `inbox` is
hostile: bounded in size and number, read without following links, and removed once it was read.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from agent.link.letters import INBOX, KEY, MAX_LETTER, POST, is_key, read_bounded, seal, write_whole
from config.errors import ClocheError
from config.identity import PUBLIC_BYTES, key_id


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A message that was not sent because `senders.mode` is `record`, as it would have gone out."""

    id: str
    person: str
    channel: str
    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    code: str = field(default="", repr=False)


class Post:
    """Where letters for the link are put and its news are found.

    Promise: nothing is on disk in clear; a letter stands whole or not at all. Limit: without a running link nothing
    can be sealed, so nothing leaves and nothing is lost: messages stay queued in the database.
    """

    def __init__(self, outbox: Path, owner: tuple[int, int]) -> None:
        """Make the folders below the outbox folder.

        Args:
            outbox: `home.outbox`, made by `Outbox`.
            owner: uid and gid of the link's account.

        Raises:
            ClocheError: they cannot be made.
        """
        self.recorded: list[Recorded] = []
        self.published = ""
        self.swept = False
        self.tokens_stale = False
        self.announced: str | None = None
        self.refused = 0
        self.refused_told: float | None = None
        self.forms: list[float] = []
        try:
            (outbox / POST).mkdir(mode=0o750, exist_ok=True)
            (outbox / INBOX).mkdir(mode=0o700, exist_ok=True)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
            self._post = os.open(outbox / POST, flags)
            os.fchown(self._post, -1, owner[1])
            os.fchmod(self._post, 0o750)
            self._inbox = os.open(outbox / INBOX, flags)
            os.fchown(self._inbox, *owner)
            os.fchmod(self._inbox, 0o700)
        except OSError as error:
            raise ClocheError(f"{outbox}: the folders of messages cannot be prepared: {error.strerror}") from error
        self._gid = owner[1]
        self._folder = outbox
        for name in os.listdir(self._post):
            if name.endswith(".part"):
                self.take_back(name)

    def close(self) -> None:
        """Give the descriptors back."""
        for descriptor in (self._post, self._inbox):
            if descriptor >= 0:
                os.close(descriptor)
        self._post = self._inbox = -1

    def link_key(self) -> bytes | None:
        """The running link's public key, as far as it says; None where no link has run."""
        content = read_bounded(self._inbox, KEY, PUBLIC_BYTES)
        return content if is_key(content) else None

    @property
    def link_id(self) -> str:
        """Short name of the link's present key, '' for none."""
        key = self.link_key()
        return key_id(key) if key else ""

    def put(self, name: str, document: dict[str, object], public: bytes) -> None:
        """Seal a letter and put it for the link.

        Raises:
            ClocheError: the disk refused it, the link's key is none, or the letter is over 4 MiB.
        """
        sealed = seal(public, name, document)
        if len(sealed) > MAX_LETTER:
            raise ClocheError(f"a letter for the link has {len(sealed)} bytes, over {MAX_LETTER}")
        self.put_plain(name, sealed)

    def put_plain(self, name: str, content: bytes) -> None:
        """Put a file for the link as it is: nothing in it is secret.

        Raises:
            ClocheError: the disk refused it.
        """
        try:
            write_whole(self._post, name, content, mode=0o640, group=self._gid)
        except OSError as error:
            raise ClocheError(f"{self._folder / POST / name}: cannot be written: {error.strerror}") from error

    def take_back(self, name: str) -> None:
        """Remove a letter that was dealt with."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._post)

    def letters(self) -> list[str]:
        """Names of what lies for the link."""
        return os.listdir(self._post)

    def news(self, most: int) -> list[str]:
        """Names of what the link wrote, its key apart; unfinished files are none."""
        found = []
        with os.scandir(self._inbox) as entries:
            for entry in entries:
                if entry.name != KEY and not entry.name.startswith("."):
                    found.append(entry.name)
                    if len(found) >= most:
                        break
        return sorted(found)

    def read(self, name: str, most: int) -> bytes | None:
        """One file of the link's; None where it is no plain file or too large."""
        return read_bounded(self._inbox, name, most)

    def drop(self, name: str) -> None:
        """Remove what the link wrote, whatever it is."""
        try:
            os.unlink(name, dir_fd=self._inbox)
        except IsADirectoryError:
            shutil.rmtree(name, ignore_errors=True, dir_fd=self._inbox)
        except OSError:
            return
