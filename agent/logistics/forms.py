"""The custody form (证据移交单) of an incident: every item with all hands it went through, and room for the next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.documents.model import Block, Document, Facts, Heading, Paragraph, Table
from agent.documents.stamps import head_of
from agent.documents.write import write_versions
from agent.incident.records import Incident
from agent.incident.wording import Wording
from agent.logistics.records import Chain, Logistics

if TYPE_CHECKING:
    from agent.wiring import Agent

ROOM: Final = 3


def write_custody_form(agent: Agent, incident: Incident, state: Logistics) -> list[Path]:
    """Write the next version; the paths.

    Raises:
        ClocheError: it cannot be written.
    """

    def build(wording: Wording, version: int) -> Document:
        return custody_form(agent, (incident, state), wording, (version, head_of(agent, incident.id, wording.text)))

    stem = f"{agent.text('logistics.custody_file')}-{incident.id}"
    return write_versions(agent, agent.home.documents / incident.id, stem, build)


def custody_form(
    agent: Agent, about: tuple[Incident, Logistics], wording: Wording, stamp: tuple[int, str]
) -> Document:  # fmt: skip
    """The form in one language; `stamp` is the version and the head of the timeline, which it anchors."""
    incident, state = about
    text = wording.text
    version, head = stamp
    blocks: list[Block] = []
    for number, chain in enumerate(state.chains, 1):
        blocks += _item(wording, number, chain)
    if not blocks:
        blocks.append(Paragraph(text=text("logistics.no_custody")))
    if state.photos:
        blocks += [Heading(text=text("logistics.h_photos")), _photos(wording, state)]
    blocks.append(Paragraph(text=text("logistics.custody_note"), small=True))
    return Document(
        language=text.language,
        title=text("logistics.custody_title"),
        subtitle=text(
            "logistics.custody_subtitle", id=incident.id, store=agent.settings.store.name, version=version,
            time=wording.moment(agent.now()),
        ),
        lead=text("logistics.custody_lead", items=len(state.chains), photos=len(state.photos)),
        notices=(text("incident.assists"),),
        blocks=tuple(blocks),
        head=head,
    )  # fmt: skip


def _item(wording: Wording, number: int, chain: Chain) -> Iterator[Block]:
    text = wording.text
    yield Heading(text=text("logistics.h_item", number=number, item=chain.item), level=2)
    facts = [(text("logistics.f_serial"), chain.serial or "–"), (text("logistics.f_holder"), chain.holder)]
    facts += [(text("logistics.f_problem"), text(f"logistics.problem_{problem}")) for problem in chain.problems]
    yield Facts(rows=tuple(facts))
    rows = [
        (
            wording.moment(hand.given_at), hand.giver, hand.taker, hand.where or "–",
            " · ".join(filter(None, (hand.condition, hand.gap))) or "–", hand.seal or "–", "",
        )
        for hand in chain.handovers
    ]  # fmt: skip
    blank = ("　", "", "", "", "", "", "")
    yield Table(
        header=tuple(
            text(f"logistics.t_{name}") for name in ("when", "giver", "taker", "where", "condition", "seal", "signed")
        ),
        rows=(*rows, *[blank] * ROOM),
        widths=(17, 12, 12, 14, 21, 10, 14),
        marked=frozenset(place for place, hand in enumerate(chain.handovers) if hand.gap),
    )  # fmt: skip


def _photos(wording: Wording, state: Logistics) -> Block:
    text = wording.text
    rows = [
        (
            str(photo.number), photo.what, photo.by, wording.moment(photo.at), _camera(photo.taken_at),
            f"{photo.sha256[:22]}\n{photo.sha256[22:44]}\n{photo.sha256[44:]}",
        )
        for photo in state.photos
    ]  # fmt: skip
    header = tuple(text(f"logistics.t_{name}") for name in ("number", "what", "by", "kept", "camera", "sha256"))
    return Table(header=header, rows=tuple(rows), widths=(6, 22, 11, 14, 14, 33))


def _camera(taken: str) -> str:
    try:
        return datetime.fromisoformat(taken).strftime("%Y-%m-%d %H:%M:%S") if taken else "–"
    except ValueError:
        return "–"
