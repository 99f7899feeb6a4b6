"""Stores of a made-up chain that tell a running head office everything, over the real wire, for tests of pages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from central.testing import OfficeProcess, SpeakingStore

NOW = datetime.now(UTC)
LONG_NAME = "示例餐饮（第一大街与第二大街交叉口购物中心地下一层）旗舰店 with a name that nobody would ever abbreviate"


def ago(**lasts: float) -> str:
    """A moment before the tests began, as reports have it."""
    return (NOW - timedelta(**lasts)).isoformat()


def incident(phase: str = "responding", **more: object) -> dict[str, object]:
    """An incident as a store tells it."""
    return {
        "id": "2026-001", "kind": "insider", "phase": phase, "machine": True, "summary": "测试摘要",
        "discovered_at": ago(minutes=12), "files": 9, "persons": 4321, "left_files": 5, "left_persons": 480,
        "who": [{"user": "backup", "program": "/usr/bin/tar", "files": 5, "persons": 480, "suspect": True}],
        "steps": [{"at": ago(minutes=2), "act": "vault", "actor": "cloche", "ok": False, "detail": "移入隔离区"}],
        "clocks": [
            {"title": "四小时", "state": "running", "deadline": (NOW + timedelta(hours=4, minutes=30)).isoformat()},
            {"title": "已过的", "state": "overdue", "deadline": ago(hours=4)},
        ],
        "documents": [{"name": "事故报告.docx", "size": 40_000, "sha256": "ab" * 32}],
    } | more  # fmt: skip


def alert(number: int, **more: object) -> dict[str, object]:
    """An alert as a store tells it."""
    return {
        "id": str(number), "at": ago(minutes=5 + number), "kind": "decoy", "severity": "critical", "text": "示例告警",
        "user": "cashier", "program": "/usr/bin/python3", "action": "stopped", "stop_ms": 12.5, "open": True,
    } | more  # fmt: skip


def place(number: int, **more: object) -> dict[str, Any]:
    """A place as a store tells it; its identifier is made from the number."""
    return {
        "id": hashlib.sha256(str(number).encode()).hexdigest()[:16], "path": f"/srv/示例/导出-{number:04d}.csv",
        "label": "美团订单导出", "kind": "csv", "level": 3, "persons": 10 + number, "state": "sealed",
        "entities": ["PERSON", "PHONE_NUMBER"],
    } | more  # fmt: skip


def inventory(places: list[dict[str, Any]], **more: object) -> dict[str, object]:
    """What lies in a store, all sections told."""
    sections: dict[str, list[dict[str, Any]]] = {}
    for one in sorted(places, key=lambda one: str(one["id"])):
        sections.setdefault(one["id"][:2], []).append(one)
    groups: dict[tuple[str, int], list[int]] = {}
    for one in places:
        held = groups.setdefault((one["kind"], one["level"]), [0, 0, 0])
        for index, count in enumerate((1, one["persons"], int(one["state"] == "sealed"))):
            held[index] += count
    is_open = sum(one["state"] == "plain" for one in places)
    return {
        "scanned_at": ago(hours=3), "persons": sum(one["persons"] for one in places), "places": len(places),
        "sealed": len(places) - is_open, "exposed": is_open,
        "coverage": {"listed": 900, "read": 890, "partial": 0, "unread": 0, "skipped": 10, "bytes": 10**9},
        "groups": [
            {"kind": kind, "level": level, "items": held[0], "persons": held[1], "sealed": held[2]}
            for (kind, level), held in groups.items()
        ],
        "sections": sections,
        "section_digests": {name: digest_of(rows) for name, rows in sections.items()},
    } | more  # fmt: skip


def digest_of(rows: list[dict[str, Any]]) -> str:
    """Of a section, as the wire says."""
    text = json.dumps(rows, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def health(**more: object) -> dict[str, object]:
    """How an agent is."""
    return {
        "version": "0.1.0", "tier": "permission", "mode": "protect", "response": "stop", "keys_ready": True,
        "waiting": 2, "waiting_bytes": 4096, "last_scan_at": ago(hours=3), "scan_clean": True,
        "disk_free": 10**10, "disk_total": 4 * 10**11, "audit": {"entries": 512, "head": "ab" * 32},
    } | more  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Stores by what they need: their identifiers."""

    burning: str
    alarmed: str
    faulty: str
    open: str
    silent: str
    fine: str

    @property
    def by_need(self) -> tuple[str, ...]:
        """In the order in which they stand on the first page."""
        return (self.burning, self.alarmed, self.faulty, self.open, self.silent, self.fine)


