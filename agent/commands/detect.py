"""`cloche detect`: text on stdin, or one `{"text": …}` a line, to spans. Needs no daemon and no home's lock.

Offsets are characters of the text as given. Bytes that are no UTF-8 become lone surrogates (PEP 383), one character a
byte, so nothing is dropped and offsets hold.
"""

from __future__ import annotations

import json
import secrets
import sys
from typing import Any, BinaryIO

import click
from rich.table import Table

from agent.cli import common_options
from agent.console import Console
from config.errors import ExitCode, UsageError
from config.load import load_settings
from scanners.engine import Analyser
from scanners.records import Span


def describe_span(span: Span) -> dict[str, Any]:
    """A span as JSON: never the value."""
    return {
        "entity": span.entity, "start": span.start, "end": span.end, "score": span.score, "masked": span.masked,
    }  # fmt: skip


def read_line(raw: bytes, number: int) -> str:
    """The text of one JSON line.

    Raises:
        UsageError: it is no JSON object with a string `text`; the message names the line, never its content.
    """
    try:
        document = json.loads(raw.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        raise UsageError(f"stdin, line {number}: not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("text"), str):
        raise UsageError(f'stdin, line {number}: not an object with a string "text"')
    return str(document["text"])


def write_lines(analyser: Analyser, stream: BinaryIO) -> None:
    """Answer each line of `stream` with one line on stdout; empty lines are passed over."""
    for number, raw in enumerate(stream, start=1):
        if raw.strip():
            spans = [describe_span(span) for span in analyser.detect(read_line(raw, number))]
            sys.stdout.write(json.dumps({"spans": spans}, ensure_ascii=True) + "\n")
    sys.stdout.flush()


@click.command()
@common_options
@click.option("--jsonl", is_flag=True, help='One {"text": …} a line on stdin, one {"spans": […]} a line on stdout.')
@click.option("--no-names", is_flag=True, help="Leave out names and addresses, the slow part.")
def command(console: Console, *, jsonl: bool, no_names: bool) -> int:
    """Find customer information in text on stdin."""
    settings = load_settings(console.home.settings_file).detect
    analyser = Analyser(settings, names=not no_names, run_key=secrets.token_bytes(32))
    if jsonl:
        write_lines(analyser, sys.stdin.buffer)
        return ExitCode.DONE
    spans = analyser.detect(sys.stdin.buffer.read().decode("utf-8", "surrogateescape"))
    if console.as_json:
        console.document({"schema": "cloche.detect/1", "spans": [describe_span(span) for span in spans]})
        return ExitCode.DONE
    if not spans:
        console.say("detect.nothing")
        return ExitCode.DONE
    table = Table(*(console.text(f"detect.{name}") for name in ("entity", "place", "score", "masked")), box=None)
    for span in spans:
        table.add_row(span.entity, f"{span.start}–{span.end}", f"{span.score:.2f}", span.masked)
    console.screen.print(table)
    return ExitCode.DONE
