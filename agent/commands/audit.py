"""`cloche audit verify|export`: is the record of every act whole, and hand it to somebody outside."""

from __future__ import annotations

import os

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console
from config.errors import ClocheError, UsageError


@click.group()
def command() -> None:
    """Verify the record of every act, or export it for an outsider."""


@command.command("verify")
@common_options
def verify_command(console: Console) -> int:
    """Follow the whole chain; exit 1 names the line where it breaks."""
    answer = perform(console, "audit.verify", {})
    document = answer.document
    if console.as_json:
        console.document(document)
    elif document["ok"]:
        console.screen.print(
            console.text(
                "audit.whole", entries=document["entries"], signed_to=document["signed_to"], head=document["head"]
            )
        )
    else:
        tell_fault(console, document, document["path"])
    return int(answer.exit_code)


@command.command("export")
@common_options
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the bundle to this new file.")
def export_command(console: Console, output: str | None) -> int:
    """Write a zip that an outsider verifies without Cloche."""
    if output is None:
        answer = perform(console, "audit.export", {})
        path = answer.document["path"]
    else:
        path = os.path.abspath(output)
        target = open_new(console, path)
        try:
            answer = perform(console, "audit.export", {}, descriptors=(target,))
        except ClocheError:
            os.unlink(path)
            raise
        finally:
            os.close(target)
    document = {**answer.document, "path": path}
    if console.as_json:
        console.document(document)
    else:
        console.screen.print(
            console.text(
                "audit.exported", path=path, entries=document["entries"], sha256=document["sha256"],
                head=document["head"]["hash"],
            )
        )  # fmt: skip
        if not document["ok"]:
            tell_fault(console, document, "audit.jsonl")
    return int(answer.exit_code)


def tell_fault(console: Console, document: dict[str, object], path: object) -> None:
    """Say where the record breaks, on stderr."""
    key = "audit.broken" if document["line"] else "audit.broken_head"
    values = {"path": path, "fault": document["fault"]}
    console.say(key, **values, **({"line": document["line"]} if document["line"] else {}))


def open_new(console: Console, path: str) -> int:
    """A descriptor of a file that was not there.

    Raises:
        UsageError: it is there, or its folder is not.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise UsageError(console.text("audit.exists", path=path)) from error
    except OSError as error:
        raise UsageError(console.text("cli.unwritable", path=path, cause=error.strerror)) from error
