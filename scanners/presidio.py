"""Presidio's side: our detectors as its recognizers, and its national recognizers for us.

Never imported by the root daemon: importing presidio-analyzer costs 0.6 s and about 100 MB. Any detector becomes an
`EntityRecognizer` (not a PatternRecognizer, which drops what fails its checksum). The other way round, Presidio's
recognizers of a country, off by default there, are switched on by `detect.countries`; it ships none for China, Hong
Kong, Macau and Taiwan. They are asked one by one, piece by piece, without Presidio's context enhancer (quadratic in
dense text): their context words are weighed by `scanners.context`, with Presidio's own amounts. Its EmailRecognizer is
not used: tldextract inside would ask the network.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final

import presidio_analyzer.predefined_recognizers as predefined
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts, NoOpNlpEngine

from config.errors import UsageError
from scanners.context import Context
from scanners.detectors import DETECTORS, Detector
from scanners.name_places import split_pieces
from scanners.spots import Located, Spots, settle
from scanners.written import to_plain

# Presidio logs the text it fails on, and context words at DEBUG: nothing of it may come out.
SILENT: Final = logging.getLogger("presidio-analyzer")  # noqa: TID251  silenced here, not written to
SILENT.handlers[:] = [logging.NullHandler()]
SILENT.propagate = False

BOOST: Final = 0.35  # LemmaContextAwareEnhancer's context_similarity_factor
BOOSTED: Final = 0.4  # and its min_score_with_context_similarity


class DetectorRecognizer(EntityRecognizer):
    """One of our detectors, for Presidio's AnalyzerEngine. Full-width and invisible characters are seen through."""

    def __init__(self, detector: Detector, language: str = "zh") -> None:
        """Wrap `detector`."""
        self.detector = detector
        super().__init__(
            supported_entities=[detector.entity], name=type(detector).__name__, supported_language=language
        )

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: NlpArtifacts | None = None,  # noqa: ARG002  Presidio passes it by name
    ) -> list[RecognizerResult]:
        """All candidates as results, whatever their score: the engine's threshold decides.

        Of those that overlap the best is given, as `scanners.spots.settle` has it.
        """
        if self.detector.entity not in entities:
            return []
        plain = to_plain(text)
        entity = self.detector.entity
        candidates = self.detector.find(plain.text, 0, len(plain.text))
        found = settle(Spots.of([entity], [Located(entity, c.start, c.end, c.score, c.nature) for c in candidates]))
        results = []
        for spot in found:
            start, end = plain.span(spot.start, spot.end)
            results.append(RecognizerResult(entity_type=entity, start=start, end=end, score=spot.score))
        return results


def make_analyzer(
    language: str = "zh", threshold: float = 0.5, detectors: Sequence[Detector] = DETECTORS
) -> AnalyzerEngine:
    """Presidio's AnalyzerEngine with our detectors and no language model: the oracle that our engine is tested by.

    Every detector reads the whole of every text; nothing of `scanners.search` is used.
    """
    registry = RecognizerRegistry(
        recognizers=[DetectorRecognizer(detector, language) for detector in detectors],
        supported_languages=[language],
    )
    engine = NoOpNlpEngine(models=[{"lang_code": language, "model_name": "no_op"}])
    engine.load()
    return AnalyzerEngine(
        registry=registry, nlp_engine=engine, supported_languages=[language], default_score_threshold=threshold
    )


def national_classes(country: str) -> list[type[Any]]:
    """Presidio's recognizers of one country (ISO 3166-1 alpha-2)."""
    found = {
        name: value
        for name, value in vars(predefined).items()
        if inspect.isclass(value) and (getattr(value, "COUNTRY_CODE", None) or "").upper() == country.upper()
    }
    return [found[name] for name in sorted(found)]


class NationalRecognizers:
    """Presidio's recognizers of the configured countries."""

    def __init__(self, countries: Sequence[str]) -> None:
        """Load them.

        Raises:
            UsageError: Presidio has none for one of the countries.
        """
        self.recognizers: list[tuple[Any, Context]] = []
        for country in countries:
            classes = national_classes(country)
            if not classes:
                raise UsageError(f"detect.countries: Presidio has no recognizers for {country!r}")
            for cls in classes:
                recognizer = cls()
                self.recognizers.append((recognizer, Context(recognizer.context or recognizer.supported_entities)))
        self.entities = {entity for recognizer, _ in self.recognizers for entity in recognizer.supported_entities}

    def find(self, text: str) -> Iterator[tuple[str, int, int, float]]:
        """Entity, start, end and score of each result in plain text."""
        for low, high in split_pieces(text):
            piece = text[low:high]
            for recognizer, context in self.recognizers:
                for result in recognizer.analyze(piece, recognizer.supported_entities, None):
                    start, end = low + result.start, low + result.end
                    score = float(result.score)
                    if score < 1 and context.pattern.search(text, max(low, start - 60), min(high, end + 20)):
                        score = max(min(1.0, score + BOOST), BOOSTED)
                    yield result.entity_type, start, end, score
