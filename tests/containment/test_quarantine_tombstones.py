"""Tombstones: the note that lies where a file lay."""

import os

import quarantine_shop
from quarantine_shop import TERMS, Room, plain

room = quarantine_shop.room


def test_the_tombstone_is_for_notepad_and_says_nothing_of_the_content(room: Room) -> None:
    plain(room, "会员.csv")
    (entry,) = room.open().add(room.files(), "I-1", TERMS).entries
    stone = room.tree / "会员.csv.已隔离.txt"
    raw = stone.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\r\n") == raw.count(b"\n") == 3
    assert entry.id in raw.decode("utf-8-sig")
    assert entry.tombstones == (os.fsencode(stone),)


def test_a_tombstone_overwrites_nothing_and_a_long_name_is_cut_at_a_character(room: Room) -> None:
    theirs = plain(room, "会员.csv.已隔离.txt", b"theirs")
    mine = plain(room, "会员.csv")
    long = plain(room, "长" * 85)
    (entry, longer) = room.open().add([os.fsencode(mine), os.fsencode(long)], "I-1", TERMS).entries
    assert theirs.read_bytes() == b"theirs"
    assert os.path.basename(entry.tombstones[0]).decode() == "会员.csv.已隔离.2.txt"
    name = os.path.basename(longer.tombstones[0])
    assert len(name) <= 255
    assert set(name.decode()) == set("长.已隔离txt")


def test_a_changed_tombstone_stays_and_an_unchanged_one_goes(room: Room) -> None:
    one, two = plain(room, "one"), plain(room, "two")
    quarantine = room.open()
    quarantine.add(room.files(), "I-1", TERMS)
    noted = room.tree / "one.已隔离.txt"
    noted.write_bytes(noted.read_bytes() + "店长看过了".encode())
    quarantine.release(quarantine.entries("vaulted"), room.sheet)
    assert sorted(os.listdir(room.tree)) == ["one", "one.已隔离.txt", "two"]
    assert one.exists()
    assert two.exists()
