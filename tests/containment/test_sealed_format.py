"""Sealed file v1: what was put in comes out, and nothing that was tampered with does."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import ClocheError, CorruptError, RefusedError
from config.identity import make_identity
from containment import metadata as meta
from containment.core import ALIGNMENT, build_core, derive_keys, read_core
from containment.keyring import Keyring
from containment.keys import OuterKey, Recipient, Unlocker
from containment.sealed import digest, key_ids, read_metadata, rewrap, seal, stream, unseal
from containment.slots import SLOT

IDENTITY = make_identity("recovery")
HQ = make_identity("hq")
CONTENT = bytes(range(256)) * 20


@contextmanager
def in_memory(data: bytes = b"") -> Iterator[int]:
    descriptor = os.memfd_create("test")
    try:
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def content_of(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    ring = Keyring(tmp_path_factory.mktemp("keys"))
    ring.adopt(IDENTITY.public, HQ.public)
    return ring


def sealed_bytes(keyring: Keyring, content: bytes = CONTENT, outer: OuterKey | None = None) -> bytes:
    with in_memory(content) as source, in_memory() as target:
        seal(source, target, meta.capture(source, b"/data/list.csv"), keyring, outer)
        return content_of(target)


@pytest.fixture(scope="module")
def sealed(keyring: Keyring) -> bytes:
    return sealed_bytes(keyring)


def open_bytes(data: bytes, unlocker: Unlocker, outer: OuterKey | None = None) -> bytes:
    with in_memory(data) as source, in_memory() as target:
        unseal(source, target, unlocker, outer)
        return content_of(target)


def test_recovery_and_head_office_each_open_it(sealed: bytes):
    for identity in (IDENTITY, HQ):
        assert open_bytes(sealed, Unlocker([identity])) == CONTENT


def test_another_key_is_refused_and_both_keys_are_named(sealed: bytes):
    other = make_identity("recovery")
    with pytest.raises(RefusedError, match=f"{IDENTITY.id}.*{other.id}"):
        open_bytes(sealed, Unlocker([other]))
    with pytest.raises(RefusedError, match="no key was given"):
        open_bytes(sealed, Unlocker())


def test_nothing_of_the_content_or_the_name_shows(keyring: Keyring):
    data = sealed_bytes(keyring, b"13800001111" * 100)
    assert b"1380000" not in data
    assert b"list.csv" not in data


def test_without_the_incident_key_the_file_is_gone_for_good(keyring: Keyring):
    outer = OuterKey(key_id="incident-1", key=os.urandom(32))
    data = sealed_bytes(keyring, outer=outer)
    assert open_bytes(data, Unlocker([IDENTITY]), outer) == CONTENT
    with pytest.raises(RefusedError, match="incident-1"):
        open_bytes(data, Unlocker([IDENTITY]))
    with pytest.raises(RefusedError, match="incident-1"):
        open_bytes(data, Unlocker([IDENTITY]), OuterKey(key_id="incident-1", key=os.urandom(32)))
    assert outer.key.hex() not in repr(outer)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(min_value=0), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(sealed: bytes, position: int, bit: int):
    position %= len(sealed)
    spare = read_slots_area(sealed)
    data = bytearray(sealed)
    data[position] ^= 1 << bit
    if position in spare:  # the empty slot: a torn re-wrap leaves as much, and the other slot stands
        assert open_bytes(bytes(data), Unlocker([IDENTITY])) == CONTENT
        return
    with pytest.raises(CorruptError):
        open_bytes(bytes(data), Unlocker([IDENTITY]))


def read_slots_area(sealed: bytes) -> range:
    """Where the second slot lies, unused in a fresh file."""
    with in_memory(sealed) as source:
        start = read_core(source).slots_at + SLOT
    return range(start, start + SLOT)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(min_value=1), extra=st.binary(min_size=1, max_size=40))
def test_any_truncation_or_addition_is_noticed(sealed: bytes, cut: int, extra: bytes):
    for data in (sealed[: -(cut % len(sealed)) or None], sealed + extra):
        if data != sealed:
            with pytest.raises(CorruptError):
                open_bytes(data, Unlocker([IDENTITY]))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300), magic=st.booleans())
def test_rubbish_is_no_sealed_file(data: bytes, magic: bool):
    with pytest.raises(CorruptError):
        open_bytes((b"\x89CLOCHE\n\0\1\0\1" if magic else b"") + data, Unlocker([IDENTITY]))


def test_segments_of_two_files_cannot_be_mixed(keyring: Keyring):
    large = os.urandom((1 << 20) + 5)
    first, second = sealed_bytes(keyring, large), sealed_bytes(keyring, large)
    with in_memory(first) as source:
        body = read_core(source).body_at
    with pytest.raises(CorruptError):
        open_bytes(first[:body] + second[body:], Unlocker([IDENTITY]))


def test_a_cut_at_a_segment_is_noticed_before_anything_counts_as_whole(keyring: Keyring):
    data = sealed_bytes(keyring, os.urandom(3 << 20))
    with in_memory(data) as source:
        core = read_core(source)
    with pytest.raises(CorruptError):
        open_bytes(data[: core.body_at + (1 << 20)], Unlocker([IDENTITY]))


def test_a_core_that_commits_to_another_key_does_not_open(keyring: Keyring):
    """The signature is right, the metadata decrypts under our key, only the commitment is another's."""
    with in_memory(CONTENT) as source, in_memory() as target:
        seal(source, target, meta.capture(source, b"/x"), keyring)
        core, keys, metadata = read_metadata(target, keyring.current())
        sealed = content_of(target)
    other = derive_keys(os.urandom(32), core.file_id)
    mixed = type(keys)(body=keys.body, metadata=keys.metadata, commitment=other.commitment)
    forged = build_core(core.file_id, mixed, metadata.encode(), (keyring.public_key, keyring.sign), "")
    with in_memory(forged + sealed[len(forged) :]) as source:
        found = read_core(source)  # a genuine signature
        with pytest.raises(CorruptError, match="not the one"):
            found.open_metadata(os.urandom(32))
        with pytest.raises(CorruptError):
            read_metadata(source, Unlocker([IDENTITY]))


