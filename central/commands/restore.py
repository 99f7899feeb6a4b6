"""`cloche-hq restore FILE`: put a backup back."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker

from central.console import Console, console_options
from central.database.backup import read_backup, restore_backup
from central.database.engine import open_database
from central.database.failures import explain, read_url, show_url
from central.people.record import note_act


@click.command()
@console_options
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--yes", is_flag=True, help="Replace what the database holds.")
def command(console: Console, file: str, yes: bool) -> None:
    """Put the backup FILE into the database, while head office is stopped. Refuses one that holds anything without
    --yes."""
    console.home.require()
    place = read_url(console.home.database_url)
    found = read_backup(Path(file).absolute())
    try:
        copy = restore_backup(place, found, replace=yes)
        engine = open_database(console.home.database_url)
        try:
            with sessionmaker(engine).begin() as session:
                note_act(session, "cloche-hq", "restored", found.path.name)
        finally:
            engine.dispose()
    except SQLAlchemyError as error:
        raise explain(error, show_url(place)) from None
    document = {
        "schema": "cloche.hq-restore/1", "file": str(found.path), "database": show_url(place),
        "version": found.version, "copy": str(copy) if copy else None,
    }  # fmt: skip
    lines = [console.text("hq_database.restored", file=found.path, database=show_url(place))]
    if copy:
        lines.append(console.text("hq_database.restore_copy", copy=copy))
    console.answer(document, [*lines, console.text("hq_database.restore_next")])
