"""What counts once counts once, whichever database: codes, recovery codes, invitations, states, failures, at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.models import Attempt, Person, ProviderRequest
from central.moments import now
from central.pages.provider import _digest, _take
from central.people.brake import note_failures, subject, wait_seconds
from central.people.invitations import invite, use_invitation
from central.people.second_factor import begin_using, code_fits
from central.people.secrets import Secrets

SECRETS = Secrets(bytes(range(32)))
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
AT_ONCE = 6


@pytest.fixture
def sessions(database_url: str) -> Iterator[sessionmaker[Session]]:
    engine = open_database(database_url, create=True)
    made = sessionmaker(engine, expire_on_commit=False)
    with made.begin() as session:
        session.add(Person(id="p-1", name="测试甲", login="a-test", made_at=now()))
    yield made
    engine.dispose()


def at_once(sessions: sessionmaker[Session], act: Callable[[Session], object]) -> int:
    """How many of six that begin together succeed."""
    barrier, won = threading.Barrier(AT_ONCE), []

    def run() -> None:
        barrier.wait()
        for _ in range(20):
            try:
                with sessions.begin() as session:
                    found = act(session)
            except (IntegrityError, OperationalError):
                continue  # the writer tries a job again too
            if found:
                won.append(1)
            return

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(won)


def person_in(session: Session) -> Person:
    person = session.get(Person, "p-1")
    assert person is not None
    return person


def test_a_code_is_taken_by_one_of_many(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        person = person_in(session)
        codes = begin_using(session, SECRETS, person, SECRET, pyotp.TOTP(SECRET).now())
        person.totp_step = 0
    code = pyotp.TOTP(SECRET).now()
    assert at_once(sessions, lambda session: code_fits(session, SECRETS, person_in(session), code)) == 1
    assert at_once(sessions, lambda session: code_fits(session, SECRETS, person_in(session), codes[3])) == 1


def test_an_invitation_is_taken_by_one_of_many(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        code = invite(session, person_in(session), by="p-0")
    assert at_once(sessions, lambda session: use_invitation(session, code)) == 1


def test_a_state_is_taken_by_one_of_many(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        session.add(ProviderRequest(digest=_digest("state"), nonce="n", verifier=b"v", purpose="login", made_at=now()))
    assert at_once(sessions, lambda session: _take(session, "state")) == 1


def test_failures_of_many_at_once_all_count(sessions: sessionmaker[Session]) -> None:
    who = subject("second", "p-1")

    def fail(session: Session) -> bool:
        note_failures(session, who)
        return True

    assert at_once(sessions, fail) == AT_ONCE
    with sessions() as session:
        assert session.scalars(select(Attempt.count)).one() == AT_ONCE
        assert wait_seconds(session, who) > 0
    with sessions.begin() as session:
        attempt = session.get(Attempt, who)
        assert attempt is not None
        attempt.since = now() - timedelta(hours=25)
    with sessions() as session:
        assert wait_seconds(session, who) == 0
