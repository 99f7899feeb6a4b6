"""Who, by which program, which files: three columns and the lines between them; what does not fit is counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from agent.documents.svg import ACCENT, FILL, INK, LINE, SOFT, Drawing, fitting
from agent.incident.wording import Wording
from agent.investigation.records import Graph, Investigation

WIDTH: Final = 1200
BOX: Final = 310
ROW: Final = 40
HIGH: Final = 30
TOP: Final = 60


def draw_graph(found: Investigation, wording: Wording) -> bytes:
    """The picture as SVG."""
    text, graph = wording.text, found.graph
    suspects = {actor.id for actor in found.actors if actor.suspect}
    columns = (
        ("actors", graph.actors, graph.more_actors), ("programs", graph.programs, graph.more_programs),
        ("files", graph.files, graph.more_files),
    )  # fmt: skip
    rows = max(len(names) + bool(more) for _, names, more in columns) or 1
    drawing = Drawing(WIDTH, TOP + ROW * rows + 20)
    places: dict[str, tuple[float, float]] = {}
    for number, (kind, names, more) in enumerate(columns):
        x = (WIDTH - BOX) / 2 * number
        drawing.text((x + BOX / 2, 28), text(f"investigation.p_{kind}"), size=16, anchor="middle", bold=True)
        offset = TOP + (rows - len(names) - bool(more)) * ROW / 2
        for row, (name, _) in enumerate(names):
            places[name if kind != "files" else f"file:{name}"] = (x, offset + row * ROW)
        if more and kind == "files":
            places["file:"] = (x, offset + len(names) * ROW)
        if more:
            y = offset + len(names) * ROW
            drawing.rect(x + 1, y, BOX - 2, HIGH, fill="#fff", stroke=LINE)
            drawing.text(
                (x + BOX / 2, y + 20), text(f"investigation.p_more_{kind}", count=more), size=14, anchor="middle",
                fill=SOFT,
            )  # fmt: skip
    _lines(drawing, graph, places, suspects)
    for kind, names, _ in columns:
        known = tuple((name, words or text("investigation.unnamed_short")) for name, words in names)
        _boxes(drawing, known, places, suspects, of_files=kind == "files")
    return drawing.as_bytes(text("investigation.picture_graph"))


def _lines(drawing: Drawing, graph: Graph, places: dict[str, tuple[float, float]], suspects: set[str]) -> None:
    of_suspects = {link.target for link in graph.links if link.source in suspects}
    programs = dict(graph.programs)
    for link in graph.links:
        source = places.get(link.source)
        target = places.get(link.target) or places.get(f"file:{link.target}")
        if source is None or target is None:
            continue
        is_hot = link.source in suspects or link.source in of_suspects
        start = (source[0] + BOX, source[1] + HIGH / 2)
        end = (target[0], target[1] + HIGH / 2)
        width = min(1.5 + 1.5 * math.log2(link.files), 14)
        drawing.curve(start, end, stroke=INK if is_hot else "#8a94a3", width=width)
        if link.target in programs:
            drawing.rect(start[0] + 10, start[1] - 10, 48, 19, fill="#fff")
            drawing.text((start[0] + 34, start[1] + 5), f"{link.files:,}", size=13, anchor="middle")


def _boxes(
    drawing: Drawing, names: Sequence[tuple[str, str]], places: dict[str, tuple[float, float]], suspects: set[str],
    *, of_files: bool,
) -> None:  # fmt: skip
    for name, shown in names:
        x, y = places[f"file:{name}" if of_files else name]
        is_suspect = name in suspects
        drawing.rect(x + 1, y, BOX - 2, HIGH, fill=FILL, stroke=ACCENT if is_suspect else SOFT)
        words = f"▲ {shown}" if is_suspect else shown
        drawing.text((x + 10, y + 20), fitting(words, 14, BOX - 20), size=14, bold=is_suspect)
