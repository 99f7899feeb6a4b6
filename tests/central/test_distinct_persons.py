"""Distinct persons across stores: exact by marks, else by sketches with their error; nothing of a person is kept."""

import base64
import hashlib
import json
import math
import random
import secrets
import tracemalloc
from contextlib import contextmanager

import databases
import numpy as np
import pytest
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from central.database.engine import open_database
from central.documents import Persons
from central.home import HeadOfficeHome
from central.models import PersonSegment, Store
from central.moments import now
from central.persons import count as counting
from central.persons.count import distinct
from central.persons.keys import persons_keys
from central.persons.segments import SegmentError, open_segment, sorted_marks
from central.persons.sketch import ERROR, Sketch
from central.persons.take import Opener, apply
from central.wire import persons_info
from config.errors import ClocheError
from config.identity import public_key

SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def fingerprint(person):
    return hashlib.sha256(f"made-up person {person}".encode()).digest()[:16]


def rows(people):
    return np.frombuffer(b"".join(sorted(fingerprint(person) for person in people)), np.uint8).reshape(-1, 16)


@pytest.fixture
def home(tmp_path):
    made = HeadOfficeHome(folder=tmp_path / "office")
    made.create()
    return made


cluster = databases.cluster
database_url = databases.database_url


@contextmanager
def filled(url):
    made = open_database(url, create=True)
    with Session(made) as session, session.begin():
        for number in range(1, 9):
            session.add(Store(id=f"s-{number}", name=f"测试{number}店", made_at=now(), enrolled_at=now()))
    yield made
    made.dispose()


@pytest.fixture
def engine(home):
    with filled(home.database_url) as made:
        yield made


class Chain:
    """Stores that tell of made-up people, and the head office that they tell."""

    def __init__(self, home, engine):
        self.home, self.engine, self.keys = home, engine, persons_keys(home)
        self.opener, self.number = Opener(home), 0

    def document(self, store, incident, people, *, part=0, parts=1, sensitive=0, round_=1, key=None, **changes):
        prints, sketch = rows(people), Sketch()
        sketch.add(prints)
        info = persons_info(store, incident, round_, part)
        values = {
            "incident": incident, "part": part, "parts": parts, "count": len(prints), "sensitive": sensitive,
            "round": round_, "key": key or self.keys.group_id, "sketch": base64.b64encode(sketch.pack()).decode(),
            "sealed": base64.b64encode(
                SUITE.encrypt(prints.tobytes(), public_key(self.keys.identity.public), info)
            ).decode(),
        }  # fmt: skip
        return Persons(**values | changes)

    def tell(self, store, incident, people, **more):
        self.number += 1
        opened = self.opener.open(store, self.document(store, incident, people, **more))
        with self.engine.begin() as connection:
            return apply(connection, store, self.number, opened)

    def count(self, *incidents):
        with Session(self.engine) as session:
            return distinct(session, incidents)


@pytest.fixture
def chain(home, engine):
    return Chain(home, engine)


@pytest.fixture
def any_chain(home, database_url):
    """On either kind of database."""
    with filled(database_url) as made:
        yield Chain(home, made)


def test_a_person_of_several_stores_counts_once_and_sensitive_ones_are_counted_apart(any_chain):
    chain = any_chain
    chain.tell("s-1", "I1", range(20), part=0, parts=2, sensitive=20)
    chain.tell("s-1", "I1", range(20, 100), part=1, parts=2)
    chain.tell("s-2", "I2", range(10, 30), part=0, parts=2, sensitive=20)
    chain.tell("s-2", "I2", range(90, 150), part=1, parts=2)
    found = chain.count(("s-1", "I1"), ("s-2", "I2"))
    assert (found.exact, found.persons, found.sensitive, found.error, found.missing) == (True, 150, 30, 0.0, ())
    assert chain.count(("s-1", "I1"), ("s-1", "I1")).persons == 100
    assert chain.count().persons == 0


def test_a_store_that_has_not_told_or_told_in_part_is_named_and_the_count_is_not_exact(chain):
    chain.tell("s-1", "I1", range(10))
    chain.tell("s-2", "I2", range(10), part=1, parts=2)
    found = chain.count(("s-1", "I1"), ("s-2", "I2"), ("s-3", "I3"))
    assert (found.exact, found.persons, found.missing) == (False, 10, ("s-2", "s-3"))


