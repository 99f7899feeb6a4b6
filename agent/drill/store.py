"""Drills in inventory.db. Each call is one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from agent.drill.models import DrillAckRow, DrillReminderRow, DrillRow
from agent.drill.records import Acknowledged, Drill, State
from agent.drill.scenarios import load_plan, load_scenarios
from agent.drill.scoring import judge
from agent.incident.moments import zone_of
from config.errors import UsageError
from config.numbering import fresh_letters

if TYPE_CHECKING:
    from agent.wiring import Agent


class DrillStore:
    """The drills of this home."""

    def __init__(self, agent: Agent) -> None:
        self._inventory = agent.inventory
        self._agent = agent

    def begin(self, drill: Drill) -> Drill:
        """Keep a drill that begins, under a fresh id (`D20261126-bkrt`: the store's day and four random letters)."""
        day = drill.at.astimezone(zone_of(self._agent.settings.store.timezone))
        with self._inventory.sessions.begin() as session:
            taken = set(session.scalars(select(DrillRow.id)))
            while (drill_id := f"D{day:%Y%m%d}-{fresh_letters()}") in taken:
                pass
            session.add(
                DrillRow(
                    id=drill_id, scenario=drill.scenario, state="running", by=drill.by, at=drill.at, ended_at=None,
                    live=drill.live, asked=json.dumps(drill.asked, ensure_ascii=False), ack_until=drill.ack_until,
                    result="{}",
                )
            )  # fmt: skip
        return self.get(drill_id)

    def end(self, drill_id: str, state: State, at: datetime, result: dict[str, Any]) -> Drill:
        """Note how it ended."""
        with self._inventory.sessions.begin() as session:
            row = self._row(session, drill_id)
            row.state, row.ended_at, row.result = state, at, json.dumps(result, ensure_ascii=False)
        return self.get(drill_id)

    def acknowledge(self, drill_id: str, person: str, at: datetime, how: str) -> bool:
        """Note that somebody is there; False if he had said so before."""
        with self._inventory.sessions.begin() as session:
            row = self._row(session, drill_id)
            known = session.scalars(
                select(DrillAckRow).where(DrillAckRow.drill == row.id, DrillAckRow.person == person)
            ).first()
            if known is None:
                session.add(DrillAckRow(drill=row.id, person=person, at=at, how=how))
        return known is None

    def get(self, drill_id: str) -> Drill:
        """A drill; a beginning of the id that fits only one will do, and `latest` is the newest.

        Raises:
            UsageError: none, or more than one.
        """
        with self._inventory.reading() as session:
            return self._drill(session, self._row(session, drill_id))

    def all(
        self, scenario: str = "", states: Sequence[State] = (), *, before: datetime | None = None, most: int = 1000
    ) -> list[Drill]:
        """Drills, newest first; `most` of them."""
        wanted = select(DrillRow).order_by(DrillRow.number.desc()).limit(most)
        if before is not None:
            wanted = wanted.where(DrillRow.at < before)
        if scenario:
            wanted = wanted.where(DrillRow.scenario == scenario)
        if states:
            wanted = wanted.where(DrillRow.state.in_(states))
        with self._inventory.reading() as session:
            return [self._drill(session, row) for row in session.scalars(wanted)]

    def before(self, drill: Drill) -> Drill | None:
        """The last finished drill of the same scenario before this one."""
        return next(iter(self.all(drill.scenario, ("done",), before=drill.at, most=1)), None)

    # reminders

    def reminded(self) -> set[tuple[str, str]]:
        """Due days and stages that were told."""
        with self._inventory.reading() as session:
            return {(row.due, row.stage) for row in session.scalars(select(DrillReminderRow))}

    def remember(self, due: str, stages: Iterable[str], at: datetime) -> None:
        """Note that stages were told, or are past."""
        known = self.reminded()
        with self._inventory.sessions.begin() as session:
            for stage in stages:
                if (due, stage) not in known:
                    session.add(DrillReminderRow(due=due, stage=stage, sent_at=at))

    def _row(self, session: Session, drill_id: str) -> DrillRow:
        if drill_id == "latest":
            newest = session.scalars(select(DrillRow).order_by(DrillRow.number.desc()).limit(1)).first()
            if newest is not None:
                return newest
        rows = list(session.scalars(select(DrillRow).where(DrillRow.id.startswith(drill_id, autoescape=True))))
        if not drill_id or len(rows) != 1:
            raise UsageError(self._agent.text("drill.unknown", id=self._agent.mask(drill_id), count=len(rows)))
        return rows[0]

    @staticmethod
    def _drill(session: Session, row: DrillRow) -> Drill:
        acks = session.scalars(select(DrillAckRow).where(DrillAckRow.drill == row.id).order_by(DrillAckRow.at))
        acknowledged = tuple(Acknowledged(person=ack.person, at=ack.at, how=ack.how) for ack in acks)
        asked, result = tuple(json.loads(row.asked)), json.loads(row.result)
        drill = Drill(
            id=row.id, scenario=row.scenario, state=cast("State", row.state), by=row.by, at=row.at,
            ended_at=row.ended_at, live=row.live, asked=asked, ack_until=row.ack_until, result=result,
            acknowledged=acknowledged,
        )  # fmt: skip
        return scored(drill)


def scored(drill: Drill) -> Drill:
    """With score and measures; acknowledgements count that came in time. One of a scenario that is gone keeps none."""
    scenario = load_scenarios().get(drill.scenario)
    if scenario is None or drill.state != "done":
        return drill
    plan = load_plan()
    measured = dict(drill.result.get("measured", {}))
    in_time = {ack.person for ack in drill.acknowledged if ack.at <= drill.ack_until}
    asked = set(drill.asked) if drill.result.get("announced") else set()
    if asked:
        measured["acknowledged"] = len(in_time & asked) / len(asked)
    measures, score = judge(scenario, plan, measured, asked=len(asked))
    passed = score >= plan.judging.passed_from
    return Drill(**{**vars(drill), "measures": measures, "score": score, "passed": passed})
