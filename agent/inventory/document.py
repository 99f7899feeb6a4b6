"""The `cloche.scan/1` document: what a scan found, for its caller (`docs/scan-report.md`).

Samples are masked forms made by the detectors. Paths are the real ones for the owner, who asked about his own files
(`docs/decisions/0001-paths-in-a-scan-answer.md`), and masked for anybody else. Members, tables and columns are
named by whoever made the file: they are masked for anybody else too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from agent.inventory.paths import path_fields, shown_path
from agent.inventory.records import StoredItem
from scanners.records import Coverage, Finding, Item, Place

SCHEMA: Final = "cloche.scan/1"
Mask = Callable[[str], str]


def item_document(item: Item, container: bytes | None, persons: int, mask: Mask | None = None) -> dict[str, Any]:
    """One item of `items`. `mask` hides what names carry, None shows them as they are.

    Args:
        item: as the scan listed it.
        container: the file it lies in, if it is a member or a table.
        persons: distinct persons in it, and in what lies in it.
        mask: for callers who are not the owner.
    """
    return {
        **path_fields(shown_path(item.path, container), mask),
        "kind": item.kind,
        "encoding": item.encoding,
        "size": item.size,
        "status": item.status,
        "reason": item.reason,
        "level": item.level,
        "score": round(item.score, 1),
        "about": item.about,
        "records": item.records,
        "persons": persons,
        "findings": [finding_document(finding, mask) for finding in item.findings],
    }


def stored_document(item: StoredItem, mask: Mask | None = None) -> dict[str, Any]:
    """An item as the inventory knows it, with its state; nothing is kept that `samples` could be made of."""
    return {
        **path_fields(shown_path(item.path, item.container), mask),
        "kind": item.kind,
        "encoding": item.encoding,
        "size": item.size,
        "status": item.status,
        "reason": item.reason,
        "level": item.level,
        "score": round(item.score, 1),
        "about": item.about,
        "records": item.records,
        "persons": item.persons,
        "state": item.state,
        "findings": [finding_document(finding, mask) for finding in item.findings],
    }


def finding_document(finding: Finding, mask: Mask | None = None) -> dict[str, Any]:
    """One finding: counts, what stands behind them, whose it is, place and masked samples."""
    return {
        "entity": finding.entity,
        "count": finding.count,
        "distinct": finding.distinct,
        "confidence": round(finding.confidence, 3),
        "nature": finding.nature,
        "subject": finding.subject,
        "place": place_document(finding.place, mask),
        "samples": list(finding.samples),
    }


def place_document(place: Place, mask: Mask | None = None) -> dict[str, str | int | None]:
    """Where in the item; what does not apply is null."""

    def name(word: str | None) -> str | None:
        if word is None:
            return None
        shown = word.encode("utf-8", "replace").decode("utf-8")
        return mask(shown) if mask else shown

    return {
        "table": name(place.table),
        "column": name(place.column),
        "member": name(place.member),
        "page": place.page,
        "line": place.line,
    }


def coverage_document(coverage: Coverage) -> dict[str, int]:
    """`read + partial + unread + skipped == listed`."""
    return {
        "listed": coverage.listed,
        "read": coverage.read,
        "partial": coverage.partial,
        "unread": coverage.unread,
        "skipped": coverage.skipped,
        "bytes": coverage.bytes,
    }
