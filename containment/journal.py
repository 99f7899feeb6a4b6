"""The journal: what is about to be done to a file is on disk before it is done.

One append-only file of lines `<first 16 hex digits of SHA-256 of the rest> <JSON>`, fsynced line by line. An *act*
(sealing one file, bringing one back, one entry of quarantine) has an id, a kind and named steps; the last step is
`done`. What has no `done` at the start is handed to the recovery of the room that wrote it. Paths stand here raw
(JSON with surrogate escapes): the folder is 0700.

A cut can tear the last line: its digest fails and it counts as never written, which is right, because nothing is
done before its line is durable. A line that fails in the middle means a damaged disk and is counted in `damaged`.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from containment.atomic import write_all, write_file

NAME: Final = "journal.jsonl"
COMPACT_BYTES: Final = 4 << 20
DONE: Final = "done"


@dataclass(frozen=True, kw_only=True)
class Act:
    """One act as the journal tells it: all its lines, oldest first."""

    id: str
    kind: str
    lines: tuple[Mapping[str, Any], ...]

    @property
    def step(self) -> str:
        """The last step that was recorded."""
        return str(self.lines[-1]["step"])

    def get(self, key: str, default: Any = None) -> Any:
        """The newest value of `key` in any line of the act."""
        for line in reversed(self.lines):
            if key in line:
                return line[key]
        return default

    def reached(self, step: str) -> bool:
        """Whether `step` was recorded."""
        return any(line["step"] == step for line in self.lines)


def path_text(path: bytes) -> str:
    """A path for a line of JSON; `path_bytes` is the way back."""
    return os.fsdecode(path)


def path_bytes(text: str) -> bytes:
    """The path behind `path_text`."""
    return os.fsencode(text)


class Journal:
    """The journal in one folder. Only the holder of `home/lock` has one; safe among its threads.

    Promise: when `append` returns, the line survives a power cut. Limit: as far as the disk honours a flush.
    """

    def __init__(self, folder: Path) -> None:
        """Open (or make) the journal in `folder`; the folder is made 0700.

        Raises:
            OSError: it can't be opened.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / NAME
        self.damaged = 0
        self._lock = threading.Lock()
        if not self.path.exists():
            write_file(self.path, b"")
        self._mend_torn_end()

    def begin(self, kind: str, **details: Any) -> str:
        """Record that an act of `kind` starts, and return its id (16 hex digits)."""
        act_id = secrets.token_hex(8)
        self.append({"id": act_id, "kind": kind, "step": "begin", "at": time.time(), **details})
        return act_id

    def step(self, act_id: str, step: str, **details: Any) -> None:
        """Record the next step of an act, before it is taken."""
        self.append({"id": act_id, "step": step, **details})

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one line and wait until it is durable. `entry` needs `id` and `step`; the first also `kind`.

        Raises:
            OSError: the line is not durable: the act must not go on.
        """
        body = json.dumps(entry, separators=(",", ":")).encode("ascii")
        line = hashlib.sha256(body).hexdigest()[:16].encode() + b" " + body + b"\n"
        with self._lock:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            try:
                end = os.fstat(descriptor).st_size
                try:
                    write_all(descriptor, line)
                    os.fsync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, end)  # half a line would spoil the next one
                    raise
            finally:
                os.close(descriptor)

    def acts(self) -> list[Act]:
        """Every act on record, in order of its beginning."""
        lines: dict[str, list[Mapping[str, Any]]] = {}
        self.damaged = 0
        for entry in self._read():
            lines.setdefault(str(entry["id"]), []).append(entry)
        return [
            Act(id=act_id, kind=str(found[0].get("kind", "")), lines=tuple(found)) for act_id, found in lines.items()
        ]

    def pending(self, *kinds: str) -> list[Act]:
        """Acts without `done`, of the given kinds (all without)."""
        return [act for act in self.acts() if act.step != DONE and (not kinds or act.kind in kinds)]

    def compact(self) -> None:
        """Drop finished acts once the file is large; pending ones, those under way too, are kept word for word."""
        with self._lock:  # no line may be added between reading and writing
            if self.path.stat().st_size < COMPACT_BYTES:
                return
            keep = {act.id for act in self.pending()}
            kept = [line for line, entry in self._checked_lines() if entry is not None and str(entry["id"]) in keep]
            write_file(self.path, b"".join(kept))

    def _read(self) -> Iterator[Mapping[str, Any]]:
        for _line, entry in self._checked_lines():
            if entry is None:
                self.damaged += 1
            else:
                yield entry

    def _checked_lines(self) -> Iterator[tuple[bytes, Mapping[str, Any] | None]]:
        with self.path.open("rb") as file:
            for line in file:
                yield line, _check(line)

    def _mend_torn_end(self) -> None:
        """Cut a torn last line off, so that the next line starts on its own."""
        size = end = 0
        for line, _entry in self._checked_lines():
            size += len(line)
            if line.endswith(b"\n"):
                end = size
        if end != size:
            os.truncate(self.path, end)


def _check(line: bytes) -> Mapping[str, Any] | None:
    digest, separator, body = line.rstrip(b"\n").partition(b" ")
    if not separator or hashlib.sha256(body).hexdigest()[:16].encode() != digest:
        return None
    entry = json.loads(body)
    return entry if isinstance(entry, dict) and "id" in entry and "step" in entry else None


class Running:
    """An act while it goes on: its steps go to the journal, and failure can be undone by what recovery reads."""

    def __init__(self, journal: Journal, kind: str, **details: Any) -> None:
        """Record the begin.

        Raises:
            OSError: the journal can't be written: nothing may be done.
        """
        self._journal = journal
        self.id = secrets.token_hex(8)
        self._lines: list[Mapping[str, Any]] = []
        self._write({"id": self.id, "kind": kind, "step": "begin", "at": time.time(), **details})

    def step(self, step: str, **details: Any) -> None:
        """Record the next step, before it is taken.

        Raises:
            OSError: it is not durable: the step must not be taken.
        """
        self._write({"id": self.id, "step": step, **details})

    @property
    def act(self) -> Act:
        """What the journal knows so far."""
        return Act(id=self.id, kind=str(self._lines[0]["kind"]), lines=tuple(self._lines))

    def _write(self, entry: Mapping[str, Any]) -> None:
        self._journal.append(entry)
        self._lines.append(entry)
