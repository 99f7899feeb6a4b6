"""Persons across stores: one key of the chain, one fingerprint a person, and nothing of them in the spool."""

import hashlib
import json
import os
from base64 import b64decode, b64encode
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.orm import Session

from agent.incident.records import Affected, Incident
from agent.incident.store import incidents
from agent.link import errands, fingerprints
from agent.link import trust as pinning
from agent.link.fingerprints import GroupKey
from agent.link.settings import SETTINGS_FILE, Enrolment
from agent.link.spool import Spool
from agent.notice import duties
from agent.notice.persons import count_persons
from agent.reporting.group import look_for_key
from agent.wiring import build_agent
from central.database.engine import open_database
from central.documents import Persons
from central.home import HeadOfficeHome
from central.models import Store
from central.moments import now
from central.persons.count import distinct
from central.persons.keys import SUITE, persons_keys
from central.persons.take import Opener, apply
from central.wire import decode, encode, group_key_answer_message, group_key_info, group_key_message, is_signed
from config.home import find_home
from config.identity import make_identity, public_key
from config.schema import Settings

NOW = datetime.now(UTC)
ORDER_KEY = Ed25519PrivateKey.from_private_bytes(b"\x09" * 32)


class Chain:
    """A head office's keys and database, and stores of it."""

    def __init__(self, folder):
        self.folder = folder
        self.home = HeadOfficeHome(folder=folder / "office")
        self.home.create()
        self.keys, self.opener = persons_keys(self.home), Opener(self.home)
        self.engine = open_database(self.home.database_url, create=True)

    @property
    def group(self):
        return GroupKey(id=self.keys.group_id, key=self.keys.group)

    @contextmanager
    def store(self, name, *, knows_key=True):
        home = find_home(self.folder / name)
        home.create()
        with Session(self.engine) as session, session.begin():
            session.merge(Store(id=name, name=name, made_at=now(), enrolled_at=now()))
        with build_agent(home, Settings.model_validate({"scan": {"names": False}})) as agent:
            if not agent.keyring.ready:
                agent.keyring.adopt(make_identity("recovery").public)
            enrolment = Enrolment(url="https://x.invalid", authority_pem="", store=name, name=name, hq="测试总部")
            agent.outbox.place(SETTINGS_FILE, enrolment.encode())
            trust = pinning.Trust(
                store=name, order_key=ORDER_KEY.public_key().public_bytes_raw(),
                persons_key=self.keys.identity.public,
            )  # fmt: skip
            pinning.save(home, trust)
            agent.reporting.group = self.group if knows_key else None
            yield agent

    def take(self, agent, name):
        """What waits of persons, as head office takes it in; how many reports."""
        taken = 0
        for body in bodies(agent):
            report = json.loads(body)
            if report["kind"] == "persons":
                opened = self.opener.open(name, Persons(**report["document"]))
                with self.engine.begin() as connection:
                    assert apply(connection, name, report["number"], opened) is None
                taken += 1
        return taken

    def count(self, *asked):
        with Session(self.engine) as session:
            return distinct(session, asked)


@pytest.fixture
def chain(tmp_path):
    made = Chain(tmp_path)
    yield made
    made.engine.dispose()


def bodies(agent):
    spool = Spool(agent.home.outbox)
    try:
        return [spool.read(*entry).body for entry in spool.pending()]
    finally:
        spool.close()


def declared(agent, folder):
    incident = incidents(agent).add(
        Incident(
            id="", kind="insider", phase="responding", machine=False, summary="", place="", types=(), by="测试甲",
            scope="named", discovered_at=NOW, occurred_at=None, reported_at=None, declared_at=NOW,
            handling_ended_at=None, closed_at=None, files=1, persons=0,
        ), NOW,
    )  # fmt: skip
    items = [Affected(key="", path=os.fsencode(path), name=path.name, persons=5) for path in sorted(folder.iterdir())]
    incidents(agent).set_items(incident.id, items)
    return incidents(agent).get(incident.id)


def write(folder, name, lines):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("姓名,手机号,邮箱,身份证号\n" + "\n".join(lines) + "\n", encoding="utf-8")


def phone(number):
    return f"138{number:08d}"


WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def id_card(number):
    body = f"1101011990{number // 28 % 12 + 1:02d}{number % 28 + 1:02d}{number % 999 + 1:03d}"
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True)) % 11]