def tell(store: SpeakingStore, *reports: tuple[str, Mapping[str, Any]]) -> None:
    """Send reports, each of which must be taken."""
    for kind, document in reports:
        answer = store.report(kind, document)  # type: ignore[arg-type]
        assert answer.status_code == 200, (kind, answer.text)


@contextmanager
def enrol(office: OfficeProcess, client: httpx.Client, name: str) -> Iterator[SpeakingStore]:
    """A new store under a name; its connection is closed at the end."""
    store = SpeakingStore(client=client)
    answer = store.enrol(office.token(name))
    assert answer.status_code == 200, answer.text
    try:
        yield store
    finally:
        store.close()


def open_chain(office: OfficeProcess, client: httpx.Client) -> Chain:
    """Enrol six stores and have them tell what puts each in its place."""
    ids = {}
    sealed = [place(number) for number in range(70)]
    lying = [place(100, state="plain", level=4, label="会员名单", kind="spreadsheet", persons=999), *sealed[:5]]
    unread = {"listed": 900, "read": 880, "partial": 5, "unread": 5, "skipped": 10, "bytes": 10**9}
    told: dict[str, tuple[str, list[tuple[str, Mapping[str, Any]]]]] = {
        "burning": (f"着火店 <b>{LONG_NAME}</b>", [
            ("inventory", inventory(lying)), ("health", health()), ("incident", incident()), ("alert", alert(9)),
        ]),
        "alarmed": ("告警店", [
            ("inventory", inventory(sealed[:9])), ("health", health(tier="inotify")),
            *(("alert", alert(number, open=number < 3)) for number in range(6)),
        ]),
        "faulty": ("异常店", [("inventory", inventory(sealed[:3])), ("health", health())]),
        "open": ("未加密店", [
            ("inventory", inventory(
                [*lying, *sealed[5:]], coverage=unread, causes=[{"reason": "encrypted", "items": 10}]
            )),
            ("health", health(scan_clean=False, disk_free=10**9, link_fault="HTTP 502")),
            ("assessment", {
                "at": ago(days=2), "score": 55,
                "risks": [{"id": "attack", "score": 40}, {"id": "storage", "score": 70}],
                "measures": [
                    {"id": "firewall", "score": 0, "state": "missing", "why": "没有防火墙"},
                    {"id": "clock", "score": 100, "state": "ok", "why": ""},
                ],
            }),
            ("drill", {
                "id": "d-1", "scenario": "insider", "at": ago(days=500), "ok": False, "score": 35,
                "detect_seconds": 4.2, "contain_seconds": 9.0, "report_seconds": 1800.0, "text": "示例演练",
            }),
            ("training", {"staff": 12, "due": 2, "overdue": 3, "done": 7, "courses": []}),
            ("vendors", {"vendors": [{
                "id": "v-1", "name": "示例外卖平台", "state": "active", "shared": 4, "persons": 4200,
                "contract_until": ago(days=30), "canaries": 3, "window_open": True,
            }]}),
            ("events", {"events": [
                {
                    "at": ago(minutes=number), "kind": "watch.bound", "severity": "warning" if number % 3 else "notice",
                    "text": f"示例事件 {number}", "user": "cashier", "program": "/usr/bin/tar",
                    "place": "/srv/示例", "count": number + 1,
                }
                for number in range(60)
            ]}),
        ]),
        "silent": ("从未联系店", []),
        "fine": ("正常店", [
            ("inventory", inventory(sealed)), ("health", health()),
            ("assessment", {"at": ago(days=1), "score": 96, "risks": [], "measures": []}),
            ("drill", {"id": "d-9", "scenario": "ransomware", "at": ago(days=20), "ok": True, "score": 92}),
            ("training", {"staff": 8, "due": 0, "overdue": 0, "done": 8, "courses": []}),
        ]),
    }  # fmt: skip
    for need, (name, reports) in told.items():
        with enrol(office, client, name) as store:
            ids[need] = store.store_id
            tell(store, *reports)
            if need == "faulty":
                body = store.body("alert", alert(1, open=False))
                assert store.send(body).status_code == 200
                other = json.loads(body) | {"document": alert(2, open=False)}
                assert store.send(json.dumps(other).encode()).status_code == 409
    return Chain(**ids)
