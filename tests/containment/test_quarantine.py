"""Quarantine: what goes into the vault comes back identical, and what cannot go is named."""

import os
import shutil
import socket
import sqlite3
import stat
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.errors import RefusedError, UsageError
from config.identity import Identity, make_identity
from containment import vaulting
from containment.entries import Entry
from containment.fence import FS_APPEND, FS_IMMUTABLE, read_flags, write_flags
from containment.intake import could_give_back
from containment.journal import Journal
from containment.keyring import Keyring
from containment.keys import Unlocker
from containment.quarantine import Quarantine, Terms

NOTICE = "这个文件因信息安全需要已移入隔离区。\n请联系：店长 测试甲 13800001111\n编号：{id}\n"
TERMS = Terms(notice=NOTICE)
ROOT = os.geteuid() == 0


@dataclass
class Room:
    """A store folder, a home, and the quarantine between them."""

    home: Path
    tree: Path
    identity: Identity

    def open(self) -> Quarantine:
        """As after a restart: nothing is in memory."""
        keyring = Keyring(self.home / "keys")
        if not keyring.ready:
            keyring.adopt(self.identity.public)
        return Quarantine(self.home / "vault", Journal(self.home / "journal"), keyring)

    @property
    def sheet(self) -> Unlocker:
        return Unlocker([self.identity])

    def files(self) -> list[bytes]:
        found = (os.path.join(base, n) for base, _f, names in os.walk(os.fsencode(self.tree)) for n in names)
        return sorted(found)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    tree = tmp_path / "门店"
    tree.mkdir()
    made = Room(home=tmp_path / "home", tree=tree, identity=make_identity("recovery"))
    yield made
    for path in made.files():
        with_flags(path, lambda flags: flags & ~(FS_IMMUTABLE | FS_APPEND))


def with_flags(path: bytes | Path, change: Callable[[int], int]) -> None:
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOATIME)
    flags = read_flags(descriptor)
    if flags is not None and change(flags) != flags:
        write_flags(descriptor, change(flags))
    os.close(descriptor)


def flags_of(path: bytes | Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOATIME)
    try:
        return (read_flags(descriptor) or 0) & (FS_IMMUTABLE | FS_APPEND)
    finally:
        os.close(descriptor)


def portrait(room: Room) -> dict[bytes, object]:
    """Everything that could be told about every file, links by group."""
    first: dict[int, bytes] = {}
    found: dict[bytes, object] = {}
    for path in room.files():
        facts = os.lstat(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOATIME)
        content = os.pread(descriptor, facts.st_size, 0)
        os.close(descriptor)
        found[path] = (
            content, stat.filemode(facts.st_mode), facts.st_uid, facts.st_gid, facts.st_atime_ns, facts.st_mtime_ns,
            facts.st_blocks * 512 < facts.st_size, {name: os.getxattr(path, name) for name in os.listxattr(path)},
            first.setdefault(facts.st_ino, path), facts.st_nlink, flags_of(path),
        )  # fmt: skip
    return found


def plain(room: Room, name: str = "会员.csv", content: bytes = b"13800001111\n" * 9) -> Path:
    path = room.tree / name
    path.write_bytes(content)
    return path


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


@pytest.mark.skipif(not ROOT, reason="absent: root, to set the immutable flag")
def test_a_fenced_file_is_closed_and_takes_no_write_through_an_open_descriptor(room: Room) -> None:
    path = plain(room)
    writer = os.open(path, os.O_WRONLY)
    quarantine = room.open()
    fenced = quarantine.fence([os.fsencode(path)], "I-1", TERMS)
    assert stat.S_IMODE(path.stat().st_mode) == 0
    assert flags_of(path) == FS_IMMUTABLE
    assert fenced.entries[0].immutable
    with pytest.raises(PermissionError):
        os.write(writer, b"late")
    os.close(writer)
    tried = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", "cat", str(path)], capture_output=True, check=False
    )
    assert tried.returncode == 1
    assert tried.stdout == b""


@pytest.mark.parametrize("mode", [0o644, 0o6711, 0o000])
def test_taking_the_fence_down_restores_exactly(room: Room, mode: int) -> None:
    path = plain(room)
    path.chmod(mode)
    if ROOT:
        with_flags(path, lambda flags: flags | FS_APPEND)
    before = portrait(room)
    quarantine = room.open()
    quarantine.fence(room.files(), "I-1", TERMS)
    opened = quarantine.unfence(quarantine.entries("fenced"))
    assert len(opened.entries) == 1
    assert portrait(room) == before
    assert quarantine.entries("fenced", "vaulted") == []


def test_everything_is_fenced_before_the_callback_and_nothing_is_gone_by_then(room: Room) -> None:
    for number in range(5):
        plain(room, f"{number}.csv")
    quarantine = room.open()
    fenced = quarantine.fence(room.files(), "I-1", TERMS)
    assert {stat.S_IMODE(os.lstat(path).st_mode) for path in room.files()} == {0}
    assert len(quarantine.take_in(fenced.entries).entries) == 5


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


def test_a_file_sealed_already_goes_in_still_wrapped_and_comes_back_so(room: Room) -> None:
    plain(room, "会员.csv.cloche", b"CLOCHE stays wrapped")
    before = portrait(room)
    quarantine = room.open()
    assert len(quarantine.add(room.files(), "I-1", TERMS).entries) == 1
    quarantine.release(quarantine.entries("vaulted"), room.sheet)
    assert portrait(room) == before


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


def test_two_declarations_over_the_same_files_lose_nothing(room: Room) -> None:
    """A behaviour and a person declare at once: both fence, then both come to the vault, one after the other."""
    path = plain(room)
    before = portrait(room)
    quarantine = room.open()
    first = quarantine.fence([os.fsencode(path)], "I-1", TERMS)
    second = quarantine.fence([os.fsencode(path)], "I-2", TERMS)
    taken = quarantine.take_in(first.entries)
    again = quarantine.take_in(second.entries)
    assert [entry.id for entry in taken.entries] == [entry.id for entry in again.entries]
    assert again.refused == ()
    assert [check.result for check in quarantine.verify(quarantine.entries("vaulted"))] == ["intact"]
    assert not quarantine.release(quarantine.entries("vaulted"), room.sheet).refused
    assert portrait(room) == before


def test_what_was_released_meanwhile_stays_out_of_the_vault(room: Room) -> None:
    """A declaration waits for its turn while a person says that it was a false alarm."""
    path = plain(room)
    before = portrait(room)
    quarantine = room.open()
    fenced = quarantine.fence([os.fsencode(path)], "I-1", TERMS)
    quarantine.release(quarantine.entries("fenced"), None)
    late = quarantine.take_in(fenced.entries)
    assert late.entries == ()
    assert [refusal.cause for refusal in late.refused] == ["released"]
    assert not late.refused[0].fenced
    assert portrait(room) == before


def test_fences_raised_at_once_agree_on_what_the_file_was(room: Room) -> None:
    """Ten threads fence twenty files: whoever comes second must not take the fence for the file's own mode."""
    paths = [os.fsencode(plain(room, f"{number}.csv")) for number in range(20)]
    before = portrait(room)
    quarantine = room.open()
    with ThreadPoolExecutor(10) as pool:
        done = [pool.submit(quarantine.fence, paths, f"I-{number}", TERMS) for number in range(10)]
        assert not [refusal for future in done for refusal in future.result().refused]
    assert len(quarantine.entries("fenced")) == len(paths)
    quarantine.unfence(quarantine.entries("fenced"))
    assert portrait(room) == before


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
