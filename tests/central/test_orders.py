"""Orders at head office: who may give them, what officers sign, and how stores that wait hear of them."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session, sessionmaker

from central.commands.order import _row
from central.database.engine import open_database
from central.direct.keyfile import make_key_file, open_key_file, sign_text
from central.direct.officers import (
    confirm_key,
    document_of,
    key_words,
    policy_in_force,
    register_key,
    wanted_policy,
)
from central.direct.orders import give_order, open_case, sign_order, withdraw
from central.direct.signing import sessions_with_key
from central.home import HeadOfficeHome
from central.models import Delivery, Entity, Fact, Grant, Order, Person, Store
from central.people.directory import machine_viewer
from central.people.rights import viewer_of
from central.testing import PROGRAM, OfficeProcess, SpeakingStore
from central.wire import decode, is_signed, order_message, time_message
from config.errors import RefusedError, UsageError
from scanners.masking import mask_text

REPORT = json.dumps({"kind": "staff_mistake", "summary": "发错了群"})


@contextmanager
def desk(office: OfficeProcess) -> Iterator[Session]:
    """A transaction with the order key, beside the running server, as `cloche-hq order` has it."""
    engine = open_database(f"sqlite:///{office.folder / 'hq.db'}")
    try:
        with sessions_with_key(HeadOfficeHome(folder=office.folder), engine).begin() as session:
            yield session
    finally:
        engine.dispose()


def give(office: OfficeProcess, kind: Any, *stores: SpeakingStore, params: str = REPORT, **more: Any) -> dict[str, Any]:
    with desk(office) as session:
        chosen: Any = [session.get_one(Store, store.store_id) for store in stores] or "all"
        login = more.pop("login", None)
        viewer = machine_viewer()
        if login:
            viewer = viewer_of(session, session.get_one(Person, f"p-{login}"), datetime.now(UTC).date())
        return _row(session, give_order(session, viewer, kind, chosen, json.loads(params), reason="演练", **more))


def shown(office: OfficeProcess, order: dict[str, Any]) -> dict[str, Any]:
    with desk(office) as session:
        rows = session.query(Delivery).filter(Delivery.order_id == order["id"])
        return {
            "deliveries": [{"store": row.store_id, "state": row.state} for row in rows],
            "body": session.get_one(Order, order["id"]).body,
        }


def state_of(office: OfficeProcess, order: dict[str, Any], store: SpeakingStore) -> str:
    return next(row["state"] for row in shown(office, order)["deliveries"] if row["store"] == store.store_id)


def take_back(office: OfficeProcess, order: dict[str, Any]) -> int:
    with desk(office) as session:
        return withdraw(session, machine_viewer(), session.get_one(Order, order["id"]))


def refused(office: OfficeProcess, *arguments: str) -> str:
    with pytest.raises(subprocess.CalledProcessError) as error:
        office.call(*arguments)
    return str(error.value.stderr)


def in_database(office: OfficeProcess, work: Callable[[Session], None]) -> None:
    engine = open_database(f"sqlite:///{office.folder / 'hq.db'}")
    try:
        with sessionmaker(engine).begin() as session:
            work(session)
    finally:
        engine.dispose()


def eventually(condition: Callable[[], object], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "never came"
        time.sleep(0.1)


def test_a_store_is_told_what_was_signed_and_head_office_hears_what_became_of_it(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore]
) -> None:
    store = enrolled("测试甲店")
    order = give(office, "report", store)
    answer = store.poll().json()
    (delivery,) = answer["deliveries"]
    (signature,) = delivery["signatures"]
    key = decode(store.enrolled["order_key"])
    assert is_signed(key, order_message(delivery["body"].encode()), decode(signature["signature"]))
    body = json.loads(delivery["body"])
    assert (body["id"], body["kind"], body["stores"]) == (order["id"], "report", [store.store_id])
    eventually(lambda: state_of(office, order, store) == "told")
    word = {
        "order": order["id"], "delivery": delivery["number"], "state": "received", "reason": "", "answer": {},
        "at": datetime.now(UTC).isoformat(),
    }  # fmt: skip
    assert store.report("order", word).status_code == 200
    assert store.report("order", word | {"state": "done", "answer": {"incident": "I1"}}).status_code == 200
    assert state_of(office, order, store) == "done"
    # a word that comes late never replaces a newer one
    late = store.body("order", word, number=store.next_number + 5)
    newest = store.body("order", word | {"state": "failed", "reason": "盘满"}, number=store.next_number + 9)
    assert store.send(newest).status_code == store.send(late).status_code == 200
    assert state_of(office, order, store) == "failed"


def test_a_stores_word_about_another_stores_order_has_no_effect_and_is_a_fault(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore]
) -> None:
    one, other = enrolled("测试乙店"), enrolled("测试丙店")
    order = give(office, "report", one)
    word = {"order": order["id"], "delivery": 1, "state": "done", "reason": "", "at": None, "answer": {}}
    assert other.report("order", word | {"at": datetime.now(UTC).isoformat()}).status_code == 200
    assert state_of(office, order, one) == "waiting"
    kinds: list[str] = []

    def look(session: Session) -> None:
        from central.models import Fault

        kinds.extend(fault.kind for fault in session.query(Fault).filter(Fault.store_id == other.store_id))

    in_database(office, look)
    assert "order" in kinds


def test_a_store_that_waits_is_told_within_a_second_and_the_time_is_signed(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore]
) -> None:
    store = enrolled("测试丁店")
    found: dict[str, Any] = {}

    def wait() -> None:
        answer = store.own.get(
            "/v1/orders", params={"after": 0, "wait": 30, "challenge": "c" * 32},
            headers={"Cloche-Wire": "1", "Cloche-Store": store.store_id, "Cloche-Instance": store.instance},
        )  # fmt: skip
        found.update(answer.json(), at=time.monotonic())

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(1.0)
    begun = time.monotonic()
    give(office, "rescan", store, params="{}")
    given = time.monotonic()
    waiting.join(timeout=30)
    assert len(found["deliveries"]) == 1
    assert begun < found["at"] < given + 1.0
    word = found["time"]
    assert is_signed(
        decode(store.enrolled["order_key"]), time_message(word["body"].encode()), decode(word["signature"])
    )
    said = json.loads(word["body"])
    assert said["challenge"] == "c" * 32
    assert abs(datetime.fromisoformat(said["now"]) - datetime.now(UTC)) < timedelta(seconds=30)


def test_deliveries_come_in_order_and_again_until_a_store_has_them(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore]
) -> None:
    store = enrolled("测试戊店")
    for _ in range(3):
        give(office, "rescan", store, params="{}")
    assert [one["number"] for one in store.poll().json()["deliveries"]] == [1, 2, 3]
    assert [one["number"] for one in store.poll(after=1).json()["deliveries"]] == [2, 3]
    assert store.poll(after=3).json()["deliveries"] == []
    # a number that was never given: head office comes from a backup, and begins anew
    assert [one["number"] for one in store.poll(after=10**15).json()["deliveries"]] == [1, 2, 3]


def test_an_order_is_withdrawn_from_stores_that_have_not_been_told(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore]
) -> None:
    told, silent = enrolled("测试己店"), enrolled("测试庚店")
    order = give(office, "report", told, silent)
    told.poll()
    eventually(lambda: state_of(office, order, told) == "told")
    assert take_back(office, order) == 1
    assert silent.poll().json()["deliveries"] == []
    assert state_of(office, order, silent) == "withdrawn"
    with pytest.raises(UsageError, match="withdrawn"):
        take_back(office, order)


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=9999999999999999999", "wait=x", "challenge=%00"])
def test_a_poll_that_is_none_is_refused_by_name(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore], query: str
) -> None:
    store = enrolled("测试辛店")
    answer = store.own.get(
        f"/v1/orders?{query}", headers={"Cloche-Wire": "1", "Cloche-Store": store.store_id, "Cloche-Instance": "x" * 12}
    )
    assert answer.status_code == 422
    assert answer.json()["detail"] == query.partition("=")[0]


def test_nobody_polls_without_a_certificate_or_for_another(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore]
) -> None:
    store, other = enrolled("测试壬店"), enrolled("测试癸店")
    headers = {"Cloche-Wire": "1", "Cloche-Store": store.store_id, "Cloche-Instance": "y" * 12}
    assert store.client.get("/v1/orders", headers=headers).status_code == 401
    assert other.own.get("/v1/orders", headers=headers).status_code == 401


def test_what_is_wrong_with_an_order_is_said_and_nothing_is_sent(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore]
) -> None:
    store = enrolled("测试子店")
    for kind, params, named in (
        ("report", {"kind": "other"}, "summary"),
        ("declare", {"kind": "other", "summary": "x", "paths": ["/etc"]}, "paths"),
        ("note", {"text": "x"}, "incident"),
        ("policy", {"settings": {"senders.mode": "record"}}, "senders"),
        ("isolate_on", {"minutes": 0}, "minutes"),
    ):
        with pytest.raises(UsageError, match=named):
            give(office, kind, store, params=json.dumps(params))
    with pytest.raises(UsageError, match="case"):
        give(office, "rescan", store, params="{}", case_id="c-none")
    with pytest.raises(UsageError, match="lasts"):
        give(office, "rescan", store, params="{}", lasts=timedelta(days=40))
    assert store.poll().json()["deliveries"] == []


@pytest.fixture(scope="module")
def officers(office: OfficeProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three officers with keys on machines of their own; 甲 and 丙 are from IT."""
    folder, files = tmp_path_factory.mktemp("officers"), {}

    def people(session: Session) -> None:
        for login, role in (("jia", "security_lead"), ("yi", "legal"), ("bing", "security_lead")):
            session.add(Person(id=f"p-{login}", name=f"测试{login}", login=login, made_at=datetime.now(UTC)))
            session.flush()
            session.add(Grant(person_id=f"p-{login}", role=role, scope="all", scope_id="", since=datetime.now(UTC)))

    in_database(office, people)
    with desk(office) as session:
        keys = {login: session.get_one(Person, f"p-{login}") for login in ("jia", "yi", "bing")}
        public = {}
        for login, person in keys.items():
            files[login] = folder / f"{login}.key"
            public[login] = make_key_file(files[login], "correct horse battery")
            assert files[login].stat().st_mode & 0o777 == 0o600
            register_key(session, person, public[login], "")

        def confirm(by: str, whose: str, words: str) -> None:
            confirm_key(session, keys[by], f"p-{whose}", public[whose], words)

        with pytest.raises(RefusedError):
            confirm("jia", "jia", key_words(public["jia"]))
        with pytest.raises(UsageError):
            confirm("yi", "jia", key_words(public["yi"]))
        confirm("jia", "bing", key_words(public["bing"]))
        assert policy_in_force(session).version == 0
        confirm("yi", "jia", key_words(public["jia"]).upper())
        # two people are there: the first policy is in force; the third comes in by an order that these two sign
        assert policy_in_force(session).version == 1
        confirm("jia", "yi", key_words(public["yi"]))
    return files


