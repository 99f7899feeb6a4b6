"""店长应急卡: one page for the wall behind the till: the first ten minutes, whom to call, where to report.

Set on A6 or A4 by the typesetter of `agent.documents`; the code is a QR code (ISO/IEC 18004) of the report page, in
vectors. Where there is no page the card says so in its place and names whom to tell instead.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal

from agent.documents.plain import plain
from agent.documents.typeset import typeset
from config.schema import Role
from config.text import Text, load_packs

if TYPE_CHECKING:
    from agent.wiring import Agent

Size = Literal["A4", "A6"]
SIZES: Final[tuple[Size, ...]] = ("A4", "A6")
CALLED: Final[tuple[Role, ...]] = (
    "store_manager", "response_lead", "security_lead", "area_manager", "tech_support", "legal", "customer_service",
)  # fmt: skip
MOST_CALLED: Final = 6
STEPS: Final = 6
DONTS: Final = 4


@dataclass(frozen=True, kw_only=True)
class Call:
    """Whom to call: role, name, number."""

    role: str
    name: str
    contact: str


def card(agent: Agent, language: Text, size: Size, form: Literal["pdf", "png"] = "pdf") -> bytes:
    """The card.

    Raises:
        NoFontError: no font for Chinese is installed.
        ClocheError: it cannot be set.
    """
    source = files("agent.training").joinpath("templates", "card.typ").read_bytes()
    store, page, text = agent.settings.store, agent.settings.page, language
    address = page.url
    content = {
        "paper": size.lower(), "lang": text.language.partition("-")[0],
        "title": text("training.card_title"), "store": plain(store.name), "lead": text("training.card_lead"),
        "first": text("training.card_first"), "steps": [text(f"training.card_step_{n}") for n in range(1, STEPS + 1)],
        "donts_title": text("training.card_donts"),
        "donts": [text(f"training.card_dont_{n}") for n in range(1, DONTS + 1)],
        "call": text("training.card_call"),
        "people": [[plain(entry.role), plain(entry.name), plain(entry.contact)] for entry in calls(agent, text)],
        "nobody": text("training.card_nobody"), "emergency": plain(page.emergency_phone),
        "scan": text("training.card_scan"), "address": plain(address),
        "no_page": "" if address else text("training.card_no_page"), "write": text("training.card_write"),
        "foot": text("training.card_foot", date=agent.now().date().isoformat()),
    }  # fmt: skip
    parts = {"main.typ": source, "document.json": json.dumps(content).encode()}
    if address:
        parts["code.svg"] = qr_code(address)
    return typeset(parts, form=form)


def qr_code(address: str) -> bytes:
    """An SVG of a QR code with error correction level Q: a card on a wall gets greasy."""
    import segno

    out = io.BytesIO()
    segno.make(address, error="q", micro=False).save(out, kind="svg", border=4, scale=4, xmldecl=True)
    return out.getvalue()


def calls(agent: Agent, text: Text) -> list[Call]:
    """Whom to call, each person once, in the order of `CALLED`."""
    found: dict[str, Call] = {}
    for role in CALLED:
        for person in agent.people.holding([role]):
            contact = person.contact or person.phone
            found.setdefault(person.name, Call(role=text(f"incident.role_{role}"), name=person.name, contact=contact))
    return list(found.values())[:MOST_CALLED]


def lacks(agent: Agent) -> tuple[str, ...]:
    """Keys of texts that say what the card is missing: no page, nobody to call, somebody without a number."""
    people = calls(agent, agent.text)
    missing = ["card_lacks_page"] if not agent.settings.page.url else []
    if not people:
        missing.append("card_lacks_people")
    elif any(not entry.contact for entry in people):
        missing.append("card_lacks_contact")
    return tuple(key for key in missing if f"training.{key}" in load_packs())
