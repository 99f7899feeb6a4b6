"""Rows to records and back."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

from agent.inventory.models import AlertRow, FindingRow, ItemRow, RunRow
from agent.inventory.records import Alert, Run, Severity, State, StoredItem
from config.schema import ItemKind
from scanners.records import Coverage, Finding, Nature, Place, Reason, Status, Subject


def to_item(row: ItemRow, findings: Iterable[FindingRow]) -> StoredItem:
    """An item with what was found in it."""
    return StoredItem(
        id=row.id, path=row.path, container=row.container, key=row.key, kind=cast("ItemKind", row.kind),
        status=cast("Status", row.status), reason=cast("Reason", row.reason), encoding=row.encoding, size=row.size,
        mtime_ns=row.mtime_ns, uid=row.uid, mode=row.mode, level=row.level, score=row.score, about=row.about,
        records=row.records, persons=row.persons, state=cast("State", row.state), sealed_path=row.sealed_path,
        recipe=row.recipe, first_run=row.first_run, last_run=row.last_run,
        findings=tuple(to_finding(finding) for finding in findings),
    )  # fmt: skip


def to_finding(row: FindingRow) -> Finding:
    """A finding as stored: without samples."""
    return Finding(
        entity=row.entity, count=row.count, distinct=row.distinct_values, confidence=row.confidence,
        nature=cast("Nature", row.nature), subject=cast("Subject", row.subject),
        place=Place(
            table=row.table_name, column=row.column_name, member=row.member, page=row.page, line=row.line
        ),
    )  # fmt: skip


def from_finding(item: int, finding: Finding) -> dict[str, Any]:
    """Columns of a finding; its samples stay behind."""
    place = finding.place
    return {
        "item": item, "entity": finding.entity, "count": finding.count, "distinct_values": finding.distinct,
        "confidence": finding.confidence, "nature": finding.nature, "subject": finding.subject,
        "table_name": place.table, "column_name": place.column,
        "member": place.member, "page": place.page, "line": place.line,
    }  # fmt: skip


def to_run(row: RunRow) -> Run:
    """A run as recorded."""
    coverage = Coverage(
        listed=row.listed, read=row.read, partial=row.partial, unread=row.unread, skipped=row.skipped,
        bytes=row.bytes,
    )  # fmt: skip
    return Run(
        id=row.id, started_at=row.started_at, ended_at=row.ended_at, roots=read_paths(row.roots),
        persons=row.persons, coverage=coverage,
    )  # fmt: skip


def to_alert(row: AlertRow) -> Alert:
    """An alert as kept."""
    return Alert(
        id=row.id, at=row.at, kind=row.kind, severity=cast("Severity", row.severity), text=row.text,
        keys=tuple(json.loads(row.keys)), session=row.session, program=row.program, user=row.user,
        action=row.action, stop_ms=row.stop_ms, open=row.open,
    )  # fmt: skip


def write_paths(paths: Sequence[bytes]) -> str:
    """Paths as one JSON text; base64, since a path need not be UTF-8."""
    return json.dumps([base64.b64encode(path).decode("ascii") for path in paths])


def read_paths(text: str) -> tuple[bytes, ...]:
    """Inverse of `write_paths`."""
    return tuple(base64.b64decode(path) for path in json.loads(text))
