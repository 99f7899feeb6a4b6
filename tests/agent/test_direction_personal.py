"""Words and work of people who sit at head office: once a person, for one version, with their roles at this store."""

import json

import pytest
from order_shop import SigningOffice, deliver, restart, standing
from shops import inventoried, opened

from agent.approvals import require
from agent.approvals import standing as approval
from agent.approvals.approving import approve as give_word
from agent.direction.models import OrderRow
from agent.incident.duties import drafts_of, facts_of
from agent.incident.orders import Wanted, find_order, give_order
from agent.incident.store import incidents
from agent.purge.carrying import approve_or_ask, ask
from agent.reports.drafting import keep_drafts
from config.errors import RefusedError, UsageError
from config.home import find_home
from config.orders import APPROVED_BY_ORDER, read_params

CASE = "c-20261126-abcdef"
DIGEST, OTHER = "a1" * 32, "b2" * 32
PEOPLE = [
    {"name": "测试法务", "roles": ["legal"]},
    {"name": "测试组长", "roles": ["security_lead"]},
    {"name": "测试司机", "roles": ["logistics"]},
]


@pytest.fixture
def office():
    return SigningOffice()


@pytest.fixture
def agent(tmp_path, office):
    folder = tmp_path / "srv"
    folder.mkdir()
    for number in range(2):
        (folder / f"会员{number}.csv").write_text("姓名,电话\n测试甲,13800138000\n" * 20)
    home = find_home(tmp_path / "store")
    home.create()
    with opened(home, settings={"scan": {"roots": [str(folder)]}}) as made:
        office.pin(made)
        inventoried(made, folder)
        pushed = deliver(made, office, office.order("people", {"version": 2, "people": PEOPLE}))
        assert pushed.state == "done", pushed.reason
        declared = {"kind": "staff_mistake", "summary": "测试", "scope": "strays"}
        assert deliver(made, office, office.order("declare", declared, case=CASE)).state == "done"
        yield made


@pytest.fixture
def incident(agent):
    (found,) = incidents(agent).all()
    return found.id


def by(agent, office, name, kind, params, *officers, **changes):
    """An order that this person gives at head office."""
    body = office.order(kind, params, by={"person": "p-9", "name": name}, **changes)
    return deliver(agent, office, body, *officers)


def answer_of(row):
    return json.loads(row.answer)


def wanted(agent, act, what, incident, digest=DIGEST):
    """Somebody at the store asks for words."""
    with pytest.raises(RefusedError):
        require(agent, act, f"{what}:{incident}", digest, "请批准（测试）", "root")
    return f"{what}:{incident}"


def given(agent, subject, digest=DIGEST):
    return [(word.person, word.how) for word in approval(agent, subject, digest).given]


def test_a_word_from_head_office_counts_as_its_persons_and_stands_on_record(agent, office, incident):
    subject = wanted(agent, "report", "final", incident)
    row = by(agent, office, "测试法务", "approve", {"incident": incident, "approval": subject, "digest": DIGEST})
    assert row.state == "done", row.reason
    assert answer_of(row) == {"incident": incident, "approval": subject, "given": 1, "missing": ""}
    assert given(agent, subject) == [("测试法务", "order")]
    require(agent, "report", subject, DIGEST, "请批准（测试）", "root")  # enough: nothing is raised
    (step,) = [step for step in incidents(agent).get(incident).steps if step.act == "approval.given"]
    assert (step.actor, step.details["how"], step.details["digest"]) == ("测试法务", "order", DIGEST[:16])
    assert row.id in agent.home.audit_log.read_text()


def test_the_incident_may_be_the_one_of_the_case(agent, office, incident):
    subject = wanted(agent, "report", "final", incident)
    row = by(agent, office, "测试法务", "approve", {"approval": subject, "digest": DIGEST}, case=CASE)
    assert row.state == "done", row.reason


def test_one_person_is_not_two_however_many_orders_they_give(agent, office, incident):
    subject = wanted(agent, "notice", "notice", incident)
    params = {"incident": incident, "approval": subject, "digest": DIGEST}
    first = by(agent, office, "测试法务", "approve", params)
    again = by(agent, office, "测试法务", "approve", params)
    assert (first.state, again.state) == ("done", "done")
    assert answer_of(again)["already"]
    give_word(agent, subject, agent.people.named("测试法务"), "code")
    assert len(given(agent, subject)) == 1
    assert answer_of(again)["missing"] == "people"
    by(agent, office, "测试组长", "approve", params)
    assert approval(agent, subject, DIGEST).missing == ""


