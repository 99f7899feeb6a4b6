"""The commands as a person meets them: exit codes, messages, the sheet on a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from config.text import Text
from containment.places import Cause

CLOCHE = [sys.executable, "-c", "from agent.cli import main; main()"]


class Shell:
    """Runs `cloche` with a home of its own."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.environment = {**os.environ, "CLOCHE_HOME": str(base / "home"), "CLOCHE_STORE__LANGUAGE": "en"}
        self.environment.pop("CLOCHE_KEY_FILE", None)

    def __call__(self, *arguments: str, key: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        environment = self.environment | ({"CLOCHE_KEY_FILE": str(key)} if key else {})
        done = subprocess.run(
            [*CLOCHE, *arguments],
            capture_output=True,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        assert b"Traceback" not in done.stderr
        return done

    def on_terminal(self, *arguments: str, answers) -> tuple[int, str]:
        """Exit code and everything shown; `answers` gets what was shown so far and returns what to type, or None."""
        child, terminal = pty.fork()
        if child == 0:
            os.execvpe(CLOCHE[0], [*CLOCHE, *arguments], self.environment)  # noqa: S606  a fixed program
        shown, seen = "", 0
        try:
            while True:
                try:
                    data = os.read(terminal, 4096)
                except OSError:  # EIO: the child has closed its side (pty(7))
                    break
                if not data:
                    break
                shown += data.decode("utf-8", "replace")
                if shown.rstrip().endswith(":") and shown[seen:].strip():
                    time.sleep(0.05)  # the prompt is printed before echo is switched off
                    typed = answers(shown[seen:], shown)
                    seen = len(shown)
                    os.write(terminal, typed.encode() + b"\n")
        finally:
            os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


@pytest.fixture
def cloche(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_the_way_of_a_single_shop(cloche: Shell, tmp_path: Path):
    data, key = tmp_path / "data", tmp_path / "key"
    data.mkdir()
    (data / "会员.csv").write_text("13800001111")
    refused = cloche("protect", str(data))
    assert (refused.returncode, b"cloche keys init" in refused.stderr) == (4, True)
    assert cloche("keys", "init").returncode == 4
    assert cloche("keys", "init", "--recovery-file", str(key)).returncode == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = cloche("keys", "init", "--recovery-file", str(tmp_path / "second"))
    assert (again.returncode, (tmp_path / "second").exists()) == (4, False)
    assert cloche("keys", "rotate", "--recovery-file", str(key)).returncode == 4
    assert key.read_text().startswith("cloche-recovery-1")

    done = cloche("protect", str(data), "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["schema"], len(document["sealed"])) == (0, "cloche.protect/1", 1)
    assert os.listdir(data) == ["会员.csv.cloche"]

    sealed, out = str(data / "会员.csv.cloche"), tmp_path / "out"
    without = cloche("open", sealed, "-o", str(out))
    assert (without.returncode, b"--key-file" in without.stderr, out.exists()) == (4, True, False)
    piped = cloche("open", sealed, "--key-file", str(key))
    assert (piped.returncode, piped.stdout) == (0, b"13800001111")
    assert cloche("open", sealed, "-o", str(out), "--json", key=key).returncode == 0
    assert (out.read_text(), stat.S_IMODE(out.stat().st_mode)) == ("13800001111", 0o600)
    taken = cloche("open", sealed, "-o", str(out), key=key)
    assert (taken.returncode, b"exists already" in taken.stderr) == (4, True)
    assert os.listdir(data) == ["会员.csv.cloche"]

    assert cloche("unprotect", str(data)).returncode == 4
    back = cloche("unprotect", str(data), "--json", key=key)
    assert (back.returncode, json.loads(back.stdout)["restored"][0]["trusted"]) == (0, True)
    assert (data / "会员.csv").read_text() == "13800001111"


def test_a_wrong_key_a_broken_file_and_a_missing_path_are_named(cloche: Shell, tmp_path: Path):
    file, key = tmp_path / "a.csv", tmp_path / "key"
    file.write_text("x")
    cloche("keys", "init", "--recovery-file", str(key))
    cloche("protect", str(file))
    sealed = tmp_path / "a.csv.cloche"
    other = Shell(tmp_path / "other")
    other("keys", "init", "--recovery-file", str(tmp_path / "other-key"))
    wrong = cloche("open", str(sealed), "--key-file", str(tmp_path / "other-key"))
    assert (wrong.returncode, b"a.csv.cloche" in wrong.stderr, wrong.stdout) == (4, True, b"")
    mistyped = tmp_path / "mistyped"
    line = key.read_text().splitlines()[2]
    mistyped.write_text(key.read_text().replace(line, line[:-1] + ("0" if line[-1] != "0" else "1")))
    slip = cloche("unprotect", str(sealed), "--key-file", str(mistyped))
    assert (slip.returncode, b"line 2 is mistyped" in slip.stderr) == (2, True)
    missing = cloche("unprotect", str(sealed), "--key-file", str(tmp_path / "nokey"))
    assert (missing.returncode, b"nokey" in missing.stderr) == (4, True)
    nowhere = cloche("protect", str(tmp_path / "nowhere"))
    assert (nowhere.returncode, b"nowhere" in nowhere.stderr) == (2, True)
    sealed.write_bytes(sealed.read_bytes()[:-1])
    cut = cloche("open", str(sealed), "-o", str(tmp_path / "out"), key=key)
    assert (cut.returncode, b"a.csv.cloche" in cut.stderr) == (1, True)
    left = cloche("unprotect", str(sealed), key=key)
    assert (left.returncode, sealed.exists(), file.exists()) == (1, True, False)
    assert not any(name.startswith(".cloche") for name in os.listdir(tmp_path))


def test_a_sheet_on_a_terminal_is_typed_back_before_it_counts(cloche: Shell, tmp_path: Path):
    def right(asked: str, shown: str) -> str:
        number = re.findall(r"Type line (\d)", asked)[-1]
        return re.search(rf"^{number}  (\S+)", shown, re.MULTILINE)[1].lower()

    code, _shown = cloche.on_terminal("keys", "init", answers=lambda _asked, _shown: "0000-0000-0000-0000")
    assert code == 4
    assert not json.loads(cloche("keys", "status", "--json").stdout)["ready"]
    code, shown = cloche.on_terminal("keys", "init", answers=right)
    assert code == 0
    assert json.loads(cloche("keys", "status", "--json").stdout)["ready"]
    lines = re.findall(r"^\d  (\S+)", shown, re.MULTILINE)
    assert len(lines) == 4

    def from_paper(asked: str, _shown: str) -> str:
        return lines[int(re.findall(r"Line (\d)", asked)[-1]) - 1]

    code, shown = cloche.on_terminal("keys", "recover", "--recovery-file", str(tmp_path / "key"), answers=from_paper)
    assert (code, "this store's recovery key" in shown) == (0, True)
    data = tmp_path / "a.csv"
    data.write_text("x")
    code, shown = cloche.on_terminal("protect", str(data), answers=lambda _asked, _shown: "n")
    assert (code, "Seal 1 files?" in shown, data.exists()) == (4, True, True)
    assert cloche("protect", str(data), "--yes").returncode == 0
    assert cloche("unprotect", str(tmp_path / "a.csv.cloche"), key=tmp_path / "key").returncode == 0
    assert data.read_text() == "x"


def test_a_name_that_is_no_text_comes_with_its_bytes(cloche: Shell, tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    name = os.path.join(os.fsencode(data), "会员".encode("gbk") + b"\n.csv")
    with open(name, "wb") as file:
        file.write(b"x")
    cloche("keys", "init", "--recovery-file", str(tmp_path / "key"))
    (item,) = json.loads(cloche("protect", str(data), "--json").stdout)["sealed"]
    assert {"path", "path_b64", "sealed_path", "sealed_path_b64", "size"} == set(item)
    shown = cloche("protect", str(data / "nowhere\x1b[31m"))
    assert b"\x1b" not in shown.stderr


def test_every_cause_has_its_words_and_its_line_in_the_manual():
    page = (Path(__file__).parents[2] / "docs" / "protect.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(listed) == sorted(get_args(Cause))
    for language in ("zh-CN", "en"):
        assert all(Text(language)(f"protect.cause_{cause}") for cause in listed)
