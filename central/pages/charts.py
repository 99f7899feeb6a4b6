"""Charts: pictures of their own (`/charts/NAME.svg`, SVG without scripts), each with a page that has the same figures
as a table. A colour never tells alone: lines differ in dashes and marks, bars stand at their names with their values.

pygal writes a script into every picture, whatever it is told: it is taken out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, partial
from typing import Any, Final
from xml.etree import ElementTree as ET

from sqlalchemy import and_, func, select
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from central.models import DayFigures, Holding, Store
from central.moments import now
from central.pages.attention import percent
from central.pages.doors import Doors, Visit
from central.pages.remembered import Remembered, sight_of
from central.pages.render import choose_language
from central.summary.days import history
from config.text import Text

DAYS: Final = 30
REMEMBERED: Final = 60.0
"""Seconds for which a chart of all stores is not made anew."""
SVG: Final = "{http://www.w3.org/2000/svg}"
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""Of a picture: its own style stands in it, and nothing in it runs."""
DASHES: Final = ("", "7,4", "2,3", "9,3,2,3")
MARKS: Final = ("━", "╍", "┅", "┉")
"""What stands before a line's name, like its dashes."""
HATCH: Final = (
    '<pattern xmlns="http://www.w3.org/2000/svg" id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="6" height="6" fill="#ffffff"/>'
    '<rect width="3" height="6" fill="#1d5fae"/></pattern>'
)
BARS: Final = (
    ".color-1 {fill: url(#hatch) !important; stroke: #1d5fae !important}"
    ".text-overlay text {text-anchor: start !important; transform: translateX(5px)}"
)
"""The second row of bars is hatched."""
FONT: Final = 'system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "WenQuanYi Micro Hei", sans-serif'
DARK: Final = (
    "@media (prefers-color-scheme: dark) {"
    " .background, .plot > .background {fill: #211e1b !important}"
    " .axis text, .legends text, .text-overlay text, .title {fill: #ece7e0 !important}"
    " .axis .guides, .axis .line {stroke: #5a544c !important} }"
)


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line or one row of bars; `key` is the whole key of its name."""

    key: str
    values: tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What a picture and its table show. `labels` stand on the axis: days, or words that need no translation."""

    name: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    is_bars: bool = False
    highest: int | None = None
    """Of the axis; None: what the figures need."""

    @property
    def is_empty(self) -> bool:
        """Nothing to show."""
        return not any(value is not None for series in self.series for value in series.values)


def routes(doors: Doors) -> list[Route]:
    """Pictures and their tables, of all stores and of one."""
    remembered: Remembered[Chart] = Remembered(REMEMBERED)
    show, read = partial(picture, remembered), partial(table, remembered)
    return [
        doors.page("/charts/{name}.svg", show),
        doors.page("/charts/{name}", read),
        doors.page("/stores/{store}/charts/{name}.svg", show),
        doors.page("/stores/{store}/charts/{name}", read),
    ]


def picture(remembered: Remembered[Chart], visit: Visit) -> Response:
    """The chart as SVG."""
    return Response(
        draw(chart_of(remembered, visit), Text(choose_language(visit.request))),
        media_type="image/svg+xml",
        headers={"Content-Security-Policy": POLICY},
    )


def table(remembered: Remembered[Chart], visit: Visit) -> tuple[str, dict[str, Any]]:
    """The same figures to read."""
    chart = chart_of(remembered, visit)
    store = visit.store() if "store" in visit.request.path_params else None
    return "chart.html", {"chart": chart, "store": store, "refresh": 0}


def chart_of(remembered: Remembered[Chart], visit: Visit) -> Chart:
    """The chart that the path names, up to a minute old.

    Raises:
        HTTPException: 404.
    """
    name = visit.request.path_params["name"]
    chart = CHARTS.get(name)
    if chart is None:
        raise HTTPException(404)
    if "store" in visit.request.path_params:
        return chart(visit, name)
    return remembered.get((name, sight_of(visit.viewer)), lambda: chart(visit, name))


