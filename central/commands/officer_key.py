"""`cloche-hq officer-key`: an officer's own key. `make` and `sign` run on a machine of the officer's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from central.commands.order import _person, _row
from central.console import Console, console_options
from central.database.engine import open_database
from central.direct import officers
from central.direct.keyfile import make_key_file, open_key_file, read_signing, sign_text
from central.direct.orders import give_order
from central.direct.signing import sessions_with_key
from central.direct.wording import in_words
from central.models import OfficerKey, OfficerVersion
from central.people.directory import machine_viewer
from central.wire import decode, encode
from config.errors import ClocheError, RefusedError, UsageError


@click.group("officer-key")
def command() -> None:
    """Keys of officers, without whom stores destroy, release, loosen and cut off nothing."""


@command.command("make")
@console_options
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--passphrase-file", type=click.Path(), help="First line is the key's passphrase.")
def make(console: Console, file: str, passphrase_file: str | None) -> None:
    """Make a key in FILE, on your own machine; show what to register at head office."""
    passphrase, made_up = console.new_passphrase(console.text("hq_direct.cli_passphrase"), passphrase_file)
    if len(passphrase) < 12:
        raise UsageError("the key's passphrase needs 12 characters")
    public = make_key_file(Path(file), passphrase)
    lines = [
        console.text("hq_direct.cli_key_made", file=file),
        console.text("hq_direct.cli_public", key=encode(public)),
        console.text("hq_direct.cli_words", words=officers.key_words(public)),
    ]
    if made_up:
        lines.append(console.text("hq_direct.cli_made_up", passphrase=passphrase))
    document = {
        "schema": "cloche.officer-key/1", "file": file, "public_key": encode(public),
        "words": officers.key_words(public), "passphrase": passphrase if made_up else None,
    }  # fmt: skip
    console.answer(document, lines)


@command.command("sign")
@console_options
@click.argument("order_file", type=click.Path(dir_okay=False))
@click.option("--key", "key_file", required=True, type=click.Path(dir_okay=False), help="File of `officer-key make`.")
@click.option("--passphrase-file", type=click.Path(), help="First line is the key's passphrase.")
@click.option("--yes", is_flag=True, help="You have read it.")
def sign(console: Console, order_file: str, key_file: str, passphrase_file: str | None, yes: bool) -> None:
    """Show the order in ORDER_FILE in words, and sign exactly that. The signature goes back to head office."""
    body, names = read_signing(Path(order_file))
    words = in_words(console.text, body, names=names)
    for label, said in words:
        click.echo(f"{label}: {said}", err=True)
    if not yes:
        if not console.is_terminal:
            raise RefusedError("nobody is there to read it: pass --yes once you have")
        click.confirm(console.text("hq_direct.cli_sign_this"), abort=True, err=True)
    signature = sign_text(open_key_file(Path(key_file), _passphrase(console, passphrase_file)), body)
    document = {
        "schema": "cloche.officer-signature/1", "order": dict(words)[console.text("hq_direct.id")],
        "signature": signature,
    }  # fmt: skip
    console.answer(document, [signature])


@command.command("list")
@console_options
def list_keys(console: Console) -> None:
    """Officers' keys and the policy in force."""
    with _session(console) as session:
        rows = [
            {
                "person": key.person_id,
                "public_key": encode(key.public_key),
                "label": key.label,
                "words": officers.key_words(key.public_key),
                "state": "revoked" if key.revoked_at else "confirmed" if key.confirmed_at else "waits",
            }
            for key in session.scalars(select(OfficerKey).order_by(OfficerKey.made_at))
        ]
        policy = officers.current_policy(session)
        stale = officers.is_policy_stale(session)
    lines = [f"{row['person']}  {row['state']}  {row['words']}  {row['label']}" for row in rows]
    document = {"schema": "cloche.officer-keys/1", "keys": rows, "policy": policy, "stale": stale}
    console.answer(document, [*lines, console.text("hq_direct.cli_policy", version=str(policy["version"]))])


