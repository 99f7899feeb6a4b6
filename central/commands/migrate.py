"""`cloche-hq migrate`: bring the database to this version."""

from __future__ import annotations

import click
from sqlalchemy.exc import SQLAlchemyError

from central.console import Console, console_options
from central.database.engine import make_engine
from central.database.failures import explain, read_url, show_url
from central.database.migrate import bring_up


@click.command()
@console_options
@click.option("--create", is_flag=True, help="Make the tables in an empty database.")
def command(console: Console, create: bool) -> None:
    """Bring the database to this version; `serve` does so by itself. A SQLite file is copied first."""
    console.home.require()
    place = read_url(console.home.database_url)
    engine = make_engine(place)
    told: list[str] = []
    try:
        changed = bring_up(engine, place, create=create, tell=told.append)
    except SQLAlchemyError as error:
        raise explain(error, show_url(place)) from None
    finally:
        engine.dispose()
    for message in told:
        click.echo(message, err=True)
    key = "hq_database.upgraded" if changed else "hq_database.current"
    document = {"schema": "cloche.hq-migrate/1", "database": show_url(place), "changed": changed}
    console.answer(document, [console.text(key, database=show_url(place))])
