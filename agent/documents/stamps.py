"""What a document says about itself: that it is a drill's, a draft, and how the timeline stood when it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from config.errors import ClocheError
from config.home import Home
from config.text import Text

if TYPE_CHECKING:
    from agent.wiring import Agent

DRILLS: Final = "drills"


def is_drill(home: Home) -> bool:
    """Whether a home is a drill's: those lie at `drills/<id>/home` below the store's own state (`agent.drill`)."""
    return home.state.parent.parent.name == DRILLS


def drill(text: Text) -> str:
    """The line that every page of a drill's document carries; `write_versions` puts it there."""
    return text("documents.stamp_drill")


def draft(text: Text) -> str:
    """The line of what nobody has approved yet."""
    return text("documents.stamp_draft")


def head_of(agent: Agent, incident_id: str, text: Text) -> str:
    """The timeline's head in words, to be printed: a cut tail shows against it (`Document.head`).

    '' where the head cannot be signed: a document is not held up by a full disk.
    """
    try:
        head = agent.timelines.head(incident_id)
    except ClocheError:
        return ""
    return text("documents.head", count=head.seq, head=f"{head.seq}:{head.hash[:32]}", id=incident_id)
