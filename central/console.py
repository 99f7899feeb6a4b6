"""Rules of `cloche-hq`'s output: an answer on stdout, messages on stderr, errors as one line and an exit code.

The same rules as `agent.console` and `agent.cli`, which head office may not import.
"""

from __future__ import annotations

import json
import locale
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import click

from central.home import HeadOfficeHome, find_home
from central.officers import make_passphrase
from config.errors import ClocheError, ExitCode
from config.log import describe, set_up_logging
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
            click.echo(json.dumps(document, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))
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

    wrapped.__name__ = function.__name__
    wrapped.__doc__ = function.__doc__
    wrapped.__click_params__ = [  # type: ignore[attr-defined]
        *wrapped.__click_params__,  # type: ignore[attr-defined]
        *getattr(function, "__click_params__", []),
    ]
    return wrapped


def _language() -> Any:
    """English where the account's locale says so, else Chinese."""
    name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "en" if locale.normalize(name).lower().startswith("en") else "zh-CN"


def run(command: click.Command) -> None:
    """Run a click command: every error becomes one message and its exit code; no traceback reaches a user."""
    context: click.Context | None = None
    try:
        with command.make_context("cloche-hq", sys.argv[1:]) as context:
            code = command.invoke(context)
        sys.exit(int(code) if isinstance(code, int) else ExitCode.DONE)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.ClickException as error:
        if "--json" in takewhile(lambda argument: argument != "--", sys.argv[1:]):
            _write_error(error.format_message(), ExitCode.USAGE)
        error.show()
        sys.exit(ExitCode.USAGE)
    except ClocheError as error:
        _finish(context, str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001  the boundary: type and place only, arguments may hold text
        _finish(context, Text(_language())("cli.internal_error", what=describe(error)), ExitCode.FAILED)


def _finish(context: click.Context | None, message: str, code: ExitCode) -> None:
    console = context.find_root().obj if context else None
    if isinstance(console, Console) and console.as_json:
        _write_error(message, code)
    click.echo(f"cloche-hq: {message}", err=True)
    sys.exit(int(code))


def _write_error(message: str, code: ExitCode) -> None:
    click.echo(json.dumps({"schema": "cloche.error/1", "error": message, "exit_code": int(code)}))