def test_whom_the_store_does_not_know_or_whose_role_does_not_fit_gives_no_word(agent, office, incident):
    subject = wanted(agent, "report", "final", incident)
    params = {"incident": incident, "approval": subject, "digest": DIGEST}
    for name, says in (("测试外人", "测试外人"), ("测试法务 ", "名单"), ("测试司机", "无权")):
        row = by(agent, office, name, "approve", params)
        assert row.state == "refused"
        assert says in row.reason
    assert given(agent, subject) == []


def test_an_order_that_head_office_did_not_sign_is_nobodys_word(agent, office, incident):
    subject = wanted(agent, "report", "final", incident)
    params = {"incident": incident, "approval": subject, "digest": DIGEST}
    body = office.order("approve", params, by={"person": "p-9", "name": "测试法务"})
    forger = SigningOffice()
    assert deliver(agent, office, body, signatures=forger.signatures(body)) is None
    signed = office.signatures(body)
    changed = body.replace("测试法务", "测试组长")
    assert deliver(agent, office, changed, signatures=signed) is None
    assert given(agent, subject) == []


def test_a_word_for_an_earlier_version_or_for_one_that_never_was_is_refused(agent, office, incident):
    subject = wanted(agent, "report", "final", incident)
    wanted(agent, "report", "final", incident, OTHER)
    for digest in (DIGEST, "c3" * 32):
        row = by(agent, office, "测试法务", "approve", {"incident": incident, "approval": subject, "digest": digest})
        assert row.state == "refused"
        assert "已经改变" in row.reason
    assert given(agent, subject, OTHER) == []
    with pytest.raises(UsageError, match="digest"):
        read_params("approve", {"incident": incident, "approval": subject, "digest": OTHER[:16]})


def test_a_word_about_another_incident_is_refused(agent, office, incident):
    wanted(agent, "report", "final", "I20200101-none")
    params = {"incident": incident, "approval": "final:I20200101-none", "digest": DIGEST}
    assert by(agent, office, "测试法务", "approve", params).state == "refused"


def test_a_purge_is_never_approved_by_an_order_not_even_with_officers_signatures(agent, office, incident):
    purge = ask(
        agent, list(agent.quarantine.entries("vaulted")), "x", reason="测试副本", originals=True, statement="测试说明"
    )
    with pytest.raises(RefusedError):
        approve_or_ask(agent, purge, "x")
    for subject in (purge.subject, purge.originals_subject):
        wanted(agent, "originals" if subject.startswith("originals") else "purge", subject.split(":")[0], incident)
        params = {"incident": incident, "approval": subject, "digest": DIGEST}
        for name in ("测试法务", "测试组长"):
            row = by(agent, office, name, "approve", params, "p-1", "p-2")
            assert row.state == "refused"
            assert "签署人签名" in row.reason
        assert given(agent, subject) == []
        # what a damaged or an altered database says counts for nothing either
        _write_word(agent, subject, "测试法务")
        assert approval(agent, subject, DIGEST).missing
    assert {"purge", "originals", "let_in", "share"}.isdisjoint(APPROVED_BY_ORDER)


def _write_word(agent, subject, person):
    from sqlalchemy import select

    from agent.approvals.models import ApprovalRow, RequestRow

    with agent.inventory.sessions.begin() as session:
        request = session.scalars(
            select(RequestRow).where(RequestRow.subject == subject, RequestRow.digest == DIGEST)
        ).one()
        session.add(ApprovalRow(request=request.id, person=person, given_at=agent.now(), how="order"))


def test_fields_are_filled_in_masked_and_the_drafts_follow(agent, office, incident):
    keep_drafts(agent, agent.now())
    before = {key: draft.version for key, draft in drafts_of(agent, incident).items()}
    words = {"cause": "员工误发，来电13800138000", "trend": "没有扩大\n仍在观察"}
    row = by(agent, office, "测试法务", "fill", {"incident": incident, "fields": words, "duty": "cn-pipl/art-57"})
    assert row.state == "done", row.reason
    assert answer_of(row)["filled"] == 2
    facts = facts_of(agent, incident)
    assert facts["trend"] == words["trend"]
    assert "13800138000" not in facts["cause"]
    keep_drafts(agent, agent.now())
    after = {key: draft.version for key, draft in drafts_of(agent, incident).items()}
    assert any(version > before[key] for key, version in after.items())
    keep_drafts(agent, agent.now())
    assert {key: draft.version for key, draft in drafts_of(agent, incident).items()} == after
    steps = [step for step in incidents(agent).get(incident).steps if step.act == "law.filled"]
    assert {step.actor for step in steps} == {"总部 测试法务"}
    assert "13800138000" not in agent.home.audit_log.read_text()


