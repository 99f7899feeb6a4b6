"""Evidence bundles: files with a signed manifest, written once and never over.

A bundle is a numbered folder (`bundle-0001`, `bundle-0002`, …) in its incident's folder: the files, `manifest.json`
(name, size, SHA-256 and time of each, and the digest of the bundle before it), and `manifest.sig`, an Ed25519
signature (RFC 8032, base64) over the bytes of the manifest. It appears under its name complete or not at all.

What this does not give: a signature by the store's own key proves that nobody changed a bundle since who did not hold
that key; root of this store does. That a *whole* last bundle was removed shows only against the audit log, whose head
is kept elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.errors import ClocheError, UsageError

SCHEMA: Final = "cloche.evidence/1"
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
PREFIX: Final = "bundle-"


@dataclass(frozen=True, kw_only=True)
class BundleState:
    """What a check of a bundle found. `problems` name files, never what is in them."""

    folder: Path
    files: int
    problems: tuple[str, ...]

    @property
    def intact(self) -> bool:
        """Every file is there, unchanged, and nothing was added."""
        return not self.problems


def write_bundle(folder: Path, files: Mapping[str, bytes], sign: Callable[[bytes], bytes]) -> Path:
    """Write the next bundle of an incident, durably.

    Args:
        folder: the incident's own folder; made (0700) if it is not there.
        files: contents by plain file name.
        sign: Ed25519 over the manifest's bytes.

    Returns:
        The bundle's folder.

    Raises:
        UsageError: a name is no plain file name, or one of the bundle's own.
        ClocheError: it could not be written; nothing of it is left.
    """
    for name in files:
        if name in {"", ".", "..", MANIFEST, SIGNATURE} or "/" in name or "\0" in name:
            raise UsageError(f"{name!r}: not a name for a file of evidence")
    part = folder / f".part-{secrets.token_hex(8)}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.mkdir(mode=0o700)
        listed = [_record(part, name, content) for name, content in sorted(files.items())]
        while True:
            number, before = _last(folder)
            _write_manifest(part, listed, number + 1, before, sign)
            target = folder / f"{PREFIX}{number + 1:04d}"
            try:
                # rename(2) replaces an empty folder only, and a bundle is never empty.
                part.rename(target)
            except OSError:
                if not target.exists():
                    raise
                continue  # another process took the number
            _sync(folder)
            return target
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise ClocheError(f"{folder}: evidence not written: {error.strerror}") from error


def verify_bundle(folder: Path, public_key: bytes) -> BundleState:
    """Check a bundle against its manifest, and the manifest against the store's key.

    Args:
        folder: a bundle's folder.
        public_key: raw Ed25519 key, 32 bytes.
    """
    try:
        raw = (folder / MANIFEST).read_bytes()
        signature = base64.b64decode((folder / SIGNATURE).read_bytes(), validate=True)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, raw)
        listed = {entry["name"]: entry for entry in json.loads(raw)["files"]}
    except (OSError, ValueError, KeyError, TypeError, InvalidSignature) as error:
        return BundleState(folder=folder, files=0, problems=(f"{MANIFEST}: {type(error).__name__}",))
    problems = []
    for name, entry in listed.items():
        try:
            found = _digest(folder / name)
        except OSError as error:
            problems.append(f"{name}: {error.strerror}")
            continue
        if found != (entry["sha256"], entry["size"]):
            problems.append(f"{name}: changed")
    present = {entry.name for entry in folder.iterdir()} - {MANIFEST, SIGNATURE}
    problems.extend(f"{name}: not in the manifest" for name in sorted(present - set(listed)))
    return BundleState(folder=folder, files=len(listed), problems=tuple(problems))


def verify_chain(folder: Path, public_key: bytes) -> list[BundleState]:
    """Check every bundle of an incident, and that none is missing between them."""
    states: list[BundleState] = []
    before = ""
    for number, bundle in enumerate(_bundles(folder), 1):
        state = verify_bundle(bundle, public_key)
        problems = list(state.problems)
        if not problems:
            manifest = json.loads((bundle / MANIFEST).read_bytes())
            if manifest["number"] != number or manifest["previous"] != before:
                problems.append("a bundle before this one is missing or was changed")
        states.append(BundleState(folder=bundle, files=state.files, problems=tuple(problems)))
        before = _digest(bundle / MANIFEST)[0] if (bundle / MANIFEST).exists() else ""
    return states


def _bundles(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.name.startswith(PREFIX))


def _last(folder: Path) -> tuple[int, str]:
    bundles = _bundles(folder)
    if not bundles:
        return 0, ""
    return int(bundles[-1].name.removeprefix(PREFIX)), _digest(bundles[-1] / MANIFEST)[0]


def _record(part: Path, name: str, content: bytes) -> dict[str, Any]:
    _write(part / name, content)
    return {
        "name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(),
        "written_at": _now(),
    }  # fmt: skip


def _write_manifest(
    part: Path, listed: list[dict[str, Any]], number: int, before: str, sign: Callable[[bytes], bytes]
) -> None:
    for name in (MANIFEST, SIGNATURE):
        (part / name).unlink(missing_ok=True)
    manifest = {"schema": SCHEMA, "number": number, "previous": before, "written_at": _now(), "files": listed}
    raw = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8", "surrogateescape")
    _write(part / MANIFEST, raw)
    _write(part / SIGNATURE, base64.b64encode(sign(raw)))
    _sync(part)


def _write(path: Path, content: bytes) -> None:
    """A new file in a folder nobody else has seen yet; read-only from the start."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o400)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _digest(path: Path) -> tuple[str, int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file")
        return hashlib.file_digest(file, "sha256").hexdigest(), os.fstat(descriptor).st_size


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
