"""What planting gives, and why it may give nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Why = Literal["format", "no_contact", "too_large", "encoding", "malformed"]


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A file with canaries in it. `records` in all its tables together; `ending` where the format changed."""

    data: bytes = field(repr=False)
    records: int
    tables: int
    encoding: str = ""
    ending: str = ""


class NotPlanted(Exception):  # noqa: N818  it says why a file holds no canary, and is no failure of the program
    """No canary can stand in this file: no table, none with contacts, too large, or a character set that lacks it."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why
