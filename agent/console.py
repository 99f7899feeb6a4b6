"""The rules of command-line output, once.

stdout carries the answer: one JSON document with `--json`, else text for a person. stderr carries messages.
Progress is drawn on a terminal only, after two seconds' worth of work may be expected. A question is asked on a
terminal only; without one and without `--yes` the answer is a refusal (exit 4). Control characters in names are
shown escaped: a file name must not drive a terminal.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
from rich.console import Console as RichConsole

from config.commandline import write_document
from config.errors import RefusedError
from config.home import Home
from config.text import Text

PIPE_WIDTH: Final = 200  # nothing is cut off where a program or a page reads


def printable(name: str | bytes) -> str:
    """A name fit for a terminal: control characters and undecodable bytes as `\\x..`."""
    text = os.fsdecode(name)
    return "".join(
        character if character.isprintable() else character.encode("utf-8", "surrogateescape").decode("latin-1")
        .encode("unicode_escape").decode("ascii")
        for character in text
    )  # fmt: skip


@dataclass(kw_only=True)
class Console:
    """Where a command writes. Made once per call by `agent.cli`, found as `click.Context.obj`."""

    home: Home
    text: Text
    as_json: bool = False
    debug: bool = False
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    @property
    def screen(self) -> RichConsole:
        """stdout for people; plain text in a pipe."""
        width = None if sys.stdout.isatty() else PIPE_WIDTH
        return RichConsole(highlight=False, width=width, emoji=False, markup=False)

    @property
    def is_terminal(self) -> bool:
        """Somebody is there to answer a question."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def time(self, moment: str | None) -> str:
        """A document's ISO 8601 time by the store's clock; a dash for none."""
        if moment is None:
            return "–"
        return datetime.fromisoformat(moment).astimezone(self.zone).strftime("%Y-%m-%d %H:%M")

    def document(self, document: dict[str, Any]) -> None:
        """Write the one JSON document of this call."""
        write_document(document)

    def say(self, key: str, /, **values: object) -> None:
        """A message on stderr in the reader's language."""
        click.echo(self.text(key, **values), err=True)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Go on only with a yes.

        Raises:
            RefusedError: the answer was no, or there is no terminal and no `--yes`.
        """
        if yes:
            return
        if not self.is_terminal:
            raise RefusedError(self.text("cli.needs_yes", question=question))
        if not click.confirm(question, err=True):
            raise RefusedError(self.text("cli.not_confirmed"))
