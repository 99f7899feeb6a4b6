"""`audit.verify` and `audit.export`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.audit.verify import verify
from agent.operation import Answer, Request
from config.errors import ExitCode

if TYPE_CHECKING:
    from agent.wiring import Agent


def verify_operation(agent: Agent, request: Request) -> Answer:
    """Is the log whole? Exit 1 and the line if not."""
    request.may("security_lead", "security_deputy", "security_member", "legal", "privacy_officer")
    state = verify(agent.home.audit_log, agent.keyring.public_key)
    document = {
        "schema": "cloche.audit.verify/1", "ok": state.ok, "entries": state.entries, "line": state.line,
        "fault": state.fault, "signed_to": state.signed_to, "head": state.last_hash,
    }  # fmt: skip
    return Answer(document=document, exit_code=ExitCode.DONE if state.ok else ExitCode.FAILED)


def export_operation(agent: Agent, request: Request) -> Answer:
    """Write the bundle an outsider can verify."""
    raise NotImplementedError
