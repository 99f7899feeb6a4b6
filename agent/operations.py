"""The explicit list of operations. Modules are imported when an operation is first called.

After a `tells_head_office` operation head office is told how things stand. `changes_files` operations run one at a
time in the daemon; the others run beside them, so that a declaration never waits for an hour-long scan. A declaration
denies, fences and stops at once and takes its turn only for the vault.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Final, cast

from agent.operation import Operation
from config.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Where an operation lives and how it runs."""

    module: str
    function: str
    changes_files: bool = False
    tells_head_office: bool = False

    def load(self) -> Operation:
        """The function."""
        return cast("Operation", getattr(importlib.import_module(self.module), self.function))


OPERATIONS: Final[dict[str, Listed]] = {
    "scan": Listed(module="agent.pipeline", function="scan", tells_head_office=True),
    "inventory.list": Listed(module="agent.inventory.operations", function="list_items"),
    "inventory.show": Listed(module="agent.inventory.operations", function="show_item"),
    "inventory.export": Listed(module="agent.inventory.operations", function="export_items"),
    "keys.init": Listed(module="agent.sealing.keys", function="init"),
    "keys.status": Listed(module="agent.sealing.keys", function="status"),
    "keys.rotate": Listed(module="agent.sealing.keys", function="rotate", changes_files=True),
    "keys.recover": Listed(module="agent.sealing.keys", function="recover"),
    "protect": Listed(module="agent.sealing.files", function="protect", changes_files=True, tells_head_office=True),
    "unprotect": Listed(module="agent.sealing.files", function="unprotect", changes_files=True, tells_head_office=True),
    "open": Listed(module="agent.sealing.files", function="open_sealed"),
    "quarantine.add": Listed(module="agent.quarantining", function="add", changes_files=True, tells_head_office=True),
    "quarantine.list": Listed(module="agent.quarantining", function="list_entries"),
    "quarantine.show": Listed(module="agent.quarantining", function="show"),
    "quarantine.verify": Listed(module="agent.quarantining", function="verify"),
    "quarantine.release": Listed(
        module="agent.quarantining", function="release", changes_files=True, tells_head_office=True
    ),
    "quarantine.purge": Listed(
        module="agent.purge.operations", function="purge", changes_files=True, tells_head_office=True
    ),
    "quarantine.purges": Listed(module="agent.purge.operations", function="purges"),
    "quarantine.veto": Listed(module="agent.purge.operations", function="veto", tells_head_office=True),
    "incident.report": Listed(module="agent.incident.operations", function="report"),
    "incident.declare": Listed(module="agent.incident.operations", function="declare", tells_head_office=True),
    "incident.list": Listed(module="agent.incident.operations", function="list_incidents"),
    "incident.show": Listed(module="agent.incident.operations", function="show"),
    "incident.investigate.show": Listed(module="agent.investigation.operations", function="show"),
    "incident.investigate.person": Listed(module="agent.investigation.operations", function="person"),
    "incident.investigate.hypothesis": Listed(module="agent.investigation.operations", function="hypothesis"),
    "incident.investigate.question": Listed(module="agent.investigation.operations", function="question"),
    "incident.investigate.conclude": Listed(module="agent.investigation.operations", function="conclude"),
    "incident.investigate.document": Listed(module="agent.investigation.operations", function="document"),
    "incident.close": Listed(module="agent.incident.operations", function="close", tells_head_office=True),
    "incident.dismiss": Listed(
        module="agent.incident.operations", function="dismiss", changes_files=True, tells_head_office=True
    ),
    "law.list": Listed(module="agent.incident.law_operations", function="list_law"),
    "law.done": Listed(module="agent.incident.law_operations", function="done"),
    "incident.clocks": Listed(module="agent.reports.operations", function="show_clocks"),
    "incident.drafts": Listed(module="agent.reports.operations", function="drafts"),
    "incident.fill": Listed(module="agent.reports.operations", function="fill"),
    "incident.submit": Listed(module="agent.reports.operations", function="submit"),
    "incident.demand": Listed(module="agent.reports.operations", function="demand"),
    "incident.summary": Listed(module="agent.reports.operations", function="summary"),
    "incident.police": Listed(module="agent.reports.operations", function="police"),
    "incident.final.show": Listed(module="agent.reports.operations", function="final_show"),
    "incident.final.draft": Listed(module="agent.reports.operations", function="final_draft"),
    "incident.final.comment": Listed(module="agent.reports.operations", function="final_comment"),
    "incident.final.improve": Listed(module="agent.reports.operations", function="final_improve"),
    "incident.final.approve": Listed(module="agent.reports.operations", function="final_approve"),
    "incident.final.submit": Listed(module="agent.reports.operations", function="final_submit"),
    "incident.persons": Listed(module="agent.notice.operations", function="persons", tells_head_office=True),
    **{
        f"notice.{name}": Listed(module="agent.notice.operations", function=name)
        for name in (
            "draft",
            "preview",
            "test",
            "approve",
            "send",
            "status",
            "decide_not",
            "call_list",
        )
    },
    "incident.order": Listed(module="agent.incident.directing", function="order"),
    "incident.orders": Listed(module="agent.incident.directing", function="orders"),
    "incident.ack": Listed(module="agent.incident.directing", function="ack"),
    "incident.note": Listed(module="agent.incident.directing", function="note"),
    "incident.advance": Listed(module="agent.incident.directing", function="advance", tells_head_office=True),
    "incident.grade": Listed(module="agent.incident.directing", function="grade", tells_head_office=True),
    "incident.merge": Listed(module="agent.incident.directing", function="merge", tells_head_office=True),
    "incident.split": Listed(module="agent.incident.directing", function="split", tells_head_office=True),
    "incident.verify": Listed(module="agent.incident.directing", function="verify"),
    "approval.list": Listed(module="agent.approvals.operations", function="list_waiting"),
    "approval.give": Listed(module="agent.approvals.operations", function="give"),
    "message.list": Listed(module="agent.messages.operations", function="list_messages"),
    "message.show": Listed(module="agent.messages.operations", function="show_message"),
    "message.test": Listed(module="agent.messages.operations", function="send_test"),
    "page.link": Listed(module="agent.messages.operations", function="page_link"),
    "assess.run": Listed(module="agent.assess.operations", function="run"),
    "assess.history": Listed(module="agent.assess.operations", function="history"),
    "assess.attest": Listed(module="agent.assess.operations", function="attest"),
    "assess.tonight": Listed(module="agent.assess.operations", function="tonight"),
    "assess.collection": Listed(module="agent.assess.registers", function="collection"),
    "assess.blind": Listed(module="agent.assess.registers", function="blind"),
    "assess.dispose": Listed(
        module="agent.assess.dispose", function="dispose", changes_files=True, tells_head_office=True
    ),
    "audit.verify": Listed(module="agent.audit", function="verify_operation"),
    "audit.export": Listed(module="agent.audit", function="export_operation"),
    "audit.retention": Listed(module="agent.audit", function="retention_operation"),
    "training.staff.import": Listed(module="agent.training.operations", function="import_staff"),
    "training.staff.list": Listed(module="agent.training.operations", function="list_staff"),
    "training.staff.leave": Listed(module="agent.training.operations", function="leave"),
    "training.course.list": Listed(module="agent.training.operations", function="list_courses"),
    "training.course.import": Listed(module="agent.training.operations", function="import_courses"),
    "training.record": Listed(module="agent.training.operations", function="record"),
    "training.acknowledge": Listed(module="agent.training.operations", function="acknowledge"),
    "training.due": Listed(module="agent.training.operations", function="due"),
    "training.export": Listed(module="agent.training.operations", function="export"),
    "training.card": Listed(module="agent.training.operations", function="card"),
    "drill.begin": Listed(module="agent.drill.operations", function="begin"),
    "drill.finish": Listed(module="agent.drill.operations", function="finish"),
    "drill.run": Listed(module="agent.drill.operations", function="run"),
    "drill.list": Listed(module="agent.drill.operations", function="list_drills"),
    "drill.show": Listed(module="agent.drill.operations", function="show"),
    "drill.ack": Listed(module="agent.drill.operations", function="acknowledge"),
    "drill.certificate": Listed(module="agent.drill.operations", function="certificate"),
    "enrol": Listed(module="agent.enrolment", function="enrol"),
    "clean.show": Listed(module="agent.cleaning.operations", function="show"),
    "clean.decide": Listed(module="agent.cleaning.operations", function="decide"),
    "clean.release": Listed(
        module="agent.cleaning.operations", function="release", changes_files=True, tells_head_office=True
    ),
    "clean.restore": Listed(
        module="agent.cleaning.operations", function="restore", changes_files=True, tells_head_office=True
    ),
    "clean.purge": Listed(module="agent.cleaning.operations", function="purge", changes_files=True),
    "clean.risk": Listed(module="agent.cleaning.operations", function="risk"),
    "check.run": Listed(module="agent.security_check.operations", function="run", tells_head_office=True),
    "check.last": Listed(module="agent.security_check.operations", function="last"),
    "check.baseline": Listed(module="agent.security_check.operations", function="baseline"),
    "check.accept": Listed(module="agent.security_check.operations", function="accept_findings"),
    "isolate.on": Listed(module="agent.isolation.operations", function="on", tells_head_office=True),
    "isolate.off": Listed(module="agent.isolation.operations", function="off", tells_head_office=True),
    "isolate.status": Listed(module="agent.isolation.operations", function="status"),
    "logistics.show": Listed(module="agent.logistics.operations", function="show"),
    "logistics.need": Listed(module="agent.logistics.operations", function="need"),
    "logistics.assign": Listed(module="agent.logistics.operations", function="assign"),
    "logistics.done": Listed(module="agent.logistics.operations", function="done"),
    "logistics.check": Listed(module="agent.logistics.operations", function="check"),
    "logistics.custody": Listed(module="agent.logistics.operations", function="custody"),
    "logistics.sheet": Listed(module="agent.logistics.operations", function="sheet"),
    "logistics.photo": Listed(module="agent.logistics.photos", function="photo"),
    "vendor.add": Listed(module="agent.vendors.operations", function="add"),
    "vendor.change": Listed(module="agent.vendors.operations", function="change"),
    "vendor.list": Listed(module="agent.vendors.operations", function="list_vendors"),
    "vendor.show": Listed(module="agent.vendors.operations", function="show"),
    "vendor.contract": Listed(module="agent.vendors.operations", function="contract"),
    "vendor.import": Listed(module="agent.vendors.operations", function="import_list"),
    "vendor.share": Listed(module="agent.vendors.sharing", function="share"),
    "vendor.received": Listed(module="agent.vendors.ending", function="receive"),
    "vendor.end": Listed(module="agent.vendors.ending", function="end"),
    "vendor.trace": Listed(module="agent.vendors.tracing", function="trace"),
    "vendor.let_in": Listed(module="agent.vendors.windows", function="let_in"),
    "vendor.let_out": Listed(module="agent.vendors.windows", function="let_out"),
    "status": Listed(module="agent.status", function="status"),
}


def find_operation(name: str) -> Listed:
    """The operation called `name`.

    Raises:
        UsageError: there is none.
    """
    try:
        return OPERATIONS[name]
    except KeyError:
        raise UsageError(f"no operation is called {name!r}") from None
