"""The body is Tink's: stock Tink opens what we write, and we open what stock Tink writes."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest
import tink
from tink import secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

from config.identity import make_identity
from containment import metadata
from containment.core import read_core
from containment.keyring import Keyring
from containment.sealed import read_metadata, seal
from containment.streaming import HEADER, SEGMENT, TAG, BodyWriter, body_size, read_body

FIRST = SEGMENT - HEADER - TAG
SIZES = [0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + SEGMENT - TAG, FIRST + SEGMENT - TAG + 1, 3 * SEGMENT]


def stock_tink(key: bytes) -> streaming_aead.StreamingAead:
    """Tink's own AES256_GCM_HKDF_SHA256 with 1 MiB segments, around a raw key."""
    streaming_aead.register()
    parameters = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=SEGMENT, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    value = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(version=0, params=parameters, key_value=key)
    keyset = tink_pb2.Keyset(primary_key_id=1)
    keyset.key.add(
        key_data=tink_pb2.KeyData(
            type_url="type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
            value=value.SerializeToString(),
            key_material_type=tink_pb2.KeyData.SYMMETRIC,
        ),
        status=tink_pb2.ENABLED,
        key_id=1,
        output_prefix_type=tink_pb2.RAW,
    )
    handle = tink.proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)


@pytest.mark.parametrize("size", SIZES)
def test_stock_tink_opens_what_we_write(tmp_path: Path, size: int):
    key, data = os.urandom(32), os.urandom(size)
    file = tmp_path / "body"
    with file.open("wb", buffering=0) as target:
        writer = BodyWriter(target.fileno(), key, b"associated", hashlib.sha256())
        for start in range(0, size, 700_001):
            writer.write(data[start : start + 700_001])
        writer.finish()
    assert file.stat().st_size == body_size(size)
    with stock_tink(key).new_decrypting_stream(io.BytesIO(file.read_bytes()), b"associated") as stream:
        assert stream.read() == data


@pytest.mark.parametrize("size", SIZES)
def test_we_open_what_stock_tink_writes(tmp_path: Path, size: int):
    key, data = os.urandom(32), os.urandom(size)
    file = tmp_path / "body"
    kept = io.BytesIO()
    kept.close = lambda: None
    with stock_tink(key).new_encrypting_stream(kept, b"associated") as stream:
        stream.write(data)
    file.write_bytes(kept.getvalue())
    with file.open("rb") as source:
        assert b"".join(read_body(source.fileno(), 0, key, b"associated")) == data


def test_stock_tink_opens_the_body_of_a_sealed_file(tmp_path: Path):
    keyring = Keyring(tmp_path / "keys")
    keyring.adopt(make_identity("recovery").public)
    data = os.urandom(2_500_000)
    (tmp_path / "plain").write_bytes(data)
    with (tmp_path / "plain").open("rb") as source, (tmp_path / "sealed").open("w+b", buffering=0) as target:
        receipt = seal(source.fileno(), target.fileno(), metadata.capture(source.fileno(), b"/plain"), keyring)
        core, keys, _metadata = read_metadata(target.fileno(), receipt.unlocker)
        assert core == read_core(target.fileno())
    body = (tmp_path / "sealed").read_bytes()[core.body_at :]
    with stock_tink(keys.body).new_decrypting_stream(io.BytesIO(body), core.digest) as stream:
        assert stream.read() == data
