"""Long lists, a page at a time, by plain links that keep the rest of the question."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

PAGE: Final = 50
MAX_PAGE: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class Paging:
    """Where a reader stands in a list of `total` entries, `size` a page; pages count from 1."""

    path: str
    total: int
    number: int = 1
    size: int = PAGE
    name: str = "page"
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def count(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-self.total // self.size))

    @property
    def offset(self) -> int:
        """Entries before this page."""
        return (self.number - 1) * self.size

    @property
    def first(self) -> int:
        """The first entry's place, from 1; 0 where there is none."""
        return self.offset + 1 if self.total else 0

    @property
    def last(self) -> int:
        """The last entry's place."""
        return min(self.total, self.offset + self.size)

    def link(self, number: int) -> str:
        """The address of another page of the same list."""
        kept = [(name, value) for name, value in self.query if name not in (self.name, "lang")]
        return f"{self.path}?{urlencode([*kept, (self.name, str(number))])}"


def page_of(request: Request, total: int, *, size: int = PAGE, name: str = "page") -> Paging:
    """The page that a request asks for; one that is not there becomes the nearest that is."""
    asked = request.query_params.get(name, "1")
    wanted = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 7 else 1
    most = max(1, -(-total // size))
    return Paging(
        path=request.url.path,
        total=total,
        number=min(max(1, wanted), most, MAX_PAGE),
        size=size,
        name=name,
        query=tuple(request.query_params.multi_items()),
    )
