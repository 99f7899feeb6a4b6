"""Everything a request may need, built once when head office starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database, reading
from central.database.writer import Writer
from central.direct.signing import sessions_with_key
from central.home import HeadOfficeHome
from central.keys import Recipients, read_recipients
from central.office_keys import make_office_keys
from central.people.record import read_fact
from central.people.secrets import Secrets, read_secrets
from central.people.views import ViewLog
from central.stores.authority import pin_of
from config.log import get_logger

log = get_logger("hq")


@dataclass(frozen=True, kw_only=True)
class HeadOffice:
    """Head office at work: where it reads, the one who writes, and who it is.

    `recipients` reads them anew: `cloche-hq keys init` may come after the start.
    """

    name: str
    timezone: ZoneInfo
    pin: bytes
    authority_pem: str
    recipients: Callable[[], Recipients]
    engine: Engine = field(repr=False)
    sessions: sessionmaker[Session] = field(repr=False)
    writer: Writer = field(repr=False)
    secrets: Secrets = field(repr=False)
    views: ViewLog = field(repr=False)

    def close(self) -> None:
        """Write what waits and let go of the database."""
        self.views.close()
        self.writer.close()
        self.engine.dispose()


def open_office(home: HeadOfficeHome, *, queue_limit: int = 1000) -> HeadOffice:
    """Head office from its folder, its writer running.

    Raises:
        ClocheError: a file is missing or damaged, or the database is newer than this program.
    """
    home.require()
    accounts = read_secrets(home)
    make_office_keys(home)  # a head office made by an earlier version has none
    engine = open_database(home.database_url, on_upgrade=lambda message: log.warning("database", message=message))
    sessions = sessionmaker(reading(engine), expire_on_commit=False)
    with sessions() as session:
        name = read_fact(session, "name", "HQ")
        timezone = ZoneInfo(read_fact(session, "timezone", "Asia/Shanghai"))
    writer = Writer(sessions_with_key(home, engine), limit=queue_limit)
    writer.start()
    views = ViewLog(writer)
    views.start()
    return HeadOffice(
        name=name, timezone=timezone, pin=pin_of(home.authority_certificate),
        authority_pem=home.authority_certificate.read_text(encoding="ascii"), recipients=partial(read_recipients, home),
        engine=engine, sessions=sessions, writer=writer,
        secrets=accounts, views=views,
    )  # fmt: skip
