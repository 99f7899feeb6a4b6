"""A bar for sealing: on a terminal, once it takes longer than two seconds, and silent in a pipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from agent.console import Console

_PATIENCE: Final = 2.0


@contextmanager
def progress(console: Console, title: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What an operation's `progress` is handed to; draws on stderr."""
    if not console.is_terminal or console.as_json:
        yield lambda _update: None
        return
    began = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, console=RichConsole(stderr=True), transient=True)
    task = bar.add_task(title, total=None)

    def update(state: dict[str, Any]) -> None:
        bar.update(task, completed=state["done"], total=state["total"])
        if time.monotonic() - began > _PATIENCE and not bar.live.is_started:
            bar.start()

    try:
        yield update
    finally:
        bar.stop()
