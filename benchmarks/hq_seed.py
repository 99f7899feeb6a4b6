"""Fill head office's database for measuring: `hq_seed.py HOME [STORES [FINDINGS [DAYS]]]` (2,000, 5,000,000 and 40).

HOME is a folder that `cloche-hq init` made; the database is the one it names (SQLite, or PostgreSQL by
CLOCHEHQ_DATABASE). Rows go in through the tables of `central.models`, in bulk (COPY on PostgreSQL), without the wire:
what arrives by the wire is measured by bench_hq_ingest.py. All of it is made up from a fixed seed; a finding is one
place with customers' information, in sections as stores send them.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.orm import Session

from central.database.engine import open_database
from central.home import HeadOfficeHome
from central.law import duties, standing
from central.models import Base
from central.moments import now
from central.summary.days import close_day, next_open_day
from central.summary.keeper import KINDS as SUMMARIES
from central.summary.keeper import keep, stale

SECTIONS: Final = 16
BLOBS: Final = 200
BATCH: Final = 2_000
KINDS: Final = ("csv", "spreadsheet", "table", "text", "pdf", "archive", "sql_dump", "mail", "image", "sqlite")
LABELS: Final = (
    "美团订单导出", "饿了么订单导出", "会员名单", "预订登记", "发票抬头", "停车登记", "Wi-Fi 登记", "外卖小票", "",
    "储值卡名单", "投诉记录", "生日提醒名单", "收银日志", "数据库备份",
)  # fmt: skip
ENTITIES: Final = ("PERSON", "PHONE_NUMBER", "ADDRESS", "MEMBER_ID", "CREDIT_CARD", "CN_RESIDENT_ID", "EMAIL_ADDRESS")
REASONS: Final = ("permission", "encrypted", "malformed", "too_large", "timeout")
VERSIONS: Final = ("0.1.0", "0.1.0", "0.1.0", "0.0.9")
TIERS: Final = ("permission", "permission", "pre_access", "inotify", "none")
SCENARIOS: Final = ("insider", "ransomware", "lost_laptop", "vendor_leak")
RISKS: Final = ("network", "staff", "storage", "vendors")
NEEDS: Final = ((60, 5), (50, 20), (40, 10), (30, 100), (20, 20), (10, 5), (0, 840))
"""How urgent stores are, in thousandths; 20 is silence."""
ALERTS, EVENTS, DRILLS, REPORTS, CLOCKS = 12, 40, 4, 20, 9


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A section's places, made once and used for many stores."""

    content: bytes
    digest: str
    places: int
    holdings: tuple[tuple[tuple[str, str, int], tuple[int, int, int]], ...]
    """(label, kind, level) → places, persons, exposed."""


