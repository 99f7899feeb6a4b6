"""Records are kept as long as the law says, and go only by rule and on record.

Rules are data: `config/data/assess/retention.toml`, and the standing duties of the packs of law. Chains (the record of
every act, timelines) never lose a part. The store of access events is bounded by size as well, for a till's disk is
small: what goes by that before its time is noticed by the gap in its numbers, put on record as `early`, and counts
against the store in an assessment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select

from agent.assess.models import AssessmentRow
from agent.audit.models import PurgedRow
from agent.incident.law import standing_about
from agent.inventory.models import AlertRow
from config.packs import read_pack
from config.text import Language

if TYPE_CHECKING:
    from agent.wiring import Agent

EVENTS: Final = "access_events"
EVERY: Final = timedelta(days=1)
THREE_YEARS: Final = 3 * 366
CARDS: Final = ("CREDIT_CARD", "CARD_TRACK_DATA")


class Kind(BaseModel):
    """A kind of record in the pack; `law` is the subject of the standing duties that say how long it is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    law: str
    purge_after_days: int | None = Field(None, gt=0)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How long one kind of record is kept here: the longest of the duties that apply, and what says so."""

    id: str
    at_least_days: int
    purge_after_days: int | None
    basis: dict[Language, str]
    verified: bool


@dataclass(frozen=True, kw_only=True)
class Held:
    """A kind of record as it stands: how many there are, since when, and whether some went before their time."""

    rule: Rule
    count: int
    since: datetime | None
    lost_early: bool

    @property
    def id(self) -> str:
        """The rule's."""
        return self.rule.id

    @property
    def at_least_days(self) -> int:
        """The law's least."""
        return self.rule.at_least_days

    def document(self, language: Language) -> dict[str, Any]:
        """As JSON."""
        return {
            "kind": self.id, "count": self.count, "since": self.since.isoformat() if self.since else None,
            "at_least_days": self.at_least_days, "purge_after_days": self.rule.purge_after_days,
            "basis": self.rule.basis[language], "verified": self.rule.verified, "lost_early": self.lost_early,
        }  # fmt: skip


@cache
def load_kinds() -> tuple[Kind, ...]:
    """All kinds.

    Raises:
        ValueError: the pack is not as `Kind` says.
    """
    return tuple(Kind.model_validate(entry) for entry in read_pack("assess", "retention.toml")["kinds"])


def rule_of(kind: Kind, *, card_data: bool) -> Rule:
    """What the law asks for a kind; where no duty is known of, three years.

    Args:
        kind: of the pack.
        card_data: cards are stored, so that PCI DSS applies.

    Raises:
        ValueError: it would be purged before the law's least: a defect of the packs, caught by a test.
    """
    asked = [
        (duty.days, regime, duty)
        for regime, duty in standing_about(kind.law)
        if duty.how == "keep" and duty.days is not None and (card_data or not duty.when.card_data)
    ]
    if not asked:
        return Rule(id=kind.id, at_least_days=THREE_YEARS, purge_after_days=kind.purge_after_days,
                    basis={"zh-CN": "–", "en": "–"}, verified=False)  # fmt: skip
    days, regime, duty = max(asked, key=lambda entry: entry[0])
    if kind.purge_after_days is not None and kind.purge_after_days < days:
        raise ValueError(f"{kind.id}: purged after {kind.purge_after_days} days, the law asks for {days}")
    basis: dict[Language, str] = {
        "zh-CN": f"{regime.name['zh-CN']}：{duty.title['zh-CN']}", "en": f"{regime.name['en']}: {duty.title['en']}",
    }  # fmt: skip
    return Rule(
        id=kind.id, at_least_days=days, purge_after_days=kind.purge_after_days, basis=basis, verified=duty.verified
    )


def rules_of(agent: Agent) -> tuple[Rule, ...]:
    """The rules as they apply to this store."""
    cards = any(True for entity in CARDS for _item in agent.inventory.items(entity=entity))
    return tuple(rule_of(kind, card_data=cards) for kind in load_kinds())