def test_a_later_count_replaces_an_earlier_one_whole_in_whatever_order_they_come(any_chain):
    chain = any_chain
    chain.tell("s-1", "I1", range(10), part=0, parts=2, round_=5)
    chain.tell("s-1", "I1", range(50, 60), part=1, parts=2, round_=5)
    chain.tell("s-1", "I1", range(7), round_=6)
    chain.tell("s-1", "I1", range(50, 60), part=1, parts=2, round_=5)
    assert chain.count(("s-1", "I1")).persons == 7
    chain.tell("s-1", "I1", range(7), round_=6)
    assert chain.count(("s-1", "I1")).persons == 7


def test_head_office_keeps_neither_fingerprints_nor_what_leads_back_to_them(chain):
    chain.tell("s-1", "I1", range(100))
    prints = {fingerprint(person) for person in range(100)}
    with Session(chain.engine) as session:
        kept = session.scalars(select(PersonSegment)).one()
        marks = [kept.marks[at : at + 16] for at in range(0, len(kept.marks), 16)]
    assert marks == sorted(marks)
    assert len(marks) == 100
    assert not prints & set(marks)
    database = chain.home.database.read_bytes()
    for key in (chain.keys.group, chain.keys.finger, chain.keys.identity.seed, *prints):
        assert key not in database
    assert sorted_marks(chain.keys, b"".join(prints)) == kept.marks


def test_marks_of_two_chains_have_nothing_in_common(chain, tmp_path):
    other = HeadOfficeHome(folder=tmp_path / "other")
    other.create()
    prints = rows(range(50)).tobytes()
    ours, theirs = (sorted_marks(persons_keys(home), prints) for home in (chain.home, other))
    assert not {ours[at : at + 16] for at in range(0, 800, 16)} & {theirs[at : at + 16] for at in range(0, 800, 16)}


def test_persons_under_another_key_are_not_mixed_with_the_others(chain):
    chain.tell("s-1", "I1", range(50))
    wrong = chain.tell("s-2", "I2", range(20), key="0123456789abcdef")
    assert "only its sketch" in wrong
    found = chain.count(("s-1", "I1"), ("s-2", "I2"))
    assert (found.exact, found.persons, found.missing) == (False, 50, ("s-2",))


def test_beyond_what_is_compared_sketches_tell_with_their_error(any_chain, monkeypatch):
    chain = any_chain
    chain.tell("s-1", "I1", range(3000))
    chain.tell("s-2", "I2", range(1000, 5000), sensitive=4000)
    monkeypatch.setattr(counting, "EXACT", 6000)
    found = chain.count(("s-1", "I1"), ("s-2", "I2"))
    assert not found.exact
    assert math.isclose(found.error, 0.008125)
    assert abs(found.persons - 5000) < 5000 * 4 * ERROR
    assert abs(found.sensitive - 4000) < 4000 * 4 * ERROR
    assert found.missing == ()


@pytest.mark.parametrize("at_once", [17, 100, 1000])
def test_range_by_range_the_count_is_the_same(chain, monkeypatch, at_once):
    monkeypatch.setattr(counting, "AT_ONCE", at_once)
    people = [random.Random(number).sample(range(500), 200) for number in range(6)]
    for number, some in enumerate(people, start=1):
        chain.tell(f"s-{number}", "I", some)
    together = set().union(*people)
    assert chain.count(*((f"s-{number}", "I") for number in range(1, 7))).persons == len(together)


def test_marks_that_begin_alike_are_told_apart():
    first = np.array([[7, 1], [7, 2], [7, 1], [7, 2], [9, 0], [3, 3]], np.uint64)
    assert counting._distinct(first, 0, 1 << 64) == 4


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=60))
def test_any_marks_are_counted_as_a_set_counts_them(pairs):
    array = np.array(pairs, np.uint64).reshape(-1, 2)
    assert counting._distinct(array, 0, 1 << 64) == len(set(pairs))


