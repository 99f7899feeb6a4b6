"""What the keeper looks after: windows that ran out, packages and contracts that did, makings that were cut off."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from agent.vendors.ending import open_shares
from agent.vendors.forms import day
from agent.vendors.store import vendors
from agent.vendors.windows import close_window

if TYPE_CHECKING:
    from agent.wiring import Agent

TOLD: Final = ("privacy_officer", "legal", "store_manager", "security_lead")
CUT_OFF: Final = timedelta(hours=1)
BY_ITSELF: Final = "cloche"


def look_after(agent: Agent, now: datetime) -> None:
    """The duty; each thing is told once and again after `vendors.remind_days`."""
    end_windows(agent, now)
    store = vendors(agent)
    for share in store.shares(states=("making",)):
        if now - share.shared_at > CUT_OFF:
            store.change_share(share.id, {"state": "abandoned", "ended_at": now})
            agent.audit.append("vendor.abandoned", BY_ITSELF, share=share.id, vendor=share.vendor)
    for out in open_shares(agent, now):
        if out.overdue:
            _tell(
                agent, now, f"overdue:{out.share.id}",
                agent.text("vendor.overdue_subject", vendor=out.vendor.name, package=out.share.id),
                agent.text(
                    "vendor.overdue_text", vendor=out.vendor.name, package=out.share.id, purpose=out.share.purpose,
                    persons=f"{out.share.persons:,}", expired=day(agent, out.share.expires_at),
                    contract=out.share.contract,
                ),
            )  # fmt: skip
    remind_contracts(agent, now)


def end_windows(agent: Agent, now: datetime) -> None:
    """Record the end of what ran out, at the moment it did."""
    for window in vendors(agent).windows():
        if window.ended_at is None and now >= window.until:
            close_window(agent, window, window.until, BY_ITSELF)


def remind_contracts(agent: Agent, now: datetime) -> None:
    """A contract that ends soon, while the vendor still has data or may get some."""
    today = day(agent, now)
    soon = day(agent, now + timedelta(days=agent.settings.vendors.contract_notice_days))
    for vendor in vendors(agent).all():
        if not vendor.contracts:
            continue
        last = max(vendor.contracts, key=lambda contract: contract.ends)
        if today <= last.ends <= soon:
            _tell(
                agent, now, f"contract:{vendor.id}:{last.number}",
                agent.text("vendor.contract_subject", vendor=vendor.name, number=last.number),
                agent.text("vendor.contract_text", vendor=vendor.name, number=last.number, ends=last.ends),
            )  # fmt: skip


def _tell(agent: Agent, now: datetime, what: str, subject: str, text: str) -> None:
    from agent.messages import tell

    store = vendors(agent)
    last = store.reminded(what)
    if last is not None and now - last < timedelta(days=agent.settings.vendors.remind_days) and now >= last:
        return
    tell(agent, TOLD, subject, text, purpose="vendor")
    store.remind(what, now)
    agent.audit.append("vendor.reminded", BY_ITSELF, what=what)