def draw(chart: Chart, text: Text) -> str:
    """A chart as SVG with a title and a description."""
    import pygal  # with lxml: loaded for the first picture

    title = text(f"hq_pages.chart_{chart.name}")
    kind, own = (pygal.HorizontalBar, DARK + BARS) if chart.is_bars else (pygal.Line, DARK)
    graph = kind(
        js=[], css=["file://style.css", "file://graph.css", f"inline:{own}"], style=_style(), width=640, height=320,
        no_prefix=True, disable_xml_declaration=True, title=None, show_legend=len(chart.series) > 1,
        legend_at_bottom=True, legend_at_bottom_columns=2, print_values=chart.is_bars, dots_size=3,
        print_values_position="top", margin=8, margin_right=44 if chart.is_bars else 16, truncate_label=-1,
        truncate_legend=40, show_minor_x_labels=False, no_data_text=text("hq_pages.chart_empty"),
        formatter=lambda value: f"{value:,.0f}" if value is not None else "", explicit_size=True,
        value_formatter=lambda value: f"{value:,.0f}", max_scale=6, y_labels_major_count=6,
        range=_range(chart), include_x_axis=True,
    )  # fmt: skip
    if chart.is_bars:
        graph.config.defs = [HATCH]
    graph.x_labels = list(chart.labels)
    if not chart.is_bars:
        graph.x_labels_major = list(chart.labels[:: max(1, len(chart.labels) // 6)])
    for place, series in enumerate(chart.series):
        dashes = DASHES[place % len(DASHES)]
        name = text(series.key)
        graph.add(
            name if chart.is_bars or len(chart.series) == 1 else f"{MARKS[place % len(MARKS)]} {name}",
            list(series.values),
            stroke_style={"width": 2.5, **({"dasharray": dashes} if dashes else {})},
            allow_interruptions=True,
        )
    return _without_scripts(graph.render(is_unicode=True), title, describe(chart, text))


@cache
def _style() -> Any:
    from pygal.style import Style

    return Style(
        background="#ffffff", plot_background="#ffffff", foreground="#645e56", foreground_strong="#22201d",
        foreground_subtle="#cfc8be", colors=("#b4541a", "#1d5fae", "#2c6e49", "#7a4fa0"), opacity="1", stroke_width=2.5,
        font_family=FONT, label_font_family=FONT, major_label_font_family=FONT, value_font_family=FONT,
        value_label_font_family=FONT, legend_font_family=FONT, no_data_font_family=FONT, title_font_family=FONT,
        label_font_size=13, major_label_font_size=13, legend_font_size=14, value_font_size=13, no_data_font_size=18,
        guide_stroke_dasharray="1,0", guide_stroke_color="#e0dad1", major_guide_stroke_dasharray="1,0",
        major_guide_stroke_color="#e0dad1", transition="0s",
    )  # fmt: skip


def _range(chart: Chart) -> tuple[int, int] | None:
    """Of the axis; at least five, or whole numbers would stand on it twice."""
    most = max((value for series in chart.series for value in series.values if value is not None), default=0)
    if chart.highest is not None:
        return 0, chart.highest
    return (0, 5) if most < 5 else None


def describe(chart: Chart, text: Text) -> str:
    """The newest values in words."""
    parts = []
    for series in chart.series:
        values = [(label, value) for label, value in zip(chart.labels, series.values, strict=True) if value is not None]
        chosen = values if chart.is_bars else values[:1] + values[-1:]
        parts.append(f"{text(series.key)}: " + "; ".join(f"{label} {value:,}" for label, value in chosen))
    return ". ".join(parts)


def _without_scripts(svg: str, title: str, description: str) -> str:
    root = ET.fromstring(svg)  # noqa: S314  pygal's own, made a moment ago
    for parent in root.iter():
        for child in list(parent):
            if child.tag == f"{SVG}script" or (parent is root and child.tag == f"{SVG}title"):
                parent.remove(child)
    for place, (name, words) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(f"{SVG}{name}", {"id": name})
        element.text = words
        root.insert(place, element)
    root.set("role", "img")
    root.set("aria-labelledby", "title desc")
    ET.register_namespace("", "http://www.w3.org/2000/svg")
    return ET.tostring(root, encoding="unicode")


def _days(visit: Visit, name: str) -> Chart:
    today = now().astimezone(visit.office.timezone).date()
    first = today - timedelta(days=DAYS)
    if "store" in visit.request.path_params:
        rows = _of_store(visit, visit.store(), first, today)
    else:
        rows = history(visit.session, visit.viewer, first, today)
    return FIGURES[name](name, rows)


def _of_store(visit: Visit, store: Store, first: date, today: date) -> list[dict[str, Any]]:
    names = ("persons", "places", "sealed", "exposed", "unread", "open_alerts", "open_incidents", "score")
    found = visit.session.scalars(
        select(DayFigures)
        .where(DayFigures.store_id == store.id, DayFigures.day >= first, DayFigures.day < today)
        .order_by(DayFigures.day)
    )
    rows = [(row.day, {name: getattr(row, name) for name in names}) for row in found]
    rows.append((today, {name: getattr(store, name) for name in names}))
    return [
        {"day": day, **row, "scores": row["score"] or 0, "scored": int(row["score"] is not None)} for day, row in rows
    ]


def _line(*columns: str) -> Callable[[str, Sequence[dict[str, Any]]], Chart]:
    def chart(name: str, rows: Sequence[dict[str, Any]]) -> Chart:
        series = [
            Series(key=f"hq_pages.series_{column}", values=tuple(row[column] for row in rows)) for column in columns
        ]
        return Chart(name=name, labels=_labels(rows), series=tuple(series))

    return chart


def _labels(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(row["day"].isoformat()[5:] for row in rows)


def _coverage(name: str, rows: Sequence[dict[str, Any]]) -> Chart:
    values = tuple(percent(row["sealed"], row["places"]) for row in rows)
    return Chart(
        name=name, labels=_labels(rows), series=(Series(key="hq_pages.series_share", values=values),), highest=100
    )


def _assessment(name: str, rows: Sequence[dict[str, Any]]) -> Chart:
    values = tuple(round(row["scores"] / row["scored"]) if row["scored"] else None for row in rows)
    return Chart(
        name=name, labels=_labels(rows), series=(Series(key="hq_pages.series_score", values=values),), highest=100
    )


def _levels(visit: Visit, name: str) -> Chart:
    condition = and_(visit.viewer.visible(), Store.revoked_at.is_(None))
    if "store" in visit.request.path_params:
        condition = and_(condition, Store.id == visit.store().id)
    rows = visit.session.execute(
        select(Holding.level, func.sum(Holding.places), func.sum(Holding.exposed))
        .where(Holding.store_id.in_(select(Store.id).where(condition)))
        .group_by(Holding.level)
        .order_by(Holding.level)
    ).all()
    found = {level: (int(places), int(exposed)) for level, places, exposed in rows}
    levels = tuple(range(1, 5))
    return Chart(
        name=name, labels=tuple(str(level) for level in levels), is_bars=True,
        series=(
            Series(key="hq_pages.series_places", values=tuple(found.get(level, (0, 0))[0] for level in levels)),
            Series(key="hq_pages.series_exposed", values=tuple(found.get(level, (0, 0))[1] for level in levels)),
        ) if found else (),
    )  # fmt: skip


FIGURES: Final[dict[str, Callable[[str, Sequence[dict[str, Any]]], Chart]]] = {
    "exposed": _line("exposed", "unread"),
    "persons": _line("persons"),
    "coverage": _coverage,
    "assessment": _assessment,
    "alerts": _line("open_alerts", "open_incidents"),
}
CHARTS: Final[dict[str, Callable[[Visit, str], Chart]]] = {**dict.fromkeys(FIGURES, _days), "levels": _levels}
"""The explicit list."""
