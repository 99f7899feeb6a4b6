"""What a person sees of a scan: first how many customers, in how many places, and the worst; then the rest."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text as Styled

from agent.inventory.overview import Overview, PlaceView, UnreadView, Words, size_words
from config.text import Text

LEVEL_STYLES: Final = {4: "bold red", 3: "bold yellow", 2: "cyan", 1: "dim"}
WORST: Final = 3
CAUSES: Final = 8
PIPE_WIDTH: Final = 240


def wide(screen: Console) -> Console:
    """The screen, with room for whole paths where no terminal sets a width: a pipe's reader searches lines."""
    if not screen.is_terminal:
        screen.width = PIPE_WIDTH
    return screen


def headline(view: Overview, text: Text) -> str:
    """The one sentence that matters."""
    places = f"{len(view.places):,}"
    if view.places and view.persons:
        return text("scan.headline", persons=f"{view.persons:,}", places=places)
    if view.places:
        return text("scan.headline_no_persons", places=places, values=f"{view.values:,}")
    if view.not_read:
        return text("scan.headline_unsure", count=f"{view.not_read:,}")
    return text("scan.headline_nothing")


def render(document: Mapping[str, Any], view: Overview, text: Text) -> RenderableType:
    """The whole summary for a terminal; wraps to its width."""
    return Group(*_sections(document, view, text))


def _sections(document: Mapping[str, Any], view: Overview, text: Text) -> Iterator[RenderableType]:
    words = Words(text)
    style = "bold red" if view.sensitive else "bold yellow" if view.places or view.not_read else "bold green"
    yield Styled(headline(view, text), style=style)
    if view.persons:
        yield Styled(text("scan.persons_note"), style="dim")
    if view.sealed:
        yield Styled(text("scan.headline_sealed", count=f"{view.sealed:,}"), style="green")
    if view.places:
        yield from _worst(view.places[:WORST], text, words)
        yield from _levels(view, text, words)
    if view.unread:
        yield from _unread(view, text)
    yield from _coverage(document, text)
    yield from _next(view, text)


def _title(words: str) -> RenderableType:
    return Styled(f"\n{words}", style="bold")


def _worst(places: tuple[PlaceView, ...], text: Text, words: Words) -> Iterator[RenderableType]:
    yield _title(text("scan.worst_one") if len(places) == 1 else text("scan.worst", count=len(places)))
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 1))
    table.add_column(justify="right", style="bold")
    table.add_column(overflow="fold")
    for number, place in enumerate(places, 1):
        line = Styled(place.path)
        line.append(
            f"  [{text('scan.level', level=place.level)} {text(f'scan.level_{place.level}')}]",
            style=LEVEL_STYLES[place.level],
        )
        about = Styled(words.subject(place.subject, words.kind(place.kind)), style="bold")
        about.append(f" · {words.holds(place)}", style=LEVEL_STYLES[place.level])
        about.append(f" · {words.entities(place.entities)}", style="")
        table.add_row(str(number), line)
        table.add_row("", about)
        for part in place.parts if len(place.parts) > 1 else ():
            label = words.subject(part.subject)
            name = f"{label} ({part.name})" if label else part.name
            table.add_row("", Styled(f"- {name}: {words.holds(part)}", style="dim"))
    yield table


def _levels(view: Overview, text: Text, words: Words) -> Iterator[RenderableType]:
    yield _title(text("scan.levels"))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    table.add_column(text("scan.column_level"))
    table.add_column(text("scan.column_places"), justify="right")
    table.add_column(text("scan.page_type_values"), justify="right")
    table.add_column(text("scan.column_what"))
    for level in view.levels:
        label = f"{level.level}  {text(f'scan.level_{level.level}')}"
        table.add_row(
            Styled(label, style=LEVEL_STYLES[level.level]),
            f"{level.places:,}",
            f"{level.values:,}",
            words.entities(level.entities, most=6),
        )
    yield table


def _unread(view: Overview, text: Text) -> Iterator[RenderableType]:
    yield _title(text("scan.unread", count=f"{view.not_read:,}"))
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(justify="right", style="yellow")
    table.add_column(overflow="fold")
    for group in view.unread[:CAUSES]:
        table.add_row(f"{group.count:,}", _cause(group, text))
        table.add_row("", Styled(f"→ {text(f'scan.advice_{group.reason}')}", style="dim"))
        table.add_row("", Styled(group.examples[0], style="dim italic"))
    hidden = sum(group.count for group in view.unread[CAUSES:])
    if hidden:
        table.add_row("", text("scan.and_more", count=f"{hidden:,}"))
    yield table


def _cause(group: UnreadView, text: Text) -> Styled:
    cause = Styled(text(f"scan.reason_{group.reason}"))
    return cause.append(f" ({text(f'scan.unread_status_{group.status}')})", style="dim")


def _coverage(document: Mapping[str, Any], text: Text) -> Iterator[RenderableType]:
    coverage = document["coverage"]
    yield _title(text("scan.coverage"))
    counts = {name: f"{coverage[name]:,}" for name in ("listed", "read", "partial", "unread", "skipped")}
    seconds = f"{document['seconds']:.1f}"
    yield Styled(" " + text("scan.coverage_line", **counts, size=size_words(coverage["bytes"]), seconds=seconds))
    verdict, style = ("scan.clean", "green") if document["clean"] else ("scan.not_clean", "yellow")
    yield Styled(" " + text(verdict), style=style)
    if document["unchanged"]:
        yield Styled(" " + text("scan.unchanged", count=f"{document['unchanged']:,}"), style="dim")


def _next(view: Overview, text: Text) -> Iterator[RenderableType]:
    steps = []
    roots = " ".join(shlex.quote(root) for root in view.roots)
    if view.places:
        worst = view.places[0]
        if worst.is_plain:
            steps.append((f"cloche protect {shlex.quote(worst.path)}", "scan.next_protect"))
        else:
            steps.append((f"cloche protect --only-findings {roots}", "scan.next_protect_all"))
        steps.append(("cloche inventory list --level 3", "scan.next_list"))
        steps.append((f"cloche scan {roots} --html report.html", "scan.next_html"))
    elif view.not_read:
        steps.append((f"cloche scan {roots}", "scan.next_again"))
    if not steps:
        return
    yield _title(text("scan.next"))
    for command, why in steps:
        yield Styled(" " + text(why), style="dim")
        yield Styled("   " + command, style="bold", no_wrap=True, overflow="ignore")  # a command is copied whole
