"""Writes head office's first migration anew from the models: run it whenever a table changes before the first release.

After a release its migration is fixed and changes go into a new file beside it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from central.models import Base, Moment

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "central/database/migrations/versions/0001_first.py"
HEAD = '''"""The first tables of head office. Written by packaging/hq_migration.py."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from central.database.partitions import make_default
from central.database.storage import compress_fast
from central.models.base import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """All tables."""
'''
TAIL = '''
    make_default(op.get_bind())
    compress_fast(op.get_bind())


def downgrade() -> None:
    """Head office's database is never taken back to an older version: restore the backup instead."""
    raise NotImplementedError
'''


def render(kind: str, item: Any, _context: Any) -> str | bool:
    """Our own column type by its short name."""
    return "Moment()" if kind == "type" and isinstance(item, Moment) else False


def main() -> None:
    """Write the file."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"render_item": render})
        operations = produce_migrations(context, Base.metadata).upgrade_ops
        if operations is None:
            raise SystemExit("nothing to write")
        code = render_python_code(operations, render_item=render, migration_context=context)
    body = "\n".join(f"    {line.strip()}" if line.startswith("    ") else f"    {line}" for line in code.splitlines())
    lines = [line for line in body.splitlines() if "### commands auto generated" not in line and "### end" not in line]
    TARGET.write_text(HEAD + "\n".join(lines) + TAIL, encoding="utf-8")
    for action in (("format",), ("check", "--fix")):
        subprocess.run([sys.executable, "-m", "ruff", *action, "--quiet", str(TARGET)], check=True)


if __name__ == "__main__":
    main()
