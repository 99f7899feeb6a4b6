"""Archives: members, names, bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest

MEMBERS = "姓名,电话\n测试甲,13800001111\n".encode()


def zipped(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        archive.addfile(link)
    return target.getvalue()


def test_members_of_a_zip_are_items_and_so_is_the_zip(read):
    reading = read("a.zip", zipped({"b/会员.csv": MEMBERS, "c.txt": b"13800001112"}))
    assert reading.suffixes == ["", "!b/会员.csv", "!c.txt"]
    assert reading.of("会员.csv").rows == [("测试甲", "13800001111")]
    assert [report.status for report in reading.reports] == ["read"] * 3


def test_marks_in_member_names_are_escaped(read):
    reading = read("a.zip", zipped({"a!b#c%d.csv": MEMBERS}))
    assert reading.suffixes == ["", "!a%21b%23c%25d.csv"]


def test_names_that_windows_wrote_in_gbk_are_read(read):
    name = "门店会员名单.csv"
    data = zipped({"X" * len(name.encode("gbk")): MEMBERS}).replace(b"X" * len(name.encode("gbk")), name.encode("gbk"))
    assert read("a.zip", data).suffixes == ["", f"!{name}"]


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_compressed_files_and_tars_within_them_are_read(read, ending, pack):
    assert read(f"a.csv.{ending}", pack(MEMBERS)).of("a.csv").rows == [("测试甲", "13800001111")]
    reading = read(f"b.tar.{ending}", pack(tarred({"x/a.csv": MEMBERS})))
    assert reading.suffixes == ["", "!b.tar", "!b.tar!x/a.csv"]
    assert reading.of("a.csv").rows == [("测试甲", "13800001111")]


def test_archives_nest_down_to_the_limit_and_no_further(read):
    data = MEMBERS
    for level in range(5):
        data = zipped({f"{level}.zip" if level else "a.csv": data})
    reading = read("top.zip", data, depth=4)
    deepest = max(reading.reports, key=lambda report: report.suffix.count(b"!"))
    assert deepest.suffix.count(b"!") == 4
    assert (deepest.status, deepest.reason) == ("unread", "too_deep")


def test_a_gzip_that_holds_itself_ends(read):
    """Not a quine of gzip, but the same to us: archives as far down as one goes."""
    data = b"x"
    for _ in range(30):
        data = gzip.compress(data)
    reading = read("r.gz", data)
    assert reading.reports[0].reason == "too_deep"


def test_a_bomb_is_cut_off_and_what_came_before_is_kept(read):
    bomb = zipped({"a.csv": MEMBERS, "zeros.txt": b"0" * (8 << 20), "z.csv": MEMBERS})
    reading = read("bomb.zip", bomb, budget=1 << 20)
    assert reading.report("!a.csv").status == "read"
    assert (reading.report("!zeros.txt").status, reading.report("!zeros.txt").reason) == ("partial", "expansion")
    assert (reading.top.status, reading.top.reason) == ("partial", "expansion")


def test_an_encrypted_member_is_named_and_the_others_are_read(read):
    data = bytearray(zipped({"a.csv": MEMBERS, "b.csv": MEMBERS}))
    data[6] |= 1
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1
    reading = read("a.zip", bytes(data))
    assert (reading.report("!a.csv").status, reading.report("!a.csv").reason) == ("unread", "encrypted")
    assert reading.report("!b.csv").status == "read"


def test_a_cut_archive_gives_what_it_has(read):
    data = tarred({"a.csv": MEMBERS, "b.csv": MEMBERS * 900})
    reading = read("a.tar", data[: 3 * 512 + 4096])
    assert reading.report("!a.csv").status == "read"
    assert (reading.top.status, reading.top.reason) == ("partial", "malformed")


def test_a_member_with_a_wrong_checksum_is_malformed(read):
    data = bytearray(zipped({"a.bin": b"13800001111 " * 9}))
    data[14] ^= 1
    data[data.index(b"PK\x01\x02") + 16] ^= 1
    report = read("a.zip", bytes(data)).report("!a.bin")
    assert report.status != "read"
    assert report.reason == "malformed"
