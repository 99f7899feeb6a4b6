"""`status`: what this store's Cloche is doing, in one document."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from agent.incident.store import incidents
from agent.operation import Answer, Request
from agent.watch.fanotify import user_name
from agent.wiring import Agent


def status(agent: Agent, request: Request) -> Answer:
    """Mode, tier, what lies where by state, open alerts and incidents, what waits for head office.

    Everybody who reaches the control socket may ask: counts only.
    """
    del request
    run = agent.inventory.last_run()
    open_incidents = [item for item in incidents(agent).all() if item.phase not in ("closed", "dismissed")]
    link, waiting = agent.outbox.link_state(), agent.outbox.waiting()
    document: dict[str, Any] = {
        "schema": "cloche.status/1",
        "store": agent.settings.store.name,
        "mode": agent.settings.protect.mode,
        "response": agent.settings.watch.response,
        "tier": agent.watch.tier,
        "keys": agent.keyring.ready,
        "items": agent.inventory.totals(),
        "last_scan": None
        if run is None
        else {
            "ended_at": run.ended_at.isoformat() if run.ended_at else None,
            "persons": run.persons,
            "listed": run.coverage.listed,
            "unread": run.coverage.unread,
            "partial": run.coverage.partial,
            "clean": run.clean,
        },
        "alerts": len(agent.inventory.alerts()),
        "incidents": [{"id": item.id, "kind": item.kind, "phase": item.phase} for item in open_incidents],
        "own_programs": [
            {"program": agent.mask(os.fsdecode(own.program)), "user": user_name(own.uid)}
            for own in dict.fromkeys(replace(own, key="") for own in agent.own_programs.learned())
        ],
        "outbox": {
            "waiting": waiting.reports,
            "bytes": waiting.bytes,
            "scan_paused": waiting.full,
            "last_contact": link.last_contact or None,
            "fault": link.fault or None,
        },
    }
    return Answer(document=document)