def held(agent: Agent, now: datetime) -> list[Held]:
    """Every kind of record as it stands."""
    counters: dict[str, Callable[[], tuple[int, datetime | None]]] = {
        EVENTS: lambda: _events(agent),
        "audit_record": lambda: _log(agent.home.audit_log),
        "timelines": lambda: _files(agent.home.timelines),
        "documents": lambda: _files(agent.home.documents),
        "evidence": lambda: _files(agent.home.evidence),
        "assessments": lambda: _rows(agent, AssessmentRow),
        "alerts": lambda: _rows(agent, AlertRow),
    }
    found = []
    for rule in rules_of(agent):
        count, since = counters[rule.id]()
        found.append(Held(rule=rule, count=count, since=since, lost_early=_lost_early(agent, rule, now)))
    return found


def keep_records(agent: Agent, now: datetime) -> None:
    """Once a day: take what its rule lets go, and put on record what went, by rule or by size.

    Raises:
        ClocheError: it cannot be recorded.
    """
    last = _last(agent, EVENTS)
    if last is not None and last.at <= now < last.at + EVERY:
        return
    rule = next(rule for rule in rules_of(agent) if rule.id == EVENTS)
    by_rule = 0
    if rule.purge_after_days is not None:
        by_rule = agent.events.purge(before=(now - timedelta(days=rule.purge_after_days)).timestamp())
    first, at, newest = agent.events.span()
    gone_to = (first - 1) if first else newest
    noted = last.upto if last else 0
    gone = max(gone_to - noted, 0)
    since = datetime.fromtimestamp(at, UTC) if at else None
    early = gone > by_rule and since is not None and since > now - timedelta(days=rule.at_least_days)
    with agent.inventory.sessions.begin() as session:
        session.add(PurgedRow(kind=EVENTS, at=now, count=gone, upto=max(gone_to, noted), kept_since=since, early=early))
    if gone:
        agent.audit.append(
            "audit.purged", "cloche", kind=EVENTS, count=gone, early=early, rule_days=rule.purge_after_days,
            kept_since=since.isoformat() if since else None,
        )  # fmt: skip


def _last(agent: Agent, kind: str) -> PurgedRow | None:
    with agent.inventory.reading() as session:
        query = select(PurgedRow).where(PurgedRow.kind == kind).order_by(PurgedRow.id.desc()).limit(1)
        return session.scalars(query).first()


def _lost_early(agent: Agent, rule: Rule, now: datetime) -> bool:
    """Something went early, within the time for which it should still be there."""
    since = now - timedelta(days=rule.at_least_days)
    query = select(func.count(PurgedRow.id)).where(
        PurgedRow.kind == rule.id, PurgedRow.early.is_(True), PurgedRow.at > since
    )
    with agent.inventory.reading() as session:
        return bool(session.scalar(query))


def _events(agent: Agent) -> tuple[int, datetime | None]:
    first, at, newest = agent.events.span()
    return (newest - first + 1 if first else 0), (datetime.fromtimestamp(at, UTC) if at else None)


def _rows(agent: Agent, table: type[AssessmentRow | AlertRow]) -> tuple[int, datetime | None]:
    with agent.inventory.reading() as session:
        count, since = session.execute(select(func.count(table.id), func.min(table.at))).one()
    return count, since


def _log(path: Path) -> tuple[int, datetime | None]:
    import json

    try:
        with path.open("rb") as log:
            first = log.readline()
            return sum(1 for _line in log) + bool(first), datetime.fromisoformat(json.loads(first)["time"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, None


def _files(folder: Path) -> tuple[int, datetime | None]:
    times = [path.stat().st_mtime for path in folder.rglob("*") if path.is_file()]
    return len(times), (datetime.fromtimestamp(min(times), UTC) if times else None)
