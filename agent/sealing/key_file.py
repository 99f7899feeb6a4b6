"""The key that a person lends to a command: `--key-file FILE` or `CLOCHE_KEY_FILE`, handed on as a descriptor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from config.errors import RefusedError

VARIABLE = "CLOCHE_KEY_FILE"


def key_file_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--key-file`, which `CLOCHE_KEY_FILE` fills where it is absent."""
    return click.option(
        "--key-file",
        type=click.Path(path_type=Path),
        envvar=VARIABLE,
        help=f"The recovery key file (or {VARIABLE}).",
    )(function)


@contextmanager
def key_descriptor(key_file: Path | None, *, wanted: bool = True) -> Iterator[tuple[int, ...]]:
    """The key file, open, for the length of a block; nothing where none was named.

    Raises:
        RefusedError: it can't be read; the message names it.
    """
    if key_file is None or not wanted:
        yield ()
        return
    try:
        descriptor = os.open(key_file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise RefusedError(f"{key_file}: the key file can't be read: {error.strerror}") from error
    try:
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