def fill(
    engine: Engine,
    stores: int,
    findings: int,
    days: int = 40,
    tell: Callable[[str], None] = lambda _line: None,
) -> None:
    """Put stores with all that belongs to them into an empty database."""
    luck = random.Random(5)
    moment = now()
    blobs = [_blob(luck, max(1, round(findings / stores / SECTIONS))) for _ in range(BLOBS)]
    people = [_Shop(luck, place, moment, blobs) for place in range(stores)]
    with engine.begin() as connection:
        for name, rows in _tables(people, luck, moment, days).items():
            begun, count = time.perf_counter(), 0
            for batch in _batches(rows):
                bulk(connection, Base.metadata.tables[name], batch)
                count += len(batch)
            tell(f"{name}: {count:,} rows in {time.perf_counter() - begun:.1f} s")
    begun = time.perf_counter()
    with Session(engine) as session:
        for kind in ("training", "vendors"):
            for store_id, number in stale(session, kind, stores):
                read = SUMMARIES[kind][0]
                keep(session, kind, [(store_id, number, read(session, store_id))])
        session.commit()
    tell(f"training and vendors kept in {time.perf_counter() - begun:.1f} s")
    today, begun = moment.astimezone(UTC).date(), time.perf_counter()
    with Session(engine) as session:
        while (day := next_open_day(session, today)) is not None:
            close_day(session, day)
            session.commit()
    tell(f"days closed in {time.perf_counter() - begun:.1f} s")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def bulk(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows that have the same keys; what a column must hold and a row does not say is 0, '' or its default."""
    if not rows:
        return
    given = {key: rows[0].get(key) for key in rows[0]}
    columns = [column for column in table.columns if column.name in given or not column.nullable]
    blanks = {column.name: _blank(column) for column in columns if column.name not in given}
    turn = [(column.name, column.type.bind_processor(connection.dialect)) for column in columns]
    values = [tuple(_turned(row.get(name, blanks.get(name)), process) for name, process in turn) for row in rows]
    names = ", ".join(f'"{column.name}"' for column in columns)
    cursor = connection.connection.cursor()
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        cursor.executemany(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', values)  # noqa: S608  our own names
        return
    with cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
        for value in values:
            copy.write_row(value)


def _turned(value: Any, process: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return process(value) if process is not None and value is not None else value


def _blank(column: Any) -> Any:
    if column.default is not None and column.default.is_scalar:
        return column.default.arg
    kind = column.type.python_type
    return {datetime: now(), dict: {}, list: [], bytes: b""}.get(kind, kind() if kind in (int, str, bool) else None)


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _blob(luck: random.Random, places: int) -> Blob:
    rows, holdings = [], dict[tuple[str, str, int], list[int]]()
    for _ in range(max(1, places + luck.randint(-places // 4, places // 4))):
        name = luck.randrange(len(LABELS))
        kind, label, level = KINDS[name % len(KINDS)], LABELS[name], luck.choice((2, 3, 3, 3)) + name % 2
        persons, state = int(luck.paretovariate(0.8)) % 50_000, luck.choices(("sealed", "plain"), (97, 3))[0]
        rows.append({
            "id": luck.randbytes(8).hex(),
            "path": f"/srv/示例/{luck.randrange(900)}/导出-{luck.randrange(10**6):06d}.{kind}",
            "label": label, "kind": kind, "level": level, "persons": persons, "state": state,
            "entities": sorted(luck.sample(ENTITIES, luck.randint(1, 4))),
        })  # fmt: skip
        held = holdings.setdefault((label, kind, level), [0, 0, 0])
        for place, more in enumerate((1, persons, int(state == "plain"))):
            held[place] += more
    content = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
    return Blob(
        content=content, digest=hashlib.sha256(content).hexdigest()[:16], places=len(rows),
        holdings=tuple((key, (held[0], held[1], held[2])) for key, held in holdings.items()),
    )  # fmt: skip


class _Shop:
    """What one store has, so that all its rows agree."""

    def __init__(self, luck: random.Random, place: int, moment: datetime, blobs: list[Blob]) -> None:
        self.id = f"s-{place:06d}"
        self.place = place
        self.blobs = [luck.choice(blobs) for _ in range(SECTIONS)]
        self.urgency = luck.choices([need for need, _ in NEEDS], [share for _, share in NEEDS])[0]
        silent = self.urgency == 20
        self.heard_at = moment - (
            timedelta(hours=luck.randint(2, 90)) if silent else timedelta(seconds=luck.randint(1, 900))
        )
        self.scanned_at = None if self.urgency == 10 else moment - timedelta(hours=luck.randint(1, 40))
        self.holdings: dict[tuple[str, str, int], list[int]] = {}
        for blob in self.blobs:
            for key, counts in blob.holdings:
                held = self.holdings.setdefault(key, [0, 0, 0])
                for index, count in enumerate(counts):
                    held[index] += count
        self.places = sum(blob.places for blob in self.blobs)
        self.persons = sum(held[1] for held in self.holdings.values()) // 3
        self.exposed = luck.randint(1, 40) if self.urgency == 30 else 0
        self.unread = luck.randint(0, 20) if self.urgency == 30 else 0
        self.score = luck.randint(40, 100)
        self.version, self.tier = luck.choice(VERSIONS), luck.choice(TIERS)
        self.duties = [duty.key for duty in standing()]

    def row(self, moment: datetime) -> dict[str, Any]:
        """Of the table of stores."""
        return {
            "id": self.id, "name": f"示例餐饮 {self.place % 97:02d} 区 {self.place:05d} 店",
            "entity_id": f"e-{self.place % 30:02d}", "region_id": f"r-{self.place % 20:02d}",
            "public_key": hashlib.sha256(self.id.encode()).digest(), "made_at": moment - timedelta(days=400),
            "enrolled_at": moment - timedelta(days=400), "heard_at": self.heard_at,
            "scanned_at": self.scanned_at, "last_number": 1000, "version": self.version, "tier": self.tier,
            "mode": "protect", "persons": self.persons, "places": self.places, "sealed": self.places - self.exposed,
            "exposed": self.exposed, "unread": self.unread, "listed": self.places * 9, "score": self.score,
            "open_alerts": int(self.urgency == 50) * 2, "open_incidents": int(self.urgency == 60),
            "faults": int(self.urgency == 40), "urgency": 0 if self.urgency == 20 else self.urgency,
        }  # fmt: skip

    def snapshots(self, luck: random.Random, moment: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
        """Newest documents by kind."""
        groups: dict[tuple[str, int], Counter[str]] = {}
        for (_, kind, level), (places, persons, exposed) in self.holdings.items():
            groups.setdefault((kind, level), Counter()).update(items=places, persons=persons, sealed=places - exposed)
        coverage = {"listed": self.places * 9, "read": self.places * 9 - self.unread, "unread": self.unread}
        yield "inventory", {
            "scanned_at": self.scanned_at.isoformat() if self.scanned_at else None, "persons": self.persons,
            "places": self.places, "sealed": self.places - self.exposed, "exposed": self.exposed,
            "coverage": coverage | {"partial": 0, "skipped": 3, "bytes": 10**11},
            "causes": [{"reason": luck.choice(REASONS), "items": self.unread}] if self.unread else [],
            "groups": [{"kind": kind, "level": level, **counts} for (kind, level), counts in groups.items()],
            "section_digests": {f"{place:x}0": blob.digest for place, blob in enumerate(self.blobs)}, "worst": [],
        }  # fmt: skip
        yield "health", {
            "version": self.version, "tier": self.tier, "mode": "protect", "response": "stop", "keys_ready": True,
            "waiting": luck.randint(0, 3), "disk_free": 10**11, "disk_total": 4 * 10**11,
            "last_scan_at": self.scanned_at.isoformat() if self.scanned_at else None,
            "audit": {"entries": 5000, "head": "ab" * 32},
            "standing": [_standing(luck, key, moment) for key in self.duties],
        }  # fmt: skip
        yield "assessment", {
            "at": (moment - timedelta(days=luck.randint(0, 30))).isoformat(), "score": self.score,
            "risks": [{"id": risk, "score": luck.randint(30, 100)} for risk in RISKS],
            "measures": [
                {"id": f"measure_{place}", "score": luck.choice((0, 50, 100)), "state": "ok", "why": "示例"}
                for place in range(20)
            ],
        }  # fmt: skip
        staff, overdue = luck.randint(5, 60), luck.choice((0, 0, 0, 1, 4))
        yield "training", {
            "staff": staff, "due": 2, "overdue": overdue, "done": max(0, staff - overdue - 2),
            "courses": [{"id": "basics", "title": "示例课程", "done": staff - overdue, "due": 2, "overdue": overdue}],
        }  # fmt: skip
        yield "vendors", {
            "vendors": [
                {
                    "id": f"v-{place}", "name": f"示例服务商 {place}", "state": "active", "shared": luck.randint(0, 9),
                    "persons": luck.randint(0, 9000), "contract_until": f"2027-{place + 1:02d}-01", "canaries": 3,
                    "window_open": place == 0,
                }
                for place in range(3)
            ]
        }  # fmt: skip


def _standing(luck: random.Random, key: str, moment: datetime) -> dict[str, Any]:
    done_at = moment - timedelta(days=luck.randint(1, 400)) if luck.random() < 0.7 else None
    due = done_at + timedelta(days=365) if done_at else None
    return {
        "key": key, "reached": luck.choice((True, None)), "due": f"{due:%Y-%m-%dT%H:%M:%SZ}" if due else None,
        "done_at": f"{done_at:%Y-%m-%dT%H:%M:%SZ}" if done_at else None,
    }  # fmt: skip


def _tables(
    shops: list[_Shop], luck: random.Random, moment: datetime, days: int
) -> dict[str, Iterable[dict[str, Any]]]:
    day = moment.astimezone(UTC).date()
    return {
        "regions": [{"id": f"r-{place:02d}", "name": f"示例大区 {place:02d}"} for place in range(20)],
        "entities": [
            {
                "id": f"e-{place:02d}", "name": f"示例餐饮管理（{place:02d}）有限公司", "province": "31",
                "kind": "franchise" if place >= 25 else "direct", "rights": ["look", "export", "report"],
            }
            for place in range(30)
        ],
        "stores": (shop.row(moment) for shop in shops),
        "sections": (
            {
                "store_id": shop.id, "section": f"{place:x}", "number": 900,
                "digests": {f"{place:x}0": blob.digest}, "places": blob.places, "document": blob.content,
            }
            for shop in shops
            for place, blob in enumerate(shop.blobs)
        ),
        "holdings": (
            {
                "store_id": shop.id, "label": label, "kind": kind, "level": level, "places": held[0],
                "persons": held[1], "exposed": held[2],
            }
            for shop in shops
            for (label, kind, level), held in shop.holdings.items()
        ),
        "catalogued": ({"store_id": shop.id, "kind": "inventory", "number": 900} for shop in shops),
        "snapshots": (
            {"store_id": shop.id, "kind": kind, "number": 900, "written_at": shop.heard_at, "document": document}
            for shop in shops
            for kind, document in shop.snapshots(luck, moment)
        ),
        "day_figures": (
            _figures(shop, day - timedelta(days=back), back, luck) for shop in shops for back in range(days)
        ),
        "reports": (
            {
                "store_id": shop.id, "number": 1000 - back, "kind": "health", "digest": "ab" * 32, "size": 900,
                "written_at": shop.heard_at - back * timedelta(minutes=5),
                "received_at": shop.heard_at - back * timedelta(minutes=5),
            }
            for shop in shops
            for back in range(REPORTS)
        ),
        "alerts": (_alert(shop, place, luck) for shop in shops for place in range(ALERTS)),
        "incidents": (_incident(shop, moment, luck) for shop in shops if shop.urgency == 60 or luck.random() < 0.2),
        "events": (
            {
                "store_id": shop.id, "at": shop.heard_at - timedelta(minutes=7 * place), "number": 800, "place": place,
                "kind": "file.opened", "severity": luck.choice(("info", "info", "warning")),
                "document": {
                    "at": (shop.heard_at - timedelta(minutes=7 * place)).isoformat(), "kind": "file.opened",
                    "severity": "notice", "text": "示例事件", "user": "cashier", "program": "/usr/bin/tar",
                },
            }
            for shop in shops
            for place in range(EVENTS)
        ),
        "drills": (
            {
                "store_id": shop.id, "drill_id": f"d-{place}", "number": 700 + place,
                "at": moment - timedelta(days=(DRILLS - place) * 110 + shop.place % 90),
                "document": {
                    "id": f"d-{place}", "scenario": luck.choice(SCENARIOS), "ok": luck.random() < 0.9,
                    "at": (moment - timedelta(days=(DRILLS - place) * 110 + shop.place % 90)).isoformat(),
                    "score": luck.randint(30, 100), "detect_seconds": luck.randint(1, 90),
                    "contain_seconds": luck.randint(1, 20), "report_seconds": luck.randint(60, 9000),
                    "text": "示例演练",
                },
            }
            for shop in shops
            for place in range(DRILLS)
        ),
        "faults": (
            {
                "store_id": shop.id, "kind": "chain", "count": 2, "first_at": shop.heard_at, "last_at": shop.heard_at,
                "detail": "number 5 is not what a later report names",
            }
            for shop in shops
            if shop.urgency == 40
        ),
    }  # fmt: skip


def _figures(shop: _Shop, day: date, back: int, luck: random.Random) -> dict[str, Any]:
    exposed = max(0, shop.exposed + (luck.randint(0, back) if luck.random() < 0.1 else 0))
    return {
        "store_id": shop.id, "day": day, "persons": shop.persons - back, "places": shop.places,
        "sealed": shop.places - exposed, "exposed": exposed, "unread": shop.unread,
        "open_alerts": int(back % 9 == 0 and luck.random() < 0.05), "open_incidents": 0,
        "score": max(0, shop.score - back // 10), "version": shop.version, "tier": shop.tier,
    }  # fmt: skip


def _alert(shop: _Shop, place: int, luck: random.Random) -> dict[str, Any]:
    at, is_open = shop.heard_at - timedelta(hours=place * 9), shop.urgency == 50 and place < 2
    kind = luck.choice(("bound", "decoy", "gap"))
    return {
        "store_id": shop.id, "alert_id": str(place), "number": 600 + place, "at": at, "is_open": is_open,
        "document": {
            "id": str(place), "at": at.isoformat(), "kind": kind, "severity": "high", "text": "示例告警",
            "user": "cashier", "program": "/usr/bin/example", "action": "alerted", "open": is_open,
        },
    }  # fmt: skip


def _incident(shop: _Shop, moment: datetime, luck: random.Random) -> dict[str, Any]:
    is_open = shop.urgency == 60
    at = moment - (timedelta(hours=luck.randint(1, 40)) if is_open else timedelta(days=luck.randint(5, 300)))
    kind, phase = luck.choice(("insider", "intrusion", "staff_mistake")), "responding" if is_open else "closed"
    return {
        "store_id": shop.id, "incident_id": f"2026-{shop.place:05d}", "number": 950, "case_id": None, "kind": kind,
        "phase": phase, "is_open": is_open, "discovered_at": at,
        "deadline_at": at + timedelta(hours=48) if is_open else None,
        "document": {
            "id": f"2026-{shop.place:05d}", "kind": kind, "phase": phase, "machine": True, "summary": "示例事件",
            "discovered_at": at.isoformat(), "files": 12, "persons": 480, "complete": True, "language": "zh-CN",
            "entity": "示例餐饮",
            "clocks": [_clock(luck, key, at) for key in list(duties())[:CLOCKS]] if is_open else [],
        },
    }  # fmt: skip


def _clock(luck: random.Random, key: str, at: datetime) -> dict[str, Any]:
    return {
        "key": key, "title": "示例义务", "regime": "示例法规", "state": luck.choice(("running", "waiting")),
        "deadline": (at + timedelta(hours=luck.choice((1, 24, 48, 72)))).isoformat(), "verified": True,
        "entities": [
            {
                "name": "示例餐饮", "province": "31",
                "missing": [{"field": "persons", "text": "人数"}, {"field": "measures", "text": "措施"}],
            }
        ],
    }  # fmt: skip


def main() -> None:
    """Fill, and say how long it took."""
    home = HeadOfficeHome(folder=Path(sys.argv[1]))
    stores, findings, days = (
        int(sys.argv[place]) if len(sys.argv) > place else default
        for place, default in ((2, 2_000), (3, 5_000_000), (4, 40))
    )
    engine = open_database(home.database_url)
    begun = time.perf_counter()
    fill(engine, stores, findings, days, lambda line: print(line, flush=True))
    engine.dispose()
    print(f"{stores:,} stores, {findings:,} findings in {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
