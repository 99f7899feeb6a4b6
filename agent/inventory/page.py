"""The page that a manager reads: one file, nothing loaded from anywhere, no script.

Everything in it is masked before it comes here, and escaped by Jinja on the way in: a file name must not become
markup. A content security policy in the page forbids scripts and outside resources all the same.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from agent.inventory.overview import Overview, PlaceView, Words, size_words
from agent.summary import headline
from config.errors import ClocheError, RefusedError, UsageError
from config.text import Text
from containment.atomic import write_file

MAX_ROWS: Final = 200
BARS: Final = 10
GLOSSARY: Final = ("level", "place", "person", "coverage", "seal")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar of the chart; `width` in percent of the longest."""

    label: str
    amount: str
    width: float
    level: int


def check_target(path: str, text: Text) -> None:
    """Refuse before an hour's scan what could not be written after it.

    Raises:
        RefusedError: something that is no regular file has this name.
        UsageError: there is no such folder, or it cannot be written.
    """
    try:
        facts = os.lstat(path)
    except FileNotFoundError:
        facts = None
    except OSError as error:
        raise UsageError(text("scan.html_failed", path=path, cause=error.strerror)) from error
    if facts is not None and not stat.S_ISREG(facts.st_mode):
        raise RefusedError(text("scan.html_not_regular", path=path))
    folder = os.path.dirname(os.path.abspath(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(text("scan.html_failed", path=path, cause=os.strerror(13 if os.path.isdir(folder) else 2)))


def write_page(path: str, document: Mapping[str, Any], view: Overview, text: Text) -> None:
    """Write the page in one step: a reader sees the old file or the whole new one.

    Raises:
        RefusedError: something that is no regular file has this name.
        ClocheError: it cannot be written.
    """
    check_target(path, text)
    content = render_page(document, view, text).encode("utf-8")
    try:
        write_file(os.path.abspath(path), content, 0o600)
    except OSError as error:
        raise ClocheError(text("scan.html_failed", path=path, cause=error.strerror)) from error


def render_page(document: Mapping[str, Any], view: Overview, text: Text) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=PackageLoader("agent.inventory"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    words = Words(text)
    started = datetime.fromisoformat(document["started_at"])
    return environment.get_template("scan.html.j2").render(
        language=text.language,
        t=lambda key, **values: text(f"scan.{key}", **values),
        words=words,
        view=view,
        document=document,
        coverage=document["coverage"],
        shares=shares(document["coverage"]),
        headline=headline(view, text),
        size=size_words(document["coverage"]["bytes"]),
        time=started.astimezone(ZoneInfo(document["timezone"])).strftime("%Y-%m-%d %H:%M"),
        bars=bars(view.places, words),
        rows=view.places[:MAX_ROWS],
        glossary=GLOSSARY,
    )


def bars(places: tuple[PlaceView, ...], words: Words) -> list[Bar]:
    """The places with most people, the longest bar first."""
    most = sorted((place for place in places if place.persons), key=lambda place: -place.persons)[:BARS]
    return [
        Bar(
            label=shortened(place.path),
            amount=f"{words.amount(place.persons, 0)} · {words.subject(place.subject, words.kind(place.kind))}",
            width=max(0.5, 100 * place.persons / most[0].persons),
            level=place.level,
        )
        for place in most
    ]


def shortened(path: str, most: int = 34) -> str:
    """The end of a path, which tells files apart."""
    name = "/".join(path.rsplit("/", 2)[-2:])
    return name if len(name) <= most else "…" + name[1 - most :]


def shares(coverage: Mapping[str, int]) -> list[tuple[str, int, float]]:
    """Status, number and percentage of each part of the coverage, for a bar that fills up."""
    listed = coverage["listed"] or 1
    return [(name, coverage[name], 100 * coverage[name] / listed) for name in ("read", "partial", "unread", "skipped")]
