"""What a store tells head office: counts, levels and masked names, built from the inventory and the agent's state.

One module a kind of report. Every text that comes from outside (paths, alerts, users, programs) passes `agent.mask`
here once more, whoever made it: what leaves the store is masked even if a room forgot. Incidents are put by
`agent.incident`, answers to orders by `agent.direction`.
"""

from __future__ import annotations

from agent.reporting.alerts import alert_document, report_alert, tell_alerts
from agent.reporting.health import health_document, report_health
from agent.reporting.inventory import continue_inventory, inventory_document, report_inventory, want_inventory
from agent.reporting.record import report_record
from agent.reporting.state import Reporting

__all__ = [
    "Reporting",
    "alert_document",
    "continue_inventory",
    "health_document",
    "inventory_document",
    "report_alert",
    "report_health",
    "report_inventory",
    "report_record",
    "tell_alerts",
    "want_inventory",
]
