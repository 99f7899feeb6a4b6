"""What becomes of a package: received, returned, destroyed; and what is still out, for reminders and assessment."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, get_args

from agent.vendors.approval import text_of
from agent.vendors.records import EndState, Share, Vendor
from agent.vendors.store import vendors
from agent.vendors.view import share_document
from config.errors import ClocheError, RefusedError, UsageError
from config.schema import Role
from containment.package import pieces

if TYPE_CHECKING:
    from agent.operation import Answer, Request
    from agent.wiring import Agent

ENDERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "response_lead", "legal", "store_manager", "area_manager",
    "franchisee", "privacy_officer", "department_head",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OpenShare:
    """A package that is still at a vendor's. `overdue` when it expired, or the contract it rests on ended."""

    share: Share
    vendor: Vendor
    overdue: bool
    contract_ended: bool
    contract_lacks: tuple[str, ...]


def open_shares(agent: Agent, now: datetime | None = None) -> list[OpenShare]:
    """Every package neither returned nor destroyed, the oldest first."""
    now = now or agent.now()
    from agent.vendors.forms import day

    today = day(agent, now)
    known = {vendor.id: vendor for vendor in vendors(agent).all()}
    found = []
    for share in reversed(vendors(agent).shares(states=("open",))):
        vendor = known[share.vendor]
        contract = next((c for c in vendor.contracts if c.number == share.contract), None)
        ended = contract is None or contract.ends < today
        lacks = () if contract is None else tuple(
            name
            for name, missing in (
                ("report_hours", contract.report_hours is None), ("audit_right", not contract.audit_right),
            )
            if missing
        )  # fmt: skip
        found.append(
            OpenShare(
                share=share, vendor=vendor, overdue=share.is_overdue(now) or ended, contract_ended=ended,
                contract_lacks=lacks,
            )
        )  # fmt: skip
    return found


def end(agent: Agent, request: Request) -> Answer:
    """`vendor.end`: a package came back (`returned`) or was destroyed. A file of evidence may come as descriptor.

    Arguments: `package`, `state`, `note`, `by` (who at the vendor says so).

    Raises:
        UsageError: no such package, no state, or neither note nor file.
        RefusedError: it has ended already.
    """
    from agent.operation import Answer

    request.may(*ENDERS)
    state = text_of(request, "state", needed=True)
    if state not in get_args(EndState):
        raise UsageError(f"state: {state!r} is none of {', '.join(get_args(EndState))}")
    store = vendors(agent)
    share = store.share(text_of(request, "package", needed=True))
    if share.state != "open":
        raise RefusedError(
            agent.text("vendor.not_open", package=share.id, state=agent.text(f"vendor.state_{share.state}"))
        )
    note, by = agent.mask(text_of(request, "note")), agent.mask(text_of(request, "by"))
    evidence = digest_of(request.descriptors[0]) if request.descriptors else ""
    if not note and not evidence:
        raise UsageError(agent.text("vendor.no_evidence"))
    now = agent.now()
    store.change_share(
        share.id,
        {
            "state": state, "ended_at": now, "ended_by": by or agent.mask(request.caller.user), "end_note": note,
            "end_evidence": evidence,
        },
    )  # fmt: skip
    agent.audit.append(
        f"vendor.{state}", request.caller.user, share=share.id, vendor=share.vendor, note=note, by=by,
        evidence_sha256=evidence, overdue=share.is_overdue(now),
    )  # fmt: skip
    document = {"schema": "cloche.vendor.end/1", **share_document(store.share(share.id), store.get(share.vendor), now)}
    return Answer(document=document)


def receive(agent: Agent, request: Request) -> Answer:
    """`vendor.received`: the vendor read out the code that only an opener of the package sees.

    Raises:
        RefusedError: it is another package's code, or none.
    """
    from agent.operation import Answer

    request.may(*ENDERS)
    store = vendors(agent)
    share = store.share(text_of(request, "package", needed=True))
    code = "".join(letter for letter in text_of(request, "code", needed=True) if letter.isdecimal())
    shown = f"{code[:5]}-{code[5:]}"
    if hashlib.sha256(shown.encode("ascii", "replace")).hexdigest() != share.receipt_sha256:
        agent.audit.append("vendor.wrong_receipt", request.caller.user, share=share.id)
        raise RefusedError(agent.text("vendor.wrong_receipt", package=share.id))
    now = agent.now()
    if share.received_at is None:
        store.change_share(share.id, {"received_at": now})
        agent.audit.append("vendor.received", request.caller.user, share=share.id, vendor=share.vendor)
    document: dict[str, Any] = {
        "schema": "cloche.vendor.received/1", **share_document(store.share(share.id), store.get(share.vendor), now),
    }  # fmt: skip
    return Answer(document=document)


def digest_of(descriptor: int) -> str:
    """SHA-256 of a file, hex.

    Raises:
        UsageError: it is a pipe, a device or a folder.
        ClocheError: it can't be read.
    """
    return facts_of(descriptor)[1]


def facts_of(descriptor: int) -> tuple[int, str]:
    """Size and SHA-256 of a file.

    Raises:
        UsageError: it is a pipe, a device or a folder.
        ClocheError: it can't be read.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise UsageError("not a regular file")
    content, size = hashlib.sha256(), 0
    try:
        for piece in pieces(descriptor):
            content.update(piece)
            size += len(piece)
    except OSError as error:
        raise ClocheError(f"a file cannot be read: {error.strerror}") from error
    return size, content.hexdigest()
