"""Counts and campaigns as lines for a terminal. No line holds a customer's value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from agent.incident.wording import Wording
from config.text import Text

SHOWN: Final = 20
_COUNTS: Final = ("persons", "customers", "reachable", "sensitive", "staff", "suppliers", "virtual", "masked")


def count_lines(text: Text, document: Mapping[str, Any], time: str) -> Iterator[str]:
    """A count."""
    yield text("notice.count_head", id=document["incident"], files=document["files"], time=time, by=document["by"])
    for name in _COUNTS:
        yield f"  {document[name]:>12,}  {text(f'notice.count_{name}')}"
    if document["types"]:
        yield text("notice.count_types")
        for entity, number in sorted(document["types"].items(), key=lambda entry: (-entry[1], entry[0])):
            yield f"  {number:>12,}  {type_name(text, entity)}"
    if document["unreadable"]:
        yield text("notice.count_incomplete", unreadable=document["unreadable"])
        for part in document["unread"][:SHOWN]:
            yield f"  {part['name']}  {reason_name(text, part['reason'])}"
        if document["unreadable"] > SHOWN:
            yield f"  … +{document['unreadable'] - SHOWN}"


def notice_lines(text: Text, document: Mapping[str, Any], time: str, *, texts: bool) -> Iterator[str]:
    """A campaign as it stands; with its texts where somebody is to read them."""
    yield text("notice.head", name=document["name"], state=text(f"notice.state_{document['state']}"), time=time)
    if document["reason"]:
        yield text("notice.reason_line", reason=document["reason"])
    if document["list"]:
        yield text(
            "notice.list_line", **{name: document["list"][name] for name in ("number", "persons", "phone", "mail")}
        )
        channels = " → ".join(text(f"notice.channel_{channel}") for channel in document["channels"])
        yield text("notice.channel_line", channels=channels or text("notice.no_channel_short"))
        people = "、".join(document["approved_by"]) or text("notice.nobody_yet")
        yield text("notice.approved_line", people=people, digest=document["digest"][:16])
    if document["waits"]:
        yield text("notice.waits_line", why=text(f"notice.waits_{document['waits']}"))
    for channel, states in document["told"].items():
        for state, number in states.items():
            yield f"  {number:>12,}  {text(f'notice.channel_{channel}')}  {text(f'notice.told_{state}')}"
    for what, number in document.get("plan", {}).items():
        yield f"  {number:>12,}  {text(f'notice.plan_{what}')}"
    if "missing" in document:
        yield document["missing"]
    if texts and document["texts"]:
        yield from _texts(text, document)


def _texts(text: Text, document: Mapping[str, Any]) -> Iterator[str]:
    own = document["texts"][text.language]
    verified = text("notice.verified" if document["verified"] else "notice.unverified", law=document["law"])
    yield f"— {text('notice.law')}: {verified}"
    yield f"— {text('notice.sheet_sms')}"
    yield document["sms"]["text"] if document["sms"] else text("notice.sms_none")
    yield f"— {own['mail_subject']}"
    yield from (line for line in own["mail"].replace("{greeting}", text("notice.greeting_place")).splitlines() if line)


def type_name(text: Text, entity: str) -> str:
    """A type of information in words."""
    from zoneinfo import ZoneInfo

    return Wording(text, ZoneInfo("UTC")).types([entity])


def reason_name(text: Text, reason: str) -> str:
    """Why something was not read."""
    try:
        return text(f"notice.reason_{reason}")
    except KeyError:
        return text(f"scan.reason_{reason}")
