"""What does not go to the vault, and why: live, held, written to, linked, no regular file, not to be given back."""

import os
import shutil
import socket
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest
import quarantine_shop
from quarantine_shop import TERMS, Room, plain, portrait

from containment.intake import could_give_back
from containment.quarantine import Terms

room = quarantine_shop.room


def test_a_database_in_use_is_never_touched_unless_a_person_insists(room: Room) -> None:
    path = room.tree / "till.db"
    till = sqlite3.connect(path)
    till.execute("PRAGMA journal_mode=WAL")
    till.execute("CREATE TABLE orders (id INTEGER)")
    till.commit()
    before = os.stat(path)
    contained = room.open().add(room.files(), "I-1", TERMS)
    assert {refusal.cause for refusal in contained.refused} == {"live"}
    assert len(contained.refused) == 3
    till.execute("INSERT INTO orders VALUES (1)")
    till.commit()
    assert stat.S_IMODE(os.stat(path).st_mode) == stat.S_IMODE(before.st_mode)
    till.close()
    assert len(room.open().add(room.files(), "I-1", TERMS).entries) == 1


def test_a_rollback_database_that_a_program_has_open_is_live_too(room: Room) -> None:
    till = sqlite3.connect(room.tree / "till.db")
    till.execute("CREATE TABLE orders (id INTEGER)")
    till.commit()
    assert [r.cause for r in room.open().add(room.files(), "I-1", TERMS).refused] == ["live"]
    forced = room.open().add(room.files(), "I-1", Terms(notice="", forced=True))
    assert len(forced.entries) == 1
    till.close()


def test_files_that_a_program_of_the_till_holds_stay(room: Room) -> None:
    path = plain(room)
    program = room.tree.parent / "till"
    shutil.copy("/bin/sleep", program)
    with path.open("rb") as held:
        till = subprocess.Popen([str(program), "60"], stdin=held)
    try:
        # the image changes at execve: until then the child is still this interpreter
        while os.readlink(f"/proc/{till.pid}/exe") != str(program):
            pass
        terms = Terms(notice="", protected=frozenset({os.fsencode(program)}))
        files = [os.fsencode(path), os.fsencode(program)]
        contained = room.open().add(files, "I-1", terms)
        assert {refusal.cause for refusal in contained.refused} == {"protected"}
        assert len(contained.refused) == 2
        assert path.read_bytes()
    finally:
        till.kill()
        till.wait()


def test_a_file_that_somebody_writes_to_is_left_alone_by_hand_and_fenced_in_an_incident(room: Room) -> None:
    path = plain(room)
    before = portrait(room)
    with path.open("r+b") as writer:
        quarantine = room.open()
        contained = quarantine.add(room.files(), None, TERMS)
        assert [(refusal.cause, refusal.fenced) for refusal in contained.refused] == [("in_use", False)]
        assert portrait(room) == before
        contained = quarantine.add(room.files(), "I-1", TERMS)
        assert [(refusal.cause, refusal.fenced) for refusal in contained.refused] == [("in_use", True)]
        assert stat.S_IMODE(os.fstat(writer.fileno()).st_mode) == 0
    assert len(quarantine.add(room.files(), "I-1", TERMS).entries) == 1
    quarantine.release(quarantine.entries("vaulted"), room.sheet)
    assert portrait(room) == before


def test_a_reader_keeps_nobody_from_quarantine(room: Room) -> None:
    with plain(room).open("rb"):
        assert len(room.open().add(room.files(), None, TERMS).entries) == 1


def test_hard_links_elsewhere_are_named_and_the_content_stays_closed(room: Room, tmp_path: Path) -> None:
    path = plain(room)
    far = tmp_path / "elsewhere"
    os.link(path, far)
    before = portrait(room)
    quarantine = room.open()
    contained = quarantine.add([os.fsencode(path)], None, TERMS)
    assert [(refusal.cause, refusal.fenced) for refusal in contained.refused] == [("hard_links", False)]
    assert portrait(room) == before
    contained = quarantine.add([os.fsencode(path)], "I-1", TERMS)
    assert [(refusal.cause, refusal.fenced) for refusal in contained.refused] == [("hard_links", True)]
    assert stat.S_IMODE(far.stat().st_mode) == 0
    assert len(quarantine.add([os.fsencode(path)], "I-1", TERMS).refused) == 1
    quarantine.unfence(quarantine.entries("fenced"))
    assert portrait(room) == before


def test_another_name_in_the_same_folder_goes_with_the_file(room: Room) -> None:
    path = plain(room)
    os.link(path, room.tree / "copy.csv")
    before = portrait(room)
    quarantine = room.open()
    (entry,) = quarantine.add([os.fsencode(path)], "I-1", TERMS).entries
    assert len(entry.names) == len(entry.tombstones) == 2
    assert all(name.endswith(".txt") for name in os.listdir(room.tree))
    quarantine.release(quarantine.entries("vaulted"), room.sheet)
    assert portrait(room) == before


def test_what_is_no_regular_file_or_our_own_is_named(room: Room) -> None:
    (room.tree / "target").write_bytes(b"x")
    (room.tree / "link").symlink_to(room.tree / "target")
    os.mkfifo(room.tree / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(room.tree / "s"))
    own = room.home / "keys"
    quarantine = room.open()
    names = [os.fsencode(room.tree / name) for name in ("link", "pipe", "s", "absent", "")]
    terms = Terms(notice="", reserved=(os.fsencode(room.home),))
    contained = quarantine.add([*names, os.fsencode(own / "recipients.json")], "I-1", terms)
    causes = {os.path.basename(refusal.path): refusal.cause for refusal in contained.refused}
    assert causes == {
        b"link": "special", b"pipe": "special", b"s": "special", b"absent": "vanished",
        os.fsencode(room.tree.name): "special", b"recipients.json": "reserved",
    }  # fmt: skip
    assert contained.entries == ()
    assert (room.tree / "target").read_bytes() == b"x"


@pytest.mark.needs("root")
def test_without_root_only_what_could_be_given_back_as_it_was_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for uid, gid, whole in ((65534, os.getegid(), True), (65534, 12345, False), (0, os.getegid(), False)):
        os.chown(tmp_path / "file", uid, gid)
        facts = os.lstat(tmp_path / "file")
        assert could_give_back(facts)
        os.seteuid(65534)
        try:
            assert could_give_back(facts) is whole
        finally:
            os.seteuid(0)
