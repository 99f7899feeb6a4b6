"""Fences: a file is closed before it goes to the vault, and whoever fences at once agrees on what it was."""

import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
import quarantine_shop
from quarantine_shop import ROOT, TERMS, Room, flags_of, plain, portrait, with_flags

from containment.fence import FS_APPEND, FS_IMMUTABLE

room = quarantine_shop.room


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
