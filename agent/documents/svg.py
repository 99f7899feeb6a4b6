"""A few shapes of SVG, for pictures in documents: readable in black and white, every text escaped.

Widths of text are estimated (a Chinese character is one em, others 0.56 em on average in Noto Sans), for nothing here
knows the fonts; `fitting` cuts to that estimate, so that a long name never runs into its neighbour.
"""

from __future__ import annotations

import unicodedata
from typing import Final, Literal
from xml.sax.saxutils import escape, quoteattr

from agent.documents.plain import plain

FONTS: Final = (
    "Noto Sans CJK SC, Source Han Sans SC, WenQuanYi Micro Hei, WenQuanYi Zen Hei, Microsoft YaHei, sans-serif"
)
INK: Final = "#1c2430"
SOFT: Final = "#5b6675"
LINE: Final = "#b9c1cc"
FILL: Final = "#f1f4f8"
ACCENT: Final = "#a61b1b"
Anchor = Literal["start", "middle", "end"]
Mark = Literal["circle", "square", "diamond", "triangle", "flag"]


class Drawing:
    """An SVG being drawn, in units of its view box. Later shapes lie above earlier ones."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self._parts: list[str] = []

    def rect(
        self, x: float, y: float, width: float, height: float, *, fill: str = "none", stroke: str = "none"
    ) -> None:
        """A rectangle; `fill` may be `url(#hatch)`."""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" '
            f'fill="{fill}" stroke="{stroke}"/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, *, stroke: str = LINE, width: float = 1) -> None:
        """A straight line."""
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
            f'stroke-width="{width:.1f}"/>'
        )

    def curve(self, start: tuple[float, float], end: tuple[float, float], *, stroke: str, width: float) -> None:
        """From left to right, level at both ends."""
        (x1, y1), (x2, y2) = start, end
        middle = (x1 + x2) / 2
        self._parts.append(
            f'<path d="M{x1:.1f} {y1:.1f} C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}" fill="none" '
            f'stroke="{stroke}" stroke-width="{width:.1f}" stroke-opacity="0.75"/>'
        )

    def mark(self, x: float, y: float, kind: Mark, *, size: float = 7, fill: str = INK) -> None:
        """A small sign, centred."""
        shapes = {
            "square": f"M{-size} {-size} H{size} V{size} H{-size} Z",
            "diamond": f"M0 {-size * 1.3} L{size * 1.3} 0 L0 {size * 1.3} L{-size * 1.3} 0 Z",
            "triangle": f"M0 {-size * 1.2} L{size * 1.2} {size} L{-size * 1.2} {size} Z",
            "flag": f"M{-size} {size * 1.4} V{-size * 1.4} L{size * 1.3} {-size * 0.6} L{-size} {size * 0.2} Z",
        }
        if kind == "circle":
            self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{fill}"/>')
            return
        self._parts.append(f'<path transform="translate({x:.1f} {y:.1f})" d="{shapes[kind]}" fill="{fill}"/>')

    def text(
        self, at: tuple[float, float], words: str, *, size: float = 15, anchor: Anchor = "start", fill: str = INK,
        bold: bool = False,
    ) -> None:  # fmt: skip
        """Words on a base line."""
        weight = ' font-weight="700"' if bold else ""
        self._parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{weight}>'
            f"{escape(plain(words))}</text>"
        )

    def as_bytes(self, title: str) -> bytes:
        """The file. `title` is for those who cannot see it."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
            f"aria-label={quoteattr(plain(title))} font-family={quoteattr(FONTS)}>"
            '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)">'
            f'<rect width="6" height="6" fill="#fff"/><rect width="3" height="6" fill="{ACCENT}"/></pattern></defs>'
            f'<rect width="{self.width:g}" height="{self.height:g}" fill="#fff"/>{"".join(self._parts)}</svg>'
        ).encode("utf-8", "replace")


def width_of(words: str, size: float) -> float:
    """About how wide words are."""
    return sum(size if unicodedata.east_asian_width(letter) in "WF" else size * 0.56 for letter in words)


def fitting(words: str, size: float, width: float) -> str:
    """Words cut in the middle so that they fit, for a name's end tells as much as its beginning."""
    shown = plain(words)
    if width_of(shown, size) <= width:
        return shown
    keep = len(shown)
    while keep > 2 and width_of(shown[: keep - keep // 2] + "…" + shown[len(shown) - keep // 2 :], size) > width:
        keep -= 1
    return shown[: keep - keep // 2] + "…" + shown[len(shown) - keep // 2 :]