def signature(office: OfficeProcess, order: dict[str, Any], key: Path) -> str:
    """What an officer does on a machine of his own."""
    return sign_text(open_key_file(key, "correct horse battery"), str(shown(office, order)["body"]))


def put(office: OfficeProcess, order: dict[str, Any], person: str, signed: str) -> dict[str, Any]:
    with desk(office) as session:
        found = session.get_one(Order, order["id"])
        sign_order(session, found, f"p-{person}", signed)
        return _row(session, found)


def propose(office: OfficeProcess) -> dict[str, Any]:
    with desk(office) as session:
        params = json.dumps({"policy": document_of(wanted_policy(session))})
    return give(office, "officers", params=params)


def test_officers_change_by_an_order_that_two_of_the_present_ones_sign(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore], officers: dict[str, Path]
) -> None:
    store = enrolled("测试丑店")
    assert store.enrolled["officers"]["version"] == 1
    order = propose(office)
    assert order["officers_needed"] == 2
    with pytest.raises(RefusedError):
        put(office, order, "yi", signature(office, order, officers["yi"]))
    put(office, order, "jia", signature(office, order, officers["jia"]))
    assert store.poll().json()["deliveries"] == []
    assert put(office, order, "bing", signature(office, order, officers["bing"]))["sent_at"]
    (delivery,) = store.poll().json()["deliveries"]
    assert sorted(entry["key"] for entry in delivery["signatures"]) == ["hq", "p-bing", "p-jia"]
    with desk(office) as session:
        assert policy_in_force(session).version == 2


