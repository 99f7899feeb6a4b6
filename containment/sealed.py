"""Sealed file, format v1: make one, open one, re-wrap one. The bytes are laid down in docs/format-sealed-v1.md.

Core, two slots, body. The body holds the *data* of the file, holes left out (the metadata says where they are), in
Tink's streaming layout with the SHA-256 of the core as associated data, so nothing of two files can be mixed.
What the format does not hide: the length of the data, the store's public key, and the names of keys.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from config.errors import ClocheError, CorruptError, RefusedError
from containment import metadata as meta
from containment.atomic import write_all
from containment.core import MAGIC, Core, FileKeys, build_core, derive_keys, read_core
from containment.keyring import Epoch, Keyring
from containment.keys import OuterKey, Recipient, Unlocker, wrap_epoch
from containment.metadata import ContentHash, Metadata
from containment.slots import (
    AREA,
    SLOT,
    Slot,
    newest,
    read_slots,
    unwrap_file_key,
    wrap_file_key,
    write_next,
)
from containment.streaming import BodyWriter, body_size, digest_rest, read_body

LARGEST_HASHED_HOLES: Final = 64 << 30  # a forged file of 2**62 zeros must not keep a core busy for ever

__all__ = ["ChangedError", "Core", "OuterKey", "Receipt", "is_sealed", "read_core", "seal", "unseal"]


class ChangedError(ClocheError):
    """The file changed while it was read."""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What was sealed. `ciphertext_sha256` covers core and body, not the slots: a re-wrap leaves it as it is."""

    file_id: bytes
    plaintext_sha256: bytes
    ciphertext_sha256: bytes
    size: int
    epoch: Epoch = field(repr=False)

    @property
    def unlocker(self) -> Unlocker:
        """Opens this file, from memory, for the check after sealing."""
        return Unlocker(epochs={self.epoch.id: self.epoch.key})


def is_sealed(descriptor: int) -> bool:
    """Whether the file begins as a sealed one does."""
    return os.pread(descriptor, len(MAGIC), 0) == MAGIC


def seal(
    source_fd: int, target_fd: int, metadata: Metadata, keyring: Keyring, outer: OuterKey | None = None
) -> Receipt:
    """Write the sealed form of `source_fd` to the empty file `target_fd`. Not synced; verify before trusting it.

    Args:
        source_fd: the regular file, readable.
        target_fd: an empty file, writable, at offset 0.
        metadata: what `containment.metadata.capture` read from `source_fd`.
        keyring: gives the epoch and the signature.
        outer: an incident's key, needed for opening as well.

    Raises:
        ChangedError: the content is no longer what `metadata` says.
        RefusedError: there is no recovery key.
        OSError: a disk failed or is full.
    """
    epoch = keyring.epoch()
    file_id, file_key = secrets.token_bytes(16), secrets.token_bytes(32)
    keys = derive_keys(file_key, file_id)
    core = build_core(
        file_id, keys, metadata.encode(), (keyring.public_key, keyring.sign), outer.key_id if outer else ""
    )
    core_digest = _core_digest(core)
    slot = Slot(
        sequence=1,
        epoch_id=epoch.id,
        file_key=wrap_file_key(file_key, epoch.key.reveal(), core_digest, outer),
        wraps=epoch.wraps,
    )
    ciphertext = hashlib.sha256(core)
    write_all(target_fd, core + slot.encode(core_digest) + bytes(SLOT))
    writer = BodyWriter(target_fd, keys.body, core_digest, ciphertext)
    content = ContentHash()
    for offset, piece in meta.read_data(source_fd, metadata.extents):
        content.feed(offset, piece)
        writer.write(piece)
    writer.finish()
    facts = os.fstat(source_fd)
    if (
        content.finish(metadata.size) != metadata.sha256
        or facts.st_size != metadata.size
        or facts.st_mtime_ns != metadata.mtime_ns
    ):
        raise ChangedError("the file changed while it was being sealed")
    return Receipt(
        file_id=file_id,
        plaintext_sha256=metadata.sha256,
        ciphertext_sha256=ciphertext.digest(),
        size=metadata.size,
        epoch=epoch,
    )


def _core_digest(padded: bytes) -> bytes:
    return hashlib.sha256(padded[: int.from_bytes(padded[12:16], "big")]).digest()


def read_metadata(fd: int, unlocker: Unlocker, outer: OuterKey | None = None) -> tuple[Core, FileKeys, Metadata]:
    """The core, the keys of the file and its metadata; the body is not looked at.

    Raises:
        CorruptError: the file was changed, is cut, or is no sealed file.
        RefusedError: the key does not fit, or the outer key is missing.
        OSError: reading failed.
    """
    core = read_core(fd)
    slot = newest(read_slots(fd, core.slots_at, core.digest))
    epoch_key = unlocker.epoch_key(slot.epoch_id, slot.wraps)
    if core.outer_key_id and outer is None:
        raise RefusedError(f"the key of {core.outer_key_id} is needed as well")
    file_key = unwrap_file_key(slot.file_key, epoch_key, core.digest, outer if core.outer_key_id else None)
    keys, clear = core.open_metadata(file_key)
    metadata = meta.decode(clear)
    if os.fstat(fd).st_size != core.body_at + body_size(metadata.data_size):
        raise CorruptError("the sealed file is cut, or something was appended")
    return core, keys, metadata


