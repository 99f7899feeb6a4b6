"""`cloche open`: read one sealed file, leaving it sealed.

FILE and OUT are opened here, with the caller's own rights, and travel as descriptors. OUT appears only once all of
it is verified; it is readable by the caller alone.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from agent.operation import Answer
from agent.sealing.key_file import key_descriptor, key_file_option
from config.errors import ClocheError, RefusedError, UsageError
from config.text import Text
from containment.atomic import rename_exclusive


@click.command("open")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new file; without it, stdout (no terminal).")
@click.option("--reason", default="", help="Why; goes into the record, masked.")
@key_file_option
@common_options
def command(console: Console, file: Path, output: Path | None, reason: str, key_file: Path | None) -> int:
    """Write the content of the sealed FILE to OUT or stdout; FILE stays sealed (exit 4 without the key)."""
    if output is None and (console.as_json or sys.stdout.isatty()):
        raise UsageError(console.text("protect.open_where"))
    arguments = {"name": os.path.realpath(file), "reason": reason, "stream": output is None}
    with opened(file, console.text) as sealed, key_descriptor(key_file, console.text) as key:
        if output is None:
            answer = perform(console, "open", arguments, descriptors=(sealed, sys.stdout.fileno(), *key))
        else:
            with published(output, console.text) as target:
                answer = perform(console, "open", arguments, descriptors=(sealed, target, *key))
    _tell(console, answer, output)
    return answer.exit_code


def _tell(console: Console, answer: Answer, output: Path | None) -> None:
    if console.as_json:
        console.document(answer.document)
    elif output is not None:
        console.say("protect.opened", name=printable(str(output)), size=answer.document["size"])
    if not answer.document["trusted"]:
        console.say("protect.stranger")


@contextmanager
def opened(file: Path, text: Text) -> Iterator[int]:
    """A file that the caller may read, by descriptor.

    Raises:
        UsageError: it does not exist.
        RefusedError: it can't be read.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise UsageError(text("cli.missing_path", path=printable(str(file)))) from error
    except OSError as error:
        raise RefusedError(text("cli.unreadable", path=printable(str(file)), cause=error.strerror)) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def published(output: Path, text: Text) -> Iterator[int]:
    """A temporary beside `output` that gets its name when the block ends well, and goes when it doesn't.

    Raises:
        RefusedError: there is something of that name.
        ClocheError: the disk refuses.
    """
    name = os.fsencode(output.name)
    try:
        folder = os.open(output.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(text("cli.unwritable", path=printable(str(output.parent)), cause=error.strerror)) from error
    temporary = b".cloche-" + secrets.token_hex(8).encode() + b".tmp"
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
        try:
            yield descriptor
            rename_exclusive(folder, temporary, folder, name)
            os.fsync(folder)
        except BaseException:
            os.unlink(temporary, dir_fd=folder)
            raise
        finally:
            os.close(descriptor)
    except FileExistsError as error:
        raise RefusedError(text("cli.already_there", path=printable(str(output)))) from error
    except OSError as error:
        raise ClocheError(text("cli.unwritable", path=printable(str(output)), cause=error.strerror)) from error
    finally:
        os.close(folder)
