"""What happened when, in one picture: accesses and crossings above, the course of the incident below.

Above the axis is even, from the first trace to the last. Below it is logarithmic from the discovery on, for what
matters in the first minute and what is due in thirty days stand in one course.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from agent.documents.svg import ACCENT, FILL, INK, SOFT, Anchor, Drawing, Mark, fitting, width_of
from agent.incident.clocks import Clock
from agent.incident.records import Incident, Step
from agent.incident.wording import Wording
from agent.investigation.records import Bin, Investigation

WIDTH: Final = 1200
LEFT: Final = 190
RIGHT: Final = 30
BARS: Final = 190
HEAD: Final = 44
LANE: Final = 44
APART: Final = 18
LANES: Final[dict[str, tuple[Mark, str]]] = {
    "start": ("diamond", ACCENT), "contain": ("square", INK), "orders": ("circle", INK), "messages": ("circle", SOFT),
    "papers": ("square", SOFT), "clocks": ("flag", ACCENT),
}  # fmt: skip
_LANE_OF_AREA: Final = {
    "order": "orders", "orders": "orders", "message": "messages", "messages": "messages", "notice": "messages",
    "report": "papers", "reports": "papers", "duty": "papers", "duties": "papers", "investigation": "papers",
    "law": "papers",
}  # fmt: skip
SHOWN_ACTS: Final[dict[str, Mark]] = {"declare": "diamond", "stop": "square"}
"""Steps that stand among the accesses too, where they fall into their time."""
_STARTS: Final = frozenset({"report", "declare", "extend", "dismiss", "phase", "close", "merge", "split"})
_PAPERS: Final = frozenset({"documents", "outbox", "evidence", "note"})
_TICKS: Final = (1, 10, 60, 600, 3600, 4 * 3600, 86_400, 2 * 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400)
_MOST_MARKS: Final = 60


def draw_timeline(found: Investigation, incident: Incident, clocks: Sequence[Clock], wording: Wording) -> bytes:
    """The picture as SVG."""
    text = wording.text
    lanes = _lanes(incident, clocks)
    top = HEAD + BARS + 78
    drawing = Drawing(WIDTH, top + LANE * len(lanes) + 32)
    _bars(drawing, found, incident.steps, wording)
    _course(drawing, lanes, incident.discovered_at, wording, top)
    return drawing.as_bytes(text("investigation.picture_time"))


def _bars(drawing: Drawing, found: Investigation, steps: Sequence[Step], wording: Wording) -> None:
    text, top = wording.text, HEAD
    bottom = top + BARS
    right = WIDTH - RIGHT
    step = duration(found.bin_seconds, wording) if found.bins else ""
    title = text("investigation.p_reads", step=step) if found.bins else text("investigation.p_none")
    drawing.text((LEFT, top - 22), title, size=16, bold=True)
    drawing.rect(LEFT, top, right - LEFT, BARS, fill=FILL)
    if not found.bins:
        return
    first, last = found.bins[0].start, found.bins[-1].start + timedelta(seconds=found.bin_seconds)
    seconds = max((last - first).total_seconds(), found.bin_seconds)
    most = max(entry.got + entry.refused for entry in found.bins)
    _legend(drawing, wording, right, top - 22)
    for share in (0.5, 1.0):
        y = bottom - (BARS - 14) * share
        drawing.line(LEFT, y, right, y)
        drawing.text((LEFT - 8, y + 5), f"{most * share:,.0f}", size=13, anchor="end", fill=SOFT)
    wide = (right - LEFT) * found.bin_seconds / seconds
    for entry in found.bins:
        x = LEFT + (right - LEFT) * (entry.start - first).total_seconds() / seconds
        _bar(drawing, entry, x, bottom, wide, most)
    drawing.line(LEFT, bottom, right, bottom, stroke=INK, width=1.5)
    for crossed in found.crossings[:_MOST_MARKS]:
        place = (crossed.at - first).total_seconds() / seconds
        if 0 <= place <= 1:
            x = LEFT + (right - LEFT) * place
            drawing.line(x, top, x, bottom, stroke=ACCENT, width=1.5)
            drawing.mark(x, top + 4, "triangle", size=6, fill=ACCENT)
    for done in steps:
        place = (done.time - first).total_seconds() / seconds
        if done.act in SHOWN_ACTS and 0 <= place <= 1:
            drawing.mark(LEFT + (right - LEFT) * place, top + 24, SHOWN_ACTS[done.act], fill=ACCENT)
    _hours(drawing, first, seconds, bottom, wording)


def _bar(drawing: Drawing, entry: Bin, x: float, bottom: float, wide: float, most: int) -> None:
    scale = (BARS - 14) / most
    got, refused = entry.got * scale, entry.refused * scale
    gap = min(wide * 0.15, 2)
    drawing.rect(x + gap, bottom - got, wide - 2 * gap, got, fill=INK)
    drawing.rect(x + gap, bottom - got - refused, wide - 2 * gap, refused, fill="url(#hatch)", stroke=ACCENT)


def _legend(drawing: Drawing, wording: Wording, right: float, y: float) -> None:
    text, x = wording.text, right
    for key in ("crossing", "refused", "read"):
        words = text(f"investigation.p_{key}")
        x -= width_of(words, 13) + 4
        drawing.text((x, y), words, size=13, fill=SOFT)
        x -= 20
        if key == "crossing":
            drawing.mark(x + 8, y - 5, "triangle", size=6, fill=ACCENT)
        else:
            fill, stroke = (INK, INK) if key == "read" else ("url(#hatch)", ACCENT)
            drawing.rect(x, y - 11, 14, 12, fill=fill, stroke=stroke)
        x -= 18


def _hours(drawing: Drawing, first: datetime, seconds: float, bottom: float, wording: Wording) -> None:
    """Five times below the axis, by the store's clock; the day once at the left."""
    right = WIDTH - RIGHT
    shape = "%H:%M:%S" if seconds < 600 else "%H:%M" if seconds < 86_400 else "%m-%d %H:%M"
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = LEFT + (right - LEFT) * share
        moment = (first + timedelta(seconds=seconds * share)).astimezone(wording.zone)
        drawing.line(x, bottom, x, bottom + 6, stroke=INK)
        anchor: Anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        drawing.text((x, bottom + 22), moment.strftime(shape), size=13, anchor=anchor, fill=SOFT)
    day = first.astimezone(wording.zone).strftime("%Y-%m-%d")
    drawing.text((LEFT - 8, bottom + 22), day, size=13, anchor="end", fill=SOFT)


