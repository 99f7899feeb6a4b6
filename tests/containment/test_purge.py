"""Destroying what is in the vault: nothing opens it any more, whatever key is brought; what others need stays."""

import os
import shutil
from pathlib import Path

import pytest

from config.errors import ClocheError, CorruptError, RefusedError
from config.identity import Identity, make_identity
from containment import vault as vault_room
from containment.entries import Entry
from containment.journal import Journal
from containment.keyring import Keyring
from containment.keys import OuterKey, Unlocker
from containment.quarantine import Quarantine, Terms
from containment.sealed import read_metadata, unseal

TERMS = Terms(notice="请联系店长。编号 {id}\n")
CONTENT = "测试甲,13800001111\n".encode() * 40


@pytest.fixture
def identity() -> Identity:
    return make_identity("recovery")


@pytest.fixture
def quarantine(tmp_path: Path, identity: Identity) -> Quarantine:
    keyring = Keyring(tmp_path / "keys")
    keyring.adopt(identity.public)
    return Quarantine(tmp_path / "vault", Journal(tmp_path / "journal"), keyring)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    for name in ("会员.csv", "预订.csv", "发票.csv"):
        (folder / name).write_bytes(CONTENT)
    return folder


def add(quarantine: Quarantine, tree: Path, incident: str = "I-1", *names: str) -> tuple[Entry, ...]:
    wanted = [os.fsencode(tree / name) for name in names or sorted(os.listdir(tree))]
    return quarantine.add(wanted, incident, TERMS).entries


