"""Rules of `cloche-hq`'s output: an answer on stdout, questions and messages on stderr."""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from central.home import HeadOfficeHome, find_home
from central.people.passphrases import make_passphrase
from config.commandline import run as boundary
from config.commandline import stand_in_for, write_document
from config.errors import ClocheError
from config.log import set_up_logging
from config.text import Text


@dataclass(kw_only=True)
class Console:
    """Where a command writes."""

    home: HeadOfficeHome
    text: Text
    as_json: bool = False
    debug: bool = False

    @property
    def is_terminal(self) -> bool:
        """Somebody is there to answer."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def answer(self, document: dict[str, Any], lines: list[str]) -> None:
        """The document with `--json`, else lines for a person."""
        if self.as_json:
            write_document(document)
        else:
            for line in lines:
                click.echo(line)

    def say(self, key: str, /, **values: object) -> str:
        """A text in the reader's language."""
        return self.text(f"hq.{key}", **values)

    def new_passphrase(self, prompt: str, file: str | None) -> tuple[str, bool]:
        """A passphrase from a file, typed twice, or, with nobody to ask, made up; True if it was made up.

        Raises:
            ClocheError: the file cannot be read.
        """
        if file:
            try:
                with click.open_file(file, encoding="utf-8") as source:
                    return source.readline().rstrip("\n"), False
            except OSError as error:
                raise ClocheError(f"{file}: cannot be read: {error.strerror}") from error
        if self.is_terminal and not self.as_json:
            typed = click.prompt(
                prompt, hide_input=True, confirmation_prompt=True, default="", show_default=False, err=True
            )
            if typed:
                return str(typed), False
        return make_passphrase(), True


def console_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--json`, `--home` and `--debug`, and pass it its `Console` first."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    @click.option("--home", "home_folder", type=click.Path(), help="Head office's folder.")
    @click.option("--debug", is_flag=True, help="Log more, never a value.")
    @click.pass_context
    def wrapped(
        context: click.Context, /, as_json: bool, home_folder: str | None, debug: bool, **arguments: Any
    ) -> Any:
        set_up_logging(debug=debug)
        home = find_home(home_folder or context.find_root().params.get("home_folder"))
        console = Console(home=home, text=Text(_language()), as_json=as_json, debug=debug)
        context.find_root().obj = console
        return context.invoke(function, console, **arguments)

    return stand_in_for(function, wrapped)


def _language() -> Any:
    """English where the account's locale says so, else Chinese."""
    name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "en" if locale.normalize(name).lower().startswith("en") else "zh-CN"


def run(command: click.Command) -> NoReturn:
    """Run `cloche-hq`. Exits the process."""
    boundary(command, "cloche-hq", lambda: Text(_language()))
