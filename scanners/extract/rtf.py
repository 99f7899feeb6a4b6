"""Rich text (RTF 1.9.1): text without its control words; embedded objects and pictures are passed over.

Letters beyond ASCII come as `\\'hh` in the code page that `\\ansicpg` names, or as `\\uN` with a stand-in behind it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

from config.schema import ItemKind
from scanners.extract.api import Notes, Piece, Refused, Source
from scanners.extract.text import chunks

_LIMIT: Final = 64 << 20
_TOKEN: Final = re.compile(
    rb"\\([a-zA-Z]+)(-?\d+)? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|([^\\{}\r\n]+)|[\r\n]+|\\"
)
_SILENT: Final = frozenset(
    {b"fonttbl", b"colortbl", b"stylesheet", b"pict", b"objdata", b"themedata", b"datastore", b"blipuid", b"listtable"}
)
_BREAKS: Final = {b"par": "\n", b"line": "\n", b"row": "\n", b"cell": "\t", b"tab": "\t", b"page": "\n", b"sect": "\n"}


class RtfExtractor:
    """See the module."""

    kind: ItemKind = "document"

    def matches(self, source: Source) -> bool:
        """By its first bytes."""
        return source.head.startswith(b"{\\rtf")

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """All text in order."""
        data = source.stream().read(_LIMIT + 1)
        if len(data) > _LIMIT:
            raise Refused("too_large")
        page = re.search(rb"\\ansicpg(\d+)", data[:4096])
        name = f"cp{page.group(1).decode()}" if page else "cp1252"
        try:
            codecs.lookup(name)
        except LookupError:
            name = "cp1252"
        notes.encoding = name
        yield from chunks([_Letters(name).read(data)])


class _Letters:
    """Gathers the letters of one document."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._out: list[str] = []
        self._raw = bytearray()
        self._silent = [False]
        self._skip = 0  # characters of a stand-in still to come
        self._stand_in = 1

    def read(self, data: bytes) -> str:
        """All of it."""
        for match in _TOKEN.finditer(data):
            word, number, byte, symbol, brace, plain = match.groups()
            if brace == b"{":
                self._silent.append(self._silent[-1])
            elif brace == b"}":
                if len(self._silent) > 1:
                    self._silent.pop()
            elif word is not None:
                self._word(word, number)
            elif not self._silent[-1]:
                self._letters(byte, symbol, plain)
        self._flush()
        return "".join(self._out).encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _word(self, word: bytes, number: bytes | None) -> None:
        if word in _SILENT:
            self._silent[-1] = True
        elif self._silent[-1]:
            return
        elif word == b"u" and number:
            self._flush()
            self._out.append(chr(int(number) % 65_536))
            self._skip = self._stand_in
        elif word == b"uc" and number:
            self._stand_in = max(0, min(int(number), 8))
        elif word in _BREAKS:
            self._flush()
            self._out.append(_BREAKS[word])

    def _letters(self, byte: bytes | None, symbol: bytes | None, plain: bytes | None) -> None:
        if byte is not None and self._skip:
            self._skip -= 1
        elif byte is not None:
            self._raw += bytes.fromhex(byte.decode())
        elif symbol is not None and symbol in b"\\{}~_-":
            self._raw += symbol if symbol in b"\\{}" else b" "
        elif plain is not None:
            start = min(self._skip, len(plain))
            self._skip -= start
            self._raw += plain[start:]

    def _flush(self) -> None:
        if self._raw:
            self._out.append(self._raw.decode(self._name, "replace"))
            self._raw.clear()
