"""Alembic's entry: runs on the connection that `central.database.migrate` hands in, inside its transaction."""

from __future__ import annotations

from alembic import context

from central.database.compare import is_ours
from central.models import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=Base.metadata, include_name=is_ours,
    render_as_batch=connection.dialect.name == "sqlite",
)  # fmt: skip
with context.begin_transaction():
    context.run_migrations()
