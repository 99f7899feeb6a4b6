"""Detection in figures: speed against peers, the oracle, accuracy on labelled data: `bench_detect.py [FOLDER]`.

FOLDER holds development data in the folders `text_zh`, `databases` and `logs`, labelled as `bench_names` and
`bench_columns` say; without it, only what is made up here is measured. Figures are MB of UTF-8 a second of this
process's own time, on one core, best of three; plain Presidio (its AnalyzerEngine for zh with its default recognizers
and no model, pieces of 4 KB), ripgrep (wall time, one thread) and the memory's own pace stand beside them, because
machines differ: trust the ratios.
"""

from __future__ import annotations

import collections
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bench_columns
import bench_names
import oracle
from bench_tables import read_apart
from corpus import make_text

from config.log import set_up_logging
from config.schema import DetectSettings
from scanners.engine import Analyser
from scanners.records import Chunk, Place

MEGABYTES = 8
CHUNK = 131_072  # characters, as the extractors give them
KINDS = ("clean", "log")
LABELS = {
    "person": "PERSON", "phone": "PHONE_NUMBER", "id_number": "CN_RESIDENT_ID", "bank_card": "CREDIT_CARD",
    "email": "EMAIL_ADDRESS", "address": "ADDRESS", "license_plate": "CN_LICENSE_PLATE", "passport": "CN_PASSPORT",
}  # fmt: skip
# ripgrep's own pace on what four of our detectors look for, with PCRE2 and boundaries that do not fail beside Chinese.
PATTERNS = (
    r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])",
    r"(?<![0-9])[1-8][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx](?![0-9])",
    r"(?<![0-9])(?:62|4|5[1-5])[0-9]{13,17}(?![0-9])",
    r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9.\-]{1,64}\.[A-Za-z]{2,18}",
)
SLICE = 400_000  # characters that plain Presidio is timed on


def best_of(times: int, work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """The shortest of some runs, in seconds."""
    shortest = float("inf")
    for _ in range(times):
        begun = clock()
        work()
        shortest = min(shortest, clock() - begun)
    return shortest


def read_as_scan(analyser: Analyser, text: str) -> None:
    """Feed a text as a scan does: chunks that are counted."""
    item = analyser.begin("item", "text")
    for low in range(0, len(text), CHUNK):
        item.feed(Chunk(text=text[low : low + CHUNK], place=Place(line=1)))
    item.finish()


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


def ripgrep_speed(text: str, size: float) -> float | None:
    """MB/s of `rg -P` over the four patterns, or None without ripgrep."""
    program = shutil.which("rg")
    if program is None:
        return None
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:  # noqa: TID251  for a peer to read
        file.write(text)
        file.flush()
        arguments = [
            program,
            "-P",
            "-o",
            "-j1",
            "--no-mmap",
            *(part for p in PATTERNS for part in ("-e", p)),
            file.name,
        ]
        run = lambda: subprocess.run(arguments, stdout=subprocess.DEVNULL, check=False)  # noqa: E731
        return size / best_of(3, run, time.perf_counter)


def measure_speed() -> None:
    """Ours with names off and on, beside the peers, on the same text."""
    off, on = (Analyser(DetectSettings(), names=names, run_key=b"benchmark") for names in (False, True))
    on.warm_up()
    presidio = plain_presidio()
    print(f"{'MB/s on one core':24} {'off':>8} {'on':>8} {'Presidio':>9} {'ripgrep':>8} {'memory':>8}   off/Presidio")
    for kind in KINDS:
        text = make_text(kind, MEGABYTES * 1_000_000)
        size = len(text.encode()) / 1e6
        ours = [size / best_of(3, lambda a=analyser, t=text: read_as_scan(a, t)) for analyser in (off, on)]  # type: ignore[misc]
        piece = text[:SLICE]
        begun = time.process_time()
        for part in oracle.pieces(piece):
            presidio(part)
        theirs = len(piece.encode()) / 1e6 / (time.process_time() - begun)
        raw = text.encode()
        memory = size / best_of(3, lambda r=raw: bytearray(r))  # type: ignore[misc]
        rg = ripgrep_speed(text, size)
        peers = f"{theirs:9.2f} {rg:8.0f}" if rg else f"{theirs:9.2f}   absent"
        print(f"{kind:24} {ours[0]:8.1f} {ours[1]:8.1f} {peers} {memory:8.0f}   {ours[0] / theirs:.0f} times")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "members.csv")
        file.write_text(make_text("csv", MEGABYTES * 1_000_000), encoding="utf-8")
        figures = [read_apart(str(file), file.name, names=names) for names in (False, True)]
        size = file.stat().st_size / 1e6
        speeds = [size / figure["seconds"] for figure in figures]
        peak = figures[1]["peak"]
        print(f"{'member CSV, as a file':24} {speeds[0]:8.1f} {speeds[1]:8.1f}   peak {peak:.0f} MiB with names")


def labelled(file: Path) -> Iterator[tuple[str, set[tuple[str, int, int]]]]:
    """Texts with what is in them; a label's leading word (`护照号E1…`) is cut off where the value itself is meant."""
    for line in file.read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        text = document["text"]
        spans = [(e["type"], e["start"], e["end"]) for e in document.get("entities", ())]
        known = {(LABELS[label], start, end) for label, start, end in spans if label in LABELS}
        yield text, {(n, s + 3 if n == "CN_PASSPORT" and text.startswith("护照号", s) else s, e) for n, s, e in known}


def measure_entities(analyser: Analyser, file: Path) -> None:
    """Exact precision and recall of every labelled entity."""
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    for text, expected in labelled(file):
        found = {(span.entity, span.start, span.end) for span in analyser.detect(text)}
        for entity in {entity for entity, _, _ in expected}:
            here, there = ({p for p in places if p[0] == entity} for places in (expected, found))
            for index, number in enumerate((len(here & there), len(there - here), len(here - there))):
                counts[entity][index] += number
    for entity, hits in sorted(counts.items()):
        print(f"{file.stem:28} {entity:18} exact {bench_names.scores(*hits)}")


def measure_logs(analyser: Analyser, folder: Path) -> None:
    """What is found in logs, in which nearly nobody is: an address of mail there is one, a number is mostly none."""
    found: collections.Counter[str] = collections.Counter()
    lines = 0
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        lines += text.count("\n")
        found.update(span.entity for span in analyser.detect(text))
    print(f"{lines} lines of real logs: {dict(found.most_common())}")


def main() -> int:
    """Speed first, in a fresh process; then the oracle; then accuracy."""
    set_up_logging()
    measure_speed()
    apart = oracle.main([])
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        on, off = (Analyser(DetectSettings(), names=names, run_key=b"benchmark") for names in (True, False))
        for file in sorted((folder / "text_zh").glob("pii_bench_*.jsonl")):
            measure_entities(on, file)
        for file in sorted((folder / "text_zh").glob("*.jsonl")):
            bench_names.measure_accuracy(on, file, sys.maxsize)
        bench_columns.measure(folder / "databases" / "columns.jsonl", folder / "databases", verbose=False)
        measure_logs(off, folder / "logs")
    return apart


if __name__ == "__main__":
    sys.exit(main())
