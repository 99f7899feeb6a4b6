"""Who may ask for reports and drafts, what nonsense is refused, and the commands."""

import os
import subprocess
import sys
import zipfile
from functools import partial

import pytest
from reports_shop import CASHIER, LAWYER, OWNER, QUICK, STRANGER, ask, ended, opened, stored

from agent.reports import operations
from agent.reports.drafting import write_drafts
from config.errors import ExitCode, RefusedError, UsageError
from config.text import LANGUAGES


def test_operations_let_pass_whom_they_should_and_answer_documents(tmp_path, monkeypatch):
    monkeypatch.setattr(operations, "write_drafts", partial(write_drafts, formats=QUICK))
    with opened(tmp_path) as agent:
        incident = stored(agent)
        clocks = operations.show_clocks(agent, ask(CASHIER, id=incident.id)).document
        assert {duty["key"] for duty in clocks["duties"]} >= {"cn-pipl/art-57", "pci-dss/brands"}
        assert all(entry["reached"] in (True, False, None) for entry in clocks["standing"])
        for operation in (operations.show_clocks, operations.summary, operations.final_show):
            with pytest.raises(RefusedError):
                operation(agent, ask(STRANGER, id=incident.id))
        for operation in (operations.submit, operations.fill, operations.police, operations.drafts,
                          operations.final_draft, operations.final_submit, operations.demand):  # fmt: skip
            with pytest.raises(RefusedError):
                operation(agent, ask(CASHIER, id=incident.id))
        answer = operations.drafts(agent, ask(LAWYER, id=incident.id))
        assert answer.exit_code == ExitCode.INCOMPLETE
        assert all(row["missing"] is not None and row["files"] for row in answer.document["drafts"])
        done = operations.submit(agent, ask(LAWYER, id=incident.id, duty="art-57", channel="12387", receipt="AR-1"))
        assert done.document["by"] == "lawyer"
        for caller in (OWNER, LAWYER):
            page = operations.summary(agent, ask(caller, id=incident.id)).document
            assert set(page["lines"]) == set(LANGUAGES)


@pytest.mark.parametrize(
    ("operation", "arguments", "words"),
    [(operations.submit, {"duty": "art-57", "channel": "x", "at": "2999-01-01"}, "--at"),
     (operations.demand, {"duty": "after-incident", "due": "soon"}, "--due"),
     (operations.final_improve, {"text": "x", "owner": "y", "due": "31.12."}, "--due"),
     (operations.final_comment, {"text": "x", "version": -1}, "--version"),
     (operations.fill, {"field": "x", "text": 7}, "text")],
)  # fmt: skip
def test_nonsense_is_refused_by_the_name_of_its_option(tmp_path, operation, arguments, words):
    with opened(tmp_path) as agent, pytest.raises(UsageError, match=words):
        operation(agent, ask(id=stored(agent).id, **arguments))


def test_the_command_line_shows_clocks_records_what_was_done_and_drafts_the_report(tmp_path):
    with opened(tmp_path) as agent:
        incident = ended(agent, stored(agent))
        home = agent.home
    program = os.path.join(os.path.dirname(sys.executable), "cloche")

    def cloche(*arguments):
        return subprocess.run(
            [program, "incident", *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "CLOCHE_HOME": str(home.state)},
        )  # fmt: skip

    shown = cloche("clocks", incident.id)
    assert shown.returncode == 0, shown.stderr
    assert "预案事后报告" in shown.stdout
    assert "不构成法律意见" in shown.stdout
    target = tmp_path / "police.zip"
    packed = cloche("police", incident.id, "-o", str(target))
    assert packed.returncode == 3, packed.stderr
    assert zipfile.is_zipfile(target)
    improved = cloche("final", incident.id, "improve", "收回账号", "--owner", "李样例", "--due", "2026-12-31")
    assert "收回账号" in improved.stdout, improved.stderr
