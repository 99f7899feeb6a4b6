"""Everything a request may need, built once when head office starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database, reading
from central.database.turns import Turn
from central.database.writer import Writer
from central.direct.delivery import Waiting
from central.direct.signing import OrderKey, sessions_with_key
from central.home import HeadOfficeHome
from central.ingest.take import Taker
from central.keys import Recipients, read_recipients
from central.office_keys import make_office_keys, read_order_key
from central.people.push import Pusher
from central.people.record import read_fact, read_zone
from central.people.secrets import Secrets, make_missing_key, read_secrets
from central.people.views import ViewLog
from central.settings import OfficeSettings, load_office_settings
from central.stores.authority import Authority, read_authority
from central.stores.certificates import LASTS
from central.stores.trusted import Trusted
from central.summary.keeper import Keeper
from config.log import get_logger
from config.notify import notify

log = get_logger("hq")


@dataclass(frozen=True, kw_only=True)
class HeadOffice:
    """Head office at work: where it reads, the one who writes, and who it is.

    `recipients` reads them anew: `cloche-hq keys init` may come after the start.
    """

    name: str
    timezone: ZoneInfo
    pin: bytes
    authority: Authority
    trusted: Trusted
    authority_pem: str
    recipients: Callable[[], Recipients]
    engine: Engine = field(repr=False)
    sessions: sessionmaker[Session] = field(repr=False)
    writer: Writer = field(repr=False)
    secrets: Secrets = field(repr=False)
    views: ViewLog = field(repr=False)
    settings: OfficeSettings
    pusher: Pusher = field(repr=False)
    order_key: OrderKey = field(repr=False)
    waiting: Waiting = field(repr=False)
    summary: Keeper = field(repr=False)
    certificate_lasts: timedelta = LASTS

    def close(self) -> None:
        """Write what waits and let go of the database."""
        self.summary.close()
        self.pusher.close()
        self.views.close()
        self.writer.close()
        self.engine.dispose()


def open_office(home: HeadOfficeHome, *, queue_limit: int = 1000, certificate_lasts: timedelta = LASTS) -> HeadOffice:
    """Head office from its folder, its writer running; certificates that it gives to stores live `certificate_lasts`.

    Raises:
        ClocheError: a file is missing or damaged, or the database is newer than this program.
    """
    home.require()
    settings = load_office_settings(home.folder)
    authority = read_authority(home)
    make_office_keys(home)  # a head office made by an earlier version has none
    engine = open_database(home.database_url, on_upgrade=_say_upgrade)
    sessions = sessionmaker(reading(engine), expire_on_commit=False)
    with sessions() as session:
        name = read_fact(session, "name", "HQ")
        timezone = read_zone(session)
        make_missing_key(home, session)
    accounts = read_secrets(home)
    writer = Writer(
        sessions_with_key(home, engine), limit=queue_limit, take=Taker(timezone).take_many, turn=Turn(home.turn)
    )
    writer.start()
    views = ViewLog(writer)
    views.start()
    pusher = Pusher(sessions, writer, timezone)
    pusher.start()
    summary = Keeper(sessions, writer, timezone)
    summary.start()
    return HeadOffice(
        name=name, timezone=timezone, pin=authority.pin, authority=authority, authority_pem=authority.pem,
        trusted=Trusted(home=home, sessions=sessions), certificate_lasts=certificate_lasts,
        recipients=partial(read_recipients, home), engine=engine, sessions=sessions, writer=writer,
        secrets=accounts, views=views, settings=settings, pusher=pusher,
        order_key=OrderKey(read_order_key(home)), waiting=Waiting(sessions, writer),
        summary=summary,
    )  # fmt: skip


def _say_upgrade(message: str) -> None:
    """A large database takes its time: systemd is asked for an hour."""
    log.warning("the database is upgraded", message=message)
    notify("EXTEND_TIMEOUT_USEC=3600000000")
