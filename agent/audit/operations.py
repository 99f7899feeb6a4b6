"""`audit.verify`, `audit.export` and `audit.retention`."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Any, Final

from agent.audit.verify import Head
from agent.audit.whole import Whole, verify_all
from agent.operation import Answer, Request
from config.errors import ClocheError, ExitCode, UsageError
from config.schema import Role
from containment.atomic import write_all, write_file

if TYPE_CHECKING:
    from agent.wiring import Agent

READERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "legal", "privacy_officer",
)  # fmt: skip


def verify_operation(agent: Agent, request: Request) -> Answer:
    """Are the record and all timelines whole? Exit 1 with each fault where they are not.

    Argument `anchor`: a head that was printed or copied, `[INCIDENT:]NUMBER:HASH`.

    Raises:
        UsageError: the anchor is no such head.
    """
    request.may(*READERS)
    state = verify_all(agent, anchor_of(request))
    document = {
        "schema": "cloche.audit.verify/1", "ok": state.ok, "path": str(agent.home.audit_log),
        "entries": state.log.entries, "line": state.log.line, "fault": state.log.fault,
        "signed_to": state.log.signed_to, "head": state.log.last_hash, **facts_of(state),
    }  # fmt: skip
    return Answer(document=document, exit_code=ExitCode.DONE if state.ok else ExitCode.FAILED)


def anchor_of(request: Request) -> Head | None:
    """The head that a person copied from paper, if one is given.

    Raises:
        UsageError: it is no head.
    """
    given = str(request.arguments.get("anchor") or "")
    if not given:
        return None
    found = re.fullmatch(r"(?:([\w-]{1,64}):)?(\d{1,12}):([0-9a-f]{64})", given.strip())
    if found is None:
        raise UsageError("--anchor: must be NUMBER:HASH, or INCIDENT:NUMBER:HASH, as printed")
    return Head(seq=int(found[2]), hash=found[3], time="", signature="", of=found[1] or "")


def facts_of(state: Whole) -> dict[str, Any]:
    """Timelines and faults as JSON."""
    return {
        "timelines": [
            {"incident": incident, "ok": one.ok, "entries": one.entries, "signed_to": one.signed_to,
             "head": one.last_hash}
            for incident, one in state.timelines.items()
        ],
        "unnamed": state.unnamed,
        "faults": [{"name": fault.name, "line": fault.line, "fault": fault.fault} for fault in state.faults],
    }  # fmt: skip


def export_operation(agent: Agent, request: Request) -> Answer:
    """Write the bundle that an outsider can verify: to the caller's descriptor, else among the documents.

    A broken record is exported as well (exit 1): it is what the outsider must see.

    Raises:
        ClocheError: it cannot be written.
    """
    from agent.audit.bundle import make_bundle
    from agent.audit.contents import contents_of

    request.may(*READERS)
    agent.audit.append("audit.export", request.caller.user)
    head = agent.audit.sign_head()
    state = verify_all(agent)
    try:
        contents = contents_of(agent, head)
        bundle = make_bundle(contents, agent.keyring.sign, agent.settings.store.name, agent.now())
        if request.descriptors:
            write_all(request.descriptors[0], bundle)
            os.fsync(request.descriptors[0])
            written = ""
        else:
            target = agent.home.documents / f"audit-{agent.now():%Y%m%dT%H%M%SZ}.zip"
            write_file(target, bundle)
            written = str(target)
    except OSError as error:
        raise ClocheError(f"the audit bundle cannot be written: {error.strerror}") from error
    document = {
        "schema": "cloche.audit.export/1", "path": written, "entries": head.seq, "head": head.document(),
        "sha256": hashlib.sha256(bundle).hexdigest(), "files": len(contents), "ok": state.ok,
        "line": state.log.line, "fault": state.log.fault, **facts_of(state),
    }  # fmt: skip
    return Answer(document=document, exit_code=ExitCode.DONE if state.ok else ExitCode.FAILED)


def retention_operation(agent: Agent, request: Request) -> Answer:
    """How long each kind of record is kept, by which rule, and since when there are some."""
    from agent.audit.retention import held

    request.may(*READERS)
    kinds = [kind.document(agent.text.language) for kind in held(agent, agent.now())]
    return Answer(document={"schema": "cloche.audit.retention/1", "kinds": kinds})
