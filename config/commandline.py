"""The boundary of a command line, the same for `cloche` and `cloche-hq`.

An answer goes to stdout, messages to stderr; every error becomes one message and its exit code, with `--json` one
document `cloche.error/1` as well, and no traceback reaches a user.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Any, NoReturn

import click

from config.errors import ClocheError, ExitCode
from config.log import describe
from config.text import Text


class Verbs(click.Group):
    """A command whose verbs stand in an explicit list, each with its line of help.

    A verb is the click command named `command` in the module of its name in `package` (`_` for `-`), imported when it
    is called and not for help: all of them take half a second, head office's nearly one.
    """

    def __init__(self, *arguments: Any, package: str, verbs: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._package = package
        self._verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """All verbs, sorted."""
        return sorted(self._verbs)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's
        """The verbs with a line each, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(self._verbs.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's
        """The verb's command, imported; None if there is no such verb."""
        if cmd_name not in self._verbs:
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name.replace('-', '_')}")
        found: click.Command = module.command
        return found


def run(command: click.Command, program: str, text: Callable[[], Text]) -> NoReturn:
    """Run a click command called `program`; `text` speaks the reader's language. Exits the process."""
    survive_any_name()
    try:
        with command.make_context(program, sys.argv[1:]) as context:
            code = command.invoke(context)
        sys.exit(int(code) if isinstance(code, int) else ExitCode.DONE)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.ClickException as error:
        tell_machine(error.format_message(), ExitCode.USAGE)
        error.show()
        sys.exit(ExitCode.USAGE)
    except ClocheError as error:
        finish(program, str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(ExitCode.FAILED)
    except Exception as error:  # noqa: BLE001  the boundary: type and place only, arguments may hold text
        finish(program, text()("cli.internal_error", what=describe(error)), ExitCode.FAILED)


def finish(program: str, message: str, code: ExitCode) -> NoReturn:
    """Say why the call failed, and exit."""
    tell_machine(message, code)
    click.echo(f"{program}: {message}", err=True)
    sys.exit(int(code))


def tell_machine(message: str, code: ExitCode) -> None:
    """`cloche.error/1` in place of an answer, where a document was asked for."""
    if asks_for_json(sys.argv[1:]):
        write_document({"schema": "cloche.error/1", "error": message, "exit_code": int(code)})


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether a call, parsed or not, wants a document."""
    return "--json" in takewhile(lambda argument: argument != "--", arguments)


def write_document(document: dict[str, Any]) -> None:
    """Write a JSON document to stdout: UTF-8 whatever the terminal's (RFC 8259, 8.1), lone surrogates escaped."""
    text = json.dumps(document, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)
    click.echo(text.encode("utf-8", "backslashreplace"))


def survive_any_name() -> None:
    """Escape what the terminal's character set lacks: a name in Chinese must not end a call on an ASCII terminal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def stand_in_for(function: Callable[..., Any], wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """Give `wrapped`, which adds options of its own, the name, help and options of `function`."""
    wrapped.__name__ = function.__name__
    wrapped.__doc__ = function.__doc__
    wrapped.__click_params__ = [  # type: ignore[attr-defined]
        *wrapped.__click_params__,  # type: ignore[attr-defined]
        *getattr(function, "__click_params__", []),
    ]
    return wrapped
