"""Accuracy on a labelled file, and speed against plain Presidio in the same run: `bench_detect.py LABELLED [TEXT…]`.

LABELLED is JSON lines of `{"text", "entities": [{"start", "end", "type"}]}` or of
`{"text", "spans": [{"s", "e", "label"}]}`. TEXT files (logs, CSV) are read for speed and for what is found in them.
Plain Presidio is its AnalyzerEngine for zh with its default recognizers and no model, on pieces of 4 KB of the same
text. Trust ratios, not megabytes a second: machines differ.
"""

from __future__ import annotations

import collections
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from config.log import set_up_logging
from config.schema import DetectSettings
from scanners.engine import Analyser

LABELS = {
    "person": "PERSON", "name": "PERSON", "NAME": "PERSON", "PER": "PERSON", "phone": "PHONE_NUMBER",
    "id_number": "CN_RESIDENT_ID", "bank_card": "CREDIT_CARD", "email": "EMAIL_ADDRESS", "address": "ADDRESS",
    "license_plate": "CN_LICENSE_PLATE", "passport": "CN_PASSPORT",
}  # fmt: skip
SLICE = 400_000  # characters that plain Presidio is timed on
PIECE = 4_000


def read_labelled(file: Path) -> Iterator[tuple[str, set[tuple[str, int, int]]]]:
    """Texts with what is in them; a label's leading word (`护照号G1…`) is cut off where the value itself is meant."""
    for line in file.read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        spans = [(e["type"], e["start"], e["end"]) for e in document.get("entities", ())]
        spans += [(s["label"], s["s"], s["e"]) for s in document.get("spans", ())]
        text = document["text"]
        known = {(LABELS[label], start, end) for label, start, end in spans if label in LABELS}
        yield text, {(n, s + 3 if n == "CN_PASSPORT" and text.startswith("护照号", s) else s, e) for n, s, e in known}


def measure_accuracy(analyser: Analyser, file: Path) -> None:
    """Exact and overlapping precision, recall and F1 of each entity."""
    exact: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    overlap: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    labelled = set()
    for text, expected in read_labelled(file):
        labelled |= {entity for entity, _, _ in expected}
        found = {(span.entity, span.start, span.end) for span in analyser.detect(text)}
        for entity in {e for e, _, _ in expected | found}:
            here, there = ({p for p in places if p[0] == entity} for places in (expected, found))
            exact[entity][0] += len(here & there)
            exact[entity][1] += len(there - here)
            exact[entity][2] += len(here - there)
            met = [p for p in here if any(q[1] < p[2] and p[1] < q[2] for q in there)]
            stray = [q for q in there if not any(q[1] < p[2] and p[1] < q[2] for p in here)]
            overlap[entity][0] += len(met)
            overlap[entity][1] += len(stray)
            overlap[entity][2] += len(here) - len(met)
    for entity in sorted(labelled):
        print(f"{entity:18} exact {scores(*exact[entity])}   overlap {scores(*overlap[entity])}")


def scores(hits: int, false: int, missed: int) -> str:
    """P, R and F1 for people."""
    return (
        f"P {hits / max(1, hits + false):.4f} R {hits / max(1, hits + missed):.4f} "
        f"F1 {2 * hits / max(1, 2 * hits + false + missed):.4f}"
    )


def measure_speed(name: str, look: Callable[[str], Any], text: str) -> float:
    """MB of UTF-8 a second of this process's own time, so that a busy machine counts less."""
    size = len(text.encode("utf-8", "surrogatepass")) / 1e6
    begun = time.process_time()
    for low in range(0, len(text), PIECE):
        look(text[low : low + PIECE])
    speed = size / (time.process_time() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{name:28} {speed:8.2f} MB/s on {size:.2f} MB, peak so far {peak} MiB")
    return speed


def plain_presidio() -> Callable[[str], Any]:
    """Presidio as it comes, for zh, without a model."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    registry = RecognizerRegistry(supported_languages=["zh"])
    registry.load_predefined_recognizers(languages=["zh"])
    for recognizer in ("SpacyRecognizer", "EmailRecognizer"):  # no model; no network for tldextract
        registry.remove_recognizer(recognizer)
    engine = NoOpNlpEngine(models=[{"lang_code": "zh", "model_name": "no_op"}])
    engine.load()
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["zh"])
    return lambda text: analyzer.analyze(text, language="zh")


def main() -> None:
    """Accuracy, then speed."""
    set_up_logging()
    labelled, files = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    off, on = (Analyser(DetectSettings(), names=names, run_key=b"benchmark") for names in (False, True))
    for file in files:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        counts = collections.Counter(span.entity for span in off.detect(text))
        print(f"{file.name}: {dict(counts)}")
        measure_speed("  names off", off.detect, text)
    texts = "\n".join(text for text, _ in read_labelled(labelled))
    ours = measure_speed("cloche, names off", off.detect, texts)
    measure_speed("cloche, names on", on.detect, texts[:SLICE])
    theirs = measure_speed("plain Presidio, no model", plain_presidio(), texts[:SLICE])
    print(f"names off is {ours / theirs:.1f} times plain Presidio")
    measure_accuracy(on, labelled)


if __name__ == "__main__":
    main()
