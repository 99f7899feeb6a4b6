"""What a drill may name: paths inside its own folder, settings without anybody's address.

Every path that goes into an operation of a drill passes `Enclosure.inside`; its settings are made here, field by
field, so that a new setting of the store never slips into a drill. The kernel says the same (`agent.drill.confine`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from config.errors import RefusedError
from config.home import Home, find_home
from config.schema import Settings
from config.text import Text

CANARIES: Final[dict[str, Any]] = {
    "canary_phones": [f"1380099{number:04d}" for number in range(1, 7)],
    "canary_emails": [f"drill{number}@example.com" for number in range(1, 7)],
    "canary_names": ["孙虚构", "胡假名"],
    "canaries": 3,
}
"""Valid in form only, beyond the numbers of the made-up customers."""
HOTLINE: Final = "400-000-0000"
"""Nobody's number: a draft of a drill must not bring calls to the chain's own."""
LONGEST_SOCKET: Final = 100
"""sun_path of unix(7) ends at 108 bytes."""


@dataclass(frozen=True)
class Enclosure:
    """One drill's folder: its home, its store, what a thief takes away, its copies."""

    folder: Path

    @property
    def store(self) -> Path:
        """The made-up store."""
        return self.folder / "store"

    @property
    def loot(self) -> Path:
        """Where a thief of the drill carries it."""
        return self.folder / "loot"

    @property
    def backup(self) -> Path:
        """A copy of the store, as a backup has it."""
        return self.folder / "backup"

    @property
    def temporary(self) -> Path:
        """For temporary files."""
        return self.folder / "tmp"

    @property
    def home(self) -> Home:
        """A home of its own; it is no service's, and no link is ever started on it."""
        return replace(find_home(self.folder / "home"), spool=str(self.temporary))

    @property
    def takes_sockets(self) -> bool:
        """A guard's socket has a name that is short enough here."""
        return len(os.fsencode(self.home.guard_socket)) < LONGEST_SOCKET

    def inside(self, path: str | Path) -> str:
        """The path, if it lies in the store of this drill, links resolved.

        Raises:
            RefusedError: it lies elsewhere.
        """
        real, within = os.path.realpath(path), os.path.realpath(self.store)
        if real != within and not real.startswith(within + "/"):
            raise RefusedError("a drill touches its own store only: a path of it lies elsewhere")
        return real

    def make(self) -> None:
        """Make the folders. An account of nobody's may pass through to the made-up store, and to nothing else."""
        for path, mode in ((self.folder, 0o711), (self.loot, 0o777), (self.temporary, 0o777), (self.backup, 0o700)):
            path.mkdir(mode=mode, parents=False, exist_ok=True)
            path.chmod(mode)
        self.home.create()
        self.home.state.chmod(0o700)

    def settings(self, facts: dict[str, Any], *, names: bool, workers: int = 2) -> Settings:
        """The settings of a drill, from what `facts_of` took of the real ones.

        Args:
            facts: as `facts_of` made them.
            names: look for names and addresses too (slow).
            workers: of a scan.
        """
        return Settings.model_validate({
            "store": facts["store"],
            "scan": {"roots": [str(self.store)], "names": names, "workers": workers},
            "watch": {**facts["watch"], "response": "declare", "decoy_response": "alert"},
            "respond": facts["respond"],
            "senders": {"mode": "record"},
            "notice": {"hotline": HOTLINE},
            "vendors": CANARIES,
            "people": facts["people"],
        })  # fmt: skip


def facts_of(settings: Settings) -> dict[str, Any]:
    """What a drill takes of the real settings: the store's name and province, bounds of the watch, people's names.

    No account, no contact, no mailbox, no phone, no sender, no folder.
    """
    text = Text(settings.store.language)
    store, watch, respond = settings.store, settings.watch, settings.respond
    return {
        "store": {
            "name": text("drill.store_name", store=store.name), "legal_entity": store.legal_entity,
            "province": store.province, "language": store.language, "timezone": store.timezone,
        },
        "watch": {
            "max_files": watch.max_files, "max_persons": watch.max_persons, "window_seconds": watch.window_seconds,
        },
        "respond": {
            "single_handed": respond.single_handed, "regimes": list(respond.regimes),
            "answer_minutes": respond.answer_minutes,
        },
        "people": [
            {"name": person.name, "roles": list(person.roles), "substitute": person.substitute}
            for person in settings.people
        ],
    }  # fmt: skip


def real_places(settings: Settings, home: Home) -> Sequence[str]:
    """Folders that a drill must not be able to read."""
    return [*settings.scan.roots, *(str(place) for place in (home.settings_file.parent, home.keys, home.vault))]
