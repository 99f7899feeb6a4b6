"""`audit.verify` and `audit.export`."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from agent.audit.bundle import make_bundle
from agent.audit.verify import verify
from agent.operation import Answer, Request
from config.errors import ClocheError, ExitCode
from config.schema import Role
from containment.atomic import write_all, write_file

if TYPE_CHECKING:
    from agent.wiring import Agent

READERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "legal", "privacy_officer",
)  # fmt: skip


def verify_operation(agent: Agent, request: Request) -> Answer:
    """Is the log whole? Exit 1 with the line and what is wrong where it is not."""
    request.may(*READERS)
    state = verify(agent.home.audit_log, agent.keyring.public_key)
    document = {
        "schema": "cloche.audit.verify/1", "ok": state.ok, "path": str(agent.home.audit_log),
        "entries": state.entries, "line": state.line, "fault": state.fault, "signed_to": state.signed_to,
        "head": state.last_hash,
    }  # fmt: skip
    return Answer(document=document, exit_code=ExitCode.DONE if state.ok else ExitCode.FAILED)


def export_operation(agent: Agent, request: Request) -> Answer:
    """Write the bundle that an outsider can verify: to the caller's descriptor, else among the documents.

    A broken log is exported as well (exit 1): it is what the outsider must see.
    """
    request.may(*READERS)
    agent.audit.append("audit.export", request.caller.user)
    head = agent.audit.sign_head()
    state = verify(agent.home.audit_log, agent.keyring.public_key)
    try:
        bundle = make_bundle(agent.home.audit_log, head, agent.keyring.public_key, agent.settings.store.name)
        if request.descriptors:
            write_all(request.descriptors[0], bundle)
            os.fsync(request.descriptors[0])
            written = ""
        else:
            target = agent.home.documents / f"audit-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip"
            write_file(target, bundle)
            written = str(target)
    except OSError as error:
        raise ClocheError(f"the audit bundle cannot be written: {error.strerror}") from error
    document = {
        "schema": "cloche.audit.export/1", "path": written, "entries": head.seq, "head": head.document(),
        "sha256": hashlib.sha256(bundle).hexdigest(), "ok": state.ok, "line": state.line, "fault": state.fault,
    }  # fmt: skip
    return Answer(document=document, exit_code=ExitCode.DONE if state.ok else ExitCode.FAILED)
