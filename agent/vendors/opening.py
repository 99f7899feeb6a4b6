"""The vendor's side: a key of its own, and opening a package with it. Needs no store, no daemon and no database.

What was opened is remembered in `opened-packages.json` of the vendor's own home, so that a second opening and another
signing key are told. Expiry is heeded by the machine's clock; whoever sets it back, or deletes that file, is not
stopped: the terms are what binds, the program reminds.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from config.errors import ClocheError, CorruptError, RefusedError, UsageError
from config.identity import Identity, decode_public, encode_public, key_id, make_identity, parse_identity
from config.text import Text
from containment.atomic import create_file, rename_exclusive, write_all, write_file
from containment.package import Manifest, OpenPackage, open_package, read_files

SCHEMA: Final = "cloche.opened-packages/1"
PUBLIC_HEADER: Final = "cloche-vendor-public-1"
SKEW: Final = timedelta(days=1)
LARGEST_KEY: Final = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A package that was opened: what it says, where its files are, who signed, and the code for the store."""

    manifest: Manifest
    files: tuple[Path, ...]
    signer: str
    receipt: str
    times: int


def make_key(file: Path) -> tuple[Identity, Path]:
    """A new key in `file` (0600) and its public half beside it; neither is written over.

    Raises:
        RefusedError: one of the files is there, or cannot be written.
    """
    identity = make_identity("vendor")
    public = file.with_name(file.name + ".public")
    if public.exists() or public.is_symlink():
        raise RefusedError(f"{public}: is there already")
    try:
        create_file(file, identity.sheet().encode("ascii"), 0o600)
        text = f"{PUBLIC_HEADER}\n{encode_public(identity.public)}\nid {identity.id}\n"
        create_file(public, text.encode("ascii"), 0o644)
    except FileExistsError as error:
        raise RefusedError(f"{file}: is there already") from error
    except OSError as error:
        raise RefusedError(f"{file}: cannot be written: {error.strerror}") from error
    return identity, public


