"""Walking roots: nothing followed, nothing hidden, nothing twice."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest

from config.errors import UsageError
from scanners.discover import Discovery
from scanners.identity import birth_ns


def walk(*roots, **options):
    """Paths below the first root, with status and reason; descriptors are closed."""
    listed = []
    for found in Discovery(**options).walk([os.fsencode(root) for root in roots]):
        if found.descriptor >= 0:
            os.close(found.descriptor)
        listed.append((os.path.relpath(found.path, os.fsencode(roots[0])), found.status, found.reason))
    return listed


def test_files_are_listed_in_the_order_of_their_bytes_with_odd_names_too(tmp_path):
    names = [b"a", b"b\xff\xfe", "会员\n名单.csv".encode(), b" lead", b"-rf"]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
            pass
    assert [name for name, _, _ in walk(tmp_path)] == sorted(names)


def test_links_are_not_followed_and_a_root_that_is_one_is(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").touch()
    (tmp_path / "real" / "out").symlink_to("/etc")
    (tmp_path / "real" / "loop").symlink_to(".")
    (tmp_path / "link").symlink_to("real")
    found = list(Discovery().walk([os.fsencode(tmp_path / "link")]))
    os.close(found[0].descriptor)
    assert [one.path for one in found] == [os.fsencode(tmp_path / "real" / "a.txt")]


def test_pipes_and_sockets_are_named_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "sock"))
        assert walk(tmp_path) == [(b"pipe", "unread", "special"), (b"sock", "unread", "special")]


def test_what_is_excluded_or_our_own_is_one_skipped_item(tmp_path):
    for name in ("keep.txt", "drop.tmp", "cache/a", "cache/b", "vault/secret"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listed = walk(tmp_path, exclude=("*.tmp", "*/cache"), reserved=(os.fsencode(tmp_path / "vault"), b"/not/there"))
    assert listed == [
        (b"cache", "skipped", "excluded"),
        (b"drop.tmp", "skipped", "excluded"),
        (b"keep.txt", "read", ""),
        (b"vault", "skipped", "reserved"),
    ]


def test_a_root_within_a_root_is_listed_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").touch()
    assert len(walk(tmp_path, tmp_path / "a", tmp_path / "a" / "x", tmp_path)) == 1


def test_a_path_that_does_not_exist_is_named_before_anything_is_read(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        Discovery().walk([os.fsencode(tmp_path / "nowhere")])


def test_of_several_folders_one_that_is_missing_is_listed_as_unread(tmp_path):
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "a.csv").touch()
    found = list(Discovery().walk([os.fsencode(tmp_path / "nowhere"), os.fsencode(tmp_path / "share")]))
    for item in found:
        if item.descriptor >= 0:
            os.close(item.descriptor)
    assert [(os.path.basename(item.path), item.status, item.reason) for item in found] == [
        (b"nowhere", "unread", "vanished"), (b"a.csv", "read", ""),
    ]  # fmt: skip


def test_the_views_of_the_kernel_are_no_storage():
    assert walk("/proc") == [(b".", "unread", "special")]


def test_access_times_stay(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x")
    os.utime(path, ns=(1_000_000_000, 2_000_000_000))
    for found in Discovery().walk([os.fsencode(path)]):
        os.read(found.descriptor, 1)
        os.close(found.descriptor)
    assert path.stat().st_atime_ns == 1_000_000_000


@pytest.mark.needs("root", "mount")
def test_a_mount_that_loops_ends_and_lists_each_file_once(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "a").touch()
    subprocess.run(["mount", "--bind", str(tmp_path), str(tmp_path / "inner")], check=True)
    try:
        assert walk(tmp_path) == [(b"a", "read", "")]
    finally:
        subprocess.run(["umount", str(tmp_path / "inner")], check=True)


@pytest.mark.needs("root", "setpriv")
def test_an_unreadable_folder_is_an_unread_item(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o700)
    (tmp_path / "closed" / "x").touch()
    (tmp_path / "shut.txt").touch(mode=0o600)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            tmp_path.chmod(0o755)
            os.chdir(tmp_path)
            os.setresuid(65534, 65534, 65534)
            expected = [("unread", "permission")] * 2
            with os.scandir(".") as entries:
                assert len(list(entries)) == 2
            folder = os.open(".", os.O_RDONLY)
            discovery = Discovery()
            listed = [
                (found.status, found.reason)
                for name in (b"closed", b"shut.txt")
                for found in discovery._entry(folder, name, name)
            ]
            code = int(listed != expected)
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_name_keeps_its_identity_through_a_rename_and_a_new_file_gets_another(tmp_path):
    def key() -> str:
        (found,) = Discovery().walk([os.fsencode(tmp_path)])
        os.close(found.descriptor)
        return found.identity.key

    (tmp_path / "a").touch()
    before = key()
    os.rename(tmp_path / "a", tmp_path / "b")
    assert key() == before
    (tmp_path / "c").touch()
    os.unlink(tmp_path / "b")
    assert key() != before


def test_birth_is_the_time_of_making(tmp_path):
    with open(tmp_path / "a", "wb") as file:
        born = birth_ns(file.fileno())
        os.utime(file.fileno(), ns=(0, 0))
        assert birth_ns(file.fileno()) == born
        assert born == 0 or born > 1_600_000_000_000_000_000
