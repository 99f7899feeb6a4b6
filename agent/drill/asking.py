"""Ask the people of the plan during a live drill: real messages, each marked 应急演练, to staff and nobody else.

Whoever is asked stands in the settings by name; a customer has no way in here, for a message goes to a person of the
settings or to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.drill.records import Drill
from agent.drill.scenarios import Scenario
from agent.drill.store import DrillStore
from agent.incident.moments import zone_of
from config.errors import ClocheError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.messages.records import Answer
    from agent.wiring import Agent

log = get_logger("drill")


def ask_people(agent: Agent, drill: Drill, scenario: Scenario) -> int:
    """Send each of them the story with a code; how many messages were queued."""
    from agent.messages import tell_with_code

    text, words = agent.text, scenario.words(agent.text.language)
    until = drill.ack_until.astimezone(zone_of(agent.settings.store.timezone)).strftime("%H:%M")
    told = 0
    for name in drill.asked:
        person = agent.people.named(name)
        if person is None:
            continue
        subject = text("drill.message_subject", store=agent.settings.store.name, title=words.title)
        body = text("drill.message", story=words.story, until=until, id=drill.id)
        try:
            tell_with_code(agent, person, subject, body, purpose="order", about=f"drill:{drill.id}")
            told += 1
        except ClocheError as error:
            log.warning("somebody could not be asked", drill=drill.id, why=describe(error))
    return told


def answered(agent: Agent, answer: Answer) -> None:
    """An acknowledgement of a drill that came by a code or a link.

    Raises:
        ClocheError: the drill is over, or the person was not asked.
    """
    from agent.drill.operations import note_acknowledgement

    drill = DrillStore(agent).get(answer.about.removeprefix("drill:"))
    note_acknowledgement(agent, drill, answer.person, answer.how)
