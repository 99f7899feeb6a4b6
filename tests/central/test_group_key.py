"""The key of fingerprints: for the memory of an enrolled store's daemon, signed, on record, and for nobody else."""

import hashlib
import json
from base64 import b64decode, b64encode

import pytest
from sqlalchemy import create_engine, text

from agent.link.letters import make_key
from central.home import HeadOfficeHome
from central.persons.keys import SUITE, persons_keys
from central.testing import SpeakingStore
from central.wire import (
    GROUP_KEY_SCHEMA,
    HEADER_INSTANCE,
    HEADER_SIGNATURE,
    HEADER_STORE,
    HEADER_WIRE,
    WIRE,
    decode,
    encode,
    group_key_answer_message,
    group_key_info,
    group_key_message,
    is_signed,
    report_message,
)  # fmt: skip


def ask(store, body, *, signature=None, client=None):
    headers = {
        HEADER_WIRE: str(WIRE), HEADER_STORE: store.store_id, HEADER_INSTANCE: store.instance,
        HEADER_SIGNATURE: signature or encode(store.key.sign(group_key_message(body))),
    }  # fmt: skip
    return (client or store.own).post("/v1/group-key", content=body, headers=headers)


def asking(key):
    return json.dumps({"schema": GROUP_KEY_SCHEMA, "key": b64encode(key.public).decode()}).encode()


def facts(office, query):
    engine = create_engine(f"sqlite:///{office.folder / 'hq.db'}")
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def test_a_store_gets_the_key_sealed_to_its_memory_and_signed_by_the_order_key(office, enrolled):
    store, key = enrolled("测试甲店"), make_key()
    answer = ask(store, asking(key))
    assert answer.status_code == 200
    said = answer.json()
    body = said["body"].encode()
    order_key = decode(store.enrolled["order_key"])
    assert is_signed(order_key, group_key_answer_message(body), decode(said["signature"]))
    document = json.loads(body)
    keys = persons_keys(HeadOfficeHome(folder=office.folder))
    opened = SUITE.decrypt(b64decode(document["sealed"]), key.private, group_key_info(store.store_id))
    assert (opened, document["id"]) == (keys.group, keys.group_id)
    assert document["asked"] == hashlib.sha256(key.public).hexdigest()
    assert document["persons_key"] == store.enrolled["persons_key"] == keys.public
    assert keys.group.hex() not in answer.text
    given = [actor for act, actor in facts(office, "SELECT act, actor FROM acts") if act == "group_key.given"]
    assert given == [store.store_id]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"schema": "cloche.group-key/1"}', b'{"schema": "x", "key": ""}', b"[" * 10_000,
     b'{"schema": "cloche.group-key/1", "key": "AAAA"}', b'{"schema": "cloche.group-key/1", "key": 1e999}'],
)  # fmt: skip
def test_what_is_no_request_is_refused_and_counted(office, enrolled, body):
    store = enrolled("测试乙店")
    assert ask(store, body).status_code == 422
    assert (store.store_id, "malformed") in facts(office, "SELECT store_id, kind FROM faults")


def test_a_signature_for_something_else_does_not_fit(office, enrolled):
    store = enrolled("测试丙店")
    body = asking(make_key())
    for signature, status in (
        (encode(store.key.sign(report_message(body))), 401),
        (encode(b"x" * 64), 401),
        ("!", 422),
    ):
        assert ask(store, body, signature=signature).status_code == status
    assert (store.store_id, "signature") in facts(office, "SELECT store_id, kind FROM faults")
    assert ask(store, body + b" " * 20_000).status_code == 413


def test_a_stranger_and_another_store_get_nothing(office, client, enrolled):
    store, other = enrolled("测试丁店"), enrolled("测试戊店")
    stranger = SpeakingStore(client=client)
    body = asking(make_key())
    stranger.store_id = store.store_id
    assert ask(stranger, body).status_code == 401
    assert ask(store, body, client=other.own).status_code == 401
    assert ask(other, body, signature=encode(store.key.sign(group_key_message(body)))).status_code == 401
