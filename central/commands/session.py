"""One transaction for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session, sessionmaker

from central.console import Console
from central.database.engine import open_database
from config.errors import ClocheError
from config.text import load_packs


@contextmanager
def transaction(console: Console) -> Iterator[Session]:
    """All or nothing; an error that names a text is said in the reader's language.

    Raises:
        ClocheError: as whatever is done inside.
    """
    console.home.require()
    engine = open_database(console.home.database_url)
    try:
        with sessionmaker(engine, expire_on_commit=False).begin() as session:
            yield session
    except ClocheError as error:
        if str(error) in load_packs():
            raise type(error)(console.text(str(error))) from error
        raise
    finally:
        engine.dispose()
