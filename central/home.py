"""Where head office keeps its things: one folder, 0700, with the database, the authority and the keys."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.errors import ClocheError, UsageError

SERVICE_FOLDER: Final = Path("/var/lib/cloche-hq")


@dataclass(frozen=True, kw_only=True)
class HeadOfficeHome:
    """Names of all files of head office. Asking for a name creates nothing."""

    folder: Path

    @property
    def database(self) -> Path:
        """Stores, reports, incidents, officers."""
        return self.folder / "hq.db"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the database; `CLOCHEHQ_DATABASE` overrides the file of this folder."""
        return os.environ.get("CLOCHEHQ_DATABASE") or f"sqlite:///{self.database}"

    @property
    def turn(self) -> Path:
        """What processes that write take turns by; it holds nothing."""
        return self.folder / "hq.turn"

    @property
    def authority_key(self) -> Path:
        """Private key of the certificate authority (0600)."""
        return self.folder / "ca.key"

    @property
    def authority_certificate(self) -> Path:
        """Certificate of the authority, which stores pin."""
        return self.folder / "ca.pem"

    @property
    def server_key(self) -> Path:
        """Private key of the server (0600)."""
        return self.folder / "server.key"

    @property
    def server_chain(self) -> Path:
        """The server's certificate, then the authority's."""
        return self.folder / "server.pem"

    @property
    def keys(self) -> Path:
        """Public recipients, and the HQ key under its passphrase. Never the private recovery key."""
        return self.folder / "keys"

    @property
    def order_key(self) -> Path:
        """Ed25519 key that signs what stores are told to do (0600); `order.pub` is beside it."""
        return self.keys / "order.key"

    def require(self) -> None:
        """Check that `init` was here.

        Raises:
            UsageError: it was not.
        """
        if not self.server_chain.exists():
            raise UsageError(f"{self.folder}: no head office here; make one with `cloche-hq init`")

    def create(self) -> None:
        """Make the folders and an empty database, so that both belong to whom the folder belongs to.

        Raises:
            ClocheError: they cannot be made.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.keys.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0:
                facts = self.folder.stat()
                os.chown(self.keys, facts.st_uid, facts.st_gid, follow_symlinks=False)
        except OSError as error:
            raise ClocheError(f"{self.folder}: cannot be made: {error.strerror}") from error
        if self.database_url == f"sqlite:///{self.database}" and not self.database.exists():
            self.write(self.database, b"")

    def write(self, path: Path, content: bytes, *, mode: int = 0o600) -> None:
        """A new file, durable, never over an old one.

        Root's `cloche-hq init` makes files that the service's account has to read: inside the folder a file belongs
        to the folder's owner. (SQLite does the same for the files beside a database.)

        Raises:
            ClocheError: it exists, or the disk refused it.
        """
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                if os.geteuid() == 0 and path.is_relative_to(self.folder):
                    facts = self.folder.stat()
                    os.fchown(file.fileno(), facts.st_uid, facts.st_gid)
                os.fsync(file.fileno())
        except OSError as error:
            raise ClocheError(f"{path}: cannot be written: {error.strerror}") from error

    def replace(self, path: Path, content: bytes, *, mode: int = 0o600) -> None:
        """A new version of a file: whole and durable, or the old one stays.

        Raises:
            ClocheError: the disk refused it.
        """
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        self.write(fresh, content, mode=mode)
        try:
            fresh.rename(path)
            _sync(path.parent)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise ClocheError(f"{path}: cannot be replaced: {error.strerror}") from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def find_home(folder: str | None) -> HeadOfficeHome:
    """The folder a call means: `--home`, else `CLOCHEHQ_HOME`, else `/var/lib/cloche-hq`."""
    chosen = folder or os.environ.get("CLOCHEHQ_HOME")
    return HeadOfficeHome(folder=Path(chosen).expanduser().absolute() if chosen else SERVICE_FOLDER)
