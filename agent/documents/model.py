"""What a document says, apart from how it looks: every renderer shows these blocks, in this order, and nothing else.

All text is plain: no renderer reads markup in it. Whoever builds a document has masked what it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

TEXT_WIDTH_MM: Final = 174
"""Between the margins of an A4 page."""


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A part's title; level 2 for a part within a part."""

    text: str
    level: Literal[1, 2] = 1


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    """Running text; `small` for notes."""

    text: str
    small: bool = False


@dataclass(frozen=True, kw_only=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Two columns: what, and its value."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns with `widths` in per cent. `marked` are the numbers of rows to stand out."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A PNG or an SVG with its caption, which also stands where the picture cannot be seen.

    `width_mm` is cut to the text's width; the height follows. An SVG is shown as it is where a format can, and as a
    PNG made of it where not.

    Raises:
        ValueError: neither is given: a defect.
    """

    png: bytes = field(default=b"", repr=False)
    svg: bytes = field(default=b"", repr=False)
    caption: str
    width_mm: int = TEXT_WIDTH_MM

    def __post_init__(self) -> None:
        if not self.png and not self.svg:
            raise ValueError("a picture without content")


@dataclass(frozen=True, kw_only=True)
class PageBreak:
    """What follows starts a page."""


Block = Heading | Paragraph | Bullets | Facts | Table | Picture | PageBreak


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document in one language, ready to be rendered.

    `stamp` is a line that every page carries: a drill, a draft. `running` stands at the head of every page: the
    store and the document's number. `head` says in words how the timeline stood (`stamps.head_of`), printed to anchor
    it.
    """

    language: str
    title: str
    subtitle: str
    lead: str
    notices: tuple[str, ...]
    blocks: tuple[Block, ...]
    stamp: str = ""
    running: str = ""
    head: str = ""
