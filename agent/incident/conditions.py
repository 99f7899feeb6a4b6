"""What must be true before an incident enters a phase; each condition looks, and says what is missing in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from agent.incident.records import Incident, Phase
from config.text import Text

if TYPE_CHECKING:
    from agent.wiring import Agent


@dataclass(frozen=True, kw_only=True)
class Unmet:
    """One thing that is missing; `key` is stable, `values` fill the text `incident.unmet_<key>`."""

    key: str
    values: dict[str, Any] = field(default_factory=dict)

    def words(self, text: Text) -> str:
        """In the reader's language."""
        return text(f"incident.unmet_{self.key}", **self.values)


Condition = Callable[["Agent", Incident], Iterator[Unmet]]


def orders_given(agent: Agent, incident: Incident) -> Iterator[Unmet]:
    """Somebody was told what to do."""
    from agent.incident.orders import orders_of

    if not orders_of(agent, incident.id):
        yield Unmet(key="no_orders")


def nothing_readable(agent: Agent, incident: Incident) -> Iterator[Unmet]:
    """No affected item may still be read by others than the till's own programs."""
    from agent.cleaning.state import readable_items

    readable = readable_items(agent, incident)
    if readable:
        yield Unmet(key="readable", values={"files": len(readable), "first": readable[0].name})


def evidence_kept(agent: Agent, incident: Incident) -> Iterator[Unmet]:
    """There is evidence, and it is whole."""
    from containment.evidence import verify_chain

    folder = agent.home.evidence / incident.id
    if not folder.is_dir() or not any(folder.glob("bundle-*")):
        yield Unmet(key="no_evidence")
        return
    try:
        states = verify_chain(folder, agent.keyring.public_key)
    except (OSError, ValueError, KeyError):
        yield Unmet(key="evidence_broken", values={"problem": folder.name})
        return
    for problem in (problem for state in states for problem in state.problems):
        yield Unmet(key="evidence_broken", values={"problem": agent.mask(problem)})
        return


def cause_concluded(agent: Agent, incident: Incident) -> Iterator[Unmet]:
    """People have said what the cause was, or that it could not be found."""
    from agent.incident.investigation import is_concluded

    if not is_concluded(agent, incident.id):
        yield Unmet(key="not_concluded")


def customers_told(agent: Agent, incident: Incident) -> Iterator[Unmet]:
    """Customers were told, or it was decided by the lawyer that they need not be."""
    from agent.notice.campaign import notice_decided

    if not notice_decided(agent, incident.id):
        yield Unmet(key="notice_open")


def items_decided(agent: Agent, incident: Incident) -> Iterator[Unmet]:
    """Each affected item was released, purged, kept or restored."""
    from agent.cleaning.state import undecided_items

    undecided = undecided_items(agent, incident)
    if undecided:
        yield Unmet(key="undecided", values={"files": len(undecided), "first": undecided[0].name})


def items_finished(agent: Agent, incident: Incident) -> Iterator[Unmet]:
    """What was decided about each item was carried out, a purge that waits its day too."""
    from agent.cleaning.state import unfinished_items

    left = unfinished_items(agent, incident)
    if left:
        yield Unmet(key="unfinished", values={"files": len(left), "first": left[0].name})


def risk_assessed(agent: Agent, incident: Incident) -> Iterator[Unmet]:
    """Somebody wrote down what risk remains."""
    from agent.cleaning.state import risk_assessment

    if risk_assessment(agent, incident.id) is None:
        yield Unmet(key="no_risk")


def check_clean(agent: Agent, incident: Incident) -> Iterator[Unmet]:
    """A security check, made after the containment and after the last clean-up act, found nothing."""
    from agent.security_check import last_check

    last = last_check(agent)
    changed = max(
        (step.time for step in incident.steps if step.act.startswith("clean.") or step.act in CHANGING),
        default=incident.declared_at or incident.discovered_at,
    )
    if last is None or last.at < changed:
        yield Unmet(key="no_check")
    elif not last.clean:
        yield Unmet(key="check_not_clean", values={"findings": len(last.findings)})


def report_submitted(agent: Agent, incident: Incident) -> Iterator[Unmet]:
    """The report after the event was handed in."""
    from agent.reports.final import is_submitted

    if not is_submitted(agent, incident.id):
        yield Unmet(key="report_open")


def orders_done(agent: Agent, incident: Incident) -> Iterator[Unmet]:
    """No order is left open."""
    from agent.incident.orders import orders_of

    left = [order for order in orders_of(agent, incident.id) if order.is_open]
    if left:
        yield Unmet(key="orders_open", values={"count": len(left), "first": left[0].id})


def timeline_whole(agent: Agent, incident: Incident) -> Iterator[Unmet]:
    """Nobody changed the timeline."""
    state = agent.timelines.verify(incident.id, agent.keyring.public_key)
    if not state.ok:
        yield Unmet(key="timeline_broken", values={"line": state.line})


CHANGING: Final = frozenset({"vault", "release", "declare", "extend"})
CONDITIONS: Final[dict[Phase, tuple[Condition, ...]]] = {
    "responding": (orders_given,),
    "cleaning": (nothing_readable, evidence_kept, cause_concluded, customers_told),
    "reviewing": (items_decided, risk_assessed, check_clean),
    "closed": (items_finished, check_clean, report_submitted, orders_done, timeline_whole),
}
"""By the phase that is entered; `nothing_readable` first, for that is what cannot wait."""
