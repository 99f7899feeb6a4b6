"""The journal tells after any cut what was about to be done."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from containment import journal as journal_module
from containment.journal import DONE, Journal, Running, path_bytes, path_text


def test_what_has_no_end_is_pending_with_all_its_steps(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    finished = Running(journal, "seal", names=["a"])
    finished.step(DONE)
    open_act = Running(journal, "seal", names=["b"], sealed=[])
    open_act.step("publishing", sealed=["b.cloche"])
    (act,) = Journal(tmp_path / "journal").pending("seal")
    assert act == open_act.act
    assert (act.id, act.step, act.get("sealed"), act.get("names")) == (open_act.id, "publishing", ["b.cloche"], ["b"])
    assert act.reached("begin")
    assert not act.reached("committed")
    assert journal.pending("quarantine") == []


def test_a_torn_last_line_counts_as_never_written(tmp_path: Path):
    journal = Journal(tmp_path)
    running = Running(journal, "seal")
    whole = journal.path.read_bytes()
    running.step("committed")
    line = journal.path.read_bytes()[len(whole) :]
    for length in range(len(line)):
        journal.path.write_bytes(whole + line[:length])
        again = Journal(tmp_path)
        (act,) = again.pending()
        assert act.step == "begin"
        again.step(act.id, DONE)
        assert again.pending() == []


def test_a_damaged_line_is_counted_and_hides_no_other(tmp_path: Path):
    journal = Journal(tmp_path)
    first, second = Running(journal, "seal"), Running(journal, "seal")
    data = bytearray(journal.path.read_bytes())
    data[30] ^= 1
    journal.path.write_bytes(data)
    assert [act.id for act in journal.pending()] == [second.id]
    assert journal.damaged == 1
    assert first.id != second.id


def test_a_path_of_any_bytes_comes_back(tmp_path: Path):
    journal = Journal(tmp_path)
    path = b'/data/\xff\xfe\n"\\ ' + "会员".encode("gbk")
    Running(journal, "seal", names=[path_text(path)])
    assert path_bytes(journal.pending()[0].get("names")[0]) == path


def test_compaction_keeps_what_is_pending_word_for_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    journal = Journal(tmp_path)
    for _ in range(20):
        Running(journal, "seal").step(DONE)
    pending = Running(journal, "seal", names=["x"])
    monkeypatch.setattr(journal_module, "COMPACT_BYTES", 100)
    journal.compact()
    assert journal.acts() == [pending.act]
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


def test_a_line_that_is_not_durable_raises_and_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    journal = Journal(tmp_path)
    running = Running(journal, "seal")

    def fails(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(OSError, match="Input"):
            running.step("committed")
    assert journal.pending()[0].step == "begin"
    assert journal.damaged == 0
