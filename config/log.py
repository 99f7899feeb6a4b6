"""The one way to log: structured, to stderr, and never a customer's value.

Console lines on a terminal, JSON lines elsewhere (journald keeps them). Third-party loggers that print the text
they fail on are silenced here: `presidio-analyzer` logs failing text and, at DEBUG, context words
(presidio-analyzer 2.2.366), and SQLAlchemy's echo prints parameters. Exceptions are logged by type and place
only, for their arguments may hold text.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, cast

import structlog

SILENCED = (
    "presidio-analyzer",
    "sqlalchemy",
    "httpx",
    "httpcore",
    "tldextract",
    "watchdog",
    "uvicorn.access",
)


def without_values(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace an exception by its type and the places it passed through: its arguments may hold text."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = describe(error)
    return event


def describe(error: BaseException) -> str:
    """Type and innermost places of an error, without its message (which may quote a file's content)."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places or 'unknown place'}"


def set_up_logging(*, debug: bool = False, quiet: bool = False) -> None:
    """Send the process's log to stderr: from `info` on, `debug` more, `quiet` (a command of a person) less."""
    for name in SILENCED:
        library = logging.getLogger(name)  # noqa: TID251  this file is the one way to log
        library.handlers[:] = [logging.NullHandler()]
        library.propagate = False
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=lambda *_: None)
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    level = logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            without_values,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whatever stderr is by then
        cache_logger_on_first_use=False,
    )


def get_logger(room: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines name their room. Pass masked words only."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger(room=room))
