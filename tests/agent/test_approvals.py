"""Two people mean two people: whose word counts, for what exactly, and what a single shop may do."""

import hashlib
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.approvals import answered, approve, require, standing, waiting
from agent.approvals.operations import give, list_waiting
from agent.approvals.rules import RULES
from agent.incident.declare import Declaration, report
from agent.incident.store import incidents
from agent.messages.records import Answer
from agent.operation import Caller, Request
from agent.wiring import build_agent
from config.errors import RefusedError, UsageError
from config.home import find_home
from config.schema import Person, Settings

PEOPLE = [
    {"name": "王测试", "roles": ["security_lead", "response_lead"], "user": "lead", "email": "lead@example.com"},
    {"name": "李样例", "roles": ["legal"], "user": "lawyer", "email": "law@example.com"},
    {"name": "周演示", "roles": ["security_member", "area_manager"], "user": "it"},
    {"name": "赵虚构", "roles": ["logistics"], "user": "driver"},
]
TEXT = hashlib.sha256(b"text").hexdigest()
OTHER = hashlib.sha256(b"another text").hexdigest()


@contextmanager
def opened(tmp_path, senders=None, **respond):
    home = find_home(tmp_path / "home")
    home.create()
    values = {"people": PEOPLE, "respond": respond, "senders": senders or {}}
    with build_agent(home, Settings.model_validate(values)) as agent:
        yield agent


def ask(agent, actor, digest=TEXT, act="notice", subject="notice:X"):
    return require(agent, act, subject, digest, "通知顾客", actor)


def asked_as(user, **arguments):
    return Request(arguments=arguments, caller=Caller(uid=1, gid=1, pid=1, user=user))


def test_one_person_is_not_two_however_often_and_by_whatever_way_the_word_comes(tmp_path):
    with opened(tmp_path) as agent:
        with pytest.raises(RefusedError, match=r"已有 1 人批准，需要 2 人.*李样例"):
            ask(agent, "lead")
        approve(agent, "notice:X", agent.people.named("王测试"), "code")
        with pytest.raises(RefusedError, match="已有 1 人"):
            ask(agent, "lead")
        approve(agent, "notice:X", agent.people.named("李样例"), "account")
        assert [word.person for word in ask(agent, "lead").given] == ["王测试", "李样例"]


def test_a_changed_text_needs_everybodys_word_again(tmp_path):
    with opened(tmp_path) as agent:
        for actor in ("lead", "lawyer"):
            try:
                ask(agent, actor)
            except RefusedError:
                continue
        assert standing(agent, "notice:X", TEXT).missing == ""
        assert standing(agent, "notice:X", OTHER) is None
        with pytest.raises(RefusedError, match="已有 1 人"):
            ask(agent, "lead", OTHER)


def test_root_is_no_person_and_a_role_without_a_say_has_none(tmp_path):
    with opened(tmp_path) as agent:
        with pytest.raises(RefusedError, match="已有 0 人"):
            ask(agent, "root")
        with pytest.raises(RefusedError, match="已有 0 人"):
            ask(agent, "driver")
        with pytest.raises(RefusedError, match="赵虚构 无权"):
            approve(agent, "notice:X", agent.people.named("赵虚构"), "account")
        with pytest.raises(RefusedError, match="root 不算一个人"):
            give(agent, asked_as("root", subject="notice:X"))
        with pytest.raises(UsageError, match="没有待批准"):
            give(agent, asked_as("lead", subject="purge:none"))


def test_a_purge_needs_somebody_who_is_not_from_it(tmp_path):
    with opened(tmp_path) as agent:
        with pytest.raises(RefusedError):
            ask(agent, "lead", act="purge", subject="purge:X")
        with pytest.raises(RefusedError, match=r"信息技术部以外.*李样例"):
            ask(agent, "it", act="purge", subject="purge:X")
        assert len(ask(agent, "lawyer", act="purge", subject="purge:X").given) == 3


def test_a_single_shop_says_why_there_is_no_second_and_that_stands_on_record(tmp_path):
    with opened(tmp_path, single_handed="只有店主一人") as agent:
        incident = report(agent, Declaration(kind="other", summary="x", discovered_at=datetime.now(UTC), by="x"))
        with pytest.raises(RefusedError):
            ask(agent, "root", subject=f"notice:{incident.id}")
        found = ask(agent, "lead", subject=f"notice:{incident.id}")
        assert len(found.given) == 1
        (step,) = [s for s in incidents(agent).get(incident.id).steps if s.act == "approval.single_handed"]
        assert step.details["reason_given"] == "只有店主一人"


