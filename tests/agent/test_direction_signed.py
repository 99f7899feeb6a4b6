"""Whose orders a store takes: signed, named, in time, once; and what it wants two officers' signatures for."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from order_shop import STORE, SigningOffice, all_orders, asked, deliver, lay, lay_news, standing, told
from shops import Clock, opened

from agent.direction.carrying import carry_out_waiting
from agent.direction.taking import take
from agent.incident.store import incidents
from agent.link.trust import load
from agent.wiring import build_agent
from config.home import find_home
from config.schema import Settings

REPORT = {"kind": "staff_mistake", "summary": "有人把名单发错了群"}
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)


@pytest.fixture
def office():
    return SigningOffice()


@pytest.fixture
def agent(tmp_path, office):
    home = find_home(tmp_path / "store")
    home.create()
    with opened(home) as made:
        office.pin(made)
        yield made


def test_an_order_of_head_office_is_carried_out_and_answered(agent, office):
    row = deliver(agent, office, office.order("report", REPORT))
    assert row.state == "done"
    (incident,) = incidents(agent).all()
    assert incident.phase == "reported"
    assert json.loads(row.answer)["incident"] == incident.id
    assert [word["state"] for word in told(agent)] == ["received", "done"]
    assert told(agent)[1]["order"] == row.id
    assert asked(agent)["after"] == 1
    assert not list((agent.home.outbox / "orders").iterdir())


def test_who_ordered_it_is_on_the_stores_record(agent, office):
    deliver(agent, office, office.order("report", REPORT))
    acts = [json.loads(line) for line in agent.home.audit_log.read_text().splitlines()]
    begun = next(act for act in acts if act["act"] == "direction.begun")
    assert "总部" in begun["actor"]
    assert begun["details"]["why"] == "演练"


@pytest.mark.parametrize("forge", ["other_key", "one_byte", "no_signature", "officers_only", "another_context"])
def test_what_head_office_has_not_signed_is_no_order(agent, office, forge):
    body = office.order("report", REPORT)
    signatures = office.signatures(body)
    match forge:
        case "other_key":
            signatures = office.signatures(body, key=OTHER_KEY)
        case "one_byte":
            body = body.replace("staff_mistake", "staff_mistakf")
        case "no_signature":
            signatures = []
        case "officers_only":
            signatures = office.signatures(body, "p-1", "p-2")[1:]
        case "another_context":
            from central.wire import encode

            signatures = [{"key": "hq", "signature": encode(office.key.sign(body.encode()))}]
    assert deliver(agent, office, body, signatures=signatures) is None
    assert all_orders(agent) == []
    assert told(agent) == []
    assert "direction.forged" in agent.home.audit_log.read_text()
    assert asked(agent)["after"] == 0


def test_an_order_for_another_store_does_nothing(agent, office):
    assert deliver(agent, office, office.order("report", REPORT, stores=["s-ffffffffffff"])) is None
    assert incidents(agent).all() == []


def test_an_order_for_all_stores_is_for_this_one(agent, office):
    assert deliver(agent, office, office.order("report", REPORT, stores="all")).state == "done"


def test_an_order_is_carried_out_once_however_often_it_comes(agent, office):
    body = office.order("report", REPORT)
    for _ in range(3):
        deliver(agent, office, body)
    assert len(incidents(agent).all()) == 1
    # an order that came again is answered under its new number, once a minute
    assert [(word["state"], word["delivery"]) for word in told(agent)] == [("received", 1), ("done", 1), ("done", 2)]


def test_an_order_whose_time_is_over_is_not_carried_out_and_head_office_is_told(agent, office):
    past = datetime.now(UTC) - timedelta(days=2)
    body = office.order("report", REPORT, issued_at=past)
    lay_news(agent, time=office.time(challenge(agent), datetime.now(UTC)))
    assert deliver(agent, office, body).state == "expired"
    assert told(agent)[-1]["state"] == "expired"
    assert incidents(agent).all() == []


def challenge(agent):
    take(agent)
    return asked(agent)["challenge"]


@pytest.mark.parametrize("days", [-365, 365])
def test_a_clock_a_year_off_is_put_right_by_head_offices_signed_time(tmp_path, office, days):
    clock = Clock(datetime.now(UTC) + timedelta(days=days))
    home = find_home(tmp_path / "store")
    home.create()
    with build_agent(home, Settings(), now=clock) as agent:
        office.pin(agent)
        lay_news(agent, time=office.time(challenge(agent), datetime.now(UTC)))
        fresh, old = (
            office.order("report", REPORT),
            office.order("note", {"incident": "x", "text": "x"}, issued_at=datetime.now(UTC) - timedelta(days=3)),
        )
        assert deliver(agent, office, fresh).state == "done"
        assert deliver(agent, office, old).state == "expired"
        assert abs(datetime.fromisoformat(told(agent)[-1]["at"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_without_signed_time_an_order_that_looks_over_waits_for_it_and_then_does_not(tmp_path, office):
    clock = Clock(datetime.now(UTC) + timedelta(days=365))
    home = find_home(tmp_path / "store")
    home.create()
    with build_agent(home, Settings(), now=clock) as agent:
        office.pin(agent)
        body = office.order("report", REPORT)
        assert deliver(agent, office, body) is None
        assert (agent.home.outbox / "orders" / f"{1:016d}.json").exists()
        lay_news(agent, time=office.time(asked(agent)["challenge"], datetime.now(UTC)))
        take(agent)
        carry_out_waiting(agent)
        assert standing(agent, json.loads(body)["id"]).state == "done"
        late = office.order("report", REPORT)
        agent.orders.told = None
        deliver(agent, office, late)
        clock.turn(3)
        take(agent)
        assert standing(agent, json.loads(late)["id"]).state == "expired"


def test_an_old_word_about_the_time_fits_no_new_challenge(agent, office):
    word = office.time(challenge(agent), datetime(2020, 1, 1, tzinfo=UTC))
    lay_news(agent, time=word)
    take(agent)
    lay_news(agent, time=office.time(asked(agent)["challenge"], datetime.now(UTC)))
    take(agent)
    lay_news(agent, time=word)
    take(agent)
    assert abs(agent.orders.told.offset) < 5


def test_signed_time_of_another_key_is_not_heard(agent, office):
    lay_news(agent, time=SigningOffice().time(challenge(agent), datetime(2020, 1, 1, tzinfo=UTC)))
    take(agent)
    assert agent.orders.told is None


@pytest.mark.parametrize(
    ("kind", "params", "stores"),
    [
        ("dismiss", {"incident": "x", "reason": "误报"}, [STORE]),
        ("release", {"incident": "x"}, [STORE]),
        ("purge", {"incident": "x", "reason": "x"}, [STORE]),
        ("isolate_off", {}, [STORE]),
        ("isolate_on", {}, "all"),
        ("isolate_on", {}, [STORE, "s-2"]),
        ("isolate_on", {"minutes": 241}, [STORE]),
        ("policy", {"settings": {"watch.enabled": False}}, [STORE]),
        ("policy", {"settings": {"watch.max_persons": 100_000}}, [STORE]),
        ("pack", {"path": "plan/levels.toml", "version": 1, "sha256": "0" * 64, "content": ""}, [STORE]),
    ],
)
@pytest.mark.parametrize("signers", [(), ("p-1",), ("p-2", "p-2")])
def test_head_offices_key_alone_or_one_officer_does_not_do(agent, office, kind, params, stores, signers):
    row = deliver(agent, office, office.order(kind, params, stores=stores), *signers)
    assert row.state == "refused"
    assert "签署人" in row.reason
    assert told(agent)[-1]["state"] == "refused"


def test_one_store_cannot_be_kept_isolated_by_one_order_after_another(agent, office):
    from agent.direction.judging import judge
    from agent.direction.models import OrderRow
    from config.errors import RefusedError
    from config.orders import read_order

    body = office.order("isolate_on", {"minutes": 240})
    judge(agent, load(agent.home), read_order(body), [])
    for number in range(2):
        with agent.inventory.sessions.begin() as session:
            session.add(
                OrderRow(
                    id=f"o-0000000{number}",
                    delivery=number,
                    kind="isolate_on",
                    body=body,
                    received_at=agent.now(),
                    state="done",
                )
            )
    with pytest.raises(RefusedError):
        judge(agent, load(agent.home), read_order(body), [])
    judge(agent, load(agent.home), read_order(body), ["p-1", "p-2"])


def test_two_from_it_are_not_enough_for_a_purge(agent, office):
    row = deliver(agent, office, office.order("purge", {"incident": "x", "reason": "x"}), "p-1", "p-3")
    assert row.state == "refused"
    assert "信息技术部" in row.reason


def test_officers_words_over_another_text_do_not_count(agent, office):
    body, other = (office.order("isolate_off", {}) for _ in range(2))
    signatures = office.signatures(body) + office.signatures(other, "p-1", "p-2")[1:]
    assert deliver(agent, office, body, signatures=signatures).state == "refused"


def test_two_officers_do(agent, office):
    row = deliver(agent, office, office.order("isolate_off", {}), "p-1", "p-2")
    assert row.state == "done"
    assert json.loads(row.answer)["already"]


def test_a_store_that_pinned_no_officers_takes_nothing_that_needs_them(agent, office):
    from config.officers import EMPTY

    office.pin(agent, officers=EMPTY)
    row = deliver(agent, office, office.order("isolate_off", {}), "p-1", "p-2")
    assert row.state == "refused"
    row = deliver(agent, office, office.order("officers", {"policy": dumped(office.policy(1))}), "p-1", "p-2")
    assert row.state == "refused"
    assert load(agent.home).officers == EMPTY


def dumped(policy):
    return policy.model_dump(mode="json", by_alias=True)


def test_a_new_policy_of_officers_is_taken_from_two_of_the_old_one_and_never_an_older(agent, office):
    without = office.policy(2, without=["p-3"])
    assert deliver(agent, office, office.order("officers", {"policy": dumped(without)}), "p-3").state == "refused"
    assert deliver(agent, office, office.order("officers", {"policy": dumped(without)}), "p-1", "p-2").state == "done"
    assert load(agent.home).officers == without
    # the one who was removed counts no more, and cannot come back by the old version
    assert deliver(agent, office, office.order("isolate_off", {}), "p-3", "p-2").state == "refused"
    old = office.order("officers", {"policy": dumped(office.policy(1))})
    assert deliver(agent, office, old, "p-1", "p-2").state == "refused"
    assert load(agent.home).officers == without


def test_a_store_may_refuse_kinds_by_its_own_settings(tmp_path, office):
    home = find_home(tmp_path / "store")
    home.create()
    with opened(home, settings={"direction": {"accept": ["report"]}}) as agent:
        office.pin(agent)
        row = deliver(agent, office, office.order("declare", {**REPORT}))
        assert row.state == "refused"
        assert "启动应急预案" in row.reason
        assert deliver(agent, office, office.order("report", REPORT)).state == "done"


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("report", {"kind": "nothing", "summary": "x"}),
        ("report", {"kind": "other", "summary": "x", "paths": ["/etc/passwd"]}),
        ("declare", {"kind": "other", "summary": "x", "scope": "named"}),
        ("policy", {"settings": {"senders.mode": "record"}}),
        ("policy", {"settings": {"protect.mode": "off"}}),
        ("isolate_on", {"minutes": 0}),
        ("pack", {"path": "../../etc/passwd", "version": 1, "sha256": "0" * 64, "content": "x"}),
    ],
)
def test_parameters_that_are_none_are_refused_and_named(agent, office, kind, params):
    row = deliver(agent, office, office.order(kind, params))
    assert row.state == "refused"
    assert kind in row.reason


def test_rubbish_in_the_folder_is_removed_and_stops_nothing(agent, office):
    folder = agent.home.outbox / "orders"
    (folder / "0000000000000001.json").write_bytes(b"\xff\xfe")
    (folder / "0000000000000002.json").write_text("[" * 100_000)
    (folder / "0000000000000003.json").write_text(json.dumps({"number": 3, "body": 7, "signatures": {}}))
    (folder / "0000000000000004.json").symlink_to("/etc/shadow")
    (folder / "x").mkdir()
    (folder / "news.json").write_text('{"time": {"body": 1e999, "signature": []}, "wants": 7}')
    body = office.order("report", REPORT)
    lay(agent, 9, body, office.signatures(body))
    take(agent)
    assert standing(agent, json.loads(body)["id"]).state == "received"
    assert not list(folder.iterdir())


def test_a_delivery_number_that_the_link_made_up_loses_no_later_order(agent, office):
    body = office.order("report", REPORT)
    lay(agent, 10**15, body, office.signatures(body))
    take(agent)
    assert asked(agent)["after"] == 10**15  # head office, which never gave it, begins anew (test_orders)
    assert deliver(agent, office, office.order("report", {**REPORT, "summary": "另一件"})).delivery == 1
    assert asked(agent)["after"] == 1