def opened(path: Path, unlocker: Unlocker, outer: OuterKey | None) -> str:
    """The name of the error that opening a sealed file ends in; '' where it opens."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        unseal(descriptor, None, unlocker, outer)
    except ClocheError as error:
        return type(error).__name__
    finally:
        os.close(descriptor)
    return ""


def test_what_was_purged_opens_with_no_key_not_even_from_a_copy_of_the_vault(
    quarantine: Quarantine, tree: Path, tmp_path: Path, identity: Identity
) -> None:
    entries = add(quarantine, tree)
    backup = tmp_path / "backup"
    shutil.copytree(tmp_path / "vault", backup)
    outer = quarantine.keys.find("I-1")
    assert outer is not None
    sheet = Unlocker([identity])
    held = quarantine._keyring.held("I-1")
    assert held is not None
    copy = backup / f"{entries[0].id}.cloche"
    assert opened(copy, sheet, outer) == opened(copy, held, outer) == "", "before: it opens"
    done = quarantine.purge(entries)
    assert {entry.state for entry in done.entries} == {"purged"}
    assert (done.refused, done.keys) == ((), ("I-1",))
    assert not list((tmp_path / "vault").iterdir())
    assert quarantine.keys.find("I-1") is None
    assert quarantine._keyring.held("I-1") is None
    assert not list((tmp_path / "keys" / "incidents").iterdir())
    assert os.listdir(tree) == [], "the notes that promised its return are gone"
    for entry in entries:
        from_backup = backup / f"{entry.id}.cloche"
        assert opened(from_backup, sheet, quarantine.keys.find("I-1")) == RefusedError.__name__
        assert opened(from_backup, sheet, OuterKey(key_id="I-1", key=bytes(32))) == RefusedError.__name__
    assert quarantine.release(quarantine.find(entries[0].id), sheet).entries == ()
    assert quarantine.find(os.fsencode(tree / "会员.csv")) == []


def test_the_copy_itself_is_noise_before_it_is_removed(
    quarantine: Quarantine, tree: Path, tmp_path: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry, *_rest) = add(quarantine, tree)
    outer = quarantine.keys.find("I-1")
    monkeypatch.setattr(vault_room.Vault, "discard", lambda *_arguments: None)  # a disk that keeps what is unlinked
    quarantine.purge([entry])
    left = tmp_path / "vault" / f"{entry.id}.cloche"
    assert left.exists()
    assert opened(left, Unlocker([identity]), outer) == CorruptError.__name__
    descriptor = os.open(left, os.O_RDONLY)
    with pytest.raises(CorruptError):
        read_metadata(descriptor, Unlocker([identity]), outer)
    os.close(descriptor)
    assert b"CLOCHE" not in left.read_bytes()[:64].upper()


def test_the_incidents_key_goes_with_the_last_file_that_needs_it(
    quarantine: Quarantine, tree: Path, identity: Identity
) -> None:
    first, second, third = add(quarantine, tree)
    assert quarantine.purge([first]).keys == ()
    assert quarantine.keys.find("I-1") is not None
    assert [check.result for check in quarantine.verify([second], Unlocker([identity]))] == ["intact"]
    assert len(quarantine.release([second], Unlocker([identity])).entries) == 1
    assert (tree / "发票.csv").exists() or (tree / "会员.csv").exists()
    assert quarantine.purge([third]).keys == ("I-1",)
    assert quarantine.keys.find("I-1") is None


def test_another_incidents_key_and_files_stay_as_they_are(
    quarantine: Quarantine, tree: Path, identity: Identity
) -> None:
    mine = add(quarantine, tree, "I-1", "会员.csv")
    other = add(quarantine, tree, "I-2", "预订.csv")
    assert quarantine.purge(mine).keys == ("I-1",)
    assert [check.result for check in quarantine.verify(other, Unlocker([identity]))] == ["intact"]


def test_what_is_only_fenced_or_was_given_back_or_purged_is_refused_by_its_cause(
    quarantine: Quarantine, tree: Path, identity: Identity
) -> None:
    fenced = quarantine.fence([os.fsencode(tree / "会员.csv")], "I-1", TERMS).entries
    given, purged = add(quarantine, tree, "I-1", "预订.csv", "发票.csv")
    quarantine.release([given], Unlocker([identity]))
    quarantine.purge([purged])
    done = quarantine.purge([*fenced, given, purged])
    assert [refusal.cause for refusal in done.refused] == ["not_vaulted", "released", "vanished"]
    assert done.entries == done.keys == ()
    assert quarantine.keys.find("I-1") is not None, "what is fenced will need it"
    quarantine.unfence(fenced)
    assert (tree / "会员.csv").read_bytes() == CONTENT


def test_a_disk_that_fails_keeps_the_key_and_the_next_start_goes_on(
    quarantine: Quarantine, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: Identity
) -> None:
    entries = add(quarantine, tree)
    real = vault_room.Vault.blind

    def failing(self: vault_room.Vault, entry_id: str) -> None:
        if entry_id == entries[0].id:
            raise OSError(5, "Input/output error")
        real(self, entry_id)

    monkeypatch.setattr(vault_room.Vault, "blind", failing)
    done = quarantine.purge(entries)
    assert [(refusal.id, refusal.cause) for refusal in done.refused] == [(entries[0].id, "io_error")]
    assert len(done.entries) == 2
    assert done.keys == ()
    monkeypatch.undo()
    again = Quarantine(tmp_path / "vault", Journal(tmp_path / "journal"), Keyring(tmp_path / "keys"))
    assert again.release(again.find(entries[0].id), Unlocker([identity])).entries == (), "there is no way back"
    assert [entry.id for entry in again.recover().entries] == [entries[0].id]
    assert not list((tmp_path / "vault").iterdir())
    assert again.keys.find("I-1") is None


def test_a_missing_or_damaged_copy_is_destroyed_like_any_other(
    quarantine: Quarantine, tree: Path, tmp_path: Path
) -> None:
    first, second, third = add(quarantine, tree)
    (tmp_path / "vault" / f"{first.id}.cloche").unlink()
    (tmp_path / "vault" / f"{second.id}.cloche").write_bytes(b"rubbish" * 20_000)
    (tmp_path / "vault" / f"{third.id}.cloche").write_bytes(b"")
    done = quarantine.purge([first, second, third])
    assert (len(done.entries), done.refused) == (3, ())
    assert not list((tmp_path / "vault").iterdir())


def test_a_tombstone_that_somebody_wrote_in_stays(quarantine: Quarantine, tree: Path) -> None:
    (entry,) = add(quarantine, tree, "I-1", "会员.csv")
    note = Path(os.fsdecode(entry.tombstones[0]))
    note.write_text("我写的", encoding="utf-8")
    quarantine.purge([entry])
    assert note.read_text(encoding="utf-8") == "我写的"
