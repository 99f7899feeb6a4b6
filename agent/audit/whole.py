"""Is everything on record whole: the record of every act, all timelines, and each by the other's word.

A timeline's tail that was cut off together with its signed head shows here, for the record of every act holds number
and hash of each entry (`details.timeline`). What this cannot show: the record's own tail cut together with its head
and with every timeline; only a head kept elsewhere does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.audit.standalone import check_named
from agent.audit.verify import AuditState, Head, follow, judge

if TYPE_CHECKING:
    from agent.wiring import Agent

ENDING = ".jsonl"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is broken. `name`: `audit`, or an incident's id; `line` from 1, 0 where no single line is at fault."""

    name: str
    line: int
    fault: str


@dataclass(frozen=True, kw_only=True)
class Whole:
    """What a verification of everything found.

    `unnamed` counts entries of timelines that the record of every act does not name: a disk that was full in that
    moment leaves one, and so does a forger.
    """

    log: AuditState
    timelines: Mapping[str, AuditState]
    faults: tuple[Fault, ...]
    unnamed: int

    @property
    def ok(self) -> bool:
        """Nothing is broken."""
        return not self.faults


def verify_all(agent: Agent, anchored: Head | None = None) -> Whole:
    """Verify this home's record and timelines.

    Raises:
        RefusedError: one of them cannot be read.
    """
    return verify_record(agent.home.audit_log, agent.home.timelines, agent.keyring.public_key, anchored)


def verify_record(log: Path, timelines: Path, public_key: bytes | None, anchored: Head | None = None) -> Whole:
    """Verify a record and the timelines in a folder.

    Args:
        log: the record of every act.
        timelines: a folder with one log an incident; it may be absent.
        public_key: raw Ed25519 key of the store; None leaves signatures unchecked.
        anchored: a head of the record, or of one timeline, that was kept elsewhere.

    Raises:
        RefusedError: one of them cannot be read.
    """
    chain, line, fault = follow(log)
    own = anchored if anchored is not None and anchored.of in ("", "audit") else None
    state = judge(log, chain, line, fault, public_key=public_key, anchored=own)
    faults = [] if state.ok else [Fault(name="audit", line=state.line, fault=state.fault)]
    found = {path.name.removesuffix(ENDING): path for path in sorted(timelines.glob("*" + ENDING))}
    states: dict[str, AuditState] = {}
    unnamed = 0
    for incident in sorted(found.keys() | chain.named.keys()):
        named = chain.named.get(incident, {})
        if incident not in found:
            faults.append(Fault(name=incident, line=0, fault=f"missing: the record names {len(named)} entries of it"))
            continue
        path = found[incident]
        timeline, line, fault = follow(path)
        kept = anchored if anchored is not None and anchored.of == incident else None
        judged = judge(path, timeline, line, fault, public_key=public_key, anchored=kept)
        wrong = judged.fault or check_named(timeline, named)
        states[incident] = judged
        unnamed += len(timeline.hashes.keys() - named.keys())
        if wrong:
            faults.append(Fault(name=incident, line=judged.line, fault=wrong))
    return Whole(log=state, timelines=states, faults=tuple(faults), unnamed=unnamed)
