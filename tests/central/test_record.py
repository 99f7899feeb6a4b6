"""The record of what was done and looked at: chained, by several processes at once, and checked."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.database.writer import BusyError, Writer
from central.models import Act, Person, View
from central.moments import now
from central.people import views as views_module
from central.people.record import note_act, verify_record
from central.people.views import ViewLog

Sessions = sessionmaker[Session]


@pytest.fixture
def sessions(database_url: str) -> Iterator[Sessions]:
    engine = open_database(database_url, create=True)
    yield sessionmaker(engine)
    engine.dispose()


def act(sessions: Sessions, count: int, actor: str = "p-1") -> None:
    for place in range(count):
        with sessions.begin() as session:
            note_act(session, actor, "look", f"row {place}")


def act_in_a_process(url: str, actor: str, count: int) -> None:
    engine = open_database(url)
    act(sessionmaker(engine), count, actor)
    engine.dispose()


def by_several_processes(url: str, processes: int, count: int) -> None:
    context = multiprocessing.get_context("spawn")
    running = [
        context.Process(target=act_in_a_process, args=(url, f"p-{number}", count)) for number in range(processes)
    ]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
        assert process.exitcode == 0


def test_a_whole_record_verifies_and_says_its_head(sessions: Sessions) -> None:
    act(sessions, 5)
    with sessions() as session:
        found = verify_record(session)
        last = session.scalars(select(Act).order_by(Act.id.desc())).first()
    assert (found.entries, found.broken) == (5, None)
    assert last is not None
    assert found.head == last.digest


@pytest.mark.parametrize(
    ("spoil", "broken", "why"),
    [
        (update(Act).where(Act.id == 3).values(detail="something else"), 3, "changed"),
        (update(Act).where(Act.id == 3).values(actor="p-2"), 3, "changed"),
        (delete(Act).where(Act.id == 3), 3, "missing"),
        (update(Act).where(Act.id == 4).values(digest="0" * 64), 4, "changed"),
    ],
)
def test_the_first_entry_that_does_not_fit_is_named(sessions: Sessions, spoil: object, broken: int, why: str) -> None:
    act(sessions, 6)
    with sessions.begin() as session:
        session.execute(spoil)  # type: ignore[call-overload]
    with sessions() as session:
        found = verify_record(session)
    assert (found.broken, found.why) == (broken, why)


def test_what_was_undone_is_not_on_record(sessions: Sessions) -> None:
    act(sessions, 1)
    with sessions() as session:
        note_act(session, "p-1", "purge", "never happened")
        session.rollback()
        session.commit()
    with sessions.begin() as session:
        note_act(session, "p-1", "declare")
        point = session.begin_nested()
        note_act(session, "p-1", "release", "undone by itself")
        point.rollback()
        with session.begin_nested():
            note_act(session, "p-1", "direct")
    with sessions() as session:
        assert list(session.scalars(select(Act.act).order_by(Act.id))) == ["look", "declare", "direct"]
        assert verify_record(session).broken is None


def test_line_breaks_and_control_characters_stay_out_of_an_entry(sessions: Sessions) -> None:
    with sessions.begin() as session:
        note_act(session, "p-1", "note", "first\r\n2026-01-01 p-2 purge\x00\x1b[2J")
    with sessions() as session:
        detail = session.scalars(select(Act.detail)).one()
    assert detail.isprintable()
    assert "p-2 purge" in detail


def test_several_processes_write_one_chain(database_url: str, sessions: Sessions) -> None:
    by_several_processes(database_url, 3, 25)
    with sessions() as session:
        assert (verify_record(session).entries, verify_record(session).broken) == (75, None)


def test_views_are_kept_within_a_second_and_none_is_lost_at_a_stop(sessions: Sessions) -> None:
    writer = Writer(sessions)
    writer.start()
    views = ViewLog(writer)
    views.start()
    for place in range(300):
        views.note("p-1", f"/stores/s-{place}")
    views.note("p-1", "/stores/s-7")
    views.close()
    writer.close()
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(View)) == 300
        assert verify_record(session).broken is None


def test_views_that_were_changed_or_removed_show(sessions: Sessions) -> None:
    writer = Writer(sessions)
    writer.start()
    views = ViewLog(writer)
    views.note("p-1", "/stores/s-1")
    views.note("p-1", "/stores/s-2")
    views.close()
    writer.close()
    with sessions.begin() as session:
        session.execute(delete(View).where(View.path == "/stores/s-1"))
    with sessions() as session:
        found = verify_record(session)
    assert (found.broken, found.why) == (1, "views")


def test_a_view_that_was_made_up_shows(sessions: Sessions) -> None:
    act(sessions, 1)
    with sessions.begin() as session:
        session.add(View(id="v-made-up-00000", at=now(), person_id="p-1", path="/stores/s-1"))
    with sessions() as session:
        assert verify_record(session).why == "views"


def test_a_database_that_is_away_keeps_views_waiting_and_then_refuses(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views_module, "MOST_WAITING", 2)
    writer = Writer(sessions, limit=1)  # not started: its one place is taken and stays so
    writer.submit(lambda _session: None)
    views = ViewLog(writer)
    views.note("p-1", "/a")
    views._flush()
    views.note("p-1", "/b")
    with pytest.raises(BusyError):
        views.note("p-1", "/c")
    writer.start()
    views.close()
    writer.close()
    with sessions() as session:
        assert set(session.scalars(select(View.path))) == {"/a", "/b"}


def test_a_record_of_many_entries_is_checked_in_pieces(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.add(Person(id="p-1", name="测试甲", made_at=now()))
        for place in range(2500):
            note_act(session, "p-1", "look", str(place))
    with sessions() as session:
        assert verify_record(session).entries == 2500
