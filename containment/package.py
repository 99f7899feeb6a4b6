"""A package for a vendor, format v1: some files, encrypted to the vendor's key alone and signed by the store.

It is a sealed file v1 (docs/format-sealed-v1.md) with another metadata: the core's encrypted part is a manifest
(`cloche.package/1`: what, for whom, for what purpose, until when), the body is the files one behind the other in the
manifest's order, and the epoch key, made for this one package, is wrapped to the vendor's public key. The store keeps
no key that opens it. The bytes are laid down in docs/format-package-v1.md.

What this does not give: `expires_at` is signed, so that nobody can move it, and our opener heeds it; another program
that reads the documented format need not, a clock can be set back, and what was opened once can't be called back.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from config.errors import ClocheError, CorruptError
from config.identity import Identity
from containment.atomic import write_all
from containment.core import Core, FileKeys, build_core, derive_keys, read_core
from containment.keys import Recipient, Unlocker, wrap_epoch
from containment.slots import SLOT, Slot, newest, read_slots, unwrap_file_key, wrap_file_key
from containment.streaming import BodyWriter, body_size, read_body

SCHEMA: Final = "cloche.package/1"
READ_BYTES: Final = 1 << 20
MOST_FILES: Final = 1000
_RECEIPT: Final = b"cloche package v1 receipt"


@dataclass(frozen=True, kw_only=True)
class PackedFile:
    """One file of a package. `encoding` is that of its text, '' where it is none; `kind` as in a scan."""

    name: str
    size: int
    sha256: str
    kind: str = "other"
    encoding: str = ""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a package holds and on what terms. Times are aware; `contract` may be ''."""

    package: str
    store: str
    legal_entity: str
    vendor: str
    purpose: str
    contract: str
    shared_at: datetime
    expires_at: datetime
    files: tuple[PackedFile, ...]

    def encode(self) -> bytes:
        """JSON; its keys are the format."""
        document = {
            **asdict(self), "schema": SCHEMA,
            "shared_at": self.shared_at.isoformat(), "expires_at": self.expires_at.isoformat(),
        }  # fmt: skip
        return json.dumps(document, ensure_ascii=False, sort_keys=True).encode("utf-8")


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A package as written. `receipt_sha256` is the digest of the code that only an opener of it can tell."""

    size: int
    sha256: str
    receipt_sha256: str


@dataclass(frozen=True, kw_only=True)
class OpenPackage:
    """A package whose manifest was opened and is genuine. `receipt` proves to the store that it was opened."""

    manifest: Manifest
    signer: bytes
    file_id: bytes
    receipt: str = field(repr=False)
    keys: FileKeys = field(repr=False)
    core: Core = field(repr=False)


def write_package(
    target: int,
    manifest: Manifest,
    sources: Sequence[int],
    vendor_public: bytes,
    signer: tuple[bytes, Callable[[bytes], bytes]],
) -> Packed:
    """Write a package to the empty file `target`, synced. Nothing of a source is written but encrypted.

    Args:
        target: writable descriptor at offset 0.
        manifest: sizes and digests of the sources included.
        sources: a readable descriptor for each file, in order.
        vendor_public: 1,216 bytes.
        signer: the store's public key, and what signs with it.

    Raises:
        ClocheError: a source is no longer what the manifest says; what was written is worth nothing.
        UsageError: the vendor's key is none.
        OSError: a disk failed or is full.
    """
    file_id, file_key = secrets.token_bytes(16), secrets.token_bytes(32)
    epoch_id, epoch_key = secrets.token_bytes(16), secrets.token_bytes(32)
    keys = derive_keys(file_key, file_id)
    core = build_core(file_id, keys, manifest.encode(), signer, "")
    core_digest = hashlib.sha256(core[: int.from_bytes(core[12:16], "big")]).digest()
    slot = Slot(
        sequence=1,
        epoch_id=epoch_id,
        file_key=wrap_file_key(file_key, epoch_key, core_digest, None),
        wraps=wrap_epoch(epoch_id, epoch_key, [Recipient(kind="vendor", public=vendor_public)]),
    )
    head = core + slot.encode(core_digest) + bytes(SLOT)
    digest = hashlib.sha256(head)
    write_all(target, head)
    writer = BodyWriter(target, keys.body, core_digest, digest)
    for packed, source in zip(manifest.files, sources, strict=True):
        content = hashlib.sha256()
        size = 0
        for piece in pieces(source):
            content.update(piece)
            size += len(piece)
            writer.write(piece)
        if size != packed.size or content.hexdigest() != packed.sha256:
            raise ClocheError("a file changed while it was being packed: nothing was shared")
    writer.finish()
    os.fsync(target)
    return Packed(
        size=os.fstat(target).st_size,
        sha256=digest.hexdigest(),
        receipt_sha256=hashlib.sha256(_receipt(file_key).encode("ascii")).hexdigest(),
    )


def open_package(descriptor: int, identity: Identity) -> OpenPackage:
    """The manifest of a package, its signature and the vendor's key checked; the files are not looked at.

    Raises:
        CorruptError: the package was changed, is cut, or is none.
        RefusedError: it is for another key; the message names both.
        OSError: reading failed.
    """
    core = read_core(descriptor)
    slot = newest(read_slots(descriptor, core.slots_at, core.digest))
    epoch_key = Unlocker([identity]).epoch_key(slot.epoch_id, slot.wraps)
    file_key = unwrap_file_key(slot.file_key, epoch_key, core.digest, None)
    keys, clear = core.open_metadata(file_key)
    manifest = decode_manifest(clear)
    if os.fstat(descriptor).st_size != core.body_at + body_size(sum(packed.size for packed in manifest.files)):
        raise CorruptError("the package is cut, or something was appended")
    return OpenPackage(
        manifest=manifest, signer=core.signer, file_id=core.file_id, receipt=_receipt(file_key), keys=keys, core=core
    )


def read_files(descriptor: int, package: OpenPackage) -> Iterator[tuple[int, bytes]]:
    """Number of the file and its bytes, in order, each file checked against its digest before the next begins.

    What was yielded is worth nothing unless the iterator ends: write to temporaries.

    Raises:
        CorruptError: a segment or a file is not genuine, or the end is missing.
        OSError: reading failed.
    """
    files = package.manifest.files
    number, left, content = 0, files[0].size if files else 0, hashlib.sha256()
    for segment in read_body(descriptor, package.core.body_at, package.keys.body, package.core.digest):
        rest = segment
        while rest or (number < len(files) and not left):
            if number >= len(files):
                raise CorruptError("the package holds more than its manifest says")
            piece, rest = rest[:left], rest[left:]
            content.update(piece)
            left -= len(piece)
            if piece:
                yield number, piece
            if not left:
                if content.hexdigest() != files[number].sha256:
                    raise CorruptError(f"file {number + 1} of the package is not what its manifest says")
                number += 1
                left, content = files[number].size if number < len(files) else 0, hashlib.sha256()
    if number != len(files):
        raise CorruptError("the package holds less than its manifest says")


def decode_manifest(data: bytes) -> Manifest:
    """The manifest that `Manifest.encode` wrote.

    Raises:
        CorruptError: it is none; a name in it is no plain file name.
    """
    try:
        document = json.loads(data)
        if document.pop("schema") != SCHEMA:
            raise ValueError("not the manifest of a package")
        files = tuple(_packed(entry) for entry in document.pop("files"))
        times = {name: datetime.fromisoformat(document.pop(name)) for name in ("shared_at", "expires_at")}
        texts = {name: document[name] for name in ("package", "store", "legal_entity", "vendor", "purpose", "contract")}
        if not all(isinstance(text, str) for text in texts.values()) or any(
            time.tzinfo is None for time in times.values()
        ):
            raise ValueError("not a text")
        if not 0 < len(files) <= MOST_FILES or len({packed.name for packed in files}) != len(files):
            raise ValueError("names or their number")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptError("not a package for a vendor, or its manifest is malformed") from error
    return Manifest(**texts, shared_at=times["shared_at"], expires_at=times["expires_at"], files=files)


def _packed(entry: Any) -> PackedFile:
    packed = PackedFile(**entry)
    texts = (packed.name, packed.sha256, packed.kind, packed.encoding)
    if not all(isinstance(text, str) for text in texts) or type(packed.size) is not int or packed.size < 0:
        raise ValueError("a file's facts")
    if not is_plain_name(packed.name):
        raise ValueError("a file's name")
    return packed


def is_plain_name(name: str) -> bool:
    """A file name without a folder that no file system refuses and no terminal obeys."""
    return (
        name not in ("", ".", "..") and "/" not in name and "\\" not in name and name.isprintable()
        and len(name.encode("utf-8", "surrogateescape")) <= 200
    )  # fmt: skip


def pieces(descriptor: int) -> Iterator[bytes]:
    """A file from its start, a mebibyte at a time."""
    position = 0
    while piece := os.pread(descriptor, READ_BYTES, position):
        yield piece
        position += len(piece)


def _receipt(file_key: bytes) -> str:
    """Ten digits in two groups: short enough for a telephone call, and 2**-33 for a guess."""
    number = int.from_bytes(hashlib.sha256(_RECEIPT + file_key).digest()[:8], "big") % 10**10
    return f"{number:010d}"[:5] + "-" + f"{number:010d}"[5:]
