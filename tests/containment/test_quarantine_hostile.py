"""Somebody works against the quarantine: folders become links, files are swapped, the disk fills up."""

import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from config.identity import make_identity
from containment.fence import FS_IMMUTABLE, read_flags, write_flags
from containment.journal import Journal
from containment.keyring import Keyring
from containment.keys import Unlocker
from containment.quarantine import Quarantine, Terms

TERMS = Terms(notice="请联系店长。编号 {id}\n")
IDENTITY = make_identity("recovery")
SHEET = Unlocker([IDENTITY])


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "store"
    folder.mkdir()
    yield folder
    for base, _folders, names in os.walk(tmp_path):
        for name in names:
            path = os.path.join(base, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                descriptor = os.open(path, os.O_RDONLY)
                flags = read_flags(descriptor)
                if flags and flags & FS_IMMUTABLE:
                    write_flags(descriptor, flags & ~FS_IMMUTABLE)
                os.close(descriptor)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """What an attacker would like root to touch: same name, elsewhere."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "会员.csv").write_bytes(b"root's own")
    (folder / "会员.csv").chmod(0o600)
    return folder


@pytest.fixture
def quarantine(tmp_path: Path) -> Quarantine:
    return open_again(tmp_path / "home")


def open_again(home: Path, vault: Path | None = None) -> Quarantine:
    keyring = Keyring(home / "keys")
    if not keyring.ready:
        keyring.adopt(IDENTITY.public)
    return Quarantine(vault or home / "vault", Journal(home / "journal"), keyring)


def member_list(tree: Path) -> bytes:
    path = tree / "会员.csv"
    path.write_bytes(b"13800001111\n")
    return os.fsencode(path)


def become_link(folder: Path, target: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(target)


def untouched(victim: Path) -> bool:
    path = victim / "会员.csv"
    return (
        os.listdir(victim) == ["会员.csv"]
        and path.read_bytes() == b"root's own"
        and stat.S_IMODE(path.stat().st_mode) == 0o600
    )


def test_a_folder_that_becomes_a_link_after_the_fence_leads_nowhere(
    quarantine: Quarantine, tree: Path, victim: Path
) -> None:
    fenced = quarantine.fence([member_list(tree)], "I-1", TERMS)
    become_link(tree, victim)
    contained = quarantine.take_in(fenced.entries)
    assert [refusal.cause for refusal in contained.refused] == ["place"]
    assert untouched(victim)
    moved = tree.with_name("moved") / "会员.csv"
    assert stat.S_IMODE(moved.stat().st_mode) == 0
    assert [(entry.state, entry.cause) for entry in quarantine.entries()] == [("fenced", "place")]
    tree.unlink()
    tree.with_name("moved").rename(tree)
    assert len(quarantine.add([os.fsencode(tree / "会员.csv")], "I-1", TERMS).entries) == 1


def test_a_folder_that_becomes_a_link_before_the_release_leads_nowhere(
    quarantine: Quarantine, tree: Path, victim: Path
) -> None:
    quarantine.add([member_list(tree)], "I-1", TERMS)
    (victim / "会员.csv").unlink()
    become_link(tree, victim)
    released = quarantine.release(quarantine.entries("vaulted"), SHEET)
    assert [refusal.cause for refusal in released.refused] == ["place"]
    assert os.listdir(victim) == []
    assert len(quarantine.entries("vaulted")) == 1
    tree.unlink()
    tree.with_name("moved").rename(tree)
    assert quarantine.release(quarantine.entries("vaulted"), SHEET).refused == ()


def test_a_folder_above_that_is_made_again_is_not_made_through_a_link(
    quarantine: Quarantine, tree: Path, victim: Path
) -> None:
    (tree / "deep/deeper").mkdir(parents=True)
    path = member_list(tree / "deep/deeper")
    quarantine.add([path], "I-1", Terms(notice=""))
    (tree / "deep/deeper").rmdir()
    (tree / "deep").rmdir()
    (tree / "deep").symlink_to(victim)
    released = quarantine.release(quarantine.entries("vaulted"), SHEET)
    assert [refusal.cause for refusal in released.refused] == ["place"]
    assert untouched(victim)


def test_racing_renames_never_reach_what_lies_elsewhere(quarantine: Quarantine, tree: Path, victim: Path) -> None:
    aside, link = tree.with_name("aside"), tree.with_name("link")
    link.symlink_to(victim)
    over = threading.Event()

    def flip() -> None:
        while not over.is_set():
            with suppress(OSError):
                tree.rename(aside)
                link.rename(tree)
                tree.rename(link)
                aside.rename(tree)

    racer = threading.Thread(target=flip)
    racer.start()
    try:
        for _round in range(40):
            with suppress(OSError):
                member_list(aside if aside.exists() else tree) if not (tree / "会员.csv").exists() else None
            quarantine.add([os.fsencode(tree / "会员.csv")], "I-1", Terms(notice=TERMS.notice, settled=True))
            quarantine.release(quarantine.entries("vaulted"), SHEET)
            assert untouched(victim)
    finally:
        over.set()
        racer.join()


def test_a_folder_swapped_after_the_copy_was_verified_loses_nothing(
    quarantine: Quarantine, tree: Path, victim: Path
) -> None:
    fenced = quarantine.fence([member_list(tree)], "I-1", TERMS)
    real = quarantine._intake.register.record

    def swap(step, facts):  # type: ignore[no-untyped-def]
        done = real(step, facts)
        if step == "verified":
            become_link(tree, victim)
        return done

    quarantine._intake.register.record = swap  # type: ignore[method-assign]
    contained = quarantine.take_in(fenced.entries)
    quarantine._intake.register.record = real  # type: ignore[method-assign]
    assert [(refusal.cause, refusal.fenced) for refusal in contained.refused] == [("place", True)]
    assert untouched(victim)
    assert [refusal.cause for refusal in quarantine.release(quarantine.entries()).refused] == ["vanished"]
    tree.unlink()
    tree.mkdir()
    assert quarantine.release(quarantine.entries("vaulted"), SHEET).refused == ()
    assert (tree / "会员.csv").read_bytes() == b"13800001111\n"


def test_a_file_swapped_in_before_the_removal_stays(quarantine: Quarantine, tree: Path) -> None:
    path = member_list(tree)
    fenced = quarantine.fence([path], "I-1", TERMS)
    descriptor = os.open(path, os.O_RDONLY)
    write_flags(descriptor, (read_flags(descriptor) or 0) & ~FS_IMMUTABLE)
    os.close(descriptor)
    real = quarantine._intake.register.record

    def swap(step, facts):  # type: ignore[no-untyped-def]
        done = real(step, facts)
        if step == "verified":
            os.rename(path, path + b".stolen")
            with open(path, "wb") as file:
                file.write(b"a newcomer")
        return done

    quarantine._intake.register.record = swap  # type: ignore[method-assign]
    contained = quarantine.take_in(fenced.entries)
    with open(path, "rb") as file:
        assert file.read() == b"a newcomer"
    assert [refusal.cause for refusal in contained.refused] == ["vanished"]
    assert contained.entries[0].cause == "vanished"
    assert quarantine.verify(contained.entries, SHEET)[0].result == "intact"


def test_a_write_between_copy_and_removal_keeps_the_original(quarantine: Quarantine, tree: Path) -> None:
    path = member_list(tree)
    fenced = quarantine.fence([path], "I-1", TERMS)
    real = quarantine._intake.register.record

    def write(step, facts):  # type: ignore[no-untyped-def]
        done = real(step, facts)
        if step == "verified":
            descriptor = os.open(path, os.O_RDONLY)
            write_flags(descriptor, (read_flags(descriptor) or 0) & ~FS_IMMUTABLE)
            os.close(descriptor)
            with open(path, "ab") as file:
                file.write(b"13900002222\n")
        return done

    quarantine._intake.register.record = write  # type: ignore[method-assign]
    contained = quarantine.take_in(fenced.entries)
    quarantine._intake.register.record = real  # type: ignore[method-assign]
    assert [(refusal.cause, refusal.fenced) for refusal in contained.refused] == [("changed", True)]
    quarantine.add([path], "I-1", TERMS)
    quarantine.release(quarantine.entries("vaulted"), SHEET)
    with open(path, "rb") as file:
        assert file.read() == b"13800001111\n13900002222\n"


def test_a_path_through_a_linked_folder_goes_where_it_led_at_the_time(quarantine: Quarantine, tree: Path) -> None:
    member_list(tree)
    link = tree.with_name("share")
    link.symlink_to(tree)
    (entry,) = quarantine.add([os.fsencode(link / "会员.csv")], "I-1", TERMS).entries
    assert entry.path == os.fsencode(tree / "会员.csv")
    assert quarantine.find(os.fsencode(link / "会员.csv")) == [entry]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.needs("root", "mount")
def test_a_vault_on_a_full_disk_of_its_own_loses_nothing(tmp_path: Path, tree: Path, small_disk: Path) -> None:
    quarantine = open_again(tmp_path / "home", small_disk / "vault")
    contents = {f"{number}": os.urandom(40_000) for number in range(9)}
    for name, content in contents.items():
        (tree / name).write_bytes(content)
    paths = [os.fsencode(tree / name) for name in contents]
    contained = quarantine.add(paths, "I-1", TERMS)
    assert len(contained.entries) + len(contained.refused) == 9
    assert len(contained.entries) >= 2
    assert {(refusal.cause, refusal.fenced) for refusal in contained.refused} == {("no_space", True)}
    assert len(os.listdir(small_disk / "vault")) == len(contained.entries)
    quarantine.release(quarantine.entries(), SHEET)
    assert {name: (tree / name).read_bytes() for name in os.listdir(tree)} == contents


@pytest.mark.needs("root", "mount")
def test_a_full_disk_at_the_old_place_keeps_the_file_in_the_vault(
    tmp_path: Path, small_disk: Path, quarantine: Quarantine
) -> None:
    content = os.urandom(100_000)
    path = small_disk / "会员.csv"
    path.write_bytes(content)
    quarantine.add([os.fsencode(path)], "I-1", Terms(notice=""))
    filler = small_disk / "filler"
    filler.write_bytes(bytes(150_000))
    released = quarantine.release(quarantine.entries("vaulted"), SHEET)
    assert [refusal.cause for refusal in released.refused] == ["no_space"]
    assert os.listdir(small_disk) == ["filler"]
    filler.unlink()
    assert quarantine.release(quarantine.entries("vaulted"), SHEET).refused == ()
    assert path.read_bytes() == content


@pytest.mark.needs("root", "mount")
def test_a_journal_on_a_full_disk_fences_nothing_that_it_cannot_record(
    tmp_path: Path, tree: Path, small_disk: Path
) -> None:
    path = Path(os.fsdecode(member_list(tree)))
    quarantine = open_again(small_disk / "home")
    with suppress(OSError), (small_disk / "filler").open("wb") as filler:
        while True:
            filler.write(bytes(1000))
            filler.flush()
    with pytest.raises(Exception, match="nothing was fenced"):
        quarantine.add([os.fsencode(path)], "I-1", TERMS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.read_bytes() == b"13800001111\n"
