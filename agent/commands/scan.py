"""`cloche scan`: find customer information, and say what matters first."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Final

import click
from rich.console import Console as RichConsole
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from config.errors import UsageError

SQLITE_URL: Final = "sqlite:///"


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--db", "databases", multiple=True, metavar="URL", help="A database: sqlite:///PATH.")
@click.option("--full", is_flag=True, help="Without PATH: read everything again, changed or not.")
@click.option("--no-names", is_flag=True, help="Leave out names and addresses (much faster).")
@click.option("--workers", type=int, metavar="N", help="Worker processes, 1 to 64.")
@click.option("--html", "page", metavar="FILE", help="Write a page that a manager can read.")
@click.option("--fail-on-findings", is_flag=True, help="Exit 10 if anything was found.")
@common_options
def command(
    console: Console, /, *, paths: tuple[str, ...], databases: tuple[str, ...], page: str | None, **options: Any
) -> int:
    """Scan PATHs (else the folders in the settings) for customer information.

    Named PATHs are read in full; of the settings' folders only what has changed since the last scan.
    """
    arguments = {
        "paths": [absolute(path) for path in (*paths, *(database_path(url, console) for url in databases))],
        "full": options["full"],
        "names": False if options["no_names"] else None,
        "workers": options["workers"],
        "fail_on_findings": options["fail_on_findings"],
    }
    if page is not None:
        from agent.inventory.page import check_target

        check_target(page, console.text)
    with ProgressLine(console) as progress:
        answer = perform(console, "scan", arguments, progress=progress)
    if page is not None or not console.as_json:
        show(console, answer.document, page)
    if console.as_json:
        console.document(answer.document)
    return int(answer.exit_code)


def absolute(path: str) -> str:
    """An absolute path, `..` and links left to the kernel."""
    return os.path.join(os.getcwd(), path)


def database_path(url: str, console: Console) -> str:
    """The file that a `sqlite:///` URL names.

    Raises:
        UsageError: another kind of URL, or one without a path.
    """
    if not url.startswith(SQLITE_URL) or url == SQLITE_URL:
        scheme = url.split("://", 1)[0] + "://…" if "://" in url else url
        raise UsageError(console.text("scan.db_unsupported", url=scheme))
    return url.removeprefix(SQLITE_URL)


def show(console: Console, document: dict[str, Any], page: str | None) -> None:
    """The summary on stdout, unless JSON goes there; the page in its file."""
    from agent.inventory.overview import overview
    from scanners.masking import mask_text

    view = overview(document, mask_text)
    if page is not None:
        from agent.inventory.page import write_page

        write_page(page, document, view, console.text)
        console.say("scan.html_written", path=printable(page))
    if not console.as_json:
        from agent.summary import render, wide

        wide(console.screen).print(render(document, view, console.text), crop=False)


class ProgressLine:
    """A line on a terminal's stderr that says how far the scan is; in a pipe, silence."""

    def __init__(self, console: Console) -> None:
        self._text = console.text
        self._bar: Progress | None = None
        if sys.stderr.isatty() and not console.as_json:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("[dim]{task.fields[current]}", table_column=None, markup=True),
                console=RichConsole(stderr=True, highlight=False),
                transient=True,
            )
            self._task = self._bar.add_task(self._text("scan.progress"), total=None, current="")

    def __enter__(self) -> Callable[[dict[str, Any]], None]:
        """Show it."""
        if self._bar:
            self._bar.start()
        return self._update

    def __exit__(self, *_error: object) -> None:
        """Take it away."""
        if self._bar:
            self._bar.stop()

    def _update(self, update: dict[str, Any]) -> None:
        from rich.markup import escape

        from agent.inventory.overview import size_words

        if self._bar is None:
            return
        elapsed = self._bar.tasks[0].elapsed or 0.001
        line = self._text(
            "scan.progress_line",
            items=f"{update['items']:,}",
            size=size_words(update["bytes"]),
            speed=size_words(update["bytes"] / elapsed),
            found=f"{update['found']:,}",
        )
        current = escape(printable(update["current"]))[-60:]
        self._bar.update(self._task, description=line, current=current)
