"""What an extractor gets and gives.

An extractor turns one `Source` into pieces: `Chunk` and `Rows` are content of the item, `TableRows` content of a table
that is an item of its own, `Member` an item inside this one. It may raise anything on a hostile file; what it gave
before is kept.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Protocol

from config.schema import ItemKind
from scanners.records import Chunk, Reason, Rows

HEAD: Final = 65_536
BATCH_ROWS: Final = 4_000
BATCH_CHARACTERS: Final = 1 << 20
CHUNK_CHARACTERS: Final = 131_072
SPOOL_LIMIT: Final = 256 << 20


class Refused(Exception):  # noqa: N818  it says why an item was not read, and is no failure of the program
    """The item, or the rest of it, can't be read for `reason`."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class Budget:
    """How many bytes may still be read out of archives, all levels of one file together."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def spend(self, count: int) -> None:
        """Count bytes that came out of an archive.

        Raises:
            Refused: `expansion`, the archive grows beyond its limit.
        """
        self._left -= count
        if self._left < 0:
            raise Refused("expansion")


class Metered(io.RawIOBase):
    """A stream out of an archive: what is read is spent from the budget."""

    def __init__(self, stream: BinaryIO, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """As `io.RawIOBase`.

        Raises:
            Refused: see `Budget.spend`.
        """
        data = self._stream.read(len(buffer))
        self._budget.spend(len(data))
        buffer[: len(data)] = data
        return len(data)


class Source:
    """Bytes with a name: a file, or a member of an archive that can be read once and is spooled to be read again.

    Args:
        name: without folders; a hint for the format and a context for detectors.
        stream: open for reading, at its start.
        size: in bytes, or what the archive says, or -1.
        seekable: the stream is a real file.
    """

    def __init__(self, *, name: str, stream: BinaryIO, size: int, seekable: bool, budget: Budget) -> None:
        self.name = name
        self.size = size
        self.budget = budget
        self._stream = stream
        self._seekable = seekable
        self._head: bytes | None = None

    @property
    def suffix(self) -> str:
        """Last extension of the name, lower case, without its dot."""
        return self.name.rpartition(".")[2].lower() if "." in self.name else ""

    @property
    def head(self) -> bytes:
        """The first 64 KiB."""
        if self._head is None:
            if self._seekable:
                self._stream.seek(0)
            self._head = _read_up_to(self._stream, HEAD)
            if self._seekable:
                self._stream.seek(0)
        return self._head

    def stream(self) -> BinaryIO:
        """From the start, to be read once."""
        if self._seekable:
            self._stream.seek(0)
            return self._stream
        head = self.head
        return io.BufferedReader(_Joined(head, self._stream), HEAD)

    def file(self) -> BinaryIO:
        """The same as a file that can be sought; a member is spooled to memory that has no name.

        Raises:
            Refused: `too_large`, a member over the limit of the spool.
        """
        if not self._seekable:
            spool = io.FileIO(os.memfd_create("member", os.MFD_CLOEXEC), "r+")
            total = 0
            stream = self.stream()
            while block := stream.read(1 << 20):
                total += len(block)
                if total > SPOOL_LIMIT:
                    spool.close()
                    raise Refused("too_large")
                spool.write(block)
            self._stream = io.BufferedReader(spool, HEAD)
            self._seekable = True
            self.size = total
        self._stream.seek(0)
        return self._stream

    def close(self) -> None:
        """Free the spool, if there is one."""
        self._stream.close()


class _Joined(io.RawIOBase):
    """A head that was read already, then the rest."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """As `io.RawIOBase`."""
        data = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(data) :] if self._head else self._head
        buffer[: len(data)] = data
        return len(data)


def _read_up_to(stream: BinaryIO, count: int) -> bytes:
    """Streams may give less than asked for."""
    parts = []
    while count > 0 and (block := stream.read(count)):
        parts.append(block)
        count -= len(block)
    return b"".join(parts)


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """Rows of a table that is an item of its own."""

    rows: Rows


@dataclass(frozen=True, kw_only=True)
class Member:
    """An item inside this one. `source` is good until the next piece is asked for; None if it can't be opened.

    `reason` says why then.
    """

    name: str
    source: Source | None
    reason: Reason = ""
    size: int = 0


Piece = Chunk | Rows | TableRows | Member


@dataclass(kw_only=True)
class Notes:
    """What an extractor says about the item beside its pieces."""

    encoding: str | None = None
    reason: Reason = ""  # read in part, and why
    opened: Callable[[], None] = field(default=lambda: None, repr=False)

    def partly(self, reason: Reason) -> None:
        """Something of the item was not read. The first reason stays."""
        self.reason = self.reason or reason


class Extractor(Protocol):
    """One format."""

    kind: ItemKind

    def matches(self, source: Source) -> bool:
        """Is it this format? By content first, then by name."""
        ...

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Its pieces, in order.

        Raises:
            Refused: it is not read, or no further.
            Exception: a malformed file.
        """
        ...
