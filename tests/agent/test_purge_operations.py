"""A purge from the request to the certificate: two people, a day, a veto, the lawyer's word, and what is left."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import premises
import pytest
from premises import NOW, PLANTED
from shops import Clock, inventoried

from agent import quarantining
from agent.approvals import approve
from agent.incident.declare import Declaration, declare
from agent.incident.store import incidents
from agent.keeper import DUTIES
from agent.operation import Caller, Request
from agent.purge import carrying, certificate, operations
from agent.purge.carrying import CRIMES, look_after
from agent.purge.records import Hold
from agent.purge.store import Purges
from agent.wiring import Agent, build_agent
from config.errors import ClocheError, ExitCode, RefusedError, UsageError
from config.home import Home
from config.identity import Identity, make_identity
from config.schema import Settings
from config.text import LANGUAGES, Text, load_packs
from containment import vault as vault_room
from containment.keys import OuterKey, Unlocker
from containment.sealed import unseal

DAY = timedelta(hours=24)
OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
LEAD = Caller(uid=1001, gid=1001, pid=1, user="lead", roles=frozenset({"security_lead"}))
WAITER = Caller(uid=1000, gid=1000, pid=1, user="waiter")
MANAGER = Caller(uid=1002, gid=1002, pid=1, user="manager", roles=frozenset({"store_manager"}))
PEOPLE = [
    {"name": "王测试", "roles": ["security_lead"], "user": "lead"},
    {"name": "李样例", "roles": ["security_deputy", "tech_support"], "user": "deputy"},
    {"name": "赵样例", "roles": ["store_manager"], "user": "manager"},
    {"name": "钱测试", "roles": ["legal"], "user": "lawyer"},
]

no_reports = premises.no_reports
clock = premises.clock
home = premises.home
share = premises.share


@pytest.fixture(autouse=True)
def certificates_without_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate is written without PDF."""
    real = certificate.write_versions
    monkeypatch.setattr(certificate, "write_versions", lambda *given: real(*given, formats=("html", "docx")))


@pytest.fixture
def identity() -> Identity:
    return make_identity("recovery")


def opened(home: Home, clock: Clock, **settings: object):
    values = {"people": PEOPLE, "store": {"name": "样例门店"}, "check": {"packages_seconds": 0}, **settings}
    return build_agent(home, Settings.model_validate(values), now=clock)


@pytest.fixture
def agent(home: Home, clock: Clock, share: Path, identity: Identity) -> Iterator[Agent]:
    with opened(home, clock) as built:
        built.keyring.adopt(identity.public)
        inventoried(built, share)
        yield built


def declared(agent: Agent, share: Path, kind: str = "staff_mistake") -> str:
    words = Declaration(
        kind=kind, summary="演练", discovered_at=agent.now(), by="测试甲", paths=(os.fsencode(share),)
    )  # fmt: skip
    return declare(agent, words).id


def ask(agent: Agent, what: str = "purge", caller: Caller = OWNER, **arguments: object):
    values = {"reason": "散落的导出文件", **arguments}
    return getattr(operations, what)(agent, Request(arguments=values, caller=caller))


def approved(agent: Agent, *names: str) -> None:
    """These people approve the newest purge, and the lawyer what is the lawyer's."""
    (purge, *_older) = Purges(agent).all("asked")
    for name in names:
        person = agent.people.named(name)
        assert person is not None
        approve(agent, purge.subject, person, "account")
    look_after(agent, agent.now())


