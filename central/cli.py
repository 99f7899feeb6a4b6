"""The `cloche-hq` command."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from sqlalchemy import func, select
from sqlalchemy.orm import sessionmaker

from central.commands.backup import backup
from central.commands.certificate import certificate
from central.commands.digest import digest
from central.commands.entity import entity
from central.commands.migrate import migrate
from central.commands.officer_key import officer_key
from central.commands.order import order
from central.commands.people import people, record
from central.commands.region import region
from central.commands.restore import restore
from central.commands.stores import stores
from central.commands.token import token
from central.console import Console, console_options, run
from central.database.engine import open_database
from central.figures import shared_figures
from central.founding import Founding, found, is_empty
from central.hosts import is_host
from central.keys import make_keys, read_recipients
from central.models import Store, StoredIncident, StoredReport
from central.people.accounts import add_person, make_passphrase
from central.people.second_factor import POLICIES
from central.stores.authority import server_facts
from config.errors import ExitCode, RefusedError, UsageError
from config.identity import Identity, key_id, make_identity, read_line


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", "home_folder", type=click.Path(), help="Head office's folder.")
@click.version_option(package_name="cloche")
def hq(home_folder: str | None) -> None:
    """Head office: collect reports of stores, and show what needs attention."""


@hq.command()
@console_options
@click.option("--name", default="总部", show_default=True, help="Name of this head office.")
@click.option("--host", "hosts", multiple=True, help="Name or address stores reach it by (repeatable).")
@click.option("--timezone", default="Asia/Shanghai", show_default=True, help="IANA time zone of its pages.")
@click.option("--officer", default="admin", show_default=True, help="Account of the first officer.")
@click.option("--passphrase-file", type=click.Path(), help="First line is the officer's passphrase.")
@click.option(
    "--second-factor",
    type=click.Choice(POLICIES),
    default="required",
    show_default=True,
    help="Of whoever may declare, purge or look after people.",
)
def init(  # noqa: PLR0913, PLR0917  one argument an option
    console: Console,
    name: str,
    hosts: tuple[str, ...],
    timezone: str,
    officer: str,
    passphrase_file: str | None,
    second_factor: str,
) -> None:
    """Make authority, certificate, database and the first account."""
    home = console.home
    if home.server_chain.exists():
        raise RefusedError(f"{home.folder}: there is a head office already")
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError) as error:
        raise UsageError(f"--timezone {timezone}: no such time zone") from error
    for host in hosts:
        if not is_host(host):
            raise UsageError(f"--host {host}: neither a name nor an address")
    passphrase, made_up = console.new_passphrase(
        console.say("cli_officer_passphrase", officer=officer), passphrase_file
    )
    founding = Founding(name=name, hosts=hosts, timezone=timezone, officer=officer, second_factor=second_factor)
    made = found(home, founding, passphrase)
    document = {
        "schema": "cloche.hq-init/1", "home": str(home.folder), "name": name, "hosts": made.hosts, "officer": officer,
        "passphrase": passphrase if made_up else None, "pin": made.pin.hex(),
    }  # fmt: skip
    lines = [console.say("cli_made", folder=home.folder), console.say("cli_hosts", hosts=", ".join(made.hosts))]
    if made_up:
        lines.append(console.say("cli_login", officer=officer, passphrase=passphrase))
    console.answer(document, [*lines, console.say("cli_next")])


@hq.command("officer")
@console_options
@click.argument("name")
@click.option("--passphrase-file", type=click.Path(), help="First line is the passphrase.")
def set_officer(console: Console, name: str, passphrase_file: str | None) -> None:
    """Give NAME an account, or a new passphrase."""
    console.home.require()
    passphrase, made_up = console.new_passphrase(console.say("cli_officer_passphrase", officer=name), passphrase_file)
    engine = open_database(console.home.database_url)
    try:
        with sessionmaker(engine).begin() as session:
            add_person(session, name, passphrase, role="security_lead", must_change=made_up)
    finally:
        engine.dispose()
    shown = passphrase if made_up else None
    lines = [console.say("cli_officer", officer=name)]
    if shown:
        lines.append(console.say("cli_login", officer=name, passphrase=shown))
    console.answer({"schema": "cloche.hq-officer/1", "officer": name, "passphrase": shown}, lines)


@hq.group()
def keys() -> None:
    """Keys that stores seal to."""


@keys.command("init")
@console_options
@click.option("--recovery-file", type=click.Path(), help="Write the recovery key there (mode 600).")
@click.option("--passphrase-file", type=click.Path(), help="First line is the HQ key's passphrase.")
def keys_init(console: Console, recovery_file: str | None, passphrase_file: str | None) -> None:
    """Make the chain's recovery key (a sheet to print) and the HQ key (under a passphrase)."""
    home = console.home
    home.require()
    if read_recipients(home).recovery:
        raise RefusedError(f"{home.keys}: there are keys already; stores seal to them")
    if not recovery_file and (not console.is_terminal or console.as_json):
        raise RefusedError("the sheet is shown on a terminal only: pass --recovery-file FILE")
    recovery = make_identity("recovery")
    if not recovery_file:
        _prove(console, recovery)
    passphrase, made_up = console.new_passphrase(console.say("cli_passphrase"), passphrase_file)
    if len(passphrase) < len(make_passphrase()) // 2:
        raise UsageError("the HQ key's passphrase needs 12 characters")
    if recovery_file:
        home.write(Path(recovery_file).absolute(), recovery.sheet().encode())
    identity = make_keys(home, recovery, passphrase)
    lines = [console.say("cli_keys_made", recovery=recovery.id, hq=identity.id)]
    if recovery_file:
        lines.append(console.say("cli_recovery_file", file=recovery_file))
    if made_up:
        lines.append(console.say("cli_hq_passphrase", passphrase=passphrase))
    document = {
        "schema": "cloche.hq-keys/1", "recovery": recovery.id, "hq": identity.id, "recovery_file": recovery_file,
        "passphrase": passphrase if made_up else None,
    }  # fmt: skip
    console.answer(document, lines)


