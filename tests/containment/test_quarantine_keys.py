"""Whose key opens the vault: keys in memory, the sheet, a foreign sheet, and none at all."""

import os
import stat

import pytest
import quarantine_shop
from quarantine_shop import TERMS, Room, plain, portrait

from config.errors import RefusedError
from config.identity import make_identity
from containment.journal import Journal
from containment.keyring import Keyring
from containment.keys import Unlocker
from containment.quarantine import Quarantine

room = quarantine_shop.room


def test_keys_held_in_memory_release_without_the_sheet_and_a_restart_forgets_them(room: Room) -> None:
    plain(room, "one")
    plain(room, "two")
    quarantine = room.open()
    first, second = quarantine.add(room.files(), "I-1", TERMS).entries
    assert quarantine.lacks_key([first], None) == []
    assert quarantine.release([first]).refused == ()
    again = room.open()
    assert [entry.id for entry in again.lacks_key(again.entries(), None)] == [second.id]
    assert [refusal.cause for refusal in again.release(again.entries("vaulted")).refused] == ["no_key"]
    assert again.release(again.entries("vaulted"), room.sheet).refused == ()


def test_the_sheet_alone_opens_nothing_once_the_incident_key_is_destroyed(room: Room) -> None:
    plain(room)
    quarantine = room.open()
    quarantine.add(room.files(), "I-1", TERMS)
    (room.home / "keys/incidents/I-1.key").unlink()
    released = quarantine.release(quarantine.entries("vaulted"), room.sheet)
    assert [refusal.cause for refusal in released.refused] == ["no_key"]
    assert quarantine.verify(quarantine.entries("vaulted"), room.sheet)[0].result == "no_key"


def test_a_foreign_sheet_opens_nothing_and_changes_nothing(room: Room) -> None:
    plain(room)
    quarantine = room.open()
    quarantine.add(room.files(), "I-1", TERMS)
    released = quarantine.release(quarantine.entries("vaulted"), Unlocker([make_identity("recovery")]))
    assert [refusal.cause for refusal in released.refused] == ["wrong_key"]
    assert len(quarantine.entries("vaulted")) == 1
    assert os.listdir(room.tree) == ["会员.csv.已隔离.txt"]


def test_by_hand_nothing_happens_without_a_recovery_key_and_in_an_incident_it_is_fenced(room: Room) -> None:
    path = plain(room)
    before = portrait(room)
    keyless = Quarantine(room.home / "vault", Journal(room.home / "journal"), Keyring(room.home / "keys"))
    with pytest.raises(RefusedError):
        keyless.add(room.files(), None, TERMS)
    assert portrait(room) == before
    contained = keyless.add(room.files(), "I-1", TERMS)
    assert [(refusal.cause, refusal.fenced) for refusal in contained.refused] == [("no_key", True)]
    assert stat.S_IMODE(path.stat().st_mode) == 0
    ready = room.open()
    assert len(ready.add(room.files(), "I-1", TERMS).entries) == 1
    ready.release(ready.entries("vaulted"), room.sheet)
    assert portrait(room) == before
