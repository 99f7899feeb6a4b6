"""The vault's folder and the incident keys beside it."""

import os
import stat
from pathlib import Path

import pytest

from config.errors import ClocheError, UsageError
from containment.vault import IncidentKeys, Vault

ENTRY = "0123456789ab"


def test_an_unfinished_copy_has_no_name_and_is_swept(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    with vault.copying(ENTRY) as copy:
        os.write(copy, b"half")
    assert vault.digest(ENTRY) == ""
    assert vault.sweep() == 1
    assert os.listdir(vault.folder) == []


def test_a_failed_copy_leaves_nothing(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    with pytest.raises(OSError, match="full"), vault.copying(ENTRY):
        raise OSError(28, "full")
    assert os.listdir(vault.folder) == []


def test_sweeping_spares_finished_copies_and_what_is_not_ours(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    with vault.copying(ENTRY):
        pass
    vault.publish(ENTRY)
    (vault.folder / ".notes.part").write_bytes(b"")
    assert vault.sweep() == 0
    assert sorted(os.listdir(vault.folder)) == [".notes.part", f"{ENTRY}.cloche"]


def test_a_link_planted_for_a_copy_is_not_followed(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault")
    vault.folder.mkdir()
    target = tmp_path / "target"
    target.write_bytes(b"mine")
    (vault.folder / f".{ENTRY}.part").symlink_to(target)
    with vault.copying(ENTRY) as copy:
        os.write(copy, b"sealed")
    assert target.read_bytes() == b"mine"
    (vault.folder / f"{ENTRY}.cloche").symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        vault.open(ENTRY)


def test_an_incident_key_is_made_once_and_stays(tmp_path: Path) -> None:
    keys = IncidentKeys(tmp_path / "incidents")
    assert keys.find("I-1") is None
    made = keys.make("I-1")
    assert len(made.key) == 32
    assert IncidentKeys(tmp_path / "incidents").make("I-1") == made
    assert keys.make("I-2").key != made.key
    assert stat.S_IMODE(keys.path("I-1").stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert str(made.key) not in repr(made)


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b"null", b'{"schema": "cloche.incident-key/1", "key_id": "I-1", "key": "AA=="}']
)
def test_a_damaged_incident_key_is_named_and_not_replaced(tmp_path: Path, damage: bytes) -> None:
    keys = IncidentKeys(tmp_path / "incidents")
    keys.make("I-1")
    keys.path("I-1").write_bytes(damage)
    with pytest.raises(ClocheError, match=r"I-1\.key"):
        keys.make("I-1")
    assert keys.path("I-1").read_bytes() == damage


def test_the_key_of_another_incident_under_this_name_is_refused(tmp_path: Path) -> None:
    keys = IncidentKeys(tmp_path / "incidents")
    keys.make("I-1")
    keys.path("I-1").rename(keys.path("I-2"))
    with pytest.raises(ClocheError):
        keys.find("I-2")


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "0123456789AB", ENTRY + "0", ENTRY + "\n"])
def test_an_id_that_is_none_names_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Vault(tmp_path).path(name)
