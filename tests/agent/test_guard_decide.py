"""The guard's arithmetic, without a kernel."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.guard.decide import BLOCK_NS, MOST_BLOCKED, Decider, Policy, Response, Subject, Target, Verdict

SECOND = 1_000_000_000
BACKUP = (7, 1)
TILL = (7, 2)
SMBD = (7, 3)
STOP = Policy(max_files=5, max_persons=500, response="stop", decoy_response="stop")


def process(session: str = "s1", uid: int = 1001, **facts: object) -> Subject:
    known: dict[str, object] = {
        "pid": 100, "started": 1, "program": b"/usr/bin/cat", "program_id": (1, 1), "root_owned": True,
    }  # fmt: skip
    return Subject(session=session, uid=uid, **(known | facts))  # type: ignore[arg-type]


def file(number: int, persons: int = 3, **facts: bool) -> Target:
    return Target(key=f"k{number}", persons=persons, **facts)


def read_all(decider: Decider, subject: Subject, files: range, persons: int = 3) -> list[Verdict]:
    return [decider.decide(subject, file(n, persons), n * 1000, exempt=False) for n in files]


def test_the_sixth_distinct_file_is_refused_and_the_process_stopped():
    verdicts = read_all(Decider(STOP), process(), range(8))
    assert [verdict.allow for verdict in verdicts] == [True] * 5 + [False] * 3
    assert verdicts[5].stop
    assert verdicts[5].broken is not None
    assert verdicts[5].broken.keys == ("k0", "k1", "k2", "k3", "k4")
    assert verdicts[5].broken.persons == 15


def test_the_same_files_again_and_again_cross_nothing():
    decider = Decider(STOP)
    for _ in range(10):
        assert all(verdict.allow for verdict in read_all(decider, process(), range(5)))


@pytest.mark.parametrize(
    ("persons", "allowed"),
    [((500,), [True]), ((501,), [False]), ((300, 200, 1), [True, True, False]), ((-1, 500), [True, True])],
)
def test_the_sum_of_persons_is_bounded_and_one_big_file_is_refused_at_once(
    persons: tuple[int, ...], allowed: list[bool]
):
    decider = Decider(STOP)
    verdicts = [decider.decide(process(), file(n, p), n, exempt=False) for n, p in enumerate(persons)]
    assert [verdict.allow for verdict in verdicts] == allowed


def test_alert_refuses_nothing_and_tells_once_a_window():
    decider = Decider(dataclasses.replace(STOP, response="alert"))
    verdicts = read_all(decider, process(), range(20))
    assert all(verdict.allow and not verdict.stop for verdict in verdicts)
    assert [n for n, verdict in enumerate(verdicts) if verdict.broken] == [5]


def test_a_new_session_of_the_same_user_gets_nothing_more():
    decider = Decider(STOP)
    read_all(decider, process("s1"), range(5))
    verdict = decider.decide(process("s2"), file(9), 9000, exempt=False)
    assert not verdict.allow
    assert verdict.broken is not None
    assert verdict.broken.subject == "user"


def test_another_uid_in_the_same_session_gets_nothing_more():
    decider = Decider(STOP)
    read_all(decider, process("s1", uid=1001), range(5))
    assert not decider.decide(process("s1", uid=1002), file(9), 9000, exempt=False).allow


def test_another_user_in_another_session_is_not_held_to_account():
    decider = Decider(STOP)
    read_all(decider, process("s1", uid=1001), range(8))
    assert decider.decide(process("s2", uid=1002), file(0), 9000, exempt=False).allow


def test_a_blocked_session_gets_not_even_what_it_had():
    decider = Decider(STOP)
    read_all(decider, process(), range(6))
    verdict = decider.decide(process(), file(0), 9000, exempt=False)
    assert (verdict.allow, verdict.reason, verdict.stop) == (False, "blocked", True)


def test_a_pardoned_session_starts_anew():
    decider = Decider(STOP)
    read_all(decider, process(), range(6))
    decider.pardon("s1")
    assert [verdict.allow for verdict in read_all(decider, process(), range(5))] == [True] * 5


def test_what_is_older_than_the_window_counts_no_more():
    decider = Decider(STOP)
    for number in range(20):
        assert decider.decide(process(), file(number), number * 150 * SECOND, exempt=False).allow


@pytest.mark.parametrize("response", ["alert", "stop", "declare"])
def test_root_is_counted_like_anybody(response: Response):
    verdicts = read_all(Decider(dataclasses.replace(STOP, response=response)), process(uid=0), range(6))
    assert verdicts[5].broken is not None
    assert verdicts[5].allow == (response == "alert")


def test_a_decoy_is_refused_at_the_first_touch():
    verdict = Decider(STOP).decide(process(), file(1, decoy=True), 1, exempt=False)
    assert (verdict.allow, verdict.stop) == (False, True)
    assert verdict.broken is not None
    assert verdict.broken.rule == "decoy"


def test_a_decoy_under_alert_is_told_once_and_allowed():
    decider = Decider(Policy())
    verdicts = [decider.decide(process(), file(1, decoy=True), n, exempt=False) for n in range(3)]
    assert [bool(verdict.broken) for verdict in verdicts] == [True, False, False]
    assert all(verdict.allow for verdict in verdicts)


def test_a_denied_file_is_for_exempt_processes_only():
    decider = Decider(dataclasses.replace(STOP, programs={TILL: "protected"}))
    decider.denied.add("k1")
    assert not decider.decide(process(), file(1), 1, exempt=False).allow
    assert not decider.decide(process(program_id=TILL), file(1), 1, exempt=False).allow
    assert decider.decide(process(), file(1), 1, exempt=True).allow


@pytest.mark.parametrize(
    ("facts", "uid", "unbounded"),
    [
        ({"program_id": TILL}, 1001, True),
        ({"program_id": TILL, "root_owned": False}, 1001, False),
        ({"program_id": BACKUP}, 0, True),
        ({"program_id": BACKUP}, 34, True),
        ({"program_id": BACKUP}, 1001, False),
        ({"program": b"/usr/bin/backup"}, 0, False),
    ],
    ids=[
        "the till", "somebody's copy of the till", "a backup by root", "a backup by its account",
        "a person running the backup tool", "a program of the same name",
    ],
)  # fmt: skip
def test_only_the_named_executables_of_root_are_unbounded(facts: dict[str, object], uid: int, unbounded: bool):
    decider = Decider(dataclasses.replace(STOP, programs={TILL: "protected", BACKUP: "exempt"}))
    verdicts = read_all(decider, process(uid=uid, **facts), range(8))
    assert all(verdict.allow for verdict in verdicts) == unbounded


@pytest.mark.parametrize("facts", [{"program_id": SMBD}, {"program": b"/opt/db/postgres"}])
def test_a_shared_server_is_refused_and_never_stopped(facts: dict[str, object]):
    policy = dataclasses.replace(STOP, programs={SMBD: "samba"}, shared_names=frozenset({b"postgres"}))
    verdicts = read_all(Decider(policy), process(**facts), range(8))
    assert not verdicts[5].allow
    assert not any(verdict.stop for verdict in verdicts)


def test_a_program_that_only_calls_itself_postgres_is_stopped():
    policy = dataclasses.replace(STOP, shared_names=frozenset({b"postgres"}))
    thief = process(program=b"/tmp/postgres", root_owned=False)
    assert read_all(Decider(policy), thief, range(6))[5].stop


def test_a_till_of_the_settings_that_is_not_roots_is_bounded_and_never_frozen():
    policy = dataclasses.replace(STOP, programs={TILL: "protected"})
    verdicts = read_all(Decider(policy), process(program_id=TILL, root_owned=False), range(7))
    assert [verdict.allow for verdict in verdicts] == [True] * 5 + [False] * 2
    assert not any(verdict.stop for verdict in verdicts)


def test_of_too_many_blocked_sessions_the_oldest_is_forgotten_and_its_account_still_refused():
    decider = Decider(STOP)
    read_all(decider, process("first"), range(6))
    for number in range(MOST_BLOCKED):
        decider.decide(process(f"s{number}"), file(100 + number), 9000 + number, exempt=False)
    assert len(decider.blocked) == MOST_BLOCKED
    assert "first" not in decider.blocked
    assert not decider.decide(process("first"), file(99), 99_000, exempt=False).allow


def test_one_samba_client_does_not_use_up_the_bound_of_another():
    decider = Decider(dataclasses.replace(STOP, programs={SMBD: "samba"}))
    read_all(decider, process("smbd:1:1", uid=65534, program_id=SMBD), range(8))
    assert decider.decide(process("smbd:2:2", uid=65534, program_id=SMBD), file(0), 9000, exempt=False).allow


def test_counts_that_ended_cost_no_memory_and_blocks_last_a_day():
    decider = Decider(STOP)
    read_all(decider, process(), range(8))
    decider.tidy(700 * SECOND)
    assert (decider.sessions, decider.users) == ({}, {})
    assert "s1" in decider.blocked
    decider.tidy(2 * BLOCK_NS)
    assert decider.blocked == {}


OPENS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from([1, 2]), st.integers(0, 12), st.integers(0, 400)), max_size=60
)


@given(OPENS)
def test_whatever_is_tried_nobody_gets_more_than_the_bound_in_a_window(opens: list[tuple[str, int, int, int]]):
    policy = Policy(max_files=3, max_persons=100, window_ns=100, response="stop")
    decider = Decider(policy)
    sizes = {number: number * 9 for number in range(13)}
    got: list[tuple[int, str, int, int]] = []
    now = 0
    for session, uid, number, pause in opens:
        now += pause
        verdict = decider.decide(process(session, uid), file(number, sizes[number]), now, exempt=False)
        if verdict.allow:
            got.append((now, session, uid, number))
        for place in (1, 2):
            for who in {entry[place] for entry in got}:
                had = {entry[3] for entry in got if entry[place] == who and entry[0] >= now - policy.window_ns}
                assert len(had) <= policy.max_files
                assert sum(sizes[entry] for entry in had) <= policy.max_persons
