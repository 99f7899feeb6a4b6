"""The weekly round: makes a week's letters when their hour has come, and sends those that wait."""

from __future__ import annotations

import secrets
import threading
from datetime import datetime
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from central.digest.letters import (
    ROBOT,
    Letter,
    claim_letter,
    make_week,
    settle_letter,
    week_of,
    write_letter,
)  # fmt: skip
from central.digest.posting import post_letter
from central.hooks.duties import take_duty
from central.models import Person
from central.moments import now
from central.office import HeadOffice
from central.people.record import note_act
from config.errors import ClocheError
from config.log import describe, get_logger

EVERY: Final = 20.0
DUTY: Final = "digest"
log = get_logger("hq.digest")


class Weekly:
    """A thread that looks now and then."""

    def __init__(self, office: HeadOffice, every: float = EVERY) -> None:
        self._office = office
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hq-weekly", daemon=True)

    def start(self) -> None:
        """Begin, if anybody is to be told."""
        settings = self._office.settings.digest
        if settings.smtp_host or settings.robot_kind:
            self._thread.start()

    def close(self) -> None:
        """Finish the letter under way, then stop."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                send_due(self._office, now(), stop=self._stop)
            except (SQLAlchemyError, ClocheError) as error:
                log.warning("digest could not be made", error=describe(error))
            except Exception as error:  # noqa: BLE001  the boundary: the next round begins anew
                log.error("digest failed", error=describe(error))


def send_due(office: HeadOffice, moment: datetime, *, stop: threading.Event | None = None) -> dict[str, str]:
    """Make this week's letters if they are due and send what waits; what became of each, by its mark."""
    week = week_of(moment, office.settings.digest, office.timezone)
    ends: dict[str, str] = {}
    if not week:
        return ends
    holder = secrets.token_hex(8)

    def begin(session: Session) -> None:
        duty = take_duty(session, DUTY, holder, moment)
        if duty is not None and duty.done != week:
            make_week(session, week, office.settings.digest, moment)
            duty.done = week
        if duty is not None:
            duty.until = moment  # given back at once: letters are claimed one by one

    _write(office, begin)
    while stop is None or not stop.is_set():
        claimed: tuple[str, int] | None = _write(office, lambda session: claim_letter(session, week, now()))
        if claimed is None:
            break
        subject, tries = claimed
        letter = _letter_of(office, subject, week, now())
        failure = post_letter(letter, office.settings.digest) if letter else "left"
        tries = tries if letter else 10**6
        ends[subject] = _write(office, lambda session: _settle(session, subject, tries, failure))  # noqa: B023  run before the next turn
    return ends


def _letter_of(office: HeadOffice, subject: str, week: str, moment: datetime) -> Letter | None:
    who = subject.partition("/")[2]
    with office.sessions() as session:
        person = session.get(Person, who) if who != ROBOT else None
        if who != ROBOT and (person is None or person.left_at is not None or not person.mail):
            return None
        return write_letter(session, who, person, week, moment, (office.name, office.timezone))


def _settle(session: Session, subject: str, tries: int, failure: str) -> str:
    state = settle_letter(session, subject, tries, failure, now())
    if not state.startswith("waiting"):
        note_act(
            session, "cloche-hq", "digest.sent" if state == "sent" else "digest.failed", f"{subject} {failure}".strip()
        )
    return state


def _write(office: HeadOffice, job: Any) -> Any:
    return office.writer.submit(job).result(timeout=60)