def test_a_core_signed_by_nobody_is_refused(sealed: bytes):
    length = struct.unpack(">I", sealed[12:16])[0]
    data = sealed[: length - 64] + bytes(64) + sealed[length:]
    with pytest.raises(CorruptError, match="changed"):
        open_bytes(data, Unlocker([IDENTITY]))


def test_a_rewrap_changes_who_opens_it_and_nothing_else(keyring: Keyring, sealed: bytes):
    new = make_identity("recovery")
    with in_memory(sealed) as file:
        before = digest(file)
        rewrap(file, Unlocker([IDENTITY]), [Recipient(kind="recovery", public=new.public)])
        assert key_ids(file) == (new.id,)
        assert digest(file) == before
        changed = content_of(file)
    assert open_bytes(changed, Unlocker([new])) == CONTENT
    with pytest.raises(RefusedError):
        open_bytes(changed, Unlocker([IDENTITY]))


@pytest.mark.parametrize("torn", [0, 1])
def test_a_torn_slot_leaves_the_other_in_force(sealed: bytes, torn: int):
    with in_memory(sealed) as file:
        rewrap(file, Unlocker([IDENTITY]), [Recipient(kind="recovery", public=IDENTITY.public)])
        at = read_core(file).slots_at + torn * SLOT
        os.pwrite(file, os.urandom(512), at + 1024)
        assert open_bytes(content_of(file), Unlocker([IDENTITY])) == CONTENT
        os.pwrite(file, os.urandom(512), read_core(file).slots_at + (1 - torn) * SLOT)
        with pytest.raises(CorruptError, match="both key slots"):
            open_bytes(content_of(file), Unlocker([IDENTITY]))


def test_the_digest_needs_no_key_and_finds_bit_rot(sealed: bytes):
    rotten = bytearray(sealed)
    rotten[-1] ^= 1
    with in_memory(sealed) as good, in_memory(bytes(rotten)) as bad:
        assert digest(good) != digest(bad)


def test_holes_take_no_room_and_come_back_as_holes(tmp_path: Path, keyring: Keyring):
    file = tmp_path / "sparse"
    with file.open("wb") as target:
        target.write(b"head")
        target.seek(64 << 20)
        target.write(b"tail")
        target.truncate((64 << 20) + 4096 * 5)
    with file.open("rb") as source, (tmp_path / "s").open("w+b", buffering=0) as sealed:
        receipt = seal(source.fileno(), sealed.fileno(), meta.capture(source.fileno(), b"/s"), keyring)
        assert os.fstat(sealed.fileno()).st_size < 1 << 20
        with (tmp_path / "back").open("w+b", buffering=0) as back:
            metadata = unseal(sealed.fileno(), back.fileno(), receipt.unlocker)
            assert meta.find_extents(back.fileno(), metadata.size) == metadata.extents
            assert os.fstat(back.fileno()).st_size == file.stat().st_size
        assert receipt.plaintext_sha256 == hashlib.sha256(file.read_bytes()).digest()


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, keyring: Keyring):
    file = tmp_path / "growing"
    file.write_bytes(CONTENT)
    with file.open("r+b", buffering=0) as source, in_memory() as target:
        metadata = meta.capture(source.fileno(), b"/growing")
        os.pwrite(source.fileno(), b"!", 0)  # same size, and the time is set back
        os.utime(file, ns=(metadata.atime_ns, metadata.mtime_ns))
        with pytest.raises(ClocheError, match="changed"):
            seal(source.fileno(), target, metadata, keyring)


def test_a_pipe_gets_nothing_of_a_file_that_is_damaged_at_its_end(keyring: Keyring):
    data = bytearray(sealed_bytes(keyring, os.urandom(3 << 20)))
    data[-1] ^= 1
    reading, writing = os.pipe()
    try:
        with in_memory(bytes(data)) as source, pytest.raises(CorruptError):
            stream(source, Unlocker([IDENTITY]), writing)
    finally:
        os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b""


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200) | st.from_regex(rb'\{"schema":"cloche.metadata/1"[^}]{0,60}\}', fullmatch=True))
def test_rubbish_is_no_metadata(data: bytes):
    with pytest.raises(CorruptError):
        meta.decode(data)


def test_metadata_that_contradicts_itself_is_refused(keyring: Keyring):
    with in_memory(CONTENT) as source:
        good = meta.capture(source, b"/x")
    assert meta.decode(good.encode()) == good
    for wrong in (b'"mode":70000', b'"size":-1', b'"uid":4294967295', b'"size":true'):
        name = wrong.split(b":")[0]
        text = good.encode()
        start = text.index(name)
        end = text.index(b",", start)
        with pytest.raises(CorruptError):
            meta.decode(text[:start] + wrong + text[end:])


def test_the_core_ends_on_a_block_and_its_padding_is_checked(sealed: bytes):
    with in_memory(sealed) as source:
        assert read_core(source).slots_at % ALIGNMENT == 0
    length = struct.unpack(">I", sealed[12:16])[0]
    data = sealed[:length] + b"\1" + sealed[length + 1 :]
    with in_memory(data) as source, pytest.raises(CorruptError):
        read_core(source)