def _lanes(incident: Incident, clocks: Sequence[Clock]) -> dict[str, list[tuple[datetime, bool]]]:
    lanes: dict[str, list[tuple[datetime, bool]]] = {name: [] for name in LANES}
    lanes["start"].append((incident.discovered_at, True))
    for step in incident.steps:
        lanes[lane_of(step)].append((step.time, step.ok))
    lanes["clocks"] = [
        (clock.deadline, clock.state != "overdue")
        for clock in clocks
        if clock.deadline is not None and clock.state in ("running", "overdue", "submitted")
    ]
    return {name: marks for name, marks in lanes.items() if marks}


def lane_of(step: Step) -> str:
    """Which lane a step belongs to, by its area; what the incident itself does is a start or a containment."""
    area, _, act = step.act.rpartition(".")
    if area:
        return _LANE_OF_AREA.get(area.partition(".")[0], "contain")
    if act in _STARTS:
        return "start"
    if act == "orders":
        return "orders"
    return "papers" if act in _PAPERS else "contain"


def _course(
    drawing: Drawing, lanes: dict[str, list[tuple[datetime, bool]]], zero: datetime, wording: Wording, top: float
) -> None:
    text = wording.text
    moments = [moment for marks in lanes.values() for moment, _ in marks]
    longest = max(60.0, *((moment - zero).total_seconds() for moment in moments))
    right = WIDTH - RIGHT - 10
    left = LEFT + 20
    bottom = top + LANE * len(lanes)
    drawing.text((LEFT, top - 14), text("investigation.p_since"), size=16, bold=True)

    def place(moment: datetime) -> float:
        seconds = max((moment - zero).total_seconds(), 0.0)
        return left + (right - left) * math.log1p(seconds) / math.log1p(longest)

    shown: float = left
    for tick in (0, *_TICKS):
        if tick > longest:
            break
        x = place(zero + timedelta(seconds=tick))
        drawing.line(x, top, x, bottom + 6)
        words = wording.moment(zero)[11:] if tick == 0 else f"+{duration(tick, wording)}"
        if tick == 0 or x - shown > width_of(words, 13) + 10:
            anchor: Anchor = "end" if x + width_of(words, 13) / 2 > WIDTH - 4 else "middle"
            drawing.text((x, bottom + 22), words, size=13, anchor=anchor, fill=SOFT)
            shown = x
    for number, (name, marks) in enumerate(lanes.items()):
        y = top + LANE * number + LANE / 2
        drawing.line(LEFT, y, WIDTH - RIGHT, y)
        words = fitting(text(f"investigation.lane_{name}"), 14, LEFT - 20)
        drawing.text((LEFT - 10, y + 5), words, size=14, anchor="end")
        kind, fill = LANES[name]
        for x, count, failed in _clusters((place(moment), ok) for moment, ok in marks):
            drawing.mark(x, y, kind, fill=fill)
            if failed:
                drawing.line(x - 10, y + 10, x + 10, y - 10, stroke=ACCENT, width=2.5)
            if count > 1:
                drawing.text((x, y - 11), f"×{count}", size=11, anchor="middle", fill=SOFT)


def _clusters(marks: Iterable[tuple[float, bool]]) -> list[tuple[float, int, bool]]:
    """Marks that would lie on each other become one: where, how many, whether one of them failed."""
    found: list[tuple[float, int, bool]] = []
    for x, ok in sorted(marks):
        if found and x - found[-1][0] < APART:
            before = found.pop()
            found.append((before[0], before[1] + 1, before[2] or not ok))
        else:
            found.append((x, 1, not ok))
    return found


def duration(seconds: float, wording: Wording) -> str:
    """`30 分钟`, in the largest unit that fits evenly."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            return wording.text(f"investigation.unit_{unit}", count=int(seconds // size))
    return wording.text("investigation.unit_second", count=int(seconds))
