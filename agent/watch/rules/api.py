"""What a rule is: it words a crossing and says how grave it is and which kind of incident it would be.

The decision itself falls in the guard (`agent.guard.decide`) within microseconds; a rule here speaks for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from agent.guard.decide import FIRST_PERSON_UID
from agent.inventory.records import Severity
from agent.watch.api import AccessEvent, Crossing
from config.text import Text

Action = Literal["alert", "stopped", "denied", "disconnected"]
Kind = Literal["intrusion", "insider"]


@dataclass(frozen=True, kw_only=True)
class Wording:
    """What is needed to word a crossing: the reader's language, and the mask that all names pass."""

    text: Text
    mask: Callable[[str], str]

    def who(self, access: AccessEvent) -> str:
        """The Samba client, or the account, or somebody."""
        if access.client_address or access.client_user:
            user, address = self.mask(access.client_user), self.mask(access.client_address)
            return self.text("watch.client", user=user, address=address)
        if access.uid < 0:
            return self.text("watch.somebody")
        return self.text("watch.account", user=self.mask(access.user))

    def program(self, access: AccessEvent) -> str:
        """Base name of the program, masked."""
        return self.mask(os.fsdecode(os.path.basename(access.program))) or "?"

    def path(self, access: AccessEvent) -> str:
        """The file's base name, masked."""
        return self.mask(os.fsdecode(os.path.basename(access.path)))

    def done(self, action: Action, crossing: Crossing) -> str:
        """What was done about it."""
        milliseconds = "?" if crossing.stopped_ms is None else f"{crossing.stopped_ms:.1f}"
        return self.text(f"watch.done_{action}", milliseconds=milliseconds)


class BehaviourRule(Protocol):
    """One behaviour."""

    def severity(self, crossing: Crossing) -> Severity:
        """How loud."""
        ...

    def words(self, crossing: Crossing, wording: Wording, action: Action) -> str:
        """One masked sentence for people."""
        ...


def kind_of_incident(access: AccessEvent) -> Kind:
    """`insider` for a person's account or a named Samba client, else `intrusion`; people correct it later."""
    if access.client_user or access.uid >= FIRST_PERSON_UID:
        return "insider"
    return "intrusion"