def tampered(chain, **changes):
    return chain.document("s-1", "I1", range(10), **changes)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"part": 3, "parts": 3}, "part"),
        ({"sensitive": 11}, "part"),
        ({"count": 9}, "count"),
        ({"count": 150_001}, "part"),
        ({"sealed": "!"}, "sealed"),
        ({"sealed": base64.b64encode(b"x" * 2000).decode()}, "sealed"),
        ({"sketch": base64.b64encode(b"\x01nonsense").decode()}, "sketch"),
        ({"sketch": base64.b64encode(b"\x02").decode()}, "sketch"),
    ],
)
def test_a_part_that_contradicts_itself_is_refused_by_name(chain, changes, word):
    with pytest.raises(SegmentError, match=word):
        open_segment(chain.keys, "s-1", tampered(chain, **changes))
    opened = chain.opener.open("s-1", tampered(chain, **changes))
    with chain.engine.begin() as connection:
        assert apply(connection, "s-1", 1, opened) == f"{word} does not fit"
    assert chain.count(("s-1", "I1")).missing == ("s-1",)


def test_what_one_store_sealed_cannot_be_told_by_another(chain):
    stolen = chain.document("s-1", "I1", range(10))
    with pytest.raises(SegmentError, match="sealed"):
        open_segment(chain.keys, "s-2", stolen)


def test_a_sketch_that_unpacks_to_more_than_a_sketch_is_none():
    import zlib

    with pytest.raises(ValueError, match="sketch"):
        Sketch.unpack(b"\x01" + zlib.compress(bytes(50 << 20)))
    with pytest.raises(ValueError, match="sketch"):
        Sketch.unpack(b"\x01" + zlib.compress(b"\xff" * (1 << 14)))


@pytest.mark.parametrize("count", [0, 1, 100, 20_000, 200_000])
def test_a_sketch_errs_as_little_as_it_says(count):
    errors = []
    for seed in range(4):
        sketch = Sketch()
        sketch.add(np.random.default_rng(seed).integers(0, 256, (count, 16), dtype=np.uint8))
        assert Sketch.unpack(sketch.pack()).count == sketch.count
        errors.append(sketch.count - count)
    assert all(abs(error) <= 4 * ERROR * count for error in errors)


def test_sketches_of_parts_merge_to_the_sketch_of_all():
    parts, whole = [rows(range(low, low + 400)) for low in (0, 200, 900)], Sketch()
    merged = Sketch()
    for part in parts:
        one = Sketch()
        one.add(part)
        merged.merge(one)
        whole.add(part)
    assert merged.pack() == whole.pack()


def test_a_million_marks_are_counted_in_little_memory(chain):
    """Marks are put in as they would be kept, for a million HMACs take longer than the count."""
    made = np.random.default_rng(5).bytes(16 * 700_000)
    for number in range(1, 4):
        chosen = np.frombuffer(made, ">u8").reshape(-1, 2)[(number - 1) * 100_000 : (number - 1) * 100_000 + 500_000]
        marks = chosen[np.lexsort((chosen[:, 1], chosen[:, 0]))].tobytes()
        with Session(chain.engine) as session, session.begin():
            session.add(PersonSegment(
                store_id=f"s-{number}", incident_id="I", part=0, parts=1, round=1, number=1, key_id="k",
                persons=500_000, sensitive=0, received_at=now(), marks=marks, sketch=None,
            ))  # fmt: skip
    tracemalloc.start()
    found = chain.count(*((f"s-{number}", "I") for number in range(1, 4)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.persons == 700_000
    assert peak < 60 << 20
    with Session(chain.engine) as session, session.begin():
        session.delete(session.get_one(PersonSegment, ("s-3", "I", 0)))
    again = chain.count(*((f"s-{number}", "I") for number in range(1, 4)))
    assert (again.persons, again.missing) == (600_000, ("s-3",)), "what was remembered is not what was asked"


@pytest.mark.parametrize("name", ["group.key", "kfinger.key", "persons.key"])
def test_a_damaged_key_is_named_and_a_missing_one_is_made(home, name):
    before = persons_keys(home)
    (home.keys / name).unlink()
    after = persons_keys(home)
    assert (home.keys / name).stat().st_mode & 0o777 == 0o600
    assert (before.marks_id == after.marks_id) == (name == "persons.key")
    (home.keys / name).write_bytes(b"short")
    with pytest.raises(ClocheError, match=name):
        persons_keys(home)


def test_keys_say_nothing_of_themselves(home):
    keys = persons_keys(home)
    shown = repr(keys)
    for secret in (keys.group, keys.finger, keys.identity.seed):
        assert secret.hex() not in shown
        assert repr(secret) not in shown
    assert json.loads(json.dumps(keys.public))
    assert secrets.compare_digest(keys.mark(b"a" * 16), keys.mark(b"a" * 16))
