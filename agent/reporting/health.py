"""How the agent is: every five minutes, only the newest report counts."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from config.errors import ClocheError

if TYPE_CHECKING:
    from agent.wiring import Agent

OPEN_ALERTS: Final = 1000


def report_health(agent: Agent) -> int:
    """Put how the agent is, which alerts are open, and the head of the record; the health report's number.

    Raises:
        ClocheError: the disk refused it.
    """
    return agent.outbox.put("health", health_document(agent))


def health_document(agent: Agent) -> dict[str, Any]:
    """Version, tier, modes, what waits, open alerts, disk, and where the record stands."""
    link, run = agent.outbox.link_state(), agent.inventory.last_run()
    alerts = agent.inventory.alerts()
    head = agent.audit.sign_head()
    disk = _disk(agent)
    waiting = agent.outbox.waiting()
    return {
        "version": version("cloche"),
        "tier": agent.watch.tier,
        "mode": agent.settings.protect.mode,
        "response": agent.settings.watch.response,
        "keys_ready": agent.keyring.ready,
        "waiting": waiting.reports,
        "waiting_bytes": waiting.bytes,
        "scan_paused": waiting.full,
        "refused": len(link.refused),
        "link_fault": agent.mask(link.fault),
        "last_scan_at": run.ended_at.isoformat() if run and run.ended_at else None,
        "scan_clean": run.clean if run else None,
        "open_alerts": [str(alert.id) for alert in alerts[:OPEN_ALERTS]] if len(alerts) <= OPEN_ALERTS else None,
        "disk_free": disk[0],
        "disk_total": disk[1],
        "audit": {"entries": head.seq, "head": head.hash},
        "standing": standing(agent),
    }


def standing(agent: Agent) -> list[dict[str, Any]]:
    """Duties that no incident starts, by key: whether they hold here, when each is due and was done last."""
    from agent.incident.standing import standing_duties

    return [
        {
            "key": state.key, "reached": state.reached, "due": state.due.isoformat() if state.due else None,
            "done_at": state.done.at.isoformat() if state.done else None,
        }
        for state in standing_duties(agent, agent.now())
    ]  # fmt: skip


def _disk(agent: Agent) -> tuple[int, int]:
    """Free and total bytes where Cloche keeps its state."""
    try:
        facts = os.statvfs(agent.home.state)
    except OSError as error:
        raise ClocheError(f"{agent.home.state}: cannot be asked for its free space: {error.strerror}") from error
    return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
