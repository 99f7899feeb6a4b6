"""`cloche detect` as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def detect(tmp_path: Path, stdin: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    code = "from agent.cli import main; main()"
    arguments = [sys.executable, "-c", code, "detect", "--home", str(tmp_path), *options]
    return subprocess.run(arguments, input=stdin, capture_output=True, check=False)


def lines(answer: subprocess.CompletedProcess[bytes]) -> list[Any]:
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_each_line_gets_its_spans_with_masked_values(tmp_path: Path) -> None:
    texts = [{"text": "电话13800001111谢谢"}, {"text": "你好", "id": 7}]
    stdin = "\n".join(json.dumps(text) for text in texts).encode()
    answer = detect(tmp_path, stdin, "--jsonl", "--no-names")
    assert answer.returncode == 0
    assert lines(answer) == [
        {"spans": [{"entity": "PHONE_NUMBER", "start": 2, "end": 13, "score": 0.95, "masked": "138****1111"}]},
        {"spans": []},
    ]


def test_names_are_found_unless_left_out(tmp_path: Path) -> None:
    stdin = json.dumps({"text": "收货人：张测试，电话13800001111"}).encode()
    assert {s["entity"] for s in lines(detect(tmp_path, stdin, "--jsonl"))[0]["spans"]} == {"PERSON", "PHONE_NUMBER"}


@pytest.mark.parametrize("bad", [b"{bad", b"[]", b'{"text": 5}', b'{"txt": ""}', b"\xff", b"[" * 100_000])
def test_a_bad_line_is_named_and_its_content_is_not(tmp_path: Path, bad: bytes) -> None:
    answer = detect(tmp_path, b'{"text": "a"}\n' + bad + b"\n", "--jsonl", "--no-names")
    assert answer.returncode == 2
    assert b"line 2" in answer.stderr
    assert b"Traceback" not in answer.stderr


def test_surrogates_nuls_and_invalid_bytes_are_taken_with_true_offsets(tmp_path: Path) -> None:
    stdin = b'{"text": "\\ud800\\u0000 13800001111"}\n{"text": "\xff\xfe 13800001111"}\n'
    answer = detect(tmp_path, stdin, "--jsonl", "--no-names")
    assert answer.returncode == 0
    assert [[(s["start"], s["end"]) for s in line["spans"]] for line in lines(answer)] == [[(3, 14)], [(3, 14)]]


def test_text_on_stdin_gives_one_document_or_a_table_and_never_the_value(tmp_path: Path) -> None:
    stdin = "电话13800001111".encode()
    document = json.loads(detect(tmp_path, stdin, "--json", "--no-names").stdout)
    assert document["schema"] == "cloche.detect/1"
    assert [span["entity"] for span in document["spans"]] == ["PHONE_NUMBER"]
    shown = detect(tmp_path, stdin, "--no-names")
    assert b"138****1111" in shown.stdout
    assert b"13800001111" not in shown.stdout + shown.stderr


def test_it_makes_no_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert detect(home, b"", "--no-names").returncode == 0
    assert not home.exists()