def test_a_code_from_outside_counts_and_one_of_a_person_who_left_changes_nothing(tmp_path):
    with opened(tmp_path) as agent:
        with pytest.raises(RefusedError):
            ask(agent, "lead")
        gone = Answer(purpose="approval", about="notice:X", person="孙无人", how="code", at=agent.now())
        answered(agent, gone)
        assert standing(agent, "notice:X", TEXT).missing == "people"
        answered(agent, Answer(purpose="approval", about="notice:X", person="李样例", how="link", at=agent.now()))
        assert standing(agent, "notice:X", TEXT).missing == ""
        assert list(waiting(agent)) == []


def test_what_waits_is_listed_with_who_said_yes_already(tmp_path):
    with opened(tmp_path) as agent:
        with pytest.raises(RefusedError):
            ask(agent, "lead")
        root = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
        (item,) = list_waiting(agent, Request(arguments={}, caller=root)).document["waiting"]
        assert (item["subject"], item["missing"]) == ("notice:X", "people")
        assert [word["person"] for word in item["given"]] == ["王测试"]


names = st.sampled_from(["A", "B", "C"])
roles = st.sampled_from(["security_lead", "security_member", "legal", "store_manager", "logistics"])


@given(st.lists(st.tuples(names, roles), max_size=5))
def test_no_set_of_words_passes_with_fewer_than_two_names_or_with_it_alone(words):
    held = {}
    for name, role in words:
        held.setdefault(name, set()).add(role)
    people = [Person(name=name, roles=tuple(sorted(held[name]))) for name, _role in words]
    rule = RULES["purge"]
    counted = {person.name for person in people if rule.may(person)}
    outside = {
        person.name for person in people
        if rule.may(person) and not {"security_lead", "security_member"} & set(person.roles)
    }  # fmt: skip
    assert (rule.lacks(people, single_handed=False) == "") == (len(counted) >= 2 and bool(outside))


def test_a_code_for_one_version_approves_no_other(tmp_path):
    with opened(tmp_path, senders={"mode": "record"}) as agent:
        for digest in (TEXT, OTHER):
            with pytest.raises(RefusedError):
                ask(agent, "root", digest)
        codes = [one.code for one in agent.post.recorded if one.person == "李样例"]
        assert len(codes) == 2, "asked anew, though the words are the same"
        with pytest.raises(RefusedError):
            give(agent, asked_as("root", subject="notice:X", person="李样例", code=codes[0]))
        given_ = give(agent, asked_as("root", subject="notice:X", person="李样例", code=codes[1])).document["given"]
        assert [(word["person"], word["how"]) for word in given_] == [("李样例", "code")]
        about = f"notice:X#{TEXT[:16]}"
        answered(agent, Answer(purpose="approval", about=about, person="王测试", how="link", at=agent.now()))
        assert [word.person for word in standing(agent, "notice:X", OTHER).given] == ["李样例"]


def test_a_word_for_an_earlier_version_is_refused_by_account_too(tmp_path):
    with opened(tmp_path) as agent:
        for digest in (TEXT, OTHER):
            with pytest.raises(RefusedError):
                ask(agent, "lead", digest)
        with pytest.raises(RefusedError):
            give(agent, asked_as("lawyer", subject=f"notice:X#{TEXT[:16]}"))
        assert standing(agent, "notice:X", OTHER).missing == "people"
        give(agent, asked_as("lawyer", subject=f"notice:X#{OTHER[:16]}"))
        assert standing(agent, "notice:X", OTHER).missing == ""


def test_the_word_of_an_approver_who_left_no_longer_counts_and_others_are_asked(tmp_path):
    with opened(tmp_path) as agent, pytest.raises(RefusedError):
        ask(agent, "lead")
    with opened(tmp_path) as agent:
        approve(agent, "notice:X", agent.people.named("李样例"), "account")
        assert standing(agent, "notice:X", TEXT).missing == ""
    home = find_home(tmp_path / "home")
    left = [person for person in PEOPLE if person["name"] != "李样例"]
    with build_agent(home, Settings.model_validate({"people": left})) as agent:
        with pytest.raises(RefusedError, match="已有 1 人") as refused:
            ask(agent, "lead")
        assert "周演示" in str(refused.value)
        assert len(ask(agent, "it").given) == 3
