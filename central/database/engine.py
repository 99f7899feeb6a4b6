"""Opening the database of head office: SQLite or PostgreSQL by URL, its schema checked."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError

from central.models import Base
from config.errors import ClocheError

SCHEMA: Final = 1


def open_database(url: str, *, create: bool = False) -> Engine:
    """The engine for a database URL, its schema checked.

    Raises:
        ClocheError: it cannot be opened, is not ours, or was written by a newer version.
    """
    engine = create_engine(url)
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    if is_sqlite:
        event.listen(engine, "connect", _prepare)
    shown = make_url(url).render_as_string(hide_password=True)
    try:
        if not is_sqlite:
            Base.metadata.create_all(engine)
            return engine
        with engine.begin() as connection:
            version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
            if version > SCHEMA:
                raise ClocheError(f"{shown}: written by a newer cloche-hq (schema {version}, this one knows {SCHEMA})")
            if create:
                Base.metadata.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA}")
            elif version == 0:
                raise ClocheError(f"{shown}: no head-office database; make one with `cloche-hq init`")
    except SQLAlchemyError as error:
        engine.dispose()
        raise ClocheError(f"{shown}: cannot be opened ({type(error).__name__})") from error
    except ClocheError:
        engine.dispose()
        raise
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