def _prove(console: Console, recovery: Identity) -> None:
    """Show the sheet and have two lines of it typed back."""
    click.echo(console.say("cli_sheet"), err=True)
    click.echo(f"\n{recovery.sheet()}", err=True)
    for number in (2, 4):
        typed = read_line("recovery", number, click.prompt(console.say("cli_prove", number=number), err=True))
        if typed != recovery.seed[(number - 1) * 8 : number * 8]:
            raise RefusedError(f"that is not line {number} of this sheet: no key was made")
    click.clear()


@hq.command()
@console_options
@click.option(
    "--host",
    default="127.0.0.1",
    envvar="CLOCHEHQ_HOST",
    show_default=True,
    show_envvar=True,
    help="Address to listen on.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8443,
    envvar="CLOCHEHQ_PORT",
    show_default=True,
    show_envvar=True,
    help="0: any free port.",
)
@click.option(
    "--certificate-days",
    type=click.FloatRange(min=0.00001, max=825),
    default=90.0,
    show_default=True,
    help="How long a store's certificate lives; it is renewed after two thirds.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=2,
    envvar="CLOCHEHQ_PROCESSES",
    show_default=True,
    show_envvar=True,
    help="How many processes serve; one that dies is started anew.",
)
def serve(console: Console, host: str, port: int, certificate_days: float, processes: int) -> int:
    """Serve pages and take reports, over TLS, until told to stop. In an empty folder a head office is made first."""
    if is_empty(console.home):
        _make_first(console, host)
    with shared_figures(processes):
        from central.serve import Serving, serve_forever

        lasts = timedelta(days=certificate_days)
        return serve_forever(
            console.home, Serving(host=host, port=port, processes=processes, certificate_lasts=lasts),
            announce=lambda url: click.echo(console.say("cli_serving", url=url)),
        )  # fmt: skip


def _make_first(console: Console, host: str) -> None:
    """Make a head office with defaults, and say how to come in: shown once, for whoever started us."""
    hosts = [] if host in ("0.0.0.0", "::") else [host]  # noqa: S104  told apart, not bound
    made = found(console.home, Founding(hosts=tuple(hosts)), make_passphrase())
    click.echo(console.say("cli_made", folder=console.home.folder))
    click.echo(console.say("cli_login", officer=made.officer, passphrase=made.passphrase))
    click.echo(console.say("cli_first", folder=console.home.folder))


@hq.command()
@console_options
def status(console: Console) -> int:
    """Say what this head office holds and whether something is missing."""
    home = console.home
    home.require()
    until, hosts = server_facts(home)
    engine = open_database(home.database_url)
    try:
        with sessionmaker(engine)() as session:
            stores = session.scalar(select(func.count()).select_from(Store)) or 0
            incidents = session.scalar(select(func.count()).where(StoredIncident.is_open)) or 0
            reports = session.scalar(select(func.count()).select_from(StoredReport)) or 0
    finally:
        engine.dispose()
    recipients = read_recipients(home)
    document = {
        "schema": "cloche.hq-status/1", "stores": stores, "open_incidents": incidents, "reports": reports,
        "certificate_until": until.isoformat(), "hosts": hosts,
        "recovery": key_id(recipients.recovery) if recipients.recovery else None,
        "hq": key_id(recipients.hq) if recipients.hq else None,
    }  # fmt: skip
    line = console.say(
        "cli_status", stores=stores, incidents=incidents, reports=reports, until=until.date().isoformat()
    )
    lines = [line] if recipients.recovery else [line, console.say("cli_status_keys_missing")]
    console.answer(document, lines)
    return int(ExitCode.DONE if recipients.recovery else ExitCode.INCOMPLETE)


for command in (
    migrate,
    backup,
    restore,
    digest,
    certificate,
    people,
    record,
    order,
    officer_key,
    token,
    stores,
    entity,
    region,
):
    hq.add_command(command)


def main() -> None:
    """Entry point."""
    run(hq)
