"""How PostgreSQL lays large values down."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

LARGE: Final = (("sections", "document"), ("snapshots", "document"), ("incidents", "document"), ("papers", "content"))


def compress_fast(connection: Connection) -> None:
    """Have large values compressed by lz4: PostgreSQL's own way takes five times as long. A server built without it
    keeps its own. Nothing to do on SQLite."""
    if connection.dialect.name != "postgresql":
        return
    for table, column in LARGE:
        try:
            with connection.begin_nested():
                connection.execute(text(f"ALTER TABLE {table} ALTER COLUMN {column} SET COMPRESSION lz4"))
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            return