@command.command("add")
@console_options
@click.argument("person")
@click.argument("public_key")
@click.option("--label", default="", help="What the key is called.")
def add(console: Console, person: str, public_key: str, label: str) -> None:
    """Register PUBLIC_KEY for PERSON (account or id). It counts once a second person has confirmed it."""
    try:
        raw = decode(public_key)
    except ValueError as error:
        raise UsageError("PUBLIC_KEY: not base64url") from error
    with _session(console) as session:
        officers.register_key(session, _person(session, person), raw, label)
    words = officers.key_words(raw)
    document = {"schema": "cloche.officer-key-added/1", "person": person, "words": words}
    console.answer(document, [console.text("hq_direct.cli_words", words=words)])


@command.command("confirm")
@console_options
@click.argument("person")
@click.option("--words", required=True, help="The six groups, as the officer's own machine shows them.")
@click.option("--as", "login", required=True, help="Account of the second person, who has compared them.")
def confirm(console: Console, person: str, words: str, login: str) -> None:
    """Say, as a second person, that PERSON's key is the one whose words you were read."""
    with _session(console) as session:
        whose, by = _person(session, person), _person(session, login)
        keys = session.scalars(
            select(OfficerKey).where(OfficerKey.person_id == whose.id, OfficerKey.revoked_at.is_(None))
        ).all()
        wanted = "".join(words.lower().split())
        fitting = [key for key in keys if officers.key_words(key.public_key).replace(" ", "") == wanted]
        if not fitting:
            raise UsageError("--words: no key of this person has them")
        officers.confirm_key(session, by, whose.id, fitting[0].public_key, words)
        policy = officers.current_policy(session)
    line = console.text("hq_direct.cli_policy", version=str(policy["version"]))
    console.answer({"schema": "cloche.officer-key-confirmed/1", "person": person, "policy": policy}, [line])


@command.command("revoke")
@console_options
@click.argument("person")
@click.argument("public_key")
def revoke(console: Console, person: str, public_key: str) -> None:
    """Take a key back: here at once, at stores with the next policy."""
    try:
        raw = decode(public_key)
    except ValueError as error:
        raise UsageError("PUBLIC_KEY: not base64url") from error
    with _session(console) as session:
        officers.revoke_key(session, "cloche-hq", _person(session, person).id, raw)
    console.answer(
        {"schema": "cloche.officer-key-revoked/1", "person": person}, [console.text("hq_direct.cli_revoked")]
    )


@command.command("policy")
@console_options
@click.option("--reason", required=True, help="Why the officers change.")
@click.option(
    "--days", type=click.FloatRange(0.1, 30), default=30, show_default=True, help="How long it may be signed."
)
def policy(console: Console, reason: str, days: float) -> None:
    """Make the next policy of the confirmed keys: an order to all stores that two officers of the old one sign."""
    with _session(console) as session:
        wanted = officers.wanted_policy(session)
        if not wanted.can_sign:
            raise RefusedError(console.text("hq_direct.few_officers"))
        if session.get(OfficerVersion, wanted.version) is not None:
            raise ClocheError("the version is there already")
        given = give_order(
            session, machine_viewer(), "officers", "all", {"policy": officers.document_of(wanted)}, reason=reason,
            lasts=timedelta(days=days),
        )  # fmt: skip
        row = _row(session, given)
    line = console.text("hq_direct.cli_waits", id=given.id, kind="officers", stores="all")
    console.answer({"schema": "cloche.hq-order/1", **row}, [line])


@contextmanager
def _session(console: Console) -> Iterator[Session]:
    console.home.require()
    engine = open_database(console.home.database_url)
    try:
        with sessions_with_key(console.home, engine).begin() as session:
            yield session
    finally:
        engine.dispose()


def _passphrase(console: Console, file: str | None) -> str:
    if file is not None:
        return console.new_passphrase("", file)[0]
    return str(click.prompt(console.text("hq_direct.cli_passphrase"), hide_input=True, err=True))
