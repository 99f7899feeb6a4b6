"""Making a head office: folder, keys, database, the first account, the authority.

Every step makes what is not there yet, and the server's certificate comes last: it is the mark of a head office that
is whole. So what was cut off half-way is finished by the next try, and nothing that stores may have pinned is ever
made twice.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Engine, select
from sqlalchemy.orm import sessionmaker

from central.database.engine import open_database
from central.home import HeadOfficeHome
from central.hosts import own_hosts
from central.models import Fact, Person, Store
from central.office_keys import make_office_keys
from central.people.accounts import add_person
from central.people.record import note_act
from central.people.secrets import make_accounts_key
from central.persons.keys import persons_keys
from central.stores.authority import make_authority, pin_of
from config.errors import ClocheError, RefusedError

OFFICER: Final = "admin"


@dataclass(frozen=True, kw_only=True)
class Founding:
    """What a head office is to be called, by whom it is led, and where it is reached besides this machine's names."""

    name: str = "总部"
    hosts: tuple[str, ...] = ()
    timezone: str = "Asia/Shanghai"
    officer: str = OFFICER
    second_factor: str = "required"


@dataclass(frozen=True, kw_only=True)
class Founded:
    """What was made; the passphrase is shown once."""

    officer: str
    passphrase: str = field(repr=False)
    hosts: list[str]
    pin: bytes


def is_empty(home: HeadOfficeHome) -> bool:
    """Whether there is nothing at all where a head office could be."""
    try:
        return not home.folder.exists() or not any(home.folder.iterdir())
    except OSError as error:
        raise ClocheError(f"{home.folder}: cannot be read: {error.strerror}") from error


def found(home: HeadOfficeHome, founding: Founding, passphrase: str) -> Founded:
    """Make a head office, or finish one that was cut off.

    Raises:
        RefusedError: there is one already, in the folder or in the database.
        UsageError: the passphrase is too short.
        ClocheError: the disk or the database refused it.
    """
    if home.server_chain.exists():
        raise RefusedError(f"{home.folder}: there is a head office already")
    named = list(dict.fromkeys([*founding.hosts, *own_hosts()]))
    home.create()
    before = os.umask(0o077)
    try:
        make_accounts_key(home)
        engine = open_database(home.database_url, create=True)
        try:
            _fill(home, engine, founding, passphrase)
        finally:
            engine.dispose()
        make_office_keys(home)
        persons_keys(home)
        make_authority(home, founding.name, named)
    finally:
        os.umask(before)
    return Founded(officer=founding.officer, passphrase=passphrase, hosts=named, pin=pin_of(home.authority_certificate))


def _fill(home: HeadOfficeHome, engine: Engine, founding: Founding, passphrase: str) -> None:
    """The first rows of the database.

    Raises:
        RefusedError: it holds another head office.
    """
    is_own = home.database_url == f"sqlite:///{home.database}"
    with sessionmaker(engine).begin() as session:
        others = select(Store.id) if is_own else select(Person.id)
        if session.scalar(others.limit(1)) is not None:
            raise RefusedError(
                f"{home.folder}: the database holds a head office whose keys are elsewhere; copy its folder here"
            )
        session.merge(Fact(key="name", value=founding.name))
        session.merge(Fact(key="timezone", value=founding.timezone))
        session.merge(Fact(key="second_factor", value=founding.second_factor))
        add_person(session, founding.officer, passphrase, role="security_lead")
        note_act(session, "cloche-hq", "init", founding.name)