def test_two_people_and_a_day_later_it_is_destroyed_with_a_certificate_and_nothing_opens_it(
    agent, home, share, clock, identity, tmp_path
):
    incident = declared(agent, share)
    before = {entry.id: entry for entry in agent.quarantine.entries("vaulted")}
    backup = tmp_path / "backup"
    shutil.copytree(home.vault, backup)
    with pytest.raises(RefusedError, match="赵样例"):
        ask(agent, caller=LEAD, all=True)
    (purge,) = Purges(agent).all()
    assert (purge.state, len(purge.items)) == ("asked", 3)
    approved(agent, "赵样例")
    answer = ask(agent, caller=LEAD, purge=purge.id)
    assert (answer.exit_code, answer.document["state"]) == (ExitCode.INCOMPLETE, "waiting")
    clock.now += DAY - timedelta(minutes=1)
    look_after(agent, clock.now)
    assert len(agent.quarantine.entries("vaulted")) == 3, "not a minute early"
    clock.now += timedelta(minutes=1)
    look_after(agent, clock.now)
    done = Purges(agent).get(purge.id)
    assert done.state == "done"
    assert agent.quarantine.entries("fenced", "vaulted") == []
    assert not list(home.vault.iterdir())
    assert done.outcome["keys"] == [incident]
    for entry in before.values():
        descriptor = os.open(backup / f"{entry.id}.cloche", os.O_RDONLY)
        for outer in (agent.quarantine.keys.find(incident), OuterKey(key_id=incident, key=bytes(32))):
            with pytest.raises(RefusedError):
                unseal(descriptor, None, Unlocker([identity]), outer)
        os.close(descriptor)
    known = incidents(agent).get(incident)
    assert {item.state for item in known.items} == {"purged"}
    acts = [step.act for step in known.steps if step.act.startswith("purge")]
    assert acts == ["purge.asked", "purge.approved", "purge.done"]
    assert agent.inventory.item_at(os.fsencode(share / "会员.csv")).state == "gone"
    papers = [Path(path) for path in done.outcome["papers"]]
    assert {path.suffix for path in papers} >= {".html", ".docx"}
    chinese = next(path for path in papers if path.name.endswith("zh-CN.html")).read_text(encoding="utf-8")
    english = next(path for path in papers if path.name.endswith("en.html")).read_text(encoding="utf-8")
    for entry in before.values():
        assert entry.digest in chinese
        assert entry.digest in english
        assert entry.sha256 not in chinese, "a list of numbers can be guessed from its digest"
    assert "王测试" in chinese
    assert "赵样例" in chinese
    assert "Backups and snapshots" in english
    for text in (chinese, english, home.audit_log.read_text(encoding="utf-8")):
        assert PLANTED not in text


def test_two_people_from_it_are_not_enough_and_neither_is_one_person_twice(agent, share, clock):
    declared(agent, share)
    with pytest.raises(RefusedError):
        ask(agent, caller=LEAD, all=True)
    approved(agent, "王测试", "王测试")
    assert Purges(agent).all()[0].state == "asked"
    approved(agent, "李样例")
    assert Purges(agent).all()[0].state == "asked"
    clock.now += DAY * 3
    look_after(agent, clock.now)
    assert len(agent.quarantine.entries("vaulted")) == 3
    approved(agent, "钱测试")
    assert Purges(agent).all()[0].state == "waiting"


def test_root_that_is_nobody_in_the_settings_approves_nothing(agent, share):
    declared(agent, share)
    with pytest.raises(RefusedError):
        ask(agent, all=True)
    with pytest.raises(RefusedError):
        ask(agent, all=True)
    assert len(Purges(agent).all()) == 1, "asked for twice, it is one request"
    assert Purges(agent).all()[0].state == "asked"


def test_anybody_with_a_role_vetoes_and_nothing_is_destroyed(agent, share, clock):
    incident = declared(agent, share)
    with pytest.raises(RefusedError):
        ask(agent, caller=LEAD, all=True)
    approved(agent, "赵样例")
    with pytest.raises(RefusedError):
        ask(agent, "veto", WAITER)
    answer = ask(agent, "veto", MANAGER, reason=f"顾客 {PLANTED} 还要用")
    assert answer.document["state"] == "cancelled"
    clock.now += DAY * 2
    look_after(agent, clock.now)
    assert len(agent.quarantine.entries("vaulted")) == 3
    with pytest.raises(UsageError):
        ask(agent, "veto", MANAGER)
    with pytest.raises(RefusedError):
        carrying.carry_out(agent, Purges(agent).all()[0], "root")
    (step,) = [step for step in incidents(agent).get(incident).steps if step.act == "purge.cancelled"]
    assert PLANTED not in step.details["why"]
    with pytest.raises(RefusedError):
        ask(agent, caller=LEAD, all=True, reason="再次申请")
    assert [purge.state for purge in Purges(agent).all()] == ["asked", "cancelled"]


