"""Names and addresses: accuracy on labelled sets, characters a second, memory: `bench_names.py FOLDER [LIMIT]`.

FOLDER holds JSON lines of `{"text", "spans": [{"s", "e", "label"}]}` or `{"text", "entities": [{"start", "end",
"type"}]}`; a file whose name begins with `zhaddr` holds delivery lines, each of them one address. LIMIT caps the texts
of a file. Each text goes through `Analyser.detect` alone, as an evaluation would; `bench_detect` has the speed of logs
and lists with names on.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from config.log import set_up_logging
from config.schema import DetectSettings
from scanners.engine import Analyser

PEOPLE = {"name", "NAME", "PER", "PER.NAM", "person"}


def labelled(file: Path, limit: int) -> Iterable[tuple[str, dict[str, set[tuple[int, int]]]]]:
    """Texts with the places of people and addresses that their labels name."""
    for line in file.read_text(encoding="utf-8").splitlines()[:limit]:
        document = json.loads(line)
        spans = [(e["type"], e["start"], e["end"]) for e in document.get("entities", ())]
        spans += [(s["label"], s["s"], s["e"]) for s in document.get("spans", ())]
        if file.name.startswith("zhaddr"):
            yield document["text"], {"ADDRESS": {(0, len(document["text"]))}}
            continue
        places = {"PERSON": {(s, e) for label, s, e in spans if label in PEOPLE}}
        if document.get("entities") is not None:
            places["ADDRESS"] = {(s, e) for label, s, e in spans if label == "address"}
        yield document["text"], places


def overlaps(place: tuple[int, int], others: set[tuple[int, int]]) -> bool:
    """Whether `place` shares a character with one of `others`."""
    return any(other[0] < place[1] and place[0] < other[1] for other in others)


def scores(hits: int, false: int, missed: int) -> str:
    """P, R and F1 for people."""
    return (
        f"P {hits / max(1, hits + false):.3f} R {hits / max(1, hits + missed):.3f} "
        f"F1 {2 * hits / max(1, 2 * hits + false + missed):.4f}"
    )


def measure_accuracy(analyser: Analyser, file: Path, limit: int) -> None:
    """Exact and overlapping precision, recall and F1."""
    exact: dict[str, list[int]] = {}
    loose: dict[str, list[int]] = {}
    characters, begun = 0, time.process_time()
    for text, places in labelled(file, limit):
        characters += len(text)
        spans = analyser.detect(text)
        for entity, expected in places.items():
            found = {(span.start, span.end) for span in spans if span.entity == entity}
            met = sum(overlaps(place, found) for place in expected)
            stray = sum(not overlaps(place, expected) for place in found)
            counts = (len(found & expected), len(found - expected), len(expected - found))
            for totals, new in ((exact, counts), (loose, (met, stray, len(expected) - met))):
                totals[entity] = [a + b for a, b in zip(totals.get(entity, [0, 0, 0]), new, strict=True)]
    speed = characters / (time.process_time() - begun)
    for entity, hits in exact.items():
        print(f"{file.stem:24} {entity:8} exact {scores(*hits)}  overlap {scores(*loose[entity])}", end="")
        print(f"  {speed:7.0f} characters/s", flush=True)


def main() -> None:
    """Accuracy, and the memory of it all."""
    set_up_logging()
    folder, limit = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else sys.maxsize
    analyser = Analyser(DetectSettings(), names=True, run_key=b"benchmark")
    for file in sorted(folder.glob("*.jsonl")):
        measure_accuracy(analyser, file, limit)
    print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main()
