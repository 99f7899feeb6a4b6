"""What goes into the vault comes back identical, lies there closed, and is found again."""

import os
import shutil
import stat
import subprocess

import pytest
import quarantine_shop
from quarantine_shop import ROOT, TERMS, Room, plain, portrait, with_flags

from config.errors import UsageError
from containment.entries import Entry
from containment.fence import FS_APPEND, FS_IMMUTABLE
from containment.quarantine import Terms

room = quarantine_shop.room


def odd_tree(room: Room) -> None:
    (room.tree / "深 的/里面").mkdir(parents=True)
    plain(room, "会员 名单.csv").chmod(0o640)
    plain(room, "empty", b"")
    plain(room, "深 的/里面/nl\nname.txt").chmod(0o404)
    raw = os.path.join(os.fsencode(room.tree), b"\xbb\xe1\xd4\xb1 gbk.txt")
    with open(raw, "wb") as file:
        file.write(b"x" * 70_000)
    plain(room, "n" * 255)
    os.setxattr(plain(room, "attributes"), "user.备注".encode(), b"\x00\xff")
    os.utime(plain(room, "old"), ns=(1_000_000_000_123_456_789, 999_999_999_987_654_321))
    sparse = plain(room, "sparse", b"")
    with sparse.open("r+b") as file:
        file.seek(8 << 20)
        file.write(b"end")
        file.truncate(12 << 20)
    one = plain(room, "link one")
    os.link(one, room.tree / "link two")
    os.link(one, room.tree / "深 的/link three")
    plain(room, "closed").chmod(0)


def test_a_tree_of_odd_files_comes_back_identical(room: Room) -> None:
    odd_tree(room)
    if ROOT:
        os.chown(plain(room, "foreign"), 12345, 23456)
        setuid = plain(room, "setuid")
        os.chown(setuid, 12345, 23456)
        setuid.chmod(0o6755)
        os.setxattr(setuid, "trusted.mark", b"1")
        with_flags(plain(room, "immutable"), lambda flags: flags | FS_IMMUTABLE)
        with_flags(plain(room, "append only"), lambda flags: flags | FS_APPEND)
        if shutil.which("setfacl"):
            for rule in ("u:1234:r--", "g:2345:rwx,m::r-x"):
                subprocess.run(["setfacl", "-m", rule, str(plain(room, f"acl {rule[0]}"))], check=True)
    before = portrait(room)
    quarantine = room.open()

    contained = quarantine.add(room.files(), "I-1", TERMS)

    assert contained.refused == ()
    assert {name for entry in contained.entries for name in entry.names} == set(before)
    assert all(name.endswith("已隔离.txt".encode()) for name in room.files())
    released = room.open().release(room.open().entries("vaulted"), room.sheet)
    assert released.refused == ()
    assert portrait(room) == before
    assert os.listdir(room.home / "vault") == []


def test_the_vault_holds_nothing_readable_and_only_for_its_owner(room: Room) -> None:
    plain(room, "会员.csv", b"13800001111 " * 50_000)
    room.open().add(room.files(), "I-1", TERMS)
    (copy,) = (room.home / "vault").iterdir()
    assert b"13800001111" not in copy.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((room.home / "keys/incidents/I-1.key").stat().st_mode) == 0o600


def test_what_lies_at_the_old_place_is_not_replaced(room: Room) -> None:
    path = plain(room)
    before = portrait(room)
    quarantine = room.open()
    quarantine.add(room.files(), "I-1", TERMS)
    path.write_bytes(b"somebody's new file")
    released = quarantine.release(quarantine.entries("vaulted"), room.sheet)
    assert [(refusal.path, refusal.cause) for refusal in released.refused] == [(os.fsencode(path), "exists")]
    assert path.read_bytes() == b"somebody's new file"
    path.unlink()
    assert quarantine.release(quarantine.entries("vaulted"), room.sheet).refused == ()
    assert portrait(room) == before


def test_a_folder_that_is_gone_is_made_again_for_its_owner_alone_and_said(room: Room) -> None:
    (room.tree / "a/b").mkdir(parents=True)
    path = plain(room, "a/b/会员.csv")
    quarantine = room.open()
    quarantine.add([os.fsencode(path)], "I-1", Terms(notice=""))
    shutil.rmtree(room.tree / "a")
    released = quarantine.release(quarantine.entries("vaulted"), room.sheet)
    assert released.entries[0].folder_made
    assert path.exists()
    assert stat.S_IMODE((room.tree / "a").stat().st_mode) == 0o700


def test_a_file_sealed_already_goes_in_still_wrapped_and_comes_back_so(room: Room) -> None:
    plain(room, "会员.csv.cloche", b"CLOCHE stays wrapped")
    before = portrait(room)
    quarantine = room.open()
    assert len(quarantine.add(room.files(), "I-1", TERMS).entries) == 1
    quarantine.release(quarantine.entries("vaulted"), room.sheet)
    assert portrait(room) == before


def test_ids_and_incidents_that_lead_elsewhere_are_refused(room: Room) -> None:
    quarantine = room.open()
    with pytest.raises(UsageError):
        quarantine.vault.path("../../etc/passwd")
    for name in ("../x", "", ".x", "a/b", "a" * 100):
        with pytest.raises(UsageError):
            quarantine.keys.path(name)


def test_entries_survive_a_restart_and_are_found_by_id_path_and_folder(room: Room) -> None:
    (room.tree / "a").mkdir()
    plain(room, "a/one")
    plain(room, "two")
    room.open().add(room.files(), "I-1", TERMS)
    again = room.open()
    first = again.find(os.fsencode(room.tree / "a"))
    assert [os.path.basename(entry.path) for entry in first] == [b"one"]
    assert again.find(first[0].id) == first
    assert again.find(first[0].path) == first
    assert len(again.find(os.fsencode(room.tree))) == 2
    assert again.find("0" * 12) == []


def test_no_record_shows_a_path_in_its_repr(room: Room) -> None:
    plain(room, "13800001111.csv")
    quarantine = room.open()
    contained = quarantine.add([*room.files(), os.fsencode(room.tree / "13900002222")], "I-1", TERMS)
    shown = repr((contained, quarantine.verify(contained.entries), quarantine.release(contained.entries)))
    assert "13800001111" not in shown
    assert "13900002222" not in shown
    assert isinstance(contained.entries[0], Entry)
