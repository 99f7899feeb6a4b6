"""In what ways pages are looked at: on a desk or a phone, in Chinese or English."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

WAYS = ((1280, "zh-CN"), (390, "en"), (390, "zh-CN"), (1280, "en"))


def ways(paths: Sequence[str]) -> list[Any]:
    """Width, language and the paths looked at so: each once in the suite, the rest with `make test-pages`."""
    halves = list(enumerate(WAYS[:2]))
    return [
        *((*way, paths[start::2]) for start, way in halves),
        *(pytest.param(*way, paths[1 - start :: 2], marks=pytest.mark.slow) for start, way in halves),
        *(pytest.param(*way, paths, marks=pytest.mark.slow) for way in WAYS[2:]),
    ]