def read_public(text: str, name: str) -> str:
    """The key in a public file, or a bare line of base64.

    Raises:
        UsageError: it is none, or its id line says another; the message names the file.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    keys = [line for line in lines if line != PUBLIC_HEADER and not line.startswith("id ")]
    shown = next((line.split()[-1].lower() for line in lines if line.startswith("id ")), "")
    try:
        public = decode_public("".join(keys))
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
    if shown and shown != key_id(public):
        raise UsageError(f"{name}: the key is {key_id(public)}, its id line says {shown}")
    return encode_public(public)


def read_key(file: Path) -> Identity:
    """The vendor's private key.

    Raises:
        RefusedError: it can't be read.
        UsageError: it is no vendor's key; the message names the file.
    """
    try:
        text = file.read_bytes()[:LARGEST_KEY].decode("utf-8", "replace")
    except OSError as error:
        raise RefusedError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        identity = parse_identity(text)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    if identity.kind != "vendor":
        raise UsageError(f"{file}: is a {identity.kind} key, not a vendor's")
    return identity


class Book:
    """Which packages were opened here, and by which key each store signed."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, Any]:
        """The whole of it.

        Raises:
            ClocheError: it is damaged.
        """
        try:
            document = json.loads(self._file.read_bytes())
            if document["schema"] != SCHEMA:
                raise ValueError("another schema")
            return {"schema": SCHEMA, "packages": dict(document["packages"]), "stores": dict(document["stores"])}
        except FileNotFoundError:
            return {"schema": SCHEMA, "packages": {}, "stores": {}}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ClocheError(f"{self._file}: is damaged: move it away") from error

    def note(self, package: OpenPackage, now: datetime) -> int:
        """A package was opened; how often by now.

        Raises:
            ClocheError: it cannot be written.
        """
        document = self.read()
        name = package.file_id.hex()
        before = document["packages"].get(name, {"times": 0})
        document["packages"][name] = {
            "package": package.manifest.package, "first": before.get("first", now.isoformat()),
            "last": now.isoformat(), "times": int(before["times"]) + 1,
        }  # fmt: skip
        document["stores"][store_of(package.manifest)] = key_id(package.signer)
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_file(self._file, json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8"), 0o600)
        except OSError as error:
            raise ClocheError(f"{self._file}: cannot be written: {error.strerror}") from error
        return int(document["packages"][name]["times"])


def store_of(manifest: Manifest) -> str:
    """How a store is known from one package to the next."""
    return manifest.legal_entity + "/" + manifest.store


def unpack(  # noqa: PLR0913  the command's options, by name
    descriptor: int,
    identity: Identity,
    folder: Path,
    book: Book,
    now: datetime,
    *,
    text: Text,
    signer: str = "",
    again: bool = False,
) -> Opened:
    """Check a package and write its files into `folder` (made if it is not there), all of them or none.

    Raises:
        RefusedError: expired, opened before, for another key, signed by another key than expected, or a file is there.
        CorruptError: it was changed or is cut.
        ClocheError: a disk failed.
    """
    package = open_package(descriptor, identity)
    manifest, key = package.manifest, key_id(package.signer)
    _check_signer(book, manifest, key, signer, text)
    day = _local(manifest.expires_at)
    if now >= manifest.expires_at:
        raise RefusedError(text("vendor.expired", package=manifest.package, expires=day, store=manifest.store))
    if now < manifest.shared_at - SKEW:
        raise RefusedError(text("vendor.clock_behind", shared=_local(manifest.shared_at)))
    before = book.read()["packages"].get(package.file_id.hex())
    if before and not again:
        first = _local(datetime.fromisoformat(before["first"]))
        raise RefusedError(
            text("vendor.opened_before", package=manifest.package, time=first, count=int(before["times"]))
        )  # fmt: skip
    files = _write(descriptor, package, folder, text)
    return Opened(manifest=manifest, files=files, signer=key, receipt=package.receipt, times=book.note(package, now))


def _check_signer(book: Book, manifest: Manifest, key: str, wanted: str, text: Text) -> None:
    if wanted:
        if wanted.lower() != key:
            raise RefusedError(text("vendor.other_signer", key=key, wanted=wanted))
        return
    known = book.read()["stores"].get(store_of(manifest))
    if known and known != key:
        raise RefusedError(text("vendor.signer_changed", store=manifest.store, known=known, key=key))


def _write(descriptor: int, package: OpenPackage, folder: Path, text: Text) -> tuple[Path, ...]:
    """Every file under a hidden name first; names are given once all of the package is genuine."""
    names = [packed.name for packed in package.manifest.files]
    mark = secrets.token_hex(8)
    temporary = [f".cloche-{mark}-{number}" for number in range(len(names))]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ClocheError(text("cli.unwritable", path=os.fspath(folder), cause=error.strerror)) from error
    given: list[str] = []
    try:
        taken = [name for name in names if (folder / name).exists() or (folder / name).is_symlink()]
        if taken:
            raise RefusedError(text("cli.already_there", path=os.fspath(folder / taken[0])))
        for name in temporary:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=place))
        _fill(descriptor, package, place, temporary)
        for hidden, name in zip(temporary, names, strict=True):
            rename_exclusive(place, os.fsencode(hidden), place, os.fsencode(name))
            given.append(name)
        os.fsync(place)
    except OSError as error:
        _remove(place, [*temporary, *given])
        raise ClocheError(text("vendor.not_opened", cause=error.strerror)) from error
    except (ClocheError, KeyboardInterrupt):
        _remove(place, [*temporary, *given])
        raise
    finally:
        os.close(place)
    return tuple(folder / name for name in names)


def _fill(descriptor: int, package: OpenPackage, place: int, names: list[str]) -> None:
    current, number = -1, -1
    try:
        for wanted, piece in read_files(descriptor, package):
            if wanted != number:
                _finish(current)
                current, number = (
                    os.open(names[wanted], os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place),
                    wanted,
                )
            write_all(current, piece)
        if current >= 0:
            os.fsync(current)
    finally:
        if current >= 0:
            os.close(current)


def _finish(descriptor: int) -> None:
    if descriptor >= 0:
        os.fsync(descriptor)
        os.close(descriptor)


def _remove(place: int, names: list[str]) -> None:
    for name in names:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place)


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


__all__ = ["Book", "CorruptError", "Opened", "make_key", "read_key", "read_public", "store_of", "unpack"]
