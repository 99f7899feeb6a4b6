"""Pages of incidents, the lawyer, orders, people and settings have no barrier by axe's rules, on a desk and a phone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hq_shops import Chain
from page_ways import ways

pytestmark = pytest.mark.needs("chromium")
OF_ROOMS = (
    "/incidents/{burning}/2026-001", "/incidents/{burning}/2026-001/do/note", "/cases", "/law", "/law/standing",
    "/declare", "/declare?where=stores&store={burning}", "/orders", "/orders/new?kind=rescan&store={fine}",
    "/people", "/record", "/record/views", "/settings", "/settings/stores", "/settings/api", "/settings/hooks", "/own",
)  # fmt: skip


@pytest.mark.parametrize(("width", "language", "paths"), ways(OF_ROOMS))
def test_no_page_of_another_room_has_a_barrier(
    chain: Chain, screen: Any, width: int, language: str, paths: Sequence[str]
) -> None:
    screen.size(width)
    wrong = []
    for path in paths:
        screen.go(path.format(**vars(chain)), language=language)
        wrong += [(path, width, barrier) for barrier in screen.barriers()]
        wrong += [(path, width, "scrolls sideways")] if not screen.fits() else []
    assert wrong == []
    assert screen.complaints == []
