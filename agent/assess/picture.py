"""A picture of an assessment: one bar a risk and in all, and how the score went. Reads without colour, as on paper."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any, Final

from agent.assess.records import RISKS
from config.text import Text

WIDTH: Final = 870
BAR_LEFT: Final = 190
BAR_WIDTH: Final = 560
ROW: Final = 34
TREND_HEIGHT: Final = 170
FONT: Final = "Noto Sans CJK SC, Microsoft YaHei, WenQuanYi Micro Hei, Arial, sans-serif"


def as_svg(text: Text, score: float | None, risks: dict[str, float | None], history: Sequence[dict[str, Any]]) -> bytes:
    """The picture, standing alone (SVG 1.1), in one language.

    Args:
        text: for the words.
        score: in all, 0 to 100; None where nothing applies.
        risks: by risk.
        history: oldest first, each with `at` (ISO 8601) and `score`.
    """
    bars = [(text("assess.in_all"), score), *((text(f"assess.risk_{risk}"), risks.get(risk)) for risk in RISKS)]
    dated = [(datetime.fromisoformat(one["at"]), one["score"]) for one in history if one["score"] is not None]
    top = 30 + ROW * len(bars)
    height = top + (TREND_HEIGHT + 40 if len(dated) > 1 else 0) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        f'<g font-family="{FONT}" font-size="15">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *(_bar(number, words, value, text) for number, (words, value) in enumerate(bars)),
    ]
    if len(dated) > 1:
        parts += _trend(dated, top + 30, text)
    return "\n".join([*parts, "</g>", "</svg>"]).encode("utf-8")


def _bar(number: int, words: str, value: float | None, text: Text) -> str:
    """A frame of the whole, filled as far as it goes; the number stands beside it. The first bar is the sum."""
    y = 14 + ROW * number + (8 if number else 0)
    weight = "bold" if number == 0 else "normal"
    label = f'<text x="{BAR_LEFT - 12}" y="{y + 16}" text-anchor="end" font-weight="{weight}">{escape(words)}</text>'
    frame = f'<rect x="{BAR_LEFT}" y="{y}" width="{BAR_WIDTH}" height="20" fill="#f1f4f8" stroke="#5b6675"/>'
    if value is None:
        return label + frame + _number(y, text("assess.state_not_applicable"), weight)
    filled = round(BAR_WIDTH * value / 100, 1)
    fill = "#1c2430" if number == 0 else "#4a6a8f"
    bar = f'<rect x="{BAR_LEFT}" y="{y}" width="{filled}" height="20" fill="{fill}"/>'
    return label + frame + bar + _number(y, f"{value:g}", weight)


def _number(y: int, words: str, weight: str) -> str:
    return f'<text x="{BAR_LEFT + BAR_WIDTH + 12}" y="{y + 16}" font-weight="{weight}">{escape(words)}</text>'


def _trend(dated: Sequence[tuple[datetime, float]], top: int, text: Text) -> list[str]:
    """Score over time: lines at 0, 50 and 100, a mark a day that was assessed, the last value in figures."""
    left, right, bottom = 60, WIDTH - 70, top + TREND_HEIGHT - 20
    first, last = dated[0][0], dated[-1][0]
    span = max((last - first).total_seconds(), 1.0)

    def place(at: datetime, score: float) -> tuple[float, float]:
        x = left + (right - left) * (at - first).total_seconds() / span
        return round(x, 1), round(bottom - (bottom - top - 10) * score / 100, 1)

    parts = [f'<text x="{left}" y="{top - 8}" font-weight="bold">{escape(text("assess.over_time"))}</text>']
    for level in (0, 50, 100):
        y = place(first, level)[1]
        parts.append(f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="#c9d1dc" stroke-width="1"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 5}" text-anchor="end" fill="#5b6675">{level}</text>')
    points = [place(at, score) for at, score in dated]
    line = " ".join(f"{x},{y}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#1c2430" stroke-width="2.5"/>')
    parts += [f'<circle cx="{x}" cy="{y}" r="4" fill="#ffffff" stroke="#1c2430" stroke-width="2"/>' for x, y in points]
    x, y = points[-1]
    parts.append(f'<text x="{x + 10}" y="{y + 5}" font-weight="bold">{dated[-1][1]:g}</text>')
    for at, anchor in ((first, "start"), (last, "end")):
        x = left if anchor == "start" else right
        parts.append(f'<text x="{x}" y="{bottom + 20}" text-anchor="{anchor}" fill="#5b6675">{at:%Y-%m-%d}</text>')
    return parts
