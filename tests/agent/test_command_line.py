"""The rules that all commands share, seen from outside: help, errors as documents, quiet ends."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import agent.commands
from agent.cli import VERBS

CODE = "import sys; from agent.cli import main; sys.argv[0] = 'cloche'; main()"


def cloche(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-P", "-c", CODE, *arguments],
        env={**os.environ, "CLOCHE_HOME": str(home), "CLOCHE_STORE__LANGUAGE": "en", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_help_lists_every_verb_and_imports_none(tmp_path: Path) -> None:
    code = f"{CODE.removesuffix('main()')}\ntry: main()\nfinally: print(sorted(sys.modules), file=sys.stderr)"
    run = subprocess.run(
        [sys.executable, "-P", "-c", code, "--help"], capture_output=True, timeout=60, check=False, text=True
    )
    listed = {line.split()[0] for line in run.stdout.partition("Commands:")[2].splitlines() if line.strip()}
    files = {entry.stem for entry in Path(agent.commands.__path__[0]).glob("[a-z]*.py")}
    assert listed == set(VERBS) == {name for name in files if "_" not in name}, "verbs of a group: <group>_<topic>.py"
    assert "..." not in run.stdout.partition("Commands:")[2]
    assert "agent.cli" in run.stderr
    assert "agent.commands.scan" not in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan", "--bogus"], ["bogus"], ["scan", "--workers", "x"], ["incident", "report"], ["scan"],
        ["unprotect", "/no/such/file", "--key-file", "/no/such/key"], ["incident", "show", "X"],
        ["inventory", "show", "/no"], ["quarantine", "show", "0123456789ab"],
    ],
)  # fmt: skip
def test_bad_usage_with_json_is_one_document_and_one_message(tmp_path: Path, arguments: list[str]) -> None:
    run = cloche(tmp_path, *arguments, "--json")
    document = json.loads(run.stdout)
    assert document["schema"] == "cloche.error/1"
    assert document["exit_code"] == run.returncode in (2, 4)
    assert document["error"] in run.stderr.decode()


def test_a_file_called_json_after_two_dashes_asks_for_no_document(tmp_path: Path) -> None:
    run = cloche(tmp_path, "scan", "--bogus", "--", "--json")
    assert (run.returncode, run.stdout) == (2, b"")


def test_a_question_without_a_terminal_is_refused_in_the_language_of_the_store(tmp_path: Path) -> None:
    run = cloche(tmp_path, "quarantine", "add", str(tmp_path), CLOCHE_STORE__LANGUAGE="zh-CN")
    assert run.returncode == 4
    assert "--yes" in run.stderr.decode()
    assert "terminal" not in run.stderr.decode()


def test_an_ascii_terminal_gets_chinese_names_escaped_and_json_stays_utf_8(tmp_path: Path) -> None:
    status = cloche(tmp_path, "keys", "status", CLOCHE_STORE__LANGUAGE="zh-CN", PYTHONIOENCODING="ascii")
    assert (status.returncode, status.stdout.isascii(), b"\\u" in status.stdout) == (0, True, True)
    run = cloche(tmp_path, "scan", str(tmp_path / "没有"), "--json", PYTHONIOENCODING="ascii")
    assert "没有" in json.loads(run.stdout.decode("utf-8"))["error"]


def test_a_wrong_setting_is_named_with_the_file_or_the_variable_it_came_from(tmp_path: Path) -> None:
    (tmp_path / "cloche.toml").write_text("[scan]\nwurkers = 1\n")
    run = cloche(
        tmp_path, "keys", "status", CLOCHE_WATCH__RESPONSE="shout", CLOCHE_NOPE="1", CLOCHE_STORE__TIMEZONE="Mars/X"
    )
    message = run.stderr.decode()
    assert run.returncode == 2
    assert f"{tmp_path}/cloche.toml: scan.wurkers: unknown key" in message
    assert "CLOCHE_WATCH__RESPONSE: watch.response: " in message
    assert "CLOCHE_NOPE: unknown key" in message
    assert "CLOCHE_STORE__TIMEZONE: store.timezone: 'Mars/X' is no IANA time zone" in message


def test_a_key_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("not a key")
    run = cloche(tmp_path, "unprotect", str(tmp_path), "--key-file", str(tmp_path / "note.txt"))
    assert run.returncode == 2
    assert str(tmp_path / "note.txt") in run.stderr.decode()


def test_what_cannot_be_opened_is_named_with_its_cause(tmp_path: Path) -> None:
    key, other, plain, folder = (tmp_path / name for name in ("a.key", "b.key", "plain.csv", "folder"))
    folder.mkdir()
    plain.write_text("x")
    (folder / "f.csv").write_text("y")
    assert cloche(tmp_path / "home", "keys", "init", "--recovery-file", str(key)).returncode == 0
    assert cloche(tmp_path / "elsewhere", "keys", "init", "--recovery-file", str(other)).returncode == 0
    assert cloche(tmp_path / "home", "protect", str(folder)).returncode == 0
    run = cloche(tmp_path / "home", "open", str(plain), "--key-file", str(key))
    assert (run.returncode, run.stdout) == (2, b"")
    assert f"{plain}: is not a sealed file" in run.stderr.decode()
    run = cloche(tmp_path / "home", "open", str(folder / "f.csv.cloche"), "--key-file", str(other))
    assert (run.returncode, run.stdout) == (4, b"")
    assert "is sealed to key" in run.stderr.decode()


def test_a_terminal_of_80_columns_never_cuts_an_id_or_a_path(tmp_path: Path) -> None:
    home, shop = tmp_path / "home", tmp_path / ("一个很长的文件夹名字" * 4)
    shop.mkdir()
    (shop / "会员.csv").write_text("姓名,手机\n测试甲,13800001111\n")
    assert cloche(home, "keys", "init", "--recovery-file", str(tmp_path / "key")).returncode == 0
    declared = cloche(
        home, "incident", "declare", "--kind", "insider", "--summary", "x", "--path", str(shop), "--yes", "--json"
    )
    incident = json.loads(declared.stdout)["id"]
    for arguments in (["quarantine", "list"], ["incident", "list"], ["incident", "show", incident]):
        screen = on_a_terminal(home, *arguments)
        assert incident in screen
        assert "…" not in screen
    assert json.loads(cloche(home, "quarantine", "list", "--json").stdout)["entries"][0]["id"] in on_a_terminal(
        home, "quarantine", "list"
    )


def on_a_terminal(home: Path, *arguments: str) -> str:
    """What a command shows on a terminal of 80 columns."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    environment = {**os.environ, "CLOCHE_HOME": str(home), "TERM": "xterm", "LANG": "C.UTF-8"}
    environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [sys.executable, "-P", "-c", CODE, *arguments], env=environment, stdin=slave, stdout=slave, stderr=slave
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 1 << 16)
            except OSError:  # EIO: nobody holds the other end any more
                break
            shown += piece
        process.wait(timeout=30)
    os.close(master)
    assert process.returncode == 0, shown
    return shown.decode()


def test_a_folder_of_the_settings_that_is_missing_is_counted_and_the_rest_is_scanned(tmp_path: Path) -> None:
    home, share, stick = tmp_path / "home", tmp_path / "share", tmp_path / "stick"
    for folder in (home, share, stick):
        folder.mkdir()
        (folder / "a.csv").write_text("手机\n13800001111\n")
    (home / "cloche.toml").write_text(f'[scan]\nroots = ["{share}", "{stick}"]\n')
    assert cloche(home, "scan", "--no-names").returncode == 0
    stick.rename(tmp_path / "taken away")
    run = cloche(home, "scan", "--no-names", "--json")
    document = json.loads(run.stdout)
    assert run.returncode == 3
    assert document["coverage"]["listed"] == 2
    assert [(item["path"], item["reason"]) for item in document["items"] if item["status"] == "unread"] == [
        (str(stick), "vanished")
    ]
    known = json.loads(cloche(home, "inventory", "list", "--json").stdout)["items"]
    assert {item["path"] for item in known} == {str(share / "a.csv"), str(stick / "a.csv")}