def test_who_may_not_write_reports_here_or_is_nobody_here_fills_nothing(agent, office, incident):
    params = {"incident": incident, "fields": {"cause": "测试"}}
    for name in ("测试司机", "测试外人"):
        assert by(agent, office, name, "fill", params).state == "refused"
    assert facts_of(agent, incident) == {}


def test_fields_are_a_closed_list_and_bounded():
    for fields in ({}, {"colour": "x"}, {"cause": ""}, {"cause": "x" * 2001}, {"contact": "x"}, {"cause": "\x1b[2J"}):
        with pytest.raises(UsageError):
            read_params("fill", {"incident": "I1", "fields": fields})


def test_an_order_inside_the_incident_is_answered_and_done_in_its_persons_name(agent, office, incident):
    task = give_order(agent, incident, "root", Wanted(role="legal", what="核对时限（测试）", minutes=30)).id
    row = by(agent, office, "测试法务", "ack", {"incident": incident, "order": task})
    assert row.state == "done", row.reason
    found = find_order(agent, task)
    assert (found.acknowledged_by, found.acknowledged_how, found.is_open) == ("测试法务", "office", True)
    assert answer_of(by(agent, office, "测试法务", "ack", {"incident": incident, "order": task}))["already"]
    done = {"incident": incident, "order": task, "done": True, "note": "已核对，来电13800138000"}
    assert by(agent, office, "测试法务", "ack", done).state == "done"
    found = find_order(agent, task)
    assert (found.ended_by, found.ended_how) == ("测试法务", "done")
    assert "13800138000" not in found.note
    assert answer_of(by(agent, office, "测试组长", "ack", done))["already"]
    assert find_order(agent, task).ended_by == "测试法务"


def test_an_order_of_another_incident_or_from_nobody_is_not_answered(agent, office, incident):
    task = give_order(agent, incident, "root", Wanted(role="legal", what="测试", minutes=30)).id
    assert by(agent, office, "测试外人", "ack", {"incident": incident, "order": task}).state == "refused"
    for order in (f"{incident}/999", "I20200101-none/1"):
        assert by(agent, office, "测试法务", "ack", {"incident": incident, "order": order}).state == "refused"
    second = {"kind": "other", "summary": "另一起（测试）"}
    other = answer_of(deliver(agent, office, office.order("report", second)))["incident"]
    assert by(agent, office, "测试法务", "ack", {"incident": other, "order": task}).state == "refused"
    assert find_order(agent, task).acknowledged_at is None


def test_what_was_cut_off_is_taken_up_again_and_not_done_twice(agent, office, incident):
    subject = wanted(agent, "notice", "notice", incident)
    task = give_order(agent, incident, "root", Wanted(role="legal", what="测试", minutes=30)).id
    rows = [
        by(agent, office, "测试法务", "approve", {"incident": incident, "approval": subject, "digest": DIGEST}),
        by(agent, office, "测试法务", "fill", {"incident": incident, "fields": {"cause": "误发"}}),
        by(agent, office, "测试法务", "ack", {"incident": incident, "order": task, "done": True}),
    ]
    for row in rows:
        with agent.inventory.sessions.begin() as session:
            cut = session.get_one(OrderRow, row.id)
            cut.state, cut.answer, cut.told = "running", "{}", ""
    restart(agent)
    assert [standing(agent, row.id).state for row in rows] == ["done"] * 3
    assert all(answer_of(standing(agent, row.id))["already"] for row in rows)
    acts = [step.act for step in incidents(agent).get(incident).steps]
    assert (acts.count("approval.given"), acts.count("law.filled"), acts.count("orders.done")) == (1, 1, 1)


def test_a_store_may_take_no_words_from_head_office(agent, office, incident):
    kinds = tuple(kind for kind in agent.settings.direction.accept if kind != "approve")
    direction = agent.settings.direction.model_copy(update={"accept": kinds})
    agent.settings = agent.settings.model_copy(update={"direction": direction})
    subject = wanted(agent, "report", "final", incident)
    row = by(agent, office, "测试法务", "approve", {"incident": incident, "approval": subject, "digest": DIGEST})
    assert row.state == "refused"
    assert given(agent, subject) == []
