"""Directing by operation: who may, what is refused in words, and what head office hears of it."""

import json

import pytest
from shops import declaration, opened

from agent.incident import directing
from agent.incident.declare import declare, report
from agent.incident.store import incidents
from agent.operation import Caller, Request
from config.errors import ExitCode, RefusedError, UsageError
from config.home import find_home

ROOT = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
LAWYER = Caller(uid=1001, gid=1001, pid=1, user="lawyer", roles=frozenset({"legal"}))
WAITER = Caller(uid=1002, gid=1002, pid=1, user="waiter")


@pytest.fixture
def agent(tmp_path):
    home = find_home(tmp_path / "home")
    home.create()
    with opened(home) as agent:
        yield agent


def ask(caller=ROOT, **arguments):
    return Request(arguments=arguments, caller=caller)


def told(agent):
    """What head office hears of incidents, in order: id, phase and law's grade."""
    found = []
    for number, kind in agent.outbox.pending():
        if kind == "incident":
            (file,) = agent.home.outbox.glob(f"{number:016d}.incident")
            document = json.loads(file.read_bytes()[64:])["document"]
            found.append((document["id"], document["phase"], document["law_grade"]))
    return found


def test_head_office_hears_of_phases_grades_and_merging_at_once(agent):
    one, other = declare(agent, declaration(scope="alerts")), report(agent, declaration())
    before = len(told(agent))
    directing.grade(agent, ask(LAWYER, id=one.id, law="larger", reason="媒体已报道"))
    directing.advance(agent, ask(id=one.id, override="测试"))
    directing.merge(agent, ask(id=one.id, other="latest", reason="同一事件"))
    assert told(agent)[before:] == [
        (one.id, "responding", "larger"), (one.id, "cleaning", "larger"), (one.id, "cleaning", "larger"),
        (other.id, "closed", ""),
    ]  # fmt: skip


def test_what_is_unmet_is_named_and_nothing_is_changed_or_told(agent):
    incident = declare(agent, declaration(scope="alerts"))
    before = told(agent), agent.timelines.hashes(incident.id)
    with pytest.raises(RefusedError, match="技术调查还没有结论"):
        directing.advance(agent, ask(id=incident.id))
    assert (told(agent), agent.timelines.hashes(incident.id)) == before


def test_who_has_no_role_directs_nothing(agent):
    incident = declare(agent, declaration(scope="alerts"))
    for operation in (directing.order, directing.advance, directing.grade, directing.merge, directing.split,
                      directing.note, directing.verify, directing.orders):  # fmt: skip
        with pytest.raises(RefusedError):
            operation(agent, ask(WAITER, id=incident.id, other=incident.id, role="legal", minutes=5, what="x"))
    with pytest.raises(RefusedError):
        directing.ack(agent, ask(WAITER, order=f"{incident.id}/1", by="王测试"))


def test_a_printed_head_is_found_again_and_a_cut_or_changed_timeline_is_not_it(agent):
    incident = declare(agent, declaration(scope="alerts"))
    head = directing.verify(agent, ask(id=incident.id)).document["head"]
    printed = f"{head['seq']}:{head['hash'][:32]}"
    directing.note(agent, ask(id=incident.id, text="电话13800001111"))
    assert directing.verify(agent, ask(id=incident.id, head=printed)).exit_code == ExitCode.DONE
    assert "13800001111" not in agent.timelines.path(incident.id).read_text(encoding="utf-8")
    for wrong, said in ((f"{head['seq'] + 9}:{head['hash']}", "被截断"), (f"1:{head['hash']}", "不符")):
        answer = directing.verify(agent, ask(id=incident.id, head=wrong))
        assert answer.exit_code == ExitCode.FAILED
        assert said in answer.document["fault"]
    for nonsense in ("x", "1:ab", ":"):
        with pytest.raises(UsageError, match="--head"):
            directing.verify(agent, ask(id=incident.id, head=nonsense))


def test_bad_words_are_refused_by_their_option(agent):
    incident = declare(agent, declaration(scope="alerts"))
    for arguments, option in (
        ({"role": "cook", "what": "x", "minutes": 5}, "--role"),
        ({"role": "legal", "what": "x", "minutes": 0}, "--minutes"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=option):
            directing.order(agent, ask(id=incident.id, **arguments))
    with pytest.raises(UsageError, match="--to"):
        directing.advance(agent, ask(id=incident.id, to="heaven"))
    with pytest.raises(UsageError, match="--loss"):
        directing.grade(agent, ask(id=incident.id, loss_cny=-1, reason="x"))
    assert incidents(agent).get(incident.id).phase == "responding"
