"""Duties: what one instance of head office does for all of them, for as long as it says so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from central.models import Duty

LEASE: Final = timedelta(seconds=30)


def take_duty(session: Session, name: str, holder: str, moment: datetime, lease: timedelta = LEASE) -> Duty | None:
    """The duty, if it is free or this holder's: theirs for `lease` from now on. In the writer's transaction; another
    instance that asks at the same moment waits for its end."""
    duty = session.scalar(select(Duty).where(Duty.name == name).with_for_update())
    if duty is None:
        duty = Duty(name=name, holder=holder, until=moment + lease)
        session.add(duty)
        session.flush()  # whoever makes it at the same time fails here, and asks again
        return duty
    if duty.holder != holder and duty.until > moment:
        return None
    duty.holder, duty.until = holder, moment + lease
    return duty
