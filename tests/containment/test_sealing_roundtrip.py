"""What comes back from sealing in place is identical: the whole tree, compared."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from config.identity import Identity, make_identity
from containment.journal import Journal
from containment.keyring import Keyring
from containment.keys import Unlocker
from containment.places import NotDoneError
from containment.recovery import recover
from containment.sealing import Sealer, group_links
from containment.unsealing import Owner, Unsealer

OWNER = Owner(uid=os.geteuid(), gid=os.getegid())


@pytest.fixture
def identity() -> Identity:
    return make_identity("recovery")


@pytest.fixture
def keyring(tmp_path: Path, identity: Identity) -> Keyring:
    ring = Keyring(tmp_path / "keys")
    ring.adopt(identity.public)
    return ring


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


def files_under(folder: Path) -> list[bytes]:
    return sorted(os.path.join(base, name) for base, _folders, names in os.walk(os.fsencode(folder)) for name in names)


def portrait(folder: Path) -> dict[bytes, object]:
    """Everything a person or program could tell about every file, links by group."""
    first_name: dict[int, bytes] = {}
    found: dict[bytes, object] = {}
    for path in files_under(folder):
        facts = os.lstat(path)
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOATIME)) as file:
            content = file.read()
        holes = facts.st_blocks * 512 < facts.st_size
        attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
        found[path] = (
            content, stat.filemode(facts.st_mode), facts.st_uid, facts.st_gid, facts.st_atime_ns, facts.st_mtime_ns,
            facts.st_size, holes, attributes, first_name.setdefault(facts.st_ino, path), facts.st_nlink,
        )  # fmt: skip
    return found


def seal_all(sealer: Sealer, folder: Path) -> list[bytes]:
    return [path for group in group_links(files_under(folder)) for path in sealer.seal(group).sealed_paths]


def unseal_all(unsealer: Unsealer, folder: Path) -> None:
    for path in files_under(folder):
        if os.path.lexists(path):
            unsealer.unseal(path)


@pytest.mark.needs("root", "setfacl")
def test_a_folder_of_odd_files_comes_back_identical(tree: Path, journal: Journal, keyring: Keyring, identity: Identity):
    root = os.fsencode(tree)
    inner = os.path.join(root, "内部".encode())
    os.mkdir(inner)
    names = [
        b"plain.csv",
        b"line\nbreak",
        "会员名单.csv".encode("gbk"),
        b"x" * 255,
        "长".encode() * 85,
        b"-rf",
        b" ",
        b"empty",
    ]
    for number, name in enumerate(names):
        path = os.path.join(root, name)
        content = b"" if name == b"empty" else os.urandom(100 * number + 1)
        Path(os.fsdecode(path)).write_bytes(content)
        os.chown(path, 1000 + number, 2000 + number)
        os.chmod(path, [0o644, 0o4755, 0o2755, 0o000, 0o6711, 0o1777, 0o600, 0o444][number])
        os.setxattr(path, "user.origin", b"caf\xc3\xa9\0\xff")
        os.utime(path, ns=(1_500_000_000_123_456_789 + number, 1_600_000_000_987_654_321 - number))
    large = os.path.join(inner, b"large.bin")
    Path(os.fsdecode(large)).write_bytes(os.urandom((3 << 20) + 17))
    os.setxattr(large, "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    subprocess.run(["setfacl", "-m", "u:1234:rw,g:99:r", large], check=True)
    sparse = os.path.join(inner, b"sparse.img")
    with open(sparse, "wb") as file:
        file.write(b"head")
        file.seek(8 << 20)
        file.write(b"middle")
        file.truncate(20 << 20)
    os.link(large, os.path.join(root, b"other name.bin"))
    os.link(large, os.path.join(inner, b"third.bin"))
    os.utime(large, ns=(1, 1_700_000_000_000_000_001))
    before = portrait(tree)

    sealed = seal_all(Sealer(journal, keyring), tree)

    assert sorted(files_under(tree)) == sorted(sealed)
    assert all(b"plain" not in Path(os.fsdecode(path)).read_bytes() for path in sealed)
    unseal_all(Unsealer(journal, keyring, Unlocker([identity]), OWNER), tree)
    assert portrait(tree) == before
    assert journal.pending() == []


def test_the_nightly_dump_gets_a_number_and_replaces_nothing(tree: Path, journal: Journal, keyring: Keyring):
    sealer = Sealer(journal, keyring)
    for expected in ("dump.sql.cloche", "dump.sql.1.cloche", "dump.sql.2.cloche"):
        (tree / "dump.sql").write_text("INSERT")
        sealed = sealer.seal([os.fsencode(tree / "dump.sql")])
        assert sealed.sealed_paths == (os.fsencode(tree / expected),)


def test_a_file_that_a_process_has_open_is_left_alone(tree: Path, journal: Journal, keyring: Keyring):
    path = tree / "open.csv"
    path.write_text("x")
    with path.open("rb"), pytest.raises(NotDoneError) as refusal:
        Sealer(journal, keyring).seal([os.fsencode(path)])
    assert refusal.value.cause == "in_use"
    assert os.listdir(tree) == ["open.csv"]


def test_a_file_with_a_name_elsewhere_is_left_alone(tree: Path, tmp_path: Path, journal: Journal, keyring: Keyring):
    path = tree / "linked.csv"
    path.write_text("x")
    os.link(path, tmp_path / "elsewhere.csv")
    with pytest.raises(NotDoneError) as refusal:
        Sealer(journal, keyring).seal([os.fsencode(path)])
    assert refusal.value.cause == "hard_links"


@pytest.mark.parametrize("lock", ["~$账单明细.docx", "~$明细.docx", ".~lock.账单明细.docx#", ".~账单明细.docx"])
def test_a_document_with_an_office_lock_is_left_alone(tree: Path, journal: Journal, keyring: Keyring, lock: str):
    path = tree / "账单明细.docx"
    path.write_text("x")
    if lock == "~$明细.docx":  # Word puts ~$ over the first two characters, here one of three bytes each
        path, lock = tree / "members.docx", "~$mbers.docx"
        path.write_text("x")
    (tree / lock).write_text("")
    with pytest.raises(NotDoneError) as refusal:
        Sealer(journal, keyring).seal([os.fsencode(path)])
    assert refusal.value.cause == "office_lock"


def test_a_file_that_a_samba_client_has_open_is_left_alone(tree: Path, journal: Journal, keyring: Keyring):
    path = tree / "share.xlsx"
    path.write_text("x")
    with pytest.raises(NotDoneError) as refusal:
        Sealer(journal, keyring, samba=lambda: frozenset([os.fsencode(path)])).seal([os.fsencode(path)])
    assert refusal.value.cause == "samba_open"


def test_pipes_links_and_sealed_files_are_refused_by_name(tree: Path, journal: Journal, keyring: Keyring):
    os.mkfifo(tree / "pipe")
    (tree / "link").symlink_to("/etc/hostname")
    (tree / "file").write_text("x")
    sealer = Sealer(journal, keyring)
    sealed = sealer.seal([os.fsencode(tree / "file")]).sealed_paths[0]
    for path, cause in ((tree / "pipe", "special"), (tree / "link", "special"), (sealed, "already_sealed")):
        with pytest.raises(NotDoneError) as refusal:
            sealer.seal([os.fsencode(path)])
        assert refusal.value.cause == cause


def test_a_folder_swapped_for_a_link_is_not_followed(tree: Path, tmp_path: Path, journal: Journal, keyring: Keyring):
    real = tmp_path / "real"
    real.mkdir()
    (real / "a").write_text("x")
    (tree / "inner").symlink_to(real)
    with pytest.raises(NotDoneError) as refusal:
        Sealer(journal, keyring).seal([os.fsencode(tree / "inner" / "a")])
    assert refusal.value.cause == "changed"
    assert (real / "a").read_text() == "x"
    assert os.listdir(real) == ["a"]


def test_what_would_come_back_over_another_file_stays_sealed(
    tree: Path, journal: Journal, keyring: Keyring, identity: Identity
):
    path = tree / "a.csv"
    path.write_text("old")
    sealed = Sealer(journal, keyring).seal([os.fsencode(path)]).sealed_paths[0]
    path.write_text("new")
    with pytest.raises(NotDoneError) as refusal:
        Unsealer(journal, keyring, Unlocker([identity]), OWNER).unseal(sealed)
    assert refusal.value.cause == "exists"
    assert path.read_text() == "new"
    assert sorted(os.listdir(tree)) == ["a.csv", "a.csv.cloche"]


@pytest.mark.needs("root")
def test_a_strangers_file_chooses_no_path_owner_mode_or_capability(
    tree: Path, tmp_path: Path, journal: Journal, keyring: Keyring, identity: Identity
):
    stranger = Keyring(tmp_path / "stranger")
    stranger.adopt(identity.public)  # anyone with the public key can seal to it
    elsewhere = tmp_path / "etc"
    elsewhere.mkdir()
    forged = elsewhere / "cron.job"
    forged.write_text("#!/bin/sh")
    forged.chmod(0o4755)
    os.setxattr(forged, "user.note", b"kept")
    os.setxattr(forged, "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    made = Sealer(Journal(tmp_path / "other"), stranger).seal([os.fsencode(forged)]).sealed_paths[0]
    shutil.move(os.fsdecode(made), tree / "list.csv.cloche")

    back = Unsealer(journal, keyring, Unlocker([identity]), Owner(uid=1234, gid=1234)).unseal(
        os.fsencode(tree / "list.csv.cloche")
    )

    assert not back.trusted
    assert os.listdir(elsewhere) == []
    facts = (tree / "list.csv").stat()
    assert (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (1234, 1234, 0o600)
    assert os.listxattr(tree / "list.csv") == ["user.note"]


def test_a_sealed_tree_that_was_moved_comes_back_where_it_lies_now(
    tree: Path, tmp_path: Path, journal: Journal, keyring: Keyring, identity: Identity
):
    (tree / "one").mkdir()
    (tree / "two").mkdir()
    (tree / "one" / "a").write_text("x")
    os.link(tree / "one" / "a", tree / "two" / "b")
    seal_all(Sealer(journal, keyring), tree)
    moved = tmp_path / "moved"
    tree.rename(moved)
    unseal_all(Unsealer(journal, keyring, Unlocker([identity]), OWNER), moved)
    assert files_under(moved) == [os.fsencode(moved / "one" / "a"), os.fsencode(moved / "two" / "b")]
    assert (moved / "one" / "a").samefile(moved / "two" / "b")


def test_recovery_of_a_quiet_journal_does_nothing(journal: Journal):
    assert recover(journal) == []