def test_the_same_person_at_two_stores_counts_once_whatever_else_is_known_of_them(chain, tmp_path):
    write(tmp_path / "甲", "会员.csv", [f"王测试,{phone(n)},,{id_card(n)}" for n in range(60)])
    write(tmp_path / "乙", "会员.csv", [f"王测试,{phone(n)},guest{n}@example.com," for n in range(40, 100)])
    write(tmp_path / "乙", "只有证件.csv", [f"李样例,,,{id_card(n)}" for n in range(200, 210)])
    asked = []
    for name, folder in (("s-1", "甲"), ("s-2", "乙")):
        with chain.store(name) as agent:
            incident = declared(agent, tmp_path / folder)
            counted = count_persons(agent, incident.id)
            assert counted.complete
            assert chain.take(agent, name) >= 1
            asked.append((name, incident.id))
    assert chain.count(asked[0]).persons == 60
    assert chain.count(asked[1]).persons == 70
    found = chain.count(*asked)
    assert (found.exact, found.persons) == (True, 110)
    assert found.sensitive == 60 + 10


def test_nothing_of_a_person_stands_in_the_spool_and_without_the_key_nothing_can_be_tried(chain, tmp_path):
    write(tmp_path / "甲", "会员.csv", [f"王测试,{phone(n)},guest{n}@example.com,{id_card(n)}" for n in range(30)])
    with chain.store("s-1") as agent:
        count_persons(agent, declared(agent, tmp_path / "甲").id)
        told = [json.loads(body)["document"] for body in bodies(agent) if b'"persons","number"' in body]
        assert [document["count"] for document in told] == [30]
        spooled = b"".join(file.read_bytes() for file in agent.home.outbox.rglob("*") if file.is_file())
        state = b"".join(file.read_bytes() for file in agent.home.state.rglob("*") if file.is_file())
    for n in range(30):
        for value in (phone(n), f"guest{n}@example.com", id_card(n)):
            assert value.encode() not in spooled
            assert hashlib.sha256(value.encode()).hexdigest().encode() not in spooled
    info = fingerprints.persons_info("s-1", told[0]["incident"], told[0]["round"], 0)
    prints = SUITE.decrypt(b64decode(told[0]["sealed"]), chain.keys.identity.private_key, info)
    assert len({prints[at : at + 16] for at in range(0, len(prints), 16)}) == 30
    for at in range(0, len(prints), 16):
        assert prints[at : at + 16] not in state, "fingerprints lie on no disk"
    for key in (chain.keys.group, chain.keys.finger, chain.keys.identity.seed):
        assert key not in state
        assert b64encode(key) not in state


def test_a_placeholder_joins_nobody_across_stores_and_a_bare_name_is_one_a_store(chain, tmp_path):
    asked = []
    till = [f"客人{chr(0x4E00 + n)}测试,13900000000,,{id_card(n)}" for n in range(300, 340)]
    for name, folder in (("s-1", "甲"), ("s-2", "乙")):
        write(tmp_path / folder, "订单.csv", till)
        (tmp_path / folder / "预订.csv").write_text("姓名,会员号\n张测试,\n", encoding="utf-8")
        with chain.store(name) as agent:
            incident = declared(agent, tmp_path / folder)
            counted = count_persons(agent, incident.id)
            chain.take(agent, name)
            assert chain.count((name, incident.id)).persons == counted.persons
            asked.append((name, incident.id))
    assert chain.count(*asked).persons >= 40
    assert chain.count(*asked).persons <= chain.count(asked[0]).persons + 1


def test_a_large_count_goes_in_parts_and_a_recount_replaces_them(chain, tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprints, "PART", 25)
    write(tmp_path / "甲", "会员.csv", [f"王测试,{phone(n)},,{id_card(n) if n < 30 else ''}" for n in range(100)])
    with chain.store("s-1") as agent:
        incident = declared(agent, tmp_path / "甲")
        count_persons(agent, incident.id)
        assert chain.take(agent, "s-1") == 2 + 3
        found = chain.count(("s-1", incident.id))
        assert (found.persons, found.sensitive) == (100, 30)
        write(tmp_path / "甲", "会员.csv", [f"王测试,{phone(n)},," for n in range(40)])
        count_persons(agent, incident.id)
        chain.take(agent, "s-1")
        assert chain.count(("s-1", incident.id)).persons == 40


