"""Vendors, packages, windows and traces as documents of `--json`; canaries are shown masked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agent.vendors.records import Contract, Planting, Share, Vendor, Window
from agent.vendors.store import vendors
from config.identity import decode_public, key_id

if TYPE_CHECKING:
    from agent.wiring import Agent


def vendor_document(agent: Agent, vendor: Vendor, now: datetime) -> dict[str, Any]:
    """A vendor with its contracts and counts."""
    shares = vendors(agent).shares(vendor.id)
    windows = vendors(agent).windows(vendor.id)
    return {
        "id": vendor.id, "name": vendor.name, "service": vendor.service,
        "contacts": [asdict(contact) for contact in vendor.contacts],
        "key": key_id(decode_public(vendor.public_key)) if vendor.public_key else None,
        "added_at": vendor.added_at.isoformat(), "added_by": vendor.added_by,
        "contracts": [contract_document(contract) for contract in vendor.contracts],
        "packages": len(shares), "open": sum(share.state == "open" for share in shares),
        "overdue": sum(share.is_overdue(now) for share in shares),
        "persons": sum(share.persons for share in shares if share.state != "abandoned"),
        "let_in": any(window.is_open(now) for window in windows),
    }  # fmt: skip


def contract_document(contract: Contract) -> dict[str, Any]:
    """The terms."""
    return {
        "number": contract.number, "begins": contract.begins, "ends": contract.ends,
        "report_hours": contract.report_hours, "audit_right": contract.audit_right,
        "sub_processors": list(contract.sub_processors), "purpose": contract.purpose,
        "recorded_at": contract.recorded_at.isoformat(), "recorded_by": contract.recorded_by,
    }  # fmt: skip


def share_document(share: Share, vendor: Vendor, now: datetime) -> dict[str, Any]:
    """A package, without its receipt's digest."""
    return {
        "id": share.id, "vendor": vendor.id, "vendor_name": vendor.name, "purpose": share.purpose,
        "contract": share.contract, "state": share.state, "overdue": share.is_overdue(now),
        "shared_at": share.shared_at.isoformat(), "expires_at": share.expires_at.isoformat(),
        "shared_by": share.shared_by, "approved_by": share.approved_by, "key": share.key_id,
        "files": [asdict(file) for file in share.files], "persons": share.persons, "types": list(share.types),
        "canaries": share.planted, "without_canaries": share.without_canaries,
        "package_size": share.package_size, "package_sha256": share.package_sha256,
        "received_at": share.received_at.isoformat() if share.received_at else None,
        "persons_sealed": bool(share.segment),
        "ended_at": share.ended_at.isoformat() if share.ended_at else None, "ended_by": share.ended_by,
        "end_note": share.end_note, "end_evidence": share.end_evidence,
    }  # fmt: skip


def canary_documents(agent: Agent, plantings: Iterable[Planting]) -> list[dict[str, Any]]:
    """Canaries, masked."""
    return [
        {
            "id": planting.id, "phone": agent.mask(planting.phone or ""), "email": agent.mask(planting.email or ""),
        }
        for planting in plantings
    ]  # fmt: skip


def window_document(agent: Agent, window: Window, now: datetime) -> dict[str, Any]:
    """A window with the alerts that were raised while it was open."""
    end = min(window.ended_at or window.until, window.until)
    alerts = [alert for alert in agent.inventory.alerts(open_only=False) if window.begun_at <= alert.at <= end]
    return {
        "id": window.id, "who": window.who, "tool": window.tool, "reason": window.reason,
        "begun_at": window.begun_at.isoformat(), "until": window.until.isoformat(),
        "opened_by": window.opened_by, "approved_by": window.approved_by, "open": window.is_open(now),
        "ended_at": window.ended_at.isoformat() if window.ended_at else None, "ended_by": window.ended_by,
        "alerts": [
            {"id": alert.id, "at": alert.at.isoformat(), "kind": alert.kind, "severity": alert.severity,
             "text": agent.mask(alert.text), "program": agent.mask(alert.program), "user": agent.mask(alert.user)}
            for alert in alerts
        ],
    }  # fmt: skip
