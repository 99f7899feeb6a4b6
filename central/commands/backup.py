"""`cloche-hq backup FILE`: the database in one file, checked after it was written."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker

from central.console import Console, console_options
from central.database.backup import write_backup
from central.database.engine import open_database
from central.database.failures import explain, read_url, show_url
from central.people.record import note_act


@click.command()
@console_options
@click.argument("file", type=click.Path(dir_okay=False))
def command(console: Console, file: str) -> None:
    """Write the database to FILE while head office works. Keys are not in it: back the folder's keys up apart."""
    console.home.require()
    place = read_url(console.home.database_url)
    engine = open_database(console.home.database_url)
    try:
        found = write_backup(place, Path(file).absolute())
        with sessionmaker(engine).begin() as session:
            note_act(session, "cloche-hq", "backup", found.path.name)
    except SQLAlchemyError as error:
        raise explain(error, show_url(place)) from None
    finally:
        engine.dispose()
    document = {
        "schema": "cloche.hq-backup/1", "file": str(found.path), "kind": found.kind, "size": found.size,
        "version": found.version, "stores": found.stores, "reports": found.reports,
    }  # fmt: skip
    lines = [console.text("hq_database.backed_up", file=found.path, size=f"{found.size / 1e6:.1f}")]
    console.answer(document, [*lines, console.text("hq_database.backup_keys", folder=console.home.folder)])
