"""Tokens and enrolment: once, in time, by whom it is meant for; hostile bodies; guessing; two at once."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from databases import database_url  # noqa: F401  a fixture
from hq_founding import found
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.home import HeadOfficeHome
from central.models import Act, Certificate, Store, StoreKey, Token
from central.moments import now
from central.people.directory import machine_viewer
from central.stores import guessing, register
from central.stores.authority import Authority, make_authority, read_authority
from central.stores.enrol import Enrolment, Issuing, enrol, make_token
from central.testing import OfficeProcess, SpeakingStore, serve_office
from central.wire import encode, enrol_message, split_token
from config.errors import RefusedError

MACHINE = machine_viewer()
PIN = b"\x07" * 32


def acts(office: OfficeProcess, act: str) -> list[tuple[str, str]]:
    engine = create_engine(f"sqlite:///{office.folder / 'hq.db'}")
    with Session(engine) as session:
        found = [(row.actor, row.detail) for row in session.scalars(select(Act).where(Act.act == act).order_by(Act.id))]
    engine.dispose()
    return found


def test_the_answer_says_whom_to_follow(office: OfficeProcess, client: httpx.Client) -> None:
    store = SpeakingStore(client=client)
    answer = store.enrol(office.token("测试一店")).json()
    assert set(answer) == {
        "schema", "store", "name", "hq", "next_number", "certificate", "recovery", "hq_key", "order_key", "officers",
        "persons_key",
    }  # fmt: skip
    assert answer["officers"]["schema"] == "cloche.officers/1"
    store.close()


def test_each_token_that_does_not_count_has_its_word_and_is_on_record(
    office: OfficeProcess, client: httpx.Client
) -> None:
    used = office.token()
    assert SpeakingStore(client=client).enrol(used).status_code == 200
    pin = split_token(used)[2]
    cases = {
        "token_used": used,
        "token_expired": office.token(lasts=timedelta(seconds=-1)),
        "token_unknown": f"{'0' * 12}.{'x' * 32}.{encode(pin)}",
    }
    for word, token in cases.items():
        answer = SpeakingStore(client=client).enrol(token)
        assert (answer.status_code, answer.json()["error"]) == (403, word)
    wrong_secret = ".".join([used.split(".")[0], "A" * 32, used.split(".")[2]])
    assert SpeakingStore(client=client).enrol(wrong_secret).json()["error"] == "token_unknown"
    told = acts(office, "enrol.refused")
    assert {detail.split()[0] for _, detail in told} >= set(cases)
    assert {actor for actor, _ in told} == {"127.0.0.1"}
    assert not any("A" * 32 in detail or "x" * 32 in detail for _, detail in told)


def test_a_token_of_one_store_is_no_use_to_a_machine_that_is_another(
    office: OfficeProcess, client: httpx.Client
) -> None:
    first, second = SpeakingStore(client=client), SpeakingStore(client=client)
    first.enrol(office.token("测试甲店"))
    second.enrol(office.token("测试乙店"))
    token = office.call("token", "--store", first.store_id)["token"]
    assert second.enrol(token).json()["error"] == "key_taken"
    third = SpeakingStore(client=client)
    assert third.enrol(token).json()["store"] == first.store_id
    late = SpeakingStore(client=client, key=first.key)
    assert late.enrol(office.token()).json()["error"] == "key_taken"  # a key that was replaced makes no new store
    for store in (first, second, third):
        store.close()


def test_the_store_before_and_after_a_new_token_of_the_same_key_is_one(
    office: OfficeProcess, client: httpx.Client
) -> None:
    store = SpeakingStore(client=client)
    store.enrol(office.token("测试丙店"))
    first = store.store_id
    assert store.report("health", {}).status_code == 200
    token = office.call("token", "--store", first)["token"]
    assert store.enrol(token).json()["next_number"] == 2
    assert store.store_id == first
    assert acts(office, "store.key_replaced") == [
        entry for entry in acts(office, "store.key_replaced") if first not in entry[1]
    ]
    store.close()


def hostile_bodies() -> Iterator[bytes]:
    good = {
        "schema": "cloche.enrol/1", "token": "a", "secret": "b", "public_key": encode(b"\x00" * 32), "csr": "x",
        "name": "店",
    }  # fmt: skip
    yield from (b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 16_000, b'{"token": ' * 1600, b"1e999")
    for field in good:
        yield json.dumps({name: value for name, value in good.items() if name != field}).encode()
        for value in (None, 7, [], {}, "\x00" * 9, "\ud800", "x" * 9000):
            yield json.dumps(good | {field: value}).encode()


def test_hostile_bodies_are_refused_by_a_word_and_never_by_a_crash(client: httpx.Client) -> None:
    key = Ed25519PrivateKey.generate()
    for body in hostile_bodies():
        for signature in ("", "AAAA", "*", encode(key.sign(body))):
            answer = client.post("/v1/enrol", content=body, headers={"Cloche-Wire": "1", "Cloche-Signature": signature})
            assert answer.status_code in (401, 403, 413, 422, 429), (answer.status_code, body[:80])
            assert "error" in answer.json()
        renewed = client.post("/v1/renew", content=body, headers={"Cloche-Wire": "1", "Cloche-Store": "s-1"})
        assert renewed.status_code in (401, 413, 422), (renewed.status_code, body[:80])


def test_too_much_and_another_wire_are_named(client: httpx.Client) -> None:
    for path in ("/v1/enrol", "/v1/renew"):
        large = client.post(path, content=b"x" * 20_000, headers={"Cloche-Wire": "1"})
        assert (large.status_code, large.json()["error"]) == (413, "too_large")
        other = client.post(path, content=b"{}", headers={"Cloche-Wire": "9"})
        assert (other.status_code, other.json()) == (400, {"error": "wire", "supported": [1]})


def test_names_with_markup_and_control_characters_are_only_names(office: OfficeProcess, client: httpx.Client) -> None:
    store = SpeakingStore(client=client)
    answer = store.enrol(office.token(), name="\u202e<b>店\x00\n" + "长" * 500)
    assert answer.status_code == 200
    assert len(answer.json()["name"]) <= 200
    assert all(sign.isprintable() for sign in answer.json()["name"])
    store.close()


def test_who_guesses_tokens_waits(tmp_path: Path) -> None:
    made = found(tmp_path / "hq")
    with serve_office(tmp_path / "hq", made=made) as office, office.client() as client:
        pin = split_token(office.token())[2]
        codes = []
        for number in range(guessing.MOST + 3):
            answer = SpeakingStore(client=client).enrol(f"{number:012x}.{'x' * 32}.{encode(pin)}")
            codes.append(answer.status_code)
        assert codes == [403] * guessing.MOST + [429] * 3
        assert int(answer.headers["retry-after"]) > 60
        assert SpeakingStore(client=client).enrol(office.token()).status_code == 429
        assert len(acts(office, "enrol.refused")) == guessing.MOST


def test_a_store_whose_clock_is_a_year_off_enrols_and_reports(office: OfficeProcess, client: httpx.Client) -> None:
    for off in (timedelta(days=-366), timedelta(days=366)):
        store = SpeakingStore(client=client)
        assert store.enrol(office.token()).status_code == 200
        body = json.loads(store.body("alert", {"id": "a", "at": "2026-11-01T00:00:00Z", "kind": "bound"}))
        body["written_at"] = (datetime.now(UTC) + off).isoformat()
        assert store.send(json.dumps(body).encode()).status_code == 200
        store.close()


@pytest.fixture
def sessions(database_url: str) -> Iterator[sessionmaker[Session]]:  # noqa: F811  the fixture
    engine = open_database(database_url, create=True)
    yield sessionmaker(engine, expire_on_commit=False)
    engine.dispose()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    home = HeadOfficeHome(folder=tmp_path_factory.mktemp("authority"))
    home.create()
    make_authority(home, "测试", ["127.0.0.1"])
    return read_authority(home)


Asking = Callable[[str, bytes], str]


@pytest.fixture
def asking(sessions: sessionmaker[Session], authority: Authority) -> Asking:
    """Enrol a key with a token in a transaction of its own: the store, or the word of the refusal."""

    def ask(token: str, public_key: bytes) -> str:
        identifier, secret, _ = split_token(token)
        enrolment = Enrolment(token=identifier, secret=secret, public_key=encode(public_key), csr="", name="店")
        try:
            with sessions.begin() as session:
                tls_key = generate_private_key(SECP256R1()).public_key()
                issuing = Issuing(authority=authority, lasts=timedelta(days=1))
                return enrol(session, enrolment, public_key, tls_key, issuing=issuing, address="192.0.2.1").store_id
        except RefusedError as error:
            return str(error)

    return ask


def test_a_token_that_two_use_at_once_makes_one_store(sessions: sessionmaker[Session], asking: Asking) -> None:
    with sessions.begin() as session:
        token = make_token(session, PIN, store_name="店", lasts=timedelta(hours=1))[0]
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda number: asking(token, bytes([number]) * 32), range(8)))
    assert sorted(said)[1:] == ["token_used"] * 7
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Store)) == 1
        assert session.scalar(select(func.count()).select_from(Certificate)) == 1


def test_a_takeover_closes_the_old_key_and_ends_its_certificates(
    sessions: sessionmaker[Session], asking: Asking
) -> None:
    with sessions.begin() as session:
        store = register.add_store(session, MACHINE, "店")
        store_id = store.id
    for number in (1, 2, 1):
        with sessions.begin() as session:
            store = session.get_one(Store, store_id)
            token = register.token_for(session, MACHINE, PIN, store)[0]
        assert asking(token, bytes([number]) * 32) == store_id
        time.sleep(0.01)
    with sessions() as session:
        keys = {row.public_key[0]: (row.until, row.reason) for row in session.scalars(select(StoreKey))}
        assert keys[1] == (None, "back")
        assert keys[2][0] is not None
        valid = session.scalars(select(Certificate).where(Certificate.revoked_at.is_(None))).all()
        assert len(valid) == 1
        assert session.get_one(Store, store_id).public_key == b"\x01" * 32


def test_a_token_brings_its_entity_and_region(sessions: sessionmaker[Session], asking: Asking) -> None:
    with sessions.begin() as session:
        entity = register.add_entity(session, MACHINE, register.EntityFacts(name="测试公司"))
        region = register.add_region(session, MACHINE, "测试区")
        store = register.add_store(session, MACHINE, "店", entity_id=entity.id, region_id=region.id)
        token = register.token_for(session, MACHINE, PIN, store)[0]
    assert asking(token, b"\x05" * 32) == store.id
    with sessions() as session:
        found = session.get_one(Store, store.id)
        assert (found.entity_id, found.region_id, found.name) == (entity.id, region.id, "店")
        assert found.enrolled_at is not None
        row = session.scalars(select(Token)).one()
        assert row.used_at is not None


def test_the_brake_lets_go_after_its_window(sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    moment = now()
    with sessions.begin() as session:
        for _ in range(guessing.MOST):
            guessing.note_guess(session, "192.0.2.7")
        assert guessing.seconds_to_wait(session, "192.0.2.7") > 0
        assert guessing.seconds_to_wait(session, "192.0.2.8") == 0
        monkeypatch.setattr(guessing, "now", lambda: moment + guessing.WINDOW + timedelta(seconds=5))
        assert guessing.seconds_to_wait(session, "192.0.2.7") == 0
        guessing.note_guess(session, "192.0.2.7")
        assert guessing.seconds_to_wait(session, "192.0.2.7") == 0


def test_a_signature_for_another_head_office_enrols_nobody(office: OfficeProcess, client: httpx.Client) -> None:
    """The pin is signed: what was said to one head office is nothing to another."""
    store, key = SpeakingStore(client=client), Ed25519PrivateKey.generate()
    identifier, secret, pin = split_token(office.token())
    body = json.dumps(
        {
            "schema": "cloche.enrol/1", "token": identifier, "secret": secret, "name": "",
            "public_key": encode(key.public_key().public_bytes_raw()),
            "csr": store.csr(),
        }
    ).encode()  # fmt: skip
    for message in (enrol_message(PIN, body), body):
        headers = {"Cloche-Wire": "1", "Cloche-Signature": encode(key.sign(message))}
        assert client.post("/v1/enrol", content=body, headers=headers).status_code == 401
    assert pin != PIN


def test_strangers_who_ask_for_certificates_in_a_stores_name_are_counted_together(
    office: OfficeProcess, client: httpx.Client
) -> None:
    store, thief = SpeakingStore(client=client), SpeakingStore(client=client)
    store.enrol(office.token())
    thief.store_id = store.store_id
    before = len(acts(office, "fault.signature"))
    for _ in range(30):
        assert thief.renew(with_certificate=False).json()["error"] == "signature"
    assert len(acts(office, "fault.signature")) == before + 1
    assert store.renew().status_code == 200
    store.close()