def test_a_purge_waits_for_two_different_officers_of_whom_one_is_not_from_it(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore], officers: dict[str, Path]
) -> None:
    store = enrolled("测试寅店")
    params = json.dumps({"incident": "I20261126-abcd", "reason": "副本"})
    order = give(office, "purge", store, params=params)
    other = give(office, "purge", store, params=params)
    assert order["officers_needed"] == 2
    jia = signature(office, order, officers["jia"])
    assert put(office, order, "jia", jia)["lacks"] == "people"
    with pytest.raises(UsageError, match="already"):
        put(office, order, "jia", jia)
    with pytest.raises(RefusedError):
        put(office, order, "yi", jia)
    # a signature over another order, however alike, is none over this one
    with pytest.raises(RefusedError):
        put(office, order, "yi", signature(office, other, officers["yi"]))
    assert put(office, order, "bing", signature(office, order, officers["bing"]))["lacks"] == "not_it"
    assert store.poll().json()["deliveries"] == []
    assert put(office, order, "yi", signature(office, order, officers["yi"]))["sent_at"]
    assert len(store.poll().json()["deliveries"]) == 1


def test_an_officer_who_left_between_two_signatures_counts_no_more(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore], officers: dict[str, Path]
) -> None:
    store = enrolled("测试卯店")
    order = give(office, "isolate_off", store, params="{}")
    put(office, order, "bing", signature(office, order, officers["bing"]))

    def leave(session: Session) -> None:
        session.get_one(Person, "p-bing").left_at = datetime.now(UTC)

    in_database(office, leave)
    try:
        assert put(office, order, "jia", signature(office, order, officers["jia"]))["lacks"] == "people"
        assert store.poll().json()["deliveries"] == []
        assert put(office, order, "yi", signature(office, order, officers["yi"]))["sent_at"]
    finally:
        in_database(office, lambda session: setattr(session.get_one(Person, "p-bing"), "left_at", None))


