"""See the list, or call people by it: for two people who approved exactly this list, and on record.

The approval is of the list's digest (`persons:ID`): a list made anew needs it anew. Without it the call list leaves
sealed only. What is written in clear goes to a descriptor that the caller opened: root writes no customer's number to a
path of its own choosing.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from agent.incident.course import Course
from agent.incident.view import wording_of
from agent.notice.campaign import Campaign
from agent.notice.documents import call_list
from agent.notice.lists import AffectedList, Listed, list_of, people
from agent.notice.planning import Planner, Skip
from agent.notice.told import ToldMemory
from containment.atomic import write_all

if TYPE_CHECKING:
    from agent.wiring import Agent
    from containment.keys import Unlocker

BOM = "\ufeff"  # or a spreadsheet program reads Chinese as something else


def approved(agent: Agent, made: AffectedList, actor: str) -> None:
    """Return if two people approved that this list is seen.

    Raises:
        RefusedError: words are missing; whoever may give them has been asked.
    """
    from agent.approvals import require

    about = agent.text("notice.persons_about", id=made.incident, number=made.number, persons=made.persons)
    require(agent, "persons", f"persons:{made.incident}", made.digest, about, actor)


def write_list(agent: Agent, made: AffectedList, unlocker: Unlocker | None, target: int, actor: str) -> int:
    """The list in clear as CSV (UTF-8 with BOM, RFC 4180), to a descriptor; how many persons.

    Raises:
        RefusedError: not approved, or no key.
        ClocheError: it cannot be read or written.
    """
    approved(agent, made, actor)
    _on_record(agent, made, actor, "notice.list_seen")
    wording, written = wording_of(agent), 0
    names = ("number", "phone", "mail", "name", "types", "sensitive", "side")
    write_all(target, _line([agent.text(f"notice.call_{name}") for name in names], BOM))
    with people(agent, made, unlocker) as everybody:
        for person in everybody:
            written += 1
            cells = [
                str(written), " ".join(person.phones), " ".join(person.mails), person.name,
                wording.types(person.types), agent.text("notice.sensitive_mark") if person.sensitive else "",
                agent.text(f"notice.side_{person.side}"),
            ]  # fmt: skip
            write_all(target, _line(cells))
    return written


def write_call_list(agent: Agent, campaign: Campaign, unlocker: Unlocker | None, target: int, actor: str) -> int:
    """The call list in clear as HTML, to a descriptor; how many persons.

    Raises:
        RefusedError: not approved, or no key.
        ClocheError: it cannot be read or written.
    """
    from agent.documents.write import render

    made = list_of(agent, campaign.list_id)
    approved(agent, made, actor)
    callable_ = to_call(agent, campaign, unlocker)
    _on_record(agent, made, actor, "notice.call_list")
    write_all(target, render(call_list(agent, campaign, callable_, wording_of(agent)), "html"))
    return len(callable_)


def to_call(agent: Agent, campaign: Campaign, unlocker: Unlocker | None) -> list[tuple[Listed, Skip]]:
    """Who has a number and gets no message: a landline, no channel, or all tries failed."""
    planner = Planner(agent, campaign, ToldMemory(agent))
    with people(agent, list_of(agent, campaign.list_id), unlocker) as everybody:
        return [
            (choice.person, choice.skip) for choice in planner.choose(everybody, agent.now()) if choice.skip == "call"
        ]


def _on_record(agent: Agent, made: AffectedList, actor: str, act: str) -> None:
    """Before anything is released: an act that can't be recorded is not done."""
    agent.audit.append("persons.seen", agent.mask(actor), incident=made.incident, digest=made.digest)
    Course(agent, made.incident, agent.mask(actor)).record(act, number=made.number, digest=made.digest)


def _line(cells: list[str], before: str = "") -> bytes:
    """One line; a cell that a spreadsheet would take for a formula is quoted as text (CWE-1236)."""
    out = io.StringIO()
    out.write(before)
    csv.writer(out).writerow(["'" + cell if cell[:1] in ("=", "+", "-", "@", "\t") else cell for cell in cells])
    return out.getvalue().encode("utf-8", "replace")
