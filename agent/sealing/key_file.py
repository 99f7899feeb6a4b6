"""The key that a person lends to a command: `--key-file FILE` or `CLOCHE_KEY_FILE`, handed on as a descriptor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from agent.console import printable
from config.errors import RefusedError, UsageError
from config.identity import parse_identity
from config.text import Text

VARIABLE = "CLOCHE_KEY_FILE"
LARGEST = 1 << 16


def key_file_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--key-file`, which `CLOCHE_KEY_FILE` fills where it is absent."""
    return click.option(
        "--key-file",
        type=click.Path(path_type=Path),
        envvar=VARIABLE,
        help=f"The recovery key file (or {VARIABLE}).",
    )(function)


@contextmanager
def key_descriptor(key_file: Path | None, text: Text, *, wanted: bool = True) -> Iterator[tuple[int, ...]]:
    """The key file, open, for the length of a block; nothing where none was named.

    Raises:
        RefusedError: it can't be read; the message names it.
        UsageError: it is no key, or a line of it is mistyped; the message names it.
    """
    if key_file is None or not wanted:
        yield ()
        return
    try:
        descriptor = os.open(key_file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise RefusedError(text("cli.unreadable", path=printable(str(key_file)), cause=error.strerror)) from error
    try:
        try:
            parse_identity(os.pread(descriptor, LARGEST, 0).decode("utf-8", "replace"))
        except OSError as error:
            raise RefusedError(text("cli.unreadable", path=printable(str(key_file)), cause=error.strerror)) from error
        except UsageError as error:
            raise UsageError(text("cli.bad_key_file", file=printable(str(key_file)), cause=error)) from error
        yield (descriptor,)
    finally:
        os.close(descriptor)


@contextmanager
def sheet_descriptor(sheet: str) -> Iterator[tuple[int, ...]]:
    """A typed sheet as a descriptor in memory (`memfd_create(2)`): it never touches a disk."""
    descriptor = os.memfd_create("sheet", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, sheet.encode())
        yield (descriptor,)
    finally:
        os.close(descriptor)
