"""The engine against its oracle: Presidio's AnalyzerEngine with our recognizers, on the same text in the same run.

`oracle.py [MEGABYTES] [FILE…]` reads made-up text of a store (CSV, log and JSON lines; 21 MB unless said otherwise) and
the FILEs, names and columns left out. Both get the same pieces of at most 4 KB, which end at line ends. It prints how
often they disagree and about which entity, never a value, and how many times faster the engine is. Exit 1 if they
disagree anywhere.
"""

from __future__ import annotations

import collections
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from corpus import make_text

from config.log import set_up_logging
from config.schema import DetectSettings
from scanners.cutting import CHUNK
from scanners.engine import Analyser
from scanners.presidio import make_analyzer

PIECE = 4_096  # bytes
MIXED = ("csv", "log", "jsonl")
MEGABYTES = 21.0
Decisions = set[tuple[str, int, int]]


@dataclass(kw_only=True)
class Meeting:
    """What two readers of the same text agreed on, and the processor time of each in seconds."""

    accepted: int = 0
    apart: collections.Counter[str] = field(default_factory=collections.Counter)
    ours: float = 0.0
    theirs: float = 0.0
    size: int = 0


def pieces(text: str) -> Iterator[str]:
    """Whole lines of at most `PIECE` bytes together; a longer line is cut."""
    held: list[str] = []
    size = 0
    for line in text.splitlines(keepends=True):
        for part in (line[low : low + PIECE // 4] for low in range(0, len(line), PIECE // 4)):
            length = len(part.encode("utf-8", "surrogatepass"))
            if size + length > PIECE:
                yield "".join(held)
                held, size = [], 0
            held.append(part)
            size += length
    if held:
        yield "".join(held)


def meet(text: str, ours: Callable[[str], Decisions], theirs: Callable[[str], Decisions]) -> Meeting:
    """Have both read the pieces of `text`."""
    meeting = Meeting(size=len(text.encode("utf-8", "surrogatepass")))
    for piece in pieces(text):
        begun = time.process_time()
        found = ours(piece)
        between = time.process_time()
        expected = theirs(piece)
        meeting.theirs += time.process_time() - between
        meeting.ours += between - begun
        meeting.accepted += len(expected)
        meeting.apart.update(f"missed {entity}" for entity, _, _ in expected - found)
        meeting.apart.update(f"false {entity}" for entity, _, _ in found - expected)
    return meeting


def read_file(file: Path) -> str:
    """A file's text; of JSON lines that hold a `text` (labelled data), those."""
    text = file.read_text(encoding="utf-8", errors="surrogateescape")
    if file.suffix == ".jsonl":
        return "\n".join(str(json.loads(line).get("text", "")) for line in text.splitlines())
    return text


def main(arguments: list[str]) -> int:
    """Compare, and say how the two fared."""
    set_up_logging()
    arguments = list(arguments)
    megabytes = float(arguments.pop(0)) if arguments and arguments[0].replace(".", "").isdigit() else MEGABYTES
    analyser = Analyser(DetectSettings(), names=False, run_key=b"benchmark")
    engine = make_analyzer()

    def ours(text: str) -> Decisions:
        return {(span.entity, span.start, span.end) for span in analyser.detect(text)}

    def theirs(text: str) -> Decisions:
        return {(r.entity_type, r.start, r.end) for r in engine.analyze(text, language="zh")} if text else set()

    texts = {f"made-up {kind}": make_text(kind, round(megabytes * 1e6 / len(MIXED))) for kind in MIXED}
    texts.update({Path(name).name: read_file(Path(name)) for name in arguments})
    apart, whole, mixed = 0, 0.0, Meeting()
    for name, text in texts.items():
        meeting = meet(text, ours, theirs)
        begun = time.process_time()
        for low in range(0, len(text), CHUNK):
            analyser.detect(text[low : low + CHUNK])
        own = time.process_time() - begun
        apart += meeting.apart.total()
        size = meeting.size / 1e6
        apart_here = f"{meeting.apart.total():5} apart {dict(meeting.apart)}"
        print(
            f"{name:32} {size:6.2f} MB {meeting.accepted:8} accepted {apart_here}"
            f" · engine {size / meeting.ours:6.1f} MB/s in the same pieces, {size / own:6.1f} in its own"
            f" · oracle {size / meeting.theirs:5.2f} · {meeting.theirs / own:.0f} times"
        )
        if name.startswith("made-up"):
            whole, mixed.theirs, mixed.ours = whole + own, mixed.theirs + meeting.theirs, mixed.ours + meeting.ours
    print(
        f"mixed text: {mixed.theirs / whole:.0f} times as fast as the oracle in pieces of its own, "
        f"{mixed.theirs / mixed.ours:.0f} times in the same pieces; {apart} decisions apart"
    )
    return 1 if apart else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
