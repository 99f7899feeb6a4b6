"""Where things lie: the service's folders, or everything under one folder.

As a service (root, no `--home`): `/etc/cloche/cloche.toml`, `/var/lib/cloche`, `/run/cloche`. With `--home DIR`
or `CLOCHE_HOME` all of it lies under DIR and no root is needed. A person without root and without `--home` uses
`$XDG_STATE_HOME/cloche` (XDG Base Directory Specification 0.8), unless a service answers on this machine.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from config.errors import RefusedError, UsageError

SERVICE_SETTINGS = Path("/etc/cloche/cloche.toml")
SERVICE_STATE = Path("/var/lib/cloche")
SERVICE_RUN = Path("/run/cloche")


@dataclass(frozen=True, kw_only=True)
class Home:
    """Names of all files and folders that Cloche keeps. Asking for a name creates nothing."""

    settings_file: Path
    state: Path
    run: Path
    is_service: bool
    spool: str = "/var/tmp"  # noqa: S108  folders in it are made with mkdir(2) under names that can't be guessed
    """A folder on a disk for snapshots of large databases, which lose their names at once."""

    @property
    def lock(self) -> Path:
        """Held by the one process that may write (`flock`)."""
        return self.state / "lock"

    @property
    def inventory_db(self) -> Path:
        """Items, findings, alerts, incidents, quarantine."""
        return self.state / "inventory.db"

    @property
    def events_db(self) -> Path:
        """Access events, rotated."""
        return self.state / "events.db"

    @property
    def outbox(self) -> Path:
        """Folder shared with the link: the spool of signed reports (`docs/decisions/0002`)."""
        return self.state / "outbox"

    @property
    def audit_log(self) -> Path:
        """Append-only, hash-chained record of every act (JSON lines)."""
        return self.state / "audit.jsonl"

    @property
    def journal(self) -> Path:
        """Append-only sealing journal."""
        return self.state / "journal"

    @property
    def keys(self) -> Path:
        """Seal key, recipients, credentials. Never a private recovery key."""
        return self.state / "keys"

    @property
    def vault(self) -> Path:
        """Quarantined items, encrypted."""
        return self.state / "vault"

    @property
    def evidence(self) -> Path:
        """Evidence bundles, one folder an incident."""
        return self.state / "evidence"

    @property
    def documents(self) -> Path:
        """Reports and forms written for people, one folder an incident."""
        return self.state / "documents"

    @property
    def timelines(self) -> Path:
        """Hash-chained timelines, one an incident (JSON lines)."""
        return self.state / "timelines"

    @property
    def direction(self) -> Path:
        """What head office has set here: settings, people, data packs (`config.direction`)."""
        return self.state / "direction"

    @property
    def control_socket(self) -> Path:
        """The daemon's API."""
        return self.run / "control.sock"

    @property
    def guard_socket(self) -> Path:
        """The guard's API, for the daemon alone."""
        return self.run / "guard.sock"

    @property
    def guard_state(self) -> Path:
        """Marks and denials that outlive a guard."""
        return self.run / "guard.state"

    def create(self) -> None:
        """Make the folders (0700; `run` 0755 for the sockets in it).

        Raises:
            RefusedError: a folder cannot be made, or belongs to somebody else.
        """
        for folder, mode in ((self.state, 0o711 if self.is_service else 0o700), (self.run, 0o755)):
            try:
                if not folder.exists():
                    folder.mkdir(mode=mode, parents=True, exist_ok=True)
                    folder.chmod(mode)  # the daemon's umask would keep the group `cloche` from its socket
                facts = folder.lstat()
            except OSError as error:
                raise RefusedError(f"{folder}: cannot be made: {error.strerror}") from error
            if not stat.S_ISDIR(facts.st_mode):
                raise UsageError(f"{folder}: is not a folder")
            if facts.st_uid not in (os.geteuid(), 0):
                raise RefusedError(f"{folder}: belongs to uid {facts.st_uid}, not to you")
            if os.geteuid() == 0 and facts.st_mode & 0o022:
                raise RefusedError(f"{folder}: others may write in it (mode {stat.S_IMODE(facts.st_mode):04o})")
        for folder in (self.keys, self.vault, self.evidence, self.documents, self.timelines):
            folder.mkdir(mode=0o700, exist_ok=True)


def find_home(folder: str | os.PathLike[str] | None = None) -> Home:
    """The home that a call means.

    Args:
        folder: value of `--home`, or None to follow `CLOCHE_HOME` and then the defaults of this module.
    """
    chosen = folder or os.environ.get("CLOCHE_HOME")
    if chosen:
        root = Path(chosen).expanduser().absolute()
    elif os.geteuid() == 0 or os.access(SERVICE_RUN / "control.sock", os.W_OK):
        return Home(settings_file=SERVICE_SETTINGS, state=SERVICE_STATE, run=SERVICE_RUN, is_service=True)
    else:
        root = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "cloche"
    return Home(settings_file=root / "cloche.toml", state=root, run=root / "run", is_service=False)