def test_what_was_counted_before_the_key_came_is_counted_again_once(chain, tmp_path):
    write(tmp_path / "甲", "会员.csv", [f"王测试,{phone(n)},," for n in range(10)])
    with chain.store("s-1", knows_key=False) as agent:
        incident = declared(agent, tmp_path / "甲")
        count_persons(agent, incident.id)
        assert chain.take(agent, "s-1") == 0
        assert duties.uncounted(agent) == []
        agent.reporting.group = chain.group
        assert [due.id for due in duties.uncounted(agent)] == [incident.id]
        assert duties.uncounted(agent) == [], "not at every tick while it is under way"
        count_persons(agent, incident.id)
        agent.reporting.looked.clear()
        assert duties.uncounted(agent) == []
        assert chain.take(agent, "s-1") == 1


def answer_as(chain, agent, *, order_key=ORDER_KEY, asked=None, store="s-1", seal_for=None, **changes):
    """What head office answers to the question that lies in the errands, perhaps not quite."""
    errand = json.loads((agent.home.outbox / "errands" / "errand-group-key.json").read_bytes())
    body = decode(errand["body"])
    assert is_signed(agent.keyring.public_key, group_key_message(body), decode(errand["signature"]))
    key = b64decode(json.loads(body)["key"])
    sealed = SUITE.encrypt(chain.keys.group, public_key(seal_for or key), group_key_info(store))
    said = json.dumps({
        "store": store, "asked": hashlib.sha256(asked or key).hexdigest(), "id": chain.keys.group_id,
        "sealed": b64encode(sealed).decode(),
    } | changes)  # fmt: skip
    signature = encode(order_key.sign(group_key_answer_message(said.encode())))
    document = {"schema": "cloche.group-key/1", "body": said, "signature": signature}
    answer = {"schema": errands.ANSWER_SCHEMA, "id": errand["id"], "status": 200, "document": document}
    (agent.home.outbox / "answers" / "answer-group-key.json").write_text(json.dumps(answer))


def test_the_key_comes_into_memory_and_nowhere_else(chain):
    with chain.store("s-1", knows_key=False) as agent:
        look_for_key(agent, 0.0)
        assert agent.reporting.group is None
        answer_as(chain, agent)
        look_for_key(agent, 1.0)
        assert agent.reporting.group.key == chain.keys.group
        assert chain.keys.group.hex() not in repr(agent.reporting)
        for file in agent.home.state.rglob("*"):
            assert not file.is_file() or chain.keys.group not in file.read_bytes()
        look_for_key(agent, 3600.0)
        assert not errands.is_waiting(agent, "group-key")
        look_for_key(agent, 90_000.0)
        assert errands.is_waiting(agent, "group-key"), "asked for anew after a day"


@pytest.mark.parametrize("forged", ["signature", "store", "asked", "sealed", "short"])
def test_a_key_that_somebody_else_put_in_is_not_taken(chain, forged):
    """A hijacked link that gives a key of its own would read off every number."""
    other = make_identity("hq").public
    values = {
        "signature": {"order_key": Ed25519PrivateKey.generate()}, "store": {"store": "s-2"}, "asked": {"asked": other},
        "sealed": {"seal_for": other}, "short": {"sealed": b64encode(b"x").decode()},
    }  # fmt: skip
    with chain.store("s-1", knows_key=False) as agent:
        look_for_key(agent, 0.0)
        answer_as(chain, agent, **values[forged])
        look_for_key(agent, 1.0)
        assert agent.reporting.group is None
        look_for_key(agent, 700.0)
        assert errands.is_waiting(agent, "group-key")
        answer_as(chain, agent)
        look_for_key(agent, 701.0)
        assert agent.reporting.group is not None


def test_two_numbers_of_one_person_give_one_fingerprint(chain):
    """Persons are numbered by what joins them; the first identity of each is the smallest of the strongest kind."""
    from agent.notice.identities import Identities
    from scanners.person_records import RECORD, SLOTS

    records = np.zeros(3, RECORD)
    records["keys"][0, SLOTS.index("phone")] = 9
    records["keys"][0, SLOTS.index("other_phone")] = 5
    records["keys"][1, SLOTS.index("phone")] = 5
    records["keys"][1, SLOTS.index("document")] = 3
    records["keys"][2, SLOTS.index("mail")] = 4
    identities = Identities()
    identities.add(["PHONE_NUMBER"], records)
    found, kinds = identities.join().first_identities()
    assert sorted(zip(kinds.tolist(), found.tolist(), strict=True)) == [(1, 5), (3, 4)]
