"""四 应急响应: is it noticed at once who reads what, does something follow, and does somebody look."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from agent.assess.look import Look
from agent.assess.records import Result, bad, good, partial, say, unknown
from agent.watch.api import BLOCKING


class WatchTier:
    """What the watch can do here: know who reads and refuse, or only tell that something changed."""

    id: ClassVar[str] = "watch_tier"

    def measure(self, look: Look) -> Result:
        """See the class."""
        tier = look.agent.watch.tier
        evidence = say("assess.ev_tier", tier=f"@watch.tier_{tier}")
        if not look.agent.settings.watch.enabled:
            return bad(look.edit, evidence, say("assess.ev_watch_off"))
        if tier in BLOCKING:
            return good(evidence)
        if tier == "inotify":
            return partial(0.3, "cloche doctor", evidence)
        return bad(look.start, evidence)


class WatchGaps:
    """Moments of the last days in which something may have happened unseen."""

    id: ClassVar[str] = "watch_gaps"

    def measure(self, look: Look) -> Result:
        """See the class."""
        days, most = look.limit(self.id, "days"), int(look.limit(self.id, "most"))
        gaps = look.agent.events.gaps(since=(look.now - timedelta(days=days)).timestamp())
        if look.agent.watch.tier == "none" and not gaps:
            return bad(look.start, say("assess.ev_unwatched"))
        evidence = say("assess.ev_gaps", count=len(gaps), days=int(days))
        if not gaps:
            return good(evidence)
        if len(gaps) <= most:
            return partial(1 - len(gaps) / (most + 1), "cloche scan", evidence)
        return bad("cloche doctor", evidence)


class ResponseMode:
    """What follows a crossed bound: an alert, a stop, or a declaration that isolates at once."""

    id: ClassVar[str] = "response_mode"

    def measure(self, look: Look) -> Result:
        """See the class."""
        watch = look.agent.settings.watch
        evidence = say("assess.ev_response", response=f"@assess.response_{watch.response}")
        if watch.response == "alert":
            return partial(0.3, look.edit, evidence, say("assess.ev_response_alert"))
        return good(evidence)


class AlertsHandled:
    """Alerts that nobody has dealt with for a day."""

    id: ClassVar[str] = "alerts_handled"

    def measure(self, look: Look) -> Result:
        """See the class."""
        if look.agent.watch.tier == "none" and not look.agent.inventory.alerts(open_only=False):
            return unknown(look.start, say("assess.ev_unwatched"))
        alerts = look.agent.inventory.alerts()
        since = look.now - timedelta(hours=look.limit(self.id, "hours"))
        old = [alert for alert in alerts if alert.at < since]
        evidence = say("assess.ev_alerts", open=len(alerts), old=len(old))
        if not old:
            return good(evidence)
        oldest = min(old, key=lambda alert: alert.at)
        return bad("cloche incident report --scope alerts --kind insider --summary TEXT", evidence,
                   say("assess.ev_alert", date=look.day(oldest.at), text=oldest.text))  # fmt: skip
