"""The nouns that pass between discover, extract, detect and the agent. A customer's value has no `repr`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from config.schema import ItemKind

Status = Literal["read", "partial", "unread", "skipped"]
Reason = Literal[
    "",
    "permission",          # the kernel refused
    "vanished",            # gone between listing and reading
    "io_error",            # the disk or the share failed
    "encrypted",           # a password is needed
    "malformed",           # not what its format says
    "unsupported",         # a format nobody here reads yet
    "too_large",           # over a configured limit
    "too_deep",            # archives within archives
    "expansion",           # an archive that grows beyond its limit (bomb)
    "timeout",             # the worker was killed after its time
    "crashed",             # the worker died, memory limit included
    "special",             # socket, device or pipe
    "changed",             # changed while it was read
    "precision",           # long numbers stored as floats have lost digits
    "undecodable",         # bytes that fit no character set
    "excluded",            # skipped by configuration
    "reserved",            # Cloche's own files
]  # fmt: skip


# What stands behind a value: a person; nobody that could be named (masked); a number that a delivery platform lends
# for hours (virtual); an organisation's own, such as a 400 number.
Nature = Literal["personal", "masked", "virtual", "organisation"]
Subject = Literal["customer", "staff", "supplier", "organisation", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in an item. `line` and `page` count from 1; for a table `line` is the row."""

    table: str | None = None
    column: str | None = None
    member: str | None = None
    page: int | None = None
    line: int | None = None


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Running text with its place (line of its first character)."""

    text: str = field(repr=False)
    place: Place = Place()


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Some rows of one table, all of the same width as `columns`; cells are text, '' for NULL.

    `rows` may be a `scanners.cells.ByteGrid`, which makes its tuples when they are asked for.

    `first_line` is the row (or line) number of the first of them, from 1. `comments` are the columns' comments
    where a schema gives them, else empty.
    """

    table: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]] = field(repr=False)
    first_line: int = 1
    comments: tuple[str, ...] = ()
    place: Place = Place()


class Span(NamedTuple):
    """An entity in a text: `[start, end)` in characters of that text, `score` 0 to 1, a masked form."""

    entity: str
    start: int
    end: int
    score: float
    masked: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found of one entity at one place: never the value.

    One finding an entity, place and nature. `distinct` counts values told apart by a key of this run; `confidence` is
    the highest score; `samples` are masked. `subject` says whose data it is, as far as the column and the table tell.
    """

    entity: str
    count: int
    distinct: int
    confidence: float
    place: Place = Place()
    samples: tuple[str, ...] = ()
    nature: Nature = "personal"
    subject: Subject = "unknown"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing that was listed: a file, an archive member, a table. `path` is raw bytes as the system has it.

    `about` says what its table is (an id of `scanners.exports`, or ''), `records` how many rows such tables have.
    `persons` estimates how many distinct persons are in it. `person_keys` tell them apart within this run only
    (8-byte keyed fingerprints under a key that is never stored) and are never written anywhere.
    """

    path: bytes
    kind: ItemKind
    status: Status
    reason: Reason = ""
    encoding: str | None = None
    size: int = 0
    level: int = 1
    score: float = 0.0
    about: str = ""
    records: int = 0
    persons: int = 0
    findings: tuple[Finding, ...] = ()
    identity: FileIdentity | None = None
    person_keys: frozenset[int] = field(default=frozenset(), repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class FileIdentity:
    """What stays the same through renames and reboots: filesystem UUID (or ''), inode, birth time in ns (or 0).

    `st_dev` is for this boot only; `mtime_ns`, `size`, `links`, `uid`, `mode` as seen when the file was listed.
    Archive members and tables have none: they share their container's.
    """

    filesystem: str
    inode: int
    birth_ns: int
    device: int
    mtime_ns: int
    size: int
    links: int
    uid: int
    mode: int

    @property
    def key(self) -> str:
        """Names the file through renames and reboots."""
        return f"{self.filesystem}:{self.inode}:{self.birth_ns}"


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """`read + partial + unread + skipped == listed`, always. `bytes` is what was read of the listed files."""

    listed: int
    read: int
    partial: int
    unread: int
    skipped: int
    bytes: int

    @property
    def clean(self) -> bool:
        """Nothing partial, nothing unread."""
        return self.partial == 0 and self.unread == 0
