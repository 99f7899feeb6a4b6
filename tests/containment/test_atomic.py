"""A file is written whole or not at all, and nothing is replaced by mistake."""

from __future__ import annotations

import errno
import os
import signal
import stat
from pathlib import Path

import pytest

from containment import atomic
from containment.atomic import create_file, open_folder, rename_exclusive, write_file


def test_a_write_replaces_the_whole_file_with_its_mode(tmp_path: Path):
    file = tmp_path / "状态.json"
    write_file(file, b"old", 0o644)
    write_file(file, b"new", 0o600)
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [file.name]


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "state"
    write_file(file, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_file(file, b"new")
    with pytest.raises(OSError, match="No space"):
        create_file(tmp_path / "other", b"new")
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["state"]


def test_a_write_that_is_killed_before_any_step_leaves_old_or_new(tmp_path: Path):
    file = tmp_path / "state"
    seen = set()
    for step in range(20):
        write_file(file, b"old")
        child = os.fork()
        if child == 0:
            remaining = step

            def counted(real):
                def call(*arguments, **keywords):
                    nonlocal remaining
                    if remaining == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    remaining -= 1
                    return real(*arguments, **keywords)

                return call

            for name in ("open", "write", "fsync", "rename", "fchmod", "close"):
                setattr(os, name, counted(getattr(os, name)))
            write_file(file, b"new and longer")
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        seen.add(file.read_bytes())
        if status == 0:
            break
    assert seen == {b"old", b"new and longer"}


def test_a_new_file_never_replaces_one(tmp_path: Path):
    (tmp_path / "key").write_text("mine")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "key", b"other")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "link", b"other")
    assert (tmp_path / "key").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


def test_an_exclusive_rename_replaces_nothing(tmp_path: Path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    folder = open_folder(os.fsencode(tmp_path))
    try:
        with pytest.raises(FileExistsError):
            rename_exclusive(folder, b"a", folder, b"b")
        assert ((tmp_path / "a").read_text(), (tmp_path / "b").read_text()) == ("a", "b")
        rename_exclusive(folder, b"a", folder, b"c")
    finally:
        os.close(folder)
    assert sorted(os.listdir(tmp_path)) == ["b", "c"]


@pytest.mark.parametrize("where", ["link", "link/inner"])
def test_a_folder_behind_a_link_is_not_opened(tmp_path: Path, where: str):
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        open_folder(os.fsencode(tmp_path / where))


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = os.write
    monkeypatch.setattr(atomic.os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:3]))
    write_file(tmp_path / "file", b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"
