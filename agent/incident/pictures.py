"""An incident on a terminal: what matters first, clocks before everything."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from rich.console import Console as Screen
from rich.table import Table

from agent.console import printable
from agent.incident.clocks import as_hours
from config.text import Text

SHOWN: Final = 15


def list_table(text: Text, incidents: list[dict[str, Any]]) -> Table:
    """One line an incident."""
    table = Table(box=None, pad_edge=False)
    for column in ("id", "phase", "kind", "discovered", "files", "persons", "summary"):
        table.add_column(
            text(f"incident.column_{column}"),
            justify="right" if column in ("files", "persons") else "left",
            no_wrap=column == "id",
            overflow="fold",
        )
    for row in incidents:
        table.add_row(
            row["id"], text(f"incident.phase_{row['phase']}"), text(f"incident.kind_{row['kind']}"),
            local(row["discovered_at"]), str(row["files"]), f"{row['persons']:,}", printable(row["summary"]),
        )  # fmt: skip
    return table


def show_incident(screen: Screen, text: Text, document: dict[str, Any]) -> None:
    """All of one incident; parts that a caller may not see are absent from its document."""
    screen.print(
        f"{document['id']}  {text('incident.phase_' + document['phase'])}  "
        f"{text('incident.kind_' + document['kind'])}  {local(document['discovered_at'])}",
        style="bold",
    )
    if document.get("summary"):
        screen.print(f"  {printable(document['summary'])}  {printable(document['place'])}")
    heading(screen, text("incident.heading_clocks"))
    for clock in document["clocks"]:
        flag = "" if clock["verified"] else f"  [{text('incident.unverified')}]"
        style = {"overdue": "bold red", "running": "yellow"}.get(clock["state"], "dim")
        screen.print(
            f"  {clock_words(text, clock)}  {clock['title']} → {clock['authority']}{flag}", style=style, soft_wrap=True
        )
    if "items" in document:
        show_containment(screen, text, document)
    if document.get("orders"):
        heading(screen, text("orders.heading"))
        for order in document["orders"]:
            screen.print(f"  {order_line(text, order)}", style="red" if order["late"] else "", soft_wrap=True)
    for unmet in document.get("unmet", ()):
        screen.print(f"  • {printable(unmet)}", soft_wrap=True)
    if document.get("next"):
        heading(screen, text("incident.heading_next"))
        for duty in document["next"]:
            roles = " / ".join(text(f"incident.role_{role}") for role in duty["roles"])
            screen.print("  " + text("incident.duty_line", roles=roles, people=duty["people"], what=duty["what"]),
                         soft_wrap=True)  # fmt: skip
    if document.get("documents"):
        heading(screen, text("incident.heading_documents"))
        for path in document["documents"]:
            screen.print(f"  {printable(path)}", soft_wrap=True)
        if document.get("documents_note"):
            screen.print(f"  {document['documents_note']}", style="yellow", soft_wrap=True)
    screen.print(text("incident.assists"), style="dim")


def show_containment(screen: Screen, text: Text, document: dict[str, Any]) -> None:
    """Files, what left, the course, and who did what."""
    heading(screen, text("incident.heading_contained"))
    if document["left_files"] is not None:
        screen.print(
            "  " + text(
                "report.lead_left", files=document["left_files"], persons=f"{document['left_persons']:,}",
                seconds=f"{document['left_seconds']:.3g}",
            ),
            style="bold red",
        )  # fmt: skip
    for item in document["items"][:SHOWN]:
        state = text(f"incident.state_{item['state']}")
        screen.print(f"  {item['persons']:>6,}  {state}  {printable(item['name'])}", soft_wrap=True)
    if len(document["items"]) > SHOWN:
        screen.print(f"  … +{len(document['items']) - SHOWN}")
    heading(screen, text("incident.heading_who"))
    for deed in document["who"][:SHOWN]:
        mark = "▲" if deed["suspect"] else " "
        what = text("report.read_value", files=deed["files"], persons=f"{deed['persons']:,}", refused=deed["refused"])
        who = printable(" ".join(part for part in (deed["user"], deed["client"]) if part))
        screen.print(f"  {mark} {who}  {printable(deed['command'] or deed['program'])}  {what}", soft_wrap=True)
    if not document["who"]:
        screen.print(f"  {text('incident.no_deeds')}")
    heading(screen, text("incident.heading_steps"))
    for step in document["steps"]:
        screen.print(
            f"  {local(step['at'])}  {printable(step['detail'])}", style="" if step["ok"] else "red", soft_wrap=True
        )


def order_line(text: Text, order: dict[str, Any]) -> str:
    """One order in a line."""
    state = order["ended_how"] or ("late" if order["late"] else "acknowledged" if order["acknowledged_at"] else "open")
    return text(
        "orders.line", id=order["id"], state=text(f"orders.state_{state}"),
        role=text(f"incident.role_{order['role']}"), owner=printable(order["owner"] or text("orders.nobody")),
        due=local(order["due_at"])[:16], what=printable(order["what"]),
    )  # fmt: skip


def heading(screen: Screen, words: str) -> None:
    """A part's name."""
    screen.print(words, style="bold")


def clock_words(text: Text, clock: dict[str, Any]) -> str:
    """The clock's state from its document."""
    match clock["state"]:
        case "waiting" | "stopped" as state:
            return text(f"incident.clock_{state}")
        case "below_threshold":
            return text("incident.clock_below")
        case "submitted":
            return text("incident.clock_submitted", time=local(clock["submitted_at"]))
    if clock["counts_up"]:
        return text("incident.clock_up", time=as_hours(timedelta(seconds=clock["elapsed_seconds"])))
    key = "incident.clock_overdue" if clock["state"] == "overdue" else "incident.clock_left"
    return text(key, time=as_hours(timedelta(seconds=clock["remaining_seconds"])))


def local(moment: str) -> str:
    """A document's time without its zone."""
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M:%S")
