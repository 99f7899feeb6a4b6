"""Damaged, forged and half-written copies are found, and never cost the original."""

import os
import shutil
import stat
from pathlib import Path

import pytest
import quarantine_shop
from quarantine_shop import TERMS, Room, plain, portrait

from containment import vaulting

room = quarantine_shop.room


@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
@pytest.mark.parametrize("with_key", [False, True])
def test_verify_finds_every_damage_with_and_without_a_key(room: Room, damage: str, with_key: bool) -> None:
    plain(room, "会员.csv", os.urandom(3000))
    quarantine = room.open()
    (entry,) = quarantine.add(room.files(), "I-1", TERMS).entries
    unlocker = room.sheet if with_key else None
    (check,) = quarantine.verify([entry], unlocker)
    assert (check.result, check.proof) == ("intact", "decrypted" if with_key else "digest")
    copy = room.home / "vault" / f"{entry.id}.cloche"
    raw = bytearray(copy.read_bytes())
    raw[-20] ^= 1
    if damage == "gone":
        copy.unlink()
    else:
        copy.write_bytes(raw if damage == "flip" else raw[:-7])
    assert quarantine.verify([entry], unlocker)[0].result == ("missing" if damage == "gone" else "damaged")
    assert [refusal.cause for refusal in quarantine.release([entry], room.sheet).refused] == ["damaged"]
    assert not [name for name in os.listdir(room.tree) if name.startswith(".cloche")]


def test_a_copy_that_another_store_signed_is_not_restored(room: Room, tmp_path: Path) -> None:
    plain(room)
    quarantine = room.open()
    (entry,) = quarantine.add(room.files(), "I-1", TERMS).entries
    other = Room(home=tmp_path / "other", tree=tmp_path / "there", identity=room.identity)
    other.tree.mkdir()
    plain(other)
    shutil.copytree(room.home / "keys/incidents", other.home / "keys/incidents")
    (forged,) = other.open().add(other.files(), "I-1", TERMS).entries
    shutil.copy(other.home / "vault" / f"{forged.id}.cloche", room.home / "vault" / f"{entry.id}.cloche")
    assert [refusal.cause for refusal in quarantine.release([entry], room.sheet).refused] == ["damaged"]


def test_a_full_disk_loses_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(room, "small", b"1")
    plain(room, "large", os.urandom(300_000))
    before = portrait(room)
    quarantine = room.open()
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 100_000:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    contained = quarantine.add(room.files(), "I-1", TERMS)
    monkeypatch.undo()
    assert [os.path.basename(entry.path) for entry in contained.entries] == [b"small"]
    assert [(refusal.cause, refusal.fenced) for refusal in contained.refused] == [("no_space", True)]
    assert stat.S_IMODE((room.tree / "large").stat().st_mode) == 0
    assert len(os.listdir(room.home / "vault")) == 1
    quarantine.release(quarantine.entries(), room.sheet)
    assert portrait(room) == before


def test_a_copy_that_does_not_decrypt_never_costs_the_original(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(room, "会员.csv", os.urandom(5000))
    before = portrait(room)
    real = vaulting.seal

    def on_a_failing_disk(source, target, *others):  # type: ignore[no-untyped-def]
        receipt = real(source, target, *others)
        last = os.fstat(target).st_size - 100
        os.pwrite(target, bytes([os.pread(target, 1, last)[0] ^ 1]), last)
        return receipt

    monkeypatch.setattr(vaulting, "seal", on_a_failing_disk)
    quarantine = room.open()
    contained = quarantine.add(room.files(), None, TERMS)
    assert [(refusal.cause, refusal.fenced) for refusal in contained.refused] == [("damaged", False)]
    assert portrait(room) == before
    assert os.listdir(room.home / "vault") == []


def test_recovery_looks_at_the_copy_before_the_original_goes(room: Room) -> None:
    path = plain(room)
    before = portrait(room)
    quarantine = room.open()
    real = quarantine._intake.register.record

    def cut(step, facts):  # type: ignore[no-untyped-def]
        done = real(step, facts)
        if step == "verified":
            raise KeyboardInterrupt
        return done

    quarantine._intake.register.record = cut  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        quarantine.add(room.files(), "I-1", TERMS)
    (copy,) = (room.home / "vault").iterdir()
    copy.write_bytes(copy.read_bytes()[:-1])
    again = room.open()
    assert [(refusal.cause, refusal.fenced) for refusal in again.recover().refused] == [("cut_off", True)]
    assert path.exists()
    again.unfence(again.entries("fenced"))
    assert portrait(room) == before
