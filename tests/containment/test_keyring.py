"""Epochs end, incidents keep what they need, and what is written down is public."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from config.errors import ClocheError, RefusedError, UsageError
from config.identity import make_identity
from containment.keyring import EPOCH_SECONDS, HOLD_SECONDS, Keyring, verify_signature


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keyring(tmp_path: Path, clock: Clock) -> Keyring:
    ring = Keyring(tmp_path / "keys", clock)
    ring.adopt(make_identity("recovery").public)
    return ring


def test_nothing_is_sealed_before_there_is_a_recovery_key(tmp_path: Path):
    ring = Keyring(tmp_path)
    assert not ring.ready
    with pytest.raises(RefusedError, match="cloche keys init"):
        ring.epoch()


def test_an_epoch_ends_after_an_hour_and_with_new_recipients(keyring: Keyring, clock: Clock):
    first = keyring.epoch()
    clock.now += EPOCH_SECONDS - 1
    assert keyring.epoch() is first
    clock.now += 1
    second = keyring.epoch()
    assert (second.id, second.key.reveal()) != (first.id, first.key.reveal())
    new = make_identity("recovery")
    keyring.adopt(new.public, make_identity("hq").public)
    assert set(keyring.epoch().wraps) == {recipient.id for recipient in keyring.recipients}
    assert new.id in keyring.epoch().wraps
    assert len(keyring.former) == 1


def test_an_epoch_key_is_on_no_disk(keyring: Keyring):
    key = keyring.epoch().key.reveal()
    for file in keyring.folder.iterdir():
        assert key not in file.read_bytes()
        assert key.hex() not in file.read_text("latin-1")
    assert key.hex() not in repr(keyring.epoch())


def test_an_incident_keeps_its_keys_for_72_hours_and_no_longer(keyring: Keyring, clock: Clock):
    epoch = keyring.epoch()
    keyring.hold("i-1")
    clock.now += EPOCH_SECONDS
    assert keyring.epoch().id != epoch.id
    clock.now = 1000.0 + HOLD_SECONDS - 1
    held = keyring.held("i-1")
    assert held is not None
    assert held.epoch_key(epoch.id, {}) == epoch.key.reveal()
    clock.now += 1
    assert keyring.held("i-1") is None
    assert epoch.key.reveal() == bytes(32)


def test_an_epoch_that_begins_while_files_are_being_taken_is_kept_too(keyring: Keyring, clock: Clock):
    clock.now += EPOCH_SECONDS - 1
    keyring.hold("i-1")
    keyring.epoch()
    clock.now += EPOCH_SECONDS - 1
    second = keyring.epoch()
    held = keyring.held("i-1")
    assert held is not None
    assert held.opens(second.id, {})
    clock.now += EPOCH_SECONDS
    later = keyring.held("i-1")
    assert later is not None
    assert not later.opens(keyring.epoch().id, {})


def test_a_dropped_incident_keeps_nothing_and_another_keeps_its_own(keyring: Keyring, clock: Clock):
    epoch = keyring.epoch()
    keyring.hold("i-1")
    keyring.hold("i-2")
    clock.now += EPOCH_SECONDS
    keyring.drop("i-1")
    assert keyring.held("i-1") is None
    other = keyring.held("i-2")
    assert other is not None
    assert other.epoch_key(epoch.id, {}) != bytes(32)


def test_a_restart_forgets_what_was_held(keyring: Keyring):
    keyring.hold("i-1")
    assert Keyring(keyring.folder).held("i-1") is None


def test_the_seal_key_is_made_once_and_is_private(keyring: Keyring):
    signature = keyring.sign(b"core")
    assert verify_signature(Keyring(keyring.folder).public_key, b"core", signature)
    assert not verify_signature(keyring.public_key, b"other", signature)
    assert not verify_signature(os.urandom(32), b"core", signature)
    assert stat.S_IMODE((keyring.folder / "seal.key").stat().st_mode) == 0o600


def test_damaged_key_files_are_named(keyring: Keyring):
    (keyring.folder / "recipients.json").write_text("{")
    with pytest.raises(ClocheError, match=r"recipients\.json"):
        _ = keyring.recipients
    (keyring.folder / "seal.key").write_bytes(b"short")
    with pytest.raises(ClocheError, match=r"seal\.key"):
        keyring.sign(b"")


def test_a_key_that_is_no_public_key_is_not_adopted(keyring: Keyring):
    before = keyring.recipients
    with pytest.raises(UsageError):
        keyring.adopt(b"short")
    with pytest.raises(UsageError):
        keyring.adopt(make_identity("recovery").public, b"short")
    assert keyring.recipients == before


def test_a_key_file_that_is_none_is_named_without_being_quoted(tmp_path: Path, keyring: Keyring):
    file = tmp_path / "not a key"
    file.write_text("1 13800001111")
    with pytest.raises(UsageError, match="not a key") as wrong:
        keyring.unlocker(file)
    assert "1380000" not in str(wrong.value)
    with pytest.raises(RefusedError, match="absent"):
        keyring.unlocker(tmp_path / "absent")
