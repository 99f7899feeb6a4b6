"""Promise 1: a customer's value is in nothing that Cloche writes, says or sends.

Values are planted in contents and in file names; then every path is walked at DEBUG, errors included, and everything
that came out is searched. A file's name is conceded to the root-only inventory and journal and to the owner's own
answers; a value from inside a file is conceded to nothing.
"""

from __future__ import annotations

import gzip
import io
import os
import sqlite3
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Done, Shop

PHONE = "13800137731"
IDENTITY = "310101199003071837"
MAIL = "kanari.test@example.com"
CARD = "6222021234567890128"
NAMED_PHONE = "13900139931"
OWN = ("home/inventory.db", "home/journal", "home/run/guard.state")  # root-only: raw paths are conceded to them
INSIDE = (PHONE, IDENTITY, MAIL, CARD, "欧阳测试甲")
ROW = f"欧阳测试甲,{PHONE},{IDENTITY},{MAIL},{CARD}"
TABLE = f"姓名,手机号,身份证号,邮箱,银行卡号\n{ROW}\n" + "".join(
    f"王测试,1380014{n:04d},,test{n}@example.com,\n" for n in range(30)
)


def plant(folder: Path) -> None:
    """Values in every kind of file, broken ones too."""
    (folder / "名单.csv").write_text(TABLE, encoding="gb18030")
    (folder / f"{NAMED_PHONE}.csv").write_text(TABLE)
    (folder / "broken.json").write_text('{"姓名": "欧阳测试甲", "phone": "' + PHONE)
    (folder / "log.txt").write_text(f"收货人：欧阳测试甲 电话{PHONE} 邮箱{MAIL}\n" * 3)
    values = "','".join(ROW.split(","))
    (folder / "dump.sql").write_text(f"INSERT INTO `member` VALUES ('{values}');\n")  # noqa: S608  a file, no query
    with gzip.open(folder / "old.csv.gz", "wt") as file:
        file.write(TABLE)
    with zipfile.ZipFile(folder / "pack.zip", "w") as archive:
        archive.writestr(f"会员{NAMED_PHONE}.csv", TABLE)
        archive.writestr("cut.xlsx", b"PK\x03\x04" + PHONE.encode())
    (folder / "torn.gz").write_bytes(gzip.compress(TABLE.encode())[:-30])
    with sqlite3.connect(folder / "orders.db") as database:
        database.execute("CREATE TABLE customers (name TEXT, mobile TEXT, id_card TEXT)")
        database.execute("INSERT INTO customers VALUES (?,?,?)", ("欧阳测试甲", PHONE, IDENTITY))
    database.close()


def written(shop: Shop) -> dict[str, bytes]:
    """Everything below the store's parent but the store itself: home, logs, pages, documents."""
    found = {}
    for path in shop.home.parent.rglob("*"):
        if path.is_file() and not path.is_symlink() and shop.folder not in path.parents and path.suffix != ".key":
            found[str(path.relative_to(shop.home.parent))] = path.read_bytes()
    return found


def unpacked(content: bytes) -> bytes:
    """A docx is a zip: search what is in it."""
    if not content.startswith(b"PK\x03\x04"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


def leaks(content: bytes, values: tuple[str, ...]) -> list[str]:
    """Which values are in `content`, in any encoding a reader could have used."""
    content = unpacked(content)
    return [
        value
        for value in values
        for form in (value.encode(), value.encode("gb18030"), value.encode("utf-16-le"), value.encode("unicode_escape"))
        if form in content
    ]


def test_no_value_is_in_anything_that_came_out(shop: Shop) -> None:
    plant(shop.folder)
    key = shop.home.parent / "sheet.key"
    said: list[tuple[str, Done]] = []

    def do(*arguments: str | Path, codes: tuple[int, ...] = (0,)) -> Done:
        done = shop.cloche(*arguments)
        assert done.code in codes, (arguments, done.code, done.err)
        said.append((" ".join(str(part) for part in arguments), done))
        return done

    name = shop.folder / f"{NAMED_PHONE}.csv"
    do("scan", shop.folder, "--debug", "--html", shop.home.parent / "page.html", codes=(3,))
    found = do("scan", shop.folder, "--debug", "--json", codes=(3,)).document
    assert any(finding["entity"] == "PHONE_NUMBER" for item in found["items"] for finding in item["findings"])
    do("keys", "init", "--recovery-file", key, "--debug")
    do("protect", shop.folder / "名单.csv", name, "--debug", "--yes", "--json")
    do("open", f"{name}.cloche", "--debug", codes=(4,))
    (shop.home.parent / "bad.key").write_text(f"not a key {PHONE}\n")
    do("open", f"{name}.cloche", "--key-file", shop.home.parent / "bad.key", "--debug", codes=(1, 2, 4))
    do("unprotect", shop.folder, "--key-file", key, "--debug")
    do("incident", "report", "--kind", "staff_mistake", "--summary", f"有人把 {PHONE} 发到了群里", "--yes", "--debug")
    do("incident", "declare", "--kind", "insider", "--summary", f"{MAIL} 泄露", "--path", name, "--yes", "--debug",
       codes=(0, 3))  # fmt: skip
    do("incident", "list", "--debug")
    do("quarantine", "list", "--debug", "--json")
    do("audit", "verify", "--debug")

    for call, done in said:
        assert not leaks(done.err.encode("utf-8", "surrogateescape"), (*INSIDE, NAMED_PHONE)), f"stderr of {call}"
        assert not leaks(done.out.encode("utf-8", "surrogateescape"), INSIDE), f"stdout of {call}"
    for file, content in written(shop).items():
        if file in {"bad.key", "sheet.key"}:
            continue
        assert not leaks(content, INSIDE), file
        if not file.startswith(OWN):
            assert not leaks(content, (NAMED_PHONE,)), file


@pytest.mark.needs("root", "fanotify")
def test_no_value_is_in_what_the_daemon_and_the_guard_write(shop: Shop) -> None:
    plant(shop.folder)
    shop.variables = {"CLOCHE_SCAN__ROOTS": f'["{shop.folder}"]', "CLOCHE_WATCH__RESPONSE": "stop"}
    assert shop.cloche("keys", "init", "--recovery-file", shop.home.parent / "sheet.key").code == 0
    shop.start_guard()
    shop.start_daemon()
    shop.wait(lambda: bool(shop.cloche("status", "--json").document["last_scan"]))
    # a command line that carries a value, as a curious employee would type it
    thief = shop.start("thief", "grep", "-r", PHONE, str(shop.folder))
    shop.wait(lambda: shop.cloche("status", "--json").document["alerts"] > 0 or thief.poll() is not None)
    shop.running.remove(thief)
    thief.kill()
    thief.wait()
    shop.cloche("incident", "declare", "--kind", "insider", "--summary", "grep", "--scope", "alerts", "--yes")
    shop.close()
    (shop.home.parent / "thief.log").unlink()
    for file, content in written(shop).items():
        if file != "sheet.key":
            assert not leaks(content, INSIDE), file
            if not file.startswith(OWN):
                assert not leaks(content, (NAMED_PHONE,)), file


def test_the_inventory_is_for_its_owner(shop: Shop) -> None:
    plant(shop.folder)
    shop.cloche("scan", shop.folder)
    for file in shop.home.rglob("*"):
        if file.is_file():
            assert file.stat().st_mode & 0o077 == 0 or file.parent.name == "outbox", file
    assert os.stat(shop.home).st_mode & 0o077 == 0
