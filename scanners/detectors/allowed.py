"""Values that the settings say are no findings: the shop's own 400 number, a test account."""

from __future__ import annotations

import re
from collections.abc import Sequence

from config.schema import DetectSettings
from scanners.detectors.base import Detector
from scanners.written import to_plain


class Allowed:
    """`detect.allow` and `detect.allow_patterns`. Values are compared in the normal form of each entity."""

    def __init__(self, settings: DetectSettings, detectors: Sequence[Detector]) -> None:
        """Make the normal forms of all values."""
        values = [to_plain(value).text for value in settings.allow]
        self.normal = {d.entity: frozenset(d.normalise(value) for value in values) for d in detectors}
        self.other = frozenset("".join(value.split()).lower() for value in values)
        self.patterns = [re.compile(pattern) for pattern in settings.allow_patterns]

    def __bool__(self) -> bool:
        """Whether there is anything to compare with."""
        return bool(self.other or self.patterns)

    def normal_forms(self, entity: str) -> frozenset[str]:
        """The normal forms of the allowed values, if they were of `entity`."""
        return self.normal.get(entity, self.other)

    def matches(self, value: str) -> bool:
        """Whether one of the patterns is a value in plain form, all of it."""
        return any(pattern.fullmatch(value) for pattern in self.patterns)

    def covers(self, entity: str, value: str, normal: str) -> bool:
        """Whether a value of `entity`, in plain form and in its `normal` form, is no finding."""
        return normal in self.normal_forms(entity) or self.matches(value)
