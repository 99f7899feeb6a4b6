"""Roles and contacts, and what a person says: it counts for a time, is masked, and is nobody else's word."""

from __future__ import annotations

from datetime import timedelta

import pytest
from assess_shop import PLANTED, a_home, call, looked, opened, result_of, words  # noqa: F401
from shops import NOW

from agent.assess.store import AssessmentStore, Attestation
from agent.operation import Caller
from config.errors import RefusedError, UsageError


def test_roles_contacts_and_substitutes_are_told_by_name(home, tmp_path):
    alone = [{"name": "王测试", "roles": ["security_lead"]}]
    with opened(home, people=alone) as agent:
        look = looked(agent, tmp_path)
        assert "法务部负责人" in words(result_of(look, "roles"))
        assert "王测试" in words(result_of(look, "contacts"))
        assert result_of(look, "substitutes").state == "bad"
        assert result_of(look, "second_person").state == "bad"
    with opened(home, people=alone, respond={"single_handed": "小店只有一人"}) as agent:
        assert result_of(looked(agent, tmp_path), "second_person").state == "partial"
    with opened(home) as agent:
        assert result_of(looked(agent, tmp_path), "second_person").state == "good"
        assert result_of(looked(agent, tmp_path), "contacts").state == "partial"
        call(agent, "assess.attest", subject="contacts", by="李样例")
        assert result_of(looked(agent, tmp_path), "contacts").state == "good"
        later = looked(agent, tmp_path, now=NOW + timedelta(days=40))
        assert result_of(later, "contacts").state == "partial"


def test_a_restore_counts_once_a_person_says_so_and_no_longer_when_it_is_long_ago(home, tmp_path):
    with opened(home) as agent:
        assert result_of(looked(agent, tmp_path), "restore_test").state == "unknown"
        call(agent, "assess.attest", subject="restore", by="王测试", note="恢复了会员库")
        assert result_of(looked(agent, tmp_path), "restore_test").state == "good"
        assert result_of(looked(agent, tmp_path, now=NOW + timedelta(days=200)), "restore_test").state == "bad"
        call(agent, "assess.attest", subject="restore", by="王测试", failed=True)
        assert result_of(looked(agent, tmp_path), "restore_test").state == "bad"


def test_a_word_is_masked_bounded_and_nobody_elses_than_a_persons_of_the_settings(home):
    with opened(home) as agent:
        answer = call(agent, "assess.attest", subject="backup", note=f"问了顾客 {PLANTED}")
        note = next(one["note"] for one in answer["attestations"] if one["subject"] == "backup")
        assert PLANTED not in note
        for wrong in ({"subject": "wishes"}, {"subject": "backup", "by": "没有的人"},
                      {"subject": "backup", "note": "x" * 401}, {"subject": "backup", "at": "2999-01-01"}):  # fmt: skip
            with pytest.raises(UsageError):
                call(agent, "assess.attest", **wrong)
        nobody = Caller(uid=1000, gid=1000, pid=1, user="x")
        with pytest.raises(RefusedError):
            call(agent, "assess.attest", nobody, subject="backup")
        with pytest.raises(RefusedError):
            call(agent, "assess.run", nobody)


def test_attestations_come_back_as_they_were_given(home):
    with opened(home) as agent:
        store = AssessmentStore(agent.inventory.sessions)
        word = Attestation(subject="backup", at=NOW, recorded_at=NOW, by="王测试", ok=True, note="")
        store.attest(word)
        assert store.attestations("backup") == [word]