def test_a_single_handed_shop_purges_by_one_persons_word_which_the_certificate_says(home, share, clock, identity):
    people = [{"name": "赵样例", "roles": ["store_manager"], "user": "manager"}]
    with opened(home, clock, people=people, respond={"single_handed": "店里只有一个人"}) as agent:
        agent.keyring.adopt(identity.public)
        inventoried(agent, share)
        declared(agent, share)
        assert ask(agent, caller=MANAGER, all=True).document["state"] == "waiting"
        clock.now += DAY
        answer = ask(agent, caller=MANAGER, purge=Purges(agent).all()[0].id)
        assert (answer.exit_code, answer.document["destroyed"]) == (ExitCode.DONE, 3)
        paper = next(path for path in answer.document["papers"] if path.endswith("zh-CN.html"))
        assert "店里只有一个人" in Path(paper).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", sorted(CRIMES))
def test_what_the_police_may_need_goes_on_the_lawyers_word_alone(agent, share, clock, kind):
    declared(agent, share, kind)
    with pytest.raises(RefusedError, match="法务"):
        ask(agent, caller=LEAD, all=True)
    assert Purges(agent).all() == []
    with pytest.raises(UsageError, match="statement"):
        ask(agent, caller=LEAD, all=True, originals=True)
    with pytest.raises(RefusedError, match="钱测试"):
        ask(agent, caller=LEAD, all=True, originals=True, statement="公安机关已书面答复不需要")
    approved(agent, "赵样例")
    assert Purges(agent).all()[0].state == "asked", "two people are not the lawyer"
    (purge,) = Purges(agent).all()
    approve(agent, purge.originals_subject, agent.people.named("钱测试"), "account")
    look_after(agent, clock.now)
    clock.now += DAY
    look_after(agent, clock.now)
    done = Purges(agent).get(purge.id)
    assert (done.state, len(done.outcome["destroyed"])) == ("done", 3)


def test_a_live_database_and_what_was_decided_to_be_evidence_are_the_lawyers(agent, share, home):
    incident = declared(agent, share)
    entries = agent.quarantine.entries("vaulted")
    assert carrying.Holds(agent).of(entries[0]) is None
    assert carrying.Holds(agent).of(replace(entries[0], forced=True)) == "original"
    from agent.cleaning.models import DecisionRow

    with agent.inventory.sessions.begin() as session:
        session.add(DecisionRow(incident=incident, path=entries[1].path, decision="evidence", by="x", at=NOW,
                                reason="x", done_at=None, proof="{}"))  # fmt: skip
    assert carrying.Holds(agent).of(entries[1]) == "evidence"
    with pytest.raises(RefusedError):
        ask(agent, caller=LEAD, ids=[entries[1].id])


def test_what_became_evidence_while_it_waited_stays_and_what_was_given_back_is_named(agent, share, clock):
    incident = declared(agent, share)
    with pytest.raises(RefusedError):
        ask(agent, caller=LEAD, all=True)
    approved(agent, "赵样例")
    first, second, third = agent.quarantine.entries("vaulted")
    from agent.cleaning.models import DecisionRow

    with agent.inventory.sessions.begin() as session:
        session.add(DecisionRow(incident=incident, path=first.path, decision="evidence", by="x", at=NOW, reason="x",
                                done_at=None, proof="{}"))  # fmt: skip
    quarantining.release(agent, Request(arguments={"ids": [second.id]}, caller=OWNER))
    clock.now += DAY
    look_after(agent, clock.now)
    (done,) = Purges(agent).all()
    assert done.outcome["left"] == {first.id: "held", second.id: "released"}
    assert done.outcome["destroyed"] == [third.id]
    assert done.outcome["keys"] == [], "the evidence still needs the key"
    assert Path(os.fsdecode(second.path)).exists()
    assert agent.quarantine.find(first.id)[0].state == "vaulted"
    paper = next(path for path in done.outcome["papers"] if path.endswith("en.html"))
    assert "its key is destroyed with the last of them" in Path(paper).read_text(encoding="utf-8")


def test_only_what_lies_in_the_vault_is_destroyed(agent, share):
    with pytest.raises(UsageError):
        ask(agent, caller=LEAD, all=True)
    with pytest.raises(UsageError):
        ask(agent, caller=LEAD, paths=[str(share / "会员.csv")])
    declared(agent, share)
    with pytest.raises(RefusedError):
        ask(agent, caller=WAITER, all=True)


