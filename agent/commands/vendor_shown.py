"""A vendor, and what the canaries in a leaked file say, as a person reads them."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table

from agent.console import Console, printable


def make_table(console: Console, *columns: str) -> Table:
    """A table whose columns are texts of this room."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for column in columns:
        right = column in ("packages", "open", "overdue", "persons", "canaries", "alerts")
        table.add_column(console.text(f"vendor.c_{column}"), justify="right" if right else "left", overflow="fold")
    return table


def show_vendor(console: Console, document: dict[str, Any]) -> None:
    """Facts, then packages and windows as tables."""
    text, screen = console.text, console.screen
    screen.print(f"{document['id']} {printable(document['name'])}", style="bold")
    if document["service"]:
        screen.print(printable(document["service"]))
    for contact in document["contacts"]:
        screen.print("  " + printable(" ".join(value for value in contact.values() if value)))
    for contract in document["contracts"]:
        hours = contract["report_hours"]
        terms = (
            text(
                "vendor.contract_value", number=printable(contract["number"]), begins=contract["begins"],
                ends=contract["ends"],
            ),
            f"{text('vendor.f_report_hours')}: "
            + (text("vendor.hours_value", hours=hours) if hours else text("vendor.hours_missing")),
            f"{text('vendor.f_audit_right')}: {text('vendor.yes' if contract['audit_right'] else 'vendor.no')}",
        )  # fmt: skip
        screen.print("  " + " · ".join(terms))
    if document["shares"]:
        table = make_table(console, "packages", "state", "shared", "expires", "persons", "canaries", "purpose")
        for share in document["shares"]:
            state = text(f"vendor.state_{share['state']}")
            overdue = f" ({text('vendor.c_overdue')})" if share["overdue"] else ""
            table.add_row(
                share["id"], state + overdue, console.time(share["shared_at"]), console.time(share["expires_at"]),
                f"{share['persons']:,}", str(share["canaries"]), printable(share["purpose"]),
            )  # fmt: skip
        screen.print(table)
    if document["windows"]:
        table = make_table(console, "from", "until", "who", "tool", "approved", "alerts")
        for window in document["windows"]:
            until = text("vendor.yes_in") if window["open"] else console.time(window["ended_at"] or window["until"])
            table.add_row(
                console.time(window["begun_at"]), until, printable(window["who"]), printable(window["tool"]),
                printable(window["approved_by"]) or "–", str(len(window["alerts"])),
            )  # fmt: skip
        screen.print(table)
    for trace in document["traces"]:
        packages = ", ".join(found["package"] for found in trace["found"])
        screen.print(
            text(
                "vendor.traces_line", id=trace["id"], time=console.time(trace["at"]), name=printable(trace["name"]),
                package=packages,
            )
        )  # fmt: skip


def show_trace(console: Console, document: dict[str, Any], *, with_key: bool) -> None:
    """What was found, in sentences; what it means where nothing was."""
    text, screen = console.text, console.screen
    for found in document["found"]:
        confidence = "one" if found["canaries_found"] == 1 else "several"
        screen.print(
            text(
                "vendor.trace_found", vendor=printable(found["vendor_name"]), package=found["package"],
                found=found["canaries_found"], total=found["canaries"], shared=console.time(found["shared_at"]),
                purpose=printable(found["purpose"]), confidence=text(f"vendor.confidence_{confidence}"),
                part=f"{found['part']:.0%}",
            )
        )  # fmt: skip
    if not document["found"]:
        screen.print(text("vendor.trace_none"))
        for overlap in document["overlaps"]:
            screen.print(
                text(
                    "vendor.trace_overlap", vendor=printable(overlap["vendor_name"]), package=overlap["package"],
                    shared=console.time(overlap["shared_at"]), common=f"{overlap['common']:,}",
                    of_file=f"{overlap['of_file']:.0%}", of_package=f"{overlap['of_package']:.0%}",
                )
            )  # fmt: skip
        if with_key and not document["overlaps"]:
            screen.print(text("vendor.trace_no_overlap", compared=document["compared"]))
        elif not with_key:
            console.say("vendor.trace_need_key")
    if document["unread"]:
        reasons = ", ".join(f"{reason} {count}" for reason, count in document["unread"].items())
        console.say("vendor.trace_unread", count=sum(document["unread"].values()), reasons=reasons)
    console.say("vendor.trace_kept", trace=document["trace"])
    if document["incident"]:
        screen.print(text("vendor.trace_reported", incident=document["incident"]))
    elif document["found"]:
        console.say("vendor.trace_may_report")
