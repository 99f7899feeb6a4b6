"""Look for canaries in a file that somebody found: any format the scan reads, whatever was done to the numbers.

Runs in the confined process of `agent.confined`. Full-width digits, blanks, hyphens, dots and brackets between digits,
+86 before them, letters without width and upper case do not hide a canary; rows may be in any order and any part of
them missing. Digits in words (一三八), starred digits and pictures are not read: the answer says what was not.
"""

from __future__ import annotations

import io
import os
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from scanners.extract.api import Budget, Refused, Source
from scanners.extract.formats import EXTRACTORS
from scanners.reading import ItemReport, Reader
from scanners.records import Chunk, Rows
from scanners.warm import load_everything

SECONDS: Final = 600.0
DEPTH: Final = 6
EXPANDED: Final = 4 << 30
_TAIL: Final = 96  # characters kept of a chunk: a value may be cut between two
_NO_WIDTH: Final = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_DIGITS: Final = re.compile(r"\d(?:[ \-.·_()/\u00a0\u3000\u2010-\u2015]{0,3}\d){6,}")
_NO_DIGIT: Final = re.compile(r"\D+")
_MAIL: Final = re.compile(r"[a-z0-9._%+-]{1,64} ?@ ?[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4}")


def plain(text: str) -> str:
    """In the form that is searched: compatible forms made one (NFKC), nothing without width, lower case."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_NO_WIDTH)
    return text.lower()


def phone_key(phone: str) -> str:
    """The digits by which a number is found, without the 86 of China before a mobile."""
    digits = _NO_DIGIT.sub("", plain(phone))
    digits = digits.removeprefix("00") if digits.startswith("0086") else digits
    return digits[2:] if len(digits) == 13 and digits.startswith("861") else digits


def mail_key(mail: str) -> str:
    """A mailbox as it is found."""
    return plain(mail).strip().replace(" ", "")


def values_in(text: str, lengths: frozenset[int]) -> Iterator[str]:
    """Every run of digits of one of the lengths, within longer ones too, and every mailbox in a plain text."""
    for found in _DIGITS.finditer(text):
        digits = _NO_DIGIT.sub("", found[0])
        for length in lengths:
            for start in range(len(digits) - length + 1):
                yield digits[start : start + length]
    if "@" in text:
        for found in _MAIL.finditer(text):
            yield found[0].replace(" ", "")


class Search:
    """Stands where the scan's analyser does, and counts which canaries it sees."""

    def __init__(self, wanted: dict[str, str]) -> None:
        """Look for `wanted`: canary ids by the form in which a value is found."""
        self.wanted = wanted
        self.lengths = frozenset(len(value) for value in wanted if value.isdecimal())
        self.hits: Counter[str] = Counter()

    def begin(self, name: str, kind: str) -> _Item:  # noqa: ARG002  the reader's
        """An item of the file."""
        return _Item(self)


class _Item:
    findings: tuple[()] = ()
    persons = 0
    person_keys: frozenset[int] = frozenset()
    level = 1
    score = 0.0

    def __init__(self, search: Search) -> None:
        self._search = search
        self._tail = ""

    def feed(self, piece: Chunk | Rows) -> None:
        """Search a piece; of running text also what a cut between two pieces parts."""
        if isinstance(piece, Rows):
            self._look("\n".join("\t".join(row) for row in piece.rows))
            return
        if self._tail:
            self._look(self._tail + piece.text[:_TAIL])
        self._look(piece.text)
        self._tail = piece.text[-_TAIL:]

    def finish(self) -> _Item:
        """Nothing is told here."""
        return self

    def _look(self, text: str) -> None:
        wanted, hits = self._search.wanted, self._search.hits
        for value in values_in(plain(text), self._search.lengths):
            if value in wanted:
                hits[wanted[value]] += 1


def warm() -> None:
    """Load every codec and parser."""
    load_everything(Search({"13800000000": "x", "a@example.com": "y"}))


def work(arguments: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
    """`{"hits": {canary: times}, "items", "unread": {reason: items}}`; `arguments`: `canaries` (id, phone, email)."""
    wanted: dict[str, str] = {}
    for canary in arguments["canaries"]:
        wanted |= {phone_key(canary["phone"]): canary["id"]} if canary["phone"] else {}
        wanted |= {mail_key(canary["email"]): canary["id"]} if canary["email"] else {}
    search = Search(wanted)
    reports: list[ItemReport] = []
    deadline = time.monotonic() + SECONDS

    def emit(report: ItemReport) -> None:
        reports.append(report)
        if time.monotonic() > deadline:  # what was found so far must not be lost to a bomb of a million members
            raise Refused("timeout")

    reader = Reader(analyser=search, extractors=EXTRACTORS, max_depth=DEPTH, emit=emit)
    size = os.fstat(descriptors[0]).st_size
    with io.BufferedReader(io.FileIO(descriptors[0], "r", closefd=False), 1 << 16) as stream:
        source = Source(
            name=str(arguments["name"]), stream=stream, size=size, seekable=True, budget=Budget(EXPANDED)
        )  # fmt: skip
        with suppress(Refused):
            reader.read(source, SECONDS)
    unread = Counter(report.reason or report.status for report in reports if report.status not in ("read", "skipped"))
    return {"hits": dict(search.hits), "items": len(reports), "unread": dict(unread)}