@pytest.mark.parametrize("where", ["blind", "destroy", "discard", "sync"])
def test_a_cut_in_the_middle_is_finished_after_a_restart_with_one_certificate(
    home, share, clock, identity, monkeypatch, where
):
    class CutError(BaseException):
        """The power goes."""

    with opened(home, clock) as agent:
        agent.keyring.adopt(identity.public)
        inventoried(agent, share)
        incident = declared(agent, share)
        with pytest.raises(RefusedError):
            ask(agent, caller=LEAD, all=True)
        approved(agent, "赵样例")
        clock.now += DAY
        room = vault_room.IncidentKeys if where == "destroy" else vault_room.Vault

        def cut(*_arguments: object) -> None:
            raise CutError

        with monkeypatch.context() as patch:
            patch.setattr(room, where, cut)
            with pytest.raises(CutError):
                look_after(agent, clock.now)
        assert Purges(agent).all()[0].state == "carrying"
    with opened(home, clock) as agent:
        look_after(agent, clock.now)
        look_after(agent, clock.now)
        (done,) = Purges(agent).all()
        assert (done.state, len(done.outcome["destroyed"]), done.outcome["left"]) == ("done", 3, {})
        assert done.outcome["keys"] == [incident]
        assert not list(home.vault.iterdir())
        assert agent.quarantine.keys.find(incident) is None
        steps = [step.act for step in incidents(agent).get(incident).steps]
        assert steps.count("purge.done") == 1
        assert not list((home.documents / incident).glob("*P2026*-02.*"))


def test_a_failing_disk_is_told_and_tried_again(agent, share, clock, monkeypatch):
    incident = declared(agent, share)
    with pytest.raises(RefusedError):
        ask(agent, caller=LEAD, all=True)
    approved(agent, "赵样例")
    clock.now += DAY

    def failing(*_arguments: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(vault_room.Vault, "blind", failing)
        look_after(agent, clock.now)
    assert Purges(agent).all()[0].state == "carrying"
    look_after(agent, clock.now)
    assert Purges(agent).all()[0].state == "done"
    steps = [step.act for step in incidents(agent).get(incident).steps if step.act.startswith("purge")]
    assert steps[-2:] == ["purge.failed", "purge.done"]


def test_what_was_quarantined_by_hand_is_purged_and_certified_without_an_incident(agent, share, clock, home):
    quarantining.add(agent, Request(arguments={"paths": [str(share)]}, caller=OWNER))
    with pytest.raises(RefusedError):
        ask(agent, caller=LEAD, all=True)
    approved(agent, "赵样例")
    clock.now += DAY
    look_after(agent, clock.now)
    assert Purges(agent).all()[0].state == "done"
    assert list((home.documents / "purge").glob("*.zh-CN.html"))
    acts = [json.loads(line)["act"] for line in home.audit_log.read_bytes().splitlines()]
    assert [act for act in acts if act.startswith("purge")] == ["purge.asked", "purge.approved", "purge.done"]


def test_the_keeper_carries_out_what_is_due():
    assert "agent.purge.carrying:look_after" in DUTIES


def test_every_state_cause_and_hold_has_words_in_both_languages():
    packs = load_packs()
    for state in ("asked", "waiting", "carrying", "done", "cancelled"):
        assert f"purge.state_{state}" in packs
    for why in (
        "released",
        "vanished",
        "changed",
        "held",
        "io_error",
        "no_space",
        "permission",
        "in_use",
        "not_vaulted",
    ):
        assert f"purge.left_{why}" in packs
    for hold in Hold.__args__:
        assert f"purge.hold_{hold}" in packs
    for language in LANGUAGES:
        text = Text(language)
        values = {"actor": "x", "files": 1, "purge": "P", "why": "y", "hours": 24}
        for act in ("asked", "approved", "cancelled", "done", "failed"):
            assert text(f"purge.act_{act}", **values)


def test_an_answer_with_an_unknown_id_names_it(agent):
    with pytest.raises(ClocheError, match="P20990101-bkrt"):
        ask(agent, caller=LEAD, purge="P20990101-bkrt")