def test_an_officer_on_his_own_machine_reads_in_words_what_he_signs(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore], officers: dict[str, Path]
) -> None:
    store = enrolled("测试辰店")
    order = give(office, "dismiss", store, params=json.dumps({"incident": "I1", "reason": "是盘点"}))
    folder = officers["jia"].parent
    (folder / "passphrase").write_text("correct horse battery\n")
    file = folder / "words.json"
    office.call("order", "export", order["id"], str(file))
    call = [*PROGRAM, "officer-key", "sign", str(file), "--key", str(officers["jia"])]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=os.environ | {"LANG": "zh_CN.UTF-8"})
    assert done.returncode == 4, done.stderr
    for said in ("按误报撤销", f"测试辰店 ({store.store_id})", "是盘点"):
        assert said in done.stderr
    signed = office.call(*call[4:], "--yes", "--passphrase-file", str(folder / "passphrase"))["signature"]
    document = office.call("order", "sign", order["id"], "--person", "jia", f"--signature={signed}")
    assert document["signed_by"] == ["p-jia"]
    assert "already" in refused(office, "order", "sign", order["id"], "--person", "jia", f"--signature={signed}")


def test_a_stores_mask_leaves_the_ids_of_cases_orders_and_stores_alone(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore]
) -> None:
    store = enrolled("测试未店")
    with desk(office) as session:
        ids = [open_case(session, machine_viewer(), "insider", "演练").id for _ in range(100)]
    ids += [give(office, "report", store)["id"], store.store_id]

    assert [mask_text(one) for one in ids] == ids


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Midway"])  # a day apart at every moment
def test_a_case_is_named_after_the_day_where_head_office_is(office: OfficeProcess, zone: str) -> None:
    with desk(office) as session:
        session.merge(Fact(key="timezone", value=zone))
        session.flush()
        before = datetime.now(ZoneInfo(zone))
        case = open_case(session, machine_viewer(), "insider", "演练").id
        session.rollback()
    assert case.split("-")[1] in {f"{moment:%Y%m%d}" for moment in (before, datetime.now(ZoneInfo(zone)))}


def test_rights_by_scope_and_agreement_bound_who_is_told(
    office: OfficeProcess, enrolled: Callable[[str], SpeakingStore], officers: dict[str, Path]
) -> None:
    own, franchise = enrolled("测试巳店"), enrolled("测试午店")

    def split(session: Session) -> None:
        session.add(Entity(id="e-fr", name="测试加盟有限公司", kind="franchise", rights=["look", "report"]))
        session.flush()
        session.get_one(Store, franchise.store_id).entity_id = "e-fr"
        session.add(Grant(person_id="p-yi", role="store_manager", scope="store", scope_id=own.store_id, since=now()))

    def now() -> datetime:
        return datetime.now(UTC)

    in_database(office, split)
    with pytest.raises(RefusedError):
        give(office, "rescan", franchise, params="{}", login="jia")
    order = give(office, "rescan", params="{}", login="jia")
    told = {row["store"] for row in shown(office, order)["deliveries"]}
    assert own.store_id in told
    assert franchise.store_id not in told
    assert isinstance(json.loads(shown(office, order)["body"])["stores"], list)
    with pytest.raises(RefusedError):
        give(office, "isolate_on", own, params="{}", login="yi")
