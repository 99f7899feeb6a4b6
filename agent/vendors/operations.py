"""`vendor.add|change|list|show|contract|import`: the register. What is shared and traced has modules of its own."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, Final, get_args

from agent.confined import run_confined
from agent.operation import Answer, Request
from agent.vendors.approval import text_of
from agent.vendors.records import Contact, Contract, Vendor
from agent.vendors.store import vendors
from agent.vendors.view import canary_documents, share_document, vendor_document, window_document
from config.errors import ExitCode, UsageError
from config.identity import decode_public, encode_public, key_id
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent

KEEPERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "legal", "privacy_officer", "store_manager", "area_manager",
    "franchisee", "department_head",
)  # fmt: skip
READERS: Final[tuple[Role, ...]] = get_args(Role)
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("名称", "服务商", "服务商名称", "公司", "公司名称", "name", "vendor"),
    "service": ("服务", "服务内容", "类别", "service"),
    "contact": ("联系人", "contact"),
    "phone": ("电话", "手机", "联系电话", "phone"),
    "email": ("邮箱", "电子邮箱", "email"),
    "number": ("合同编号", "合同号", "contract"),
    "begins": ("合同起", "开始日期", "合同开始", "from", "begins"),
    "ends": ("合同止", "结束日期", "合同结束", "to", "ends"),
    "report_hours": ("事件报告时限", "报告时限", "报告小时", "report_hours"),
    "audit_right": ("审计权", "可审计", "audit_right"),
    "sub_processors": ("转委托", "分包方", "sub_processors"),
    "purpose": ("用途", "处理目的", "purpose"),
}
"""What the columns of an imported list may be called."""
_DAY: Final = re.compile(r"\s*(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})(?!\d)")
YES: Final = frozenset({"是", "有", "yes", "true", "1", "y", "√"})


def add(agent: Agent, request: Request) -> Answer:
    """Put a vendor on the register. Arguments: `name`, `service`, `contacts`, `public_key`.

    Raises:
        UsageError: there is one of that name, a contact is none, or the key is none.
    """
    request.may(*KEEPERS)
    now = agent.now()
    vendor = vendors(agent).add(
        Vendor(
            id="", name=text_of(request, "name", needed=True, longest=200), service=text_of(request, "service"),
            contacts=contacts_of(request.arguments.get("contacts") or []), added_at=now,
            added_by=agent.mask(request.caller.user),
            public_key=public_of(text_of(request, "public_key", longest=4000)),
        )
    )  # fmt: skip
    agent.audit.append("vendor.add", request.caller.user, vendor=vendor.id, name=agent.mask(vendor.name))
    return Answer(document={"schema": "cloche.vendor/1", **vendor_document(agent, vendor, now)})


def change(agent: Agent, request: Request) -> Answer:
    """Change contacts, service or key; what is absent stays."""
    request.may(*KEEPERS)
    store = vendors(agent)
    vendor = store.get(text_of(request, "vendor", needed=True))
    contacts = request.arguments.get("contacts")
    public = text_of(request, "public_key", longest=4000)
    store.change(
        vendor.id, contacts=contacts_of(contacts) if contacts else None, public_key=public_of(public) or None,
        service=text_of(request, "service") or None,
    )  # fmt: skip
    changed = store.get(vendor.id)
    agent.audit.append(
        "vendor.change", request.caller.user, vendor=vendor.id, contacts=bool(contacts),
        key=key_id(decode_public(changed.public_key)) if public else "",
    )  # fmt: skip
    return Answer(document={"schema": "cloche.vendor/1", **vendor_document(agent, changed, agent.now())})


def list_vendors(agent: Agent, request: Request) -> Answer:
    """`cloche.vendors/1`: every vendor."""
    request.may(*READERS)
    now = agent.now()
    settings = agent.settings.vendors
    return Answer(
        document={
            "schema": "cloche.vendors/1",
            "vendors": [vendor_document(agent, vendor, now) for vendor in vendors(agent).all()],
            "canaries": {
                "configured": len(settings.canary_phones),
                "used": sum(planting.phone is not None for planting in vendors(agent).plantings()),
            },
        }
    )  # fmt: skip


def show(agent: Agent, request: Request) -> Answer:
    """One vendor with its contracts, packages, windows, and traces that led to it."""
    request.may(*READERS)
    store, now = vendors(agent), agent.now()
    vendor = store.get(text_of(request, "vendor", needed=True))
    return Answer(
        document={
            "schema": "cloche.vendor/1", **vendor_document(agent, vendor, now),
            "shares": [
                {
                    **share_document(share, vendor, now),
                    "planted": canary_documents(agent, store.plantings(share.id)),
                }
                for share in store.shares(vendor.id)
            ],
            "windows": [window_document(agent, window, now) for window in store.windows(vendor.id)],
            "traces": [
                trace for trace in store.traces() if any(found["vendor"] == vendor.id for found in trace["found"])
            ],
        }
    )  # fmt: skip


def contract(agent: Agent, request: Request) -> Answer:
    """Put a contract on record.

    Arguments: `vendor`, `number`, `begins`, `ends`, `report_hours`, `audit_right`, `sub_processors`, `purpose`.

    Raises:
        UsageError: a day is none, it ends before it begins, or hours that are none.
    """
    request.may(*KEEPERS)
    store = vendors(agent)
    vendor = store.get(text_of(request, "vendor", needed=True))
    made = _contract(agent, request.arguments, request.caller.user)
    store.put_contract(vendor.id, made)
    agent.audit.append(
        "vendor.contract", request.caller.user, vendor=vendor.id, number=made.number, begins=made.begins,
        ends=made.ends, report_hours=made.report_hours, audit_right=made.audit_right,
    )  # fmt: skip
    return Answer(document={"schema": "cloche.vendor/1", **vendor_document(agent, store.get(vendor.id), agent.now())})


def import_list(agent: Agent, request: Request) -> Answer:
    """Take vendors and contracts from a table (csv, xlsx, …), handed in as a descriptor; known ones stay as they are.

    Exit code 3 where a row was not taken; each is named by its number.

    Raises:
        UsageError: it is no table, or has no column of names.
    """
    request.may(*KEEPERS)
    if not request.descriptors:
        raise UsageError(agent.text("vendor.no_files"))
    answer = run_confined(agent, "vendor.rows", {"name": text_of(request, "name")[-200:]}, request.descriptors[:1])
    if answer.get("why"):
        raise UsageError(agent.text("vendor.no_table", why=agent.text(f"vendor.why_{answer['why']}")))
    places = columns_of([str(name) for name in answer["columns"]])
    if "name" not in places:
        raise UsageError(agent.text("vendor.no_name_column", names="、".join(COLUMNS["name"])))
    added, contracts, refused = [], 0, []
    for number, row in enumerate(answer["rows"], 1):
        given = {key: str(row[place]).strip() for key, place in places.items() if place < len(row)}
        try:
            vendor_id, fresh = _take_row(agent, request, given)
            if fresh:
                added.append(vendor_id)
            contracts += bool(given.get("number"))
        except UsageError as error:
            refused.append({"row": number, "why": agent.mask(str(error))})
    agent.audit.append(
        "vendor.import", request.caller.user, added=len(added), contracts=contracts, refused=len(refused)
    )  # fmt: skip
    return Answer(
        document={"schema": "cloche.vendor.import/1", "added": added, "contracts": contracts, "refused": refused},
        exit_code=ExitCode.INCOMPLETE if refused else ExitCode.DONE,
    )


def _take_row(agent: Agent, request: Request, given: dict[str, str]) -> tuple[str, bool]:
    if not given["name"]:
        raise UsageError("no name")
    store, fresh = vendors(agent), False
    vendor = next((known for known in store.all() if known.name == given["name"]), None)
    made = None
    if given.get("number"):
        terms: dict[str, Any] = dict(given)
        terms["report_hours"] = int(hours) if (hours := given.get("report_hours", "")).isdecimal() else None
        terms["audit_right"] = given.get("audit_right", "").casefold() in YES
        terms["sub_processors"] = [
            part for part in given.get("sub_processors", "").replace("，", ",").split(",") if part
        ]
        made = _contract(agent, terms, request.caller.user)
    if vendor is None:
        people = {"name": given.get("contact", ""), "phone": given.get("phone", ""), "email": given.get("email", "")}
        vendor = store.add(
            Vendor(
                id="", name=given["name"][:200], service=given.get("service", ""), public_key="",
                contacts=contacts_of([people]) if any(people.values()) else (), added_at=agent.now(),
                added_by=agent.mask(request.caller.user),
            )
        )  # fmt: skip
        fresh = True
    if made is not None:
        store.put_contract(vendor.id, made)
    return vendor.id, fresh


def columns_of(names: list[str]) -> dict[str, int]:
    """Which column is what, by its name."""
    found = {}
    for place, name in enumerate(names):
        for key, known in COLUMNS.items():
            if name.strip().casefold() in known and key not in found:
                found[key] = place
    return found


def contacts_of(given: Any) -> tuple[Contact, ...]:
    """Contacts out of a request.

    Raises:
        UsageError: one is none.
    """
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise UsageError("contacts: must be a list of name, phone and email")
    return tuple(
        Contact(**{name: str(entry.get(name) or "")[:200] for name in ("name", "phone", "email")})
        for entry in given[:20]
    )  # fmt: skip


def public_of(text: str) -> str:
    """A public key as the database keeps it; '' stays ''.

    Raises:
        UsageError: it is none.
    """
    return encode_public(decode_public(text)) if text else ""


def _contract(agent: Agent, given: dict[str, Any], user: str) -> Contract:
    begins, ends = (_day(given.get(name), name) for name in ("begins", "ends"))
    if ends < begins:
        raise UsageError(f"--to: {ends} lies before --from {begins}")
    number = str(given.get("number") or "").strip()[:100]
    if not number:
        raise UsageError("--number: is missing")
    hours, subs = given.get("report_hours"), given.get("sub_processors") or ()
    if hours is not None and (not isinstance(hours, int) or not 0 < hours <= 10_000):
        raise UsageError("--report-hours: a number of hours from 1")
    return Contract(
        number=agent.mask(number), begins=begins, ends=ends, report_hours=hours,
        audit_right=bool(given.get("audit_right")),
        sub_processors=tuple(str(name).strip()[:200] for name in subs if str(name).strip()),
        purpose=agent.mask(str(given.get("purpose") or "")[:2000]), recorded_at=agent.now(),
        recorded_by=agent.mask(user),
    )  # fmt: skip


def _day(value: Any, option: str) -> str:
    found = _DAY.match(str(value or ""))
    try:
        if found is None:
            raise ValueError("no day")
        return dt.date(int(found[1]), int(found[2]), int(found[3])).isoformat()
    except ValueError as error:
        raise UsageError(f"--{'from' if option == 'begins' else 'to'}: not a day (YYYY-MM-DD)") from error
