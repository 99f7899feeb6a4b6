"""Packages for vendors: one key opens them, nothing in them can be changed, and another program can read the format."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import tink
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from tink import secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

from config.errors import ClocheError, CorruptError, RefusedError
from config.identity import make_identity, parse_identity
from containment.package import Manifest, PackedFile, is_plain_name, open_package, read_files, write_package

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
STORE = Ed25519PrivateKey.generate()
VENDOR = make_identity("vendor")
CONTENTS = {"会员.csv": b"name,phone\n" * 150_000, "empty.txt": b"", "说明.txt": "测试\n".encode("gb18030")}


@pytest.fixture
def memory():
    """Makes memory files, and closes them."""
    opened = []

    def make(content=b""):
        descriptor = os.memfd_create("test", os.MFD_CLOEXEC)
        opened.append(descriptor)
        os.pwrite(descriptor, content, 0)
        return descriptor

    yield make
    for descriptor in opened:
        os.close(descriptor)


def manifest(contents=CONTENTS, **changes):
    made = Manifest(
        package="P1", store="测试店", legal_entity="", vendor="测试快印", purpose="寄送", contract="HT-1",
        shared_at=NOW, expires_at=NOW + timedelta(days=3),
        files=tuple(
            PackedFile(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
            for name, data in contents.items()
        ),
    )  # fmt: skip
    return replace(made, **changes)


def packed(memory, contents=CONTENTS, key=VENDOR, **changes):
    target = memory()
    sources = [memory(data) for data in contents.values()]
    signer = (STORE.public_key().public_bytes_raw(), STORE.sign)
    done = write_package(target, manifest(contents, **changes), sources, key.public, signer)
    return target, done


def all_of(descriptor, identity=VENDOR):
    package = open_package(descriptor, identity)
    found = {entry.name: b"" for entry in package.manifest.files}
    for number, piece in read_files(descriptor, package):
        found[package.manifest.files[number].name] += piece
    return package, found


def test_what_went_in_comes_out_with_its_terms(memory):
    target, done = packed(memory)
    package, found = all_of(target)
    assert found == CONTENTS
    assert package.manifest == manifest()
    assert package.signer == STORE.public_key().public_bytes_raw()
    assert done.size == os.fstat(target).st_size
    assert done.sha256 == hashlib.sha256(os.pread(target, done.size, 0)).hexdigest()
    assert hashlib.sha256(package.receipt.encode()).hexdigest() == done.receipt_sha256


def test_nothing_of_it_can_be_read_without_the_key(memory):
    target, done = packed(memory)
    content = os.pread(target, done.size, 0)
    for word in ("测试快印", "会员.csv", "寄送", "name,phone"):
        assert word.encode() not in content


def test_another_vendors_key_is_refused_by_name(memory):
    target, _ = packed(memory)
    other = make_identity("vendor")
    with pytest.raises(RefusedError, match=rf"{VENDOR.id}.*{other.id}"):
        open_package(target, other)


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.8, 0.999])
def test_a_changed_byte_anywhere_is_found(memory, share):
    small = {"a.csv": b"x" * 9000}
    target, done = packed(memory, small)
    at = int(done.size * share)
    byte = os.pread(target, 1, at)
    os.pwrite(target, bytes([byte[0] ^ 1]), at)
    slots = struct.unpack_from(">I", os.pread(target, 16, 0), 12)[0]
    zeros = not byte[0] and at > slots  # padding between the core and the body says nothing and is not signed
    try:
        assert all_of(target)[1] == small
    except (CorruptError, RefusedError):
        return
    assert zeros


def test_every_byte_of_core_and_body_counts(memory):
    small = {"a.csv": b"x" * 300}
    target, done = packed(memory, small)
    length = struct.unpack_from(">I", os.pread(target, 16, 0), 12)[0]
    body = done.size - (40 + 300 + 16)
    for at in (*range(0, length, 7), *range(body, done.size, 5)):
        byte = os.pread(target, 1, at)
        os.pwrite(target, bytes([byte[0] ^ 0x40]), at)
        with pytest.raises(ClocheError):
            all_of(target)
        os.pwrite(target, byte, at)
    assert all_of(target)[1] == small


@pytest.mark.parametrize("cut", [1, 20, 5000])
def test_a_cut_package_is_told(memory, cut):
    target, done = packed(memory)
    os.ftruncate(target, done.size - cut)
    with pytest.raises(CorruptError):
        all_of(target)


def test_an_expiry_moved_by_hand_breaks_the_signature(memory):
    early, _ = packed(memory, expires_at=NOW)
    late, _ = packed(memory, expires_at=NOW + timedelta(days=999))
    start = os.pread(late, 4096, 0)
    os.pwrite(early, start, 0)
    with pytest.raises(CorruptError):
        all_of(early)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "..\\x", "a\nb", "\x1b[2J", "长" * 100])
def test_names_that_lead_elsewhere_are_none(memory, name):
    assert not is_plain_name(name)
    target, _ = packed(memory, {name: b"x"})
    with pytest.raises(CorruptError, match="malformed"):
        open_package(target, VENDOR)


def test_a_source_that_changes_meanwhile_is_not_shared(memory):
    target, source = memory(), memory(b"other")
    with pytest.raises(ClocheError, match="changed"):
        write_package(
            target, manifest({"a.csv": b"first"}), [source], VENDOR.public,
            (STORE.public_key().public_bytes_raw(), STORE.sign),
        )  # fmt: skip


def test_a_vendors_sheet_is_read_back_and_no_other_kind(memory):
    assert parse_identity(VENDOR.sheet()) == VENDOR
    assert VENDOR.sheet().startswith("cloche-vendor-1\n")


def test_another_program_opens_it_by_the_documented_format(memory):
    """Written from docs/format-package-v1.md alone: struct, cryptography and stock Tink, nothing of ours."""
    target, done = packed(memory)
    data = os.pread(target, done.size, 0)
    magic, version, suite, length = struct.unpack_from(">8sHHI", data)
    assert (magic, version, suite) == (b"\x89CLOCHE\n", 1, 1)
    file_id, _commitment, signer, name = struct.unpack_from(">16s32s32sB", data, 16)
    header_end = 16 + 81 + name
    (sealed_length,) = struct.unpack_from(">I", data, header_end)
    sealed = data[header_end + 4 : header_end + 4 + sealed_length]
    Ed25519PublicKey.from_public_bytes(signer).verify(
        data[length - 64 : length], b"cloche sealed core v1\0" + data[: length - 64]
    )
    digest = hashlib.sha256(data[:length]).digest()
    at = -(-length // 4096) * 4096
    _wrap, _sequence, epoch_id, key_length, _count = struct.unpack_from(">4sQ16sBB", data, at)
    wrapped = data[at + 30 : at + 30 + key_length]
    key_id, wrap_length = struct.unpack_from(">8sH", data, at + 30 + key_length)
    assert key_id.hex() == VENDOR.id
    wrap = data[at + 40 + key_length : at + 40 + key_length + wrap_length]
    suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    epoch_key = suite.decrypt(wrap, VENDOR.private_key, info=b"cloche epoch v1 " + epoch_id)
    file_key = AESGCM(epoch_key).decrypt(wrapped[:12], wrapped[12:], b"epoch" + digest)

    def part(what):
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=file_id, info=b"cloche file v1 " + what).derive(file_key)

    document = json.loads(AESGCM(part(b"metadata")).decrypt(bytes(12), sealed, data[:header_end]))
    assert document["schema"] == "cloche.package/1"
    with stock_tink(part(b"body")).new_decrypting_stream(io.BytesIO(data[at + 8192 :]), digest) as stream:
        clear = stream.read()
    for entry in document["files"]:
        assert clear[: entry["size"]] == CONTENTS[entry["name"]]
        clear = clear[entry["size"] :]
    assert not clear


def stock_tink(key):
    streaming_aead.register()
    parameters = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=1 << 20, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    value = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(version=0, params=parameters, key_value=key)
    keyset = tink_pb2.Keyset(primary_key_id=1)
    keyset.key.add(
        key_data=tink_pb2.KeyData(
            type_url="type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
            value=value.SerializeToString(), key_material_type=tink_pb2.KeyData.SYMMETRIC,
        ),
        status=tink_pb2.ENABLED, key_id=1, output_prefix_type=tink_pb2.RAW,
    )  # fmt: skip
    handle = tink.proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)
