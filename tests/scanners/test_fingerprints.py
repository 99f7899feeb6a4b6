"""Fingerprints are what the module says: AES-256 in CBC-MAC, one by one and by the thousand."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given
from hypothesis import strategies as st

from scanners.fingerprints import LONGEST, SHORT, Fingerprints

KEY = b"a key of this run"
VALUES = st.one_of(
    st.text(max_size=80), st.sampled_from(["", "13800001111", "\ud800", "值" * 20, "a" * SHORT, "a" * 47])
)


def cbc_mac(entity: str, value: bytes, length: int) -> int:
    """The same by the library's own mode."""
    key = blake2b(f"fingerprint\0{entity}".encode(), key=KEY, digest_size=32).digest()
    message = length.to_bytes(2, "big") + value
    encryptor = Cipher(AES256(key), CBC(bytes(16))).encryptor()
    sealed = encryptor.update(message + bytes(-len(message) % 16)) + encryptor.finalize()
    return int.from_bytes(sealed[-16:-8], "big")


@given(st.lists(VALUES, max_size=20))
def test_they_are_the_mac_that_the_library_makes_one_by_one_and_many_at_once(values: list[str]) -> None:
    fingerprints = Fingerprints(KEY)
    written = [value.encode("utf-8", "surrogatepass") for value in values]
    expected = [cbc_mac("PHONE_NUMBER", value, len(value)) for value in written]
    assert [fingerprints.of("PHONE_NUMBER", value) for value in values] == expected
    assert fingerprints.of_values("PHONE_NUMBER", values).tolist() == expected


@pytest.mark.parametrize("length", [LONGEST + 1, 65_535, 100_000])
def test_a_long_value_stands_in_by_its_digest_under_a_length_of_its_own(length: int) -> None:
    value = "a" * length
    digest = blake2b(value.encode(), key=KEY, digest_size=64).digest()
    assert Fingerprints(KEY).of("CREDENTIAL", value) == cbc_mac("CREDENTIAL", digest, 0xFFFF)
    assert Fingerprints(KEY).of_values("CREDENTIAL", [value, "b"])[0] == Fingerprints(KEY).of("CREDENTIAL", value)


def test_another_key_and_another_entity_tell_nothing() -> None:
    one, other = Fingerprints(KEY), Fingerprints(b"another")
    assert len({one.of("A", "1"), one.of("B", "1"), other.of("A", "1"), one.of("A", "2"), one.of("A", "1\0")}) == 5
