"""A new file of the caller's: opened under the caller's rights, handed over as a descriptor, gone if the call fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agent.client import perform
from agent.console import Console
from agent.operation import Answer
from config.errors import ClocheError, UsageError


@contextmanager
def new_file(console: Console, output: str) -> Iterator[tuple[str, int]]:
    """A file that was not there, and its descriptor; it goes again if the call fails.

    Raises:
        UsageError: it is there, or its folder is not.
    """
    path = os.path.abspath(output)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise UsageError(console.text("audit.exists", path=path)) from error
    except OSError as error:
        raise UsageError(console.text("cli.unwritable", path=path, cause=error.strerror)) from error
    try:
        yield path, descriptor
    except ClocheError:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def perform_into(console: Console, name: str, arguments: dict[str, Any], output: str | None) -> tuple[Answer, str]:
    """Carry out an operation that writes one file: to the new file `output`, else where it keeps such files.

    Raises:
        ClocheError: what the operation raised, or the file is there already; nothing is left of it then.
    """
    if output is None:
        answer = perform(console, name, arguments)
        return answer, str(answer.document["path"])
    with new_file(console, output) as (path, descriptor):
        return perform(console, name, arguments, descriptors=(descriptor,)), path
