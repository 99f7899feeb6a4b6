"""Tokens with which programs ask in somebody's name, and secrets at rest."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.home import HeadOfficeHome
from central.models import ApiToken, Grant, Person
from central.moments import now
from central.people.secrets import Secrets, accounts_key_file, make_accounts_key, read_secrets
from central.people.tokens import make_token, person_of_token, revoke_token
from config.errors import CorruptError, RefusedError, UsageError

Sessions = sessionmaker[Session]


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    engine = open_database(f"sqlite:///{tmp_path / 'hq.db'}", create=True)
    made = sessionmaker(engine, expire_on_commit=False)
    with made.begin() as session:
        session.add(Person(id="p-1", name="测试甲", made_at=now()))
        session.flush()
        session.add(Grant(person_id="p-1", role="security_lead", scope="all", scope_id="", since=now()))
    yield made
    engine.dispose()


def token_of(sessions: Sessions, *, writes: bool = False, lasts: timedelta = timedelta(days=1)) -> str:
    with sessions.begin() as session:
        person = session.get(Person, "p-1")
        assert person is not None
        return make_token(session, person, "测试程序", writes=writes, lasts=lasts)[0]


def test_a_reading_token_looks_and_does_nothing(sessions: Sessions) -> None:
    text = token_of(sessions)
    with sessions() as session:
        viewer = person_of_token(session, text)
    assert viewer is not None
    assert viewer.person_id == "p-1"
    assert {act for act in ("look", "export", "record") if viewer.may(act)} == {"look", "export", "record"}
    assert not any(viewer.may(act) for act in ("report", "declare", "purge", "people", "settings"))


def test_a_writing_token_never_gives_a_persons_word(sessions: Sessions) -> None:
    text = token_of(sessions, writes=True)
    with sessions() as session:
        viewer = person_of_token(session, text)
    assert viewer is not None
    assert viewer.may("report")
    assert viewer.may("rescan")
    assert not any(viewer.may(act) for act in ("approve", "release", "purge", "policy", "people", "stores", "settings"))


def test_a_token_falls_with_its_persons_rights(sessions: Sessions) -> None:
    text = token_of(sessions)
    with sessions.begin() as session:
        session.delete(session.get(Grant, ("p-1", "security_lead", "all", "")))
    with sessions() as session:
        viewer = person_of_token(session, text)
        assert viewer is not None
        assert not viewer.may("look")
    with sessions.begin() as session:
        person = session.get(Person, "p-1")
        assert person is not None
        person.left_at = now()
    with sessions() as session:
        assert person_of_token(session, text) is None


@pytest.mark.parametrize("spoil", ["", "x", "clq_000000000000_" + "A" * 43, "Bearer"])
def test_no_other_text_is_a_token(sessions: Sessions, spoil: str) -> None:
    text = token_of(sessions)
    with sessions() as session:
        assert person_of_token(session, spoil) is None
        assert person_of_token(session, text[:-1] + ("A" if text[-1] != "A" else "B")) is None
        assert person_of_token(session, text + "\n") is None


def test_an_expired_and_a_revoked_token_end(sessions: Sessions) -> None:
    text, other = token_of(sessions), token_of(sessions)
    identifier = text.split("_")[1]
    with sessions.begin() as session:
        revoke_token(session, "p-1", identifier, by="p-1")
        with pytest.raises(RefusedError):
            revoke_token(session, "p-2", other.split("_")[1], by="p-2")
        row = session.get(ApiToken, other.split("_")[1])
        assert row is not None
        assert text.split("_", 2)[2].encode() not in row.digest
        row.expires_at = now() - timedelta(seconds=1)
    with sessions() as session:
        assert person_of_token(session, text) is None
        assert person_of_token(session, other) is None


def test_a_token_needs_a_name_and_ends_some_day(sessions: Sessions) -> None:
    with sessions.begin() as session:
        person = session.get(Person, "p-1")
        assert person is not None
        with pytest.raises(UsageError):
            make_token(session, person, " ")
        with pytest.raises(UsageError):
            make_token(session, person, "x", lasts=timedelta(days=1000))


def test_a_secret_opens_for_its_purpose_and_by_its_key_only() -> None:
    ours, theirs = Secrets(bytes(32)), Secrets(bytes(31) + b"\1")
    sealed = ours.encrypt(b"measure", "totp p-1")
    assert ours.decrypt(sealed, "totp p-1") == b"measure"
    assert b"measure" not in sealed
    assert sealed != ours.encrypt(b"measure", "totp p-1")
    for key, text, purpose in (
        (ours, sealed, "totp p-2"), (theirs, sealed, "totp p-1"), (ours, sealed[:-1], "totp p-1"),
        (ours, b"", "totp p-1"), (ours, b"\x02" + sealed[1:], "totp p-1"), (ours, sealed[:5], "totp p-1"),
    ):  # fmt: skip
        with pytest.raises(CorruptError):
            key.decrypt(text, purpose)
    assert "\\x00" not in repr(ours)


def test_the_accounts_key_is_made_once_and_its_owners_alone(tmp_path: Path) -> None:
    home = HeadOfficeHome(folder=tmp_path)
    home.keys.mkdir()
    with pytest.raises(UsageError, match=r"accounts\.key"):
        read_secrets(home)
    make_accounts_key(home)
    first = read_secrets(home)
    make_accounts_key(home)
    assert read_secrets(home) == first
    assert stat.S_IMODE(accounts_key_file(home).stat().st_mode) == 0o600
    accounts_key_file(home).write_bytes(b"short")
    with pytest.raises(CorruptError):
        read_secrets(home)