def unseal(fd: int, target_fd: int | None, unlocker: Unlocker, outer: OuterKey | None = None) -> Metadata:
    """Decrypt into the empty regular file `target_fd` (None: only verify) and return what else belongs to the file.

    What `target_fd` holds is worth nothing unless this returns: write to a temporary. Holes become holes again.
    Owner, mode and the rest are not applied: `containment.metadata.apply` does, if `Core.signer` is this store.

    Raises:
        CorruptError: the file was changed or is cut.
        RefusedError: the key does not fit, or the outer key is missing.
        OSError: a disk failed or is full.
    """
    core, keys, metadata = read_metadata(fd, unlocker, outer)
    content = ContentHash()
    hashed = metadata.size - metadata.data_size <= LARGEST_HASHED_HOLES
    for offset, piece in _pieces(fd, core, keys, metadata):
        if hashed:
            content.feed(offset, piece)
        if target_fd is not None:
            _write_at(target_fd, memoryview(piece), offset)
    if hashed and content.finish(metadata.size) != metadata.sha256:
        raise CorruptError("the sealed file does not hold what it was made from")
    if target_fd is not None:
        try:
            os.ftruncate(target_fd, metadata.size)
        except OSError as error:
            if error.errno in (errno.EFBIG, errno.EINVAL):
                raise CorruptError("the sealed file claims an impossible size") from error
            raise
    return metadata


def _pieces(fd: int, core: Core, keys: FileKeys, metadata: Metadata) -> Iterator[tuple[int, bytes]]:
    """Offset in the file and bytes, segment by segment, laid out over the extents."""
    space = iter(metadata.extents)
    offset, room = next(space, (0, 0))
    for segment in read_body(fd, core.body_at, keys.body, core.digest):
        rest = segment
        while rest:
            if not room:
                offset, room = next(space, (0, 0))
            if not room:
                raise CorruptError("the sealed body is longer than its metadata says")
            piece, rest = rest[:room], rest[room:]
            yield offset, piece
            offset, room = offset + len(piece), room - len(piece)


def _write_at(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def stream(fd: int, unlocker: Unlocker, target_fd: int) -> Metadata:
    """Write the plaintext to a pipe or terminal, after the whole file has been verified in a first pass.

    Raises:
        CorruptError: the file was changed or is cut; nothing was written, if it was so from the start.
        RefusedError: the key does not fit.
        OSError: reading or writing failed.
    """
    metadata = unseal(fd, None, unlocker)
    core, keys, _again = read_metadata(fd, unlocker)
    position = 0
    for offset, piece in _pieces(fd, core, keys, metadata):
        _write_zeros(target_fd, offset - position)
        write_all(target_fd, piece)
        position = offset + len(piece)
    _write_zeros(target_fd, metadata.size - position)
    return metadata


def _write_zeros(descriptor: int, count: int) -> None:
    while count > 0:
        write_all(descriptor, bytes(min(count, meta.READ_BYTES)))
        count -= meta.READ_BYTES


def digest(fd: int) -> bytes:
    """The `ciphertext_sha256` of a sealed file, without any key; its core's signature and a slot are checked.

    Raises:
        CorruptError: the core was changed, or no slot is valid.
        OSError: reading failed.
    """
    core = read_core(fd)
    newest(read_slots(fd, core.slots_at, core.digest))
    found = hashlib.sha256(os.pread(fd, core.slots_at, 0))
    digest_rest(fd, core.slots_at + AREA, found)
    return found.digest()


def key_ids(fd: int) -> tuple[str, ...]:
    """Ids of the keys that open the file.

    Raises:
        CorruptError: it is no sealed file, or damaged.
    """
    core = read_core(fd)
    return tuple(newest(read_slots(fd, core.slots_at, core.digest)).wraps)


def epoch_of(fd: int, unlocker: Unlocker) -> tuple[bytes, bytes]:
    """Id and key of the epoch that the file was sealed in.

    Raises:
        CorruptError: it is no sealed file, or damaged.
        RefusedError: the key given does not open it.
    """
    core = read_core(fd)
    slot = newest(read_slots(fd, core.slots_at, core.digest))
    return slot.epoch_id, unlocker.epoch_key(slot.epoch_id, slot.wraps)


def rewrap(fd: int, unlocker: Unlocker, recipients: Iterable[Recipient]) -> None:
    """Let `recipients` open the file from now on; the old slot is overwritten after the new one is durable.

    The file key and the epoch key stay, so whoever kept a copy of the old header still opens it with the old key.

    Raises:
        CorruptError: the file is damaged.
        RefusedError: the key given does not open it.
        OSError: the disk failed; the file still opens with the old key.
    """
    core = read_core(fd)
    old = newest(read_slots(fd, core.slots_at, core.digest))
    epoch_key = unlocker.epoch_key(old.epoch_id, old.wraps)
    unwrap_file_key(old.file_key, epoch_key, core.digest, None)  # an outer layer, where there is one, stays closed
    wraps = wrap_epoch(old.epoch_id, epoch_key, recipients)
    for generation in (1, 2):
        write_next(
            fd,
            core.slots_at,
            core.digest,
            Slot(sequence=old.sequence + generation, epoch_id=old.epoch_id, file_key=old.file_key, wraps=wraps),
        )
