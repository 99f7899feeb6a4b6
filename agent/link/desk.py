"""The link's side of the folders of messages: letters for it, news from it, and the key that lives as long as it.

Opened before rights are dropped; everything goes by directory descriptors from then on.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from agent.link.letters import (
    BATCH,
    INBOX,
    KEY,
    LETTER,
    MAX_LETTER,
    PAGE,
    POST,
    SENDERS,
    TOKENS,
    LinkKey,
    make_key,
    read_bounded,
    unseal,
    write_whole,
)  # fmt: skip
from config.errors import ClocheError, RefusedError
from config.log import get_logger
from config.messaging import PageSettings, SendersSettings

MAX_PAGE: Final = 65_536

log = get_logger("link")


class Desk:
    """What the link reads and writes of messages.

    Promise: the private key is nowhere but in this process; what is read is either ours or taken for absent.
    """

    def __init__(self, outbox: Path) -> None:
        """Open the folders and make the key. `publish` shows it.

        Raises:
            RefusedError: the daemon has not made the folders, or they are not ours to use.
        """
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._post = os.open(outbox / POST, flags)
            try:
                self._inbox = os.open(outbox / INBOX, flags)
            except OSError:
                os.close(self._post)
                raise
        except OSError as error:
            raise RefusedError(f"{outbox}: the folders of messages cannot be opened: {error.strerror}") from error
        self.key: LinkKey = make_key()

    def close(self) -> None:
        """Give the descriptors back; what is sealed to our key is lost from now on."""
        for descriptor in (self._post, self._inbox):
            if descriptor >= 0:
                os.close(descriptor)
        self._post = self._inbox = -1

    def publish(self) -> None:
        """Show the key of this run. What an earlier run left unfinished of its files is removed.

        Raises:
            ClocheError: the disk refused it.
        """
        for name in os.listdir(self._inbox):
            if name.endswith(".part"):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=self._inbox)
        try:
            write_whole(self._inbox, KEY, self.key.public)
        except OSError as error:
            raise ClocheError(f"{INBOX}/{KEY}: cannot be written: {error.strerror}") from error

    def withdraw(self) -> None:
        """Take the key back at an orderly end, so that the daemon knows that nobody carries letters."""
        with contextlib.suppress(OSError):
            os.unlink(KEY, dir_fd=self._inbox)

    def letters(self) -> list[str]:
        """Names of single messages that lie here, in the order in which the daemon put them: urgent ones first."""
        names = [name for name in os.listdir(self._post) if LETTER.fullmatch(name)]
        return sorted(names, key=lambda name: ((self.stamp(name) or (0, 0))[1], name))

    def batches(self) -> list[str]:
        """Names of parts of notices that lie here."""
        return sorted(name for name in os.listdir(self._post) if BATCH.fullmatch(name))

    def open(self, name: str) -> dict[str, Any] | None:
        """A letter; None where it is gone, or was sealed to an earlier run of the link."""
        content = read_bounded(self._post, name, MAX_LETTER)
        return None if content is None else unseal(self.key, name, content)

    def stamp(self, name: str) -> tuple[int, int] | None:
        """Which version of a file this is; None where there is none."""
        try:
            facts = os.stat(name, dir_fd=self._post, follow_symlinks=False)
        except OSError:
            return None
        return facts.st_ino, facts.st_mtime_ns

    def senders(self) -> SendersSettings | None:
        """How people are reached; None until the daemon has sealed it to this run."""
        document = self.open(SENDERS)
        if document is None:
            return None
        try:
            return SendersSettings.model_validate(document.get("senders"))
        except ValidationError:
            log.error("the sealed settings do not fit this version of the link")
            return None

    def tokens(self) -> list[dict[str, str]]:
        """Open links of orders and approvals."""
        document = self.open(TOKENS)
        tokens = (document or {}).get("tokens")
        return [token for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []

    def page(self) -> dict[str, Any] | None:
        """What the page is to show and where: `cloche.page/1` with `page` as `PageSettings`; None for no page."""
        content = read_bounded(self._post, PAGE, MAX_PAGE)
        if content is None:
            return None
        try:
            document = json.loads(content)
            document["page"] = PageSettings.model_validate(document["page"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return document if isinstance(document, dict) and document["page"].listen else None

    def waiting(self) -> int:
        """How many files of ours the daemon has not taken yet."""
        return len(os.listdir(self._inbox)) - 1

    def write(self, name: str, document: dict[str, Any]) -> None:
        """News for the daemon, whole and durable.

        Raises:
            OSError: the disk refused it.
        """
        write_whole(self._inbox, name, json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
