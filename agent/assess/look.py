"""What every measure is given: the agent, the time, this machine, one survey of the inventory, people's words."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from agent.assess.machine import Machine, this_machine
from agent.assess.pack import Pack, load_pack
from agent.assess.records import Saying, say
from agent.assess.store import AssessmentStore, Attestation
from agent.assess.survey import Held, Survey, survey

if TYPE_CHECKING:
    from agent.wiring import Agent

SHOWN = 3


@dataclass
class Look:
    """One look at a store. What is costly is done once, when the first measure asks for it."""

    agent: Agent
    now: datetime
    machine: Machine = field(default_factory=this_machine)
    pack: Pack = field(default_factory=load_pack)

    @cached_property
    def survey(self) -> Survey:
        """Every file that holds something, as it lies there now."""
        return survey(self.agent.inventory)

    @cached_property
    def store(self) -> AssessmentStore:
        """This room's own tables."""
        return AssessmentStore(self.agent.inventory.sessions)

    def limit(self, measure: str, name: str) -> float:
        """A threshold of the pack.

        Raises:
            KeyError: the pack has none of that name: a defect.
        """
        return self.pack.weighed(measure).limits[name]

    def attested(self, subject: str) -> Attestation | None:
        """The last word on a subject, if it still holds."""
        last = next(iter(self.store.attestations(subject)), None)
        known = self.pack.attestable(subject)
        if last is None or known is None or self.now > last.at + timedelta(days=known.days):
            return None
        return last

    def day(self, moment: datetime) -> str:
        """A day in the store's zone, as evidence shows it."""
        from agent.incident.moments import zone_of

        return f"{moment.astimezone(zone_of(self.agent.settings.store.timezone)):%Y-%m-%d}"

    def days_since(self, moment: datetime) -> int:
        """Whole days; a clock set back gives 0."""
        return max((self.now - moment).days, 0)

    @property
    def edit(self) -> str:
        """How settings are changed: no command writes them, a person does."""
        return f"${{EDITOR:-vi}} {shlex.quote(str(self.agent.home.settings_file))}"

    @property
    def start(self) -> str:
        """How the daemon, and with it the watch, is started here."""
        return "systemctl enable --now cloche-guard cloche" if self.agent.home.is_service else "cloche daemon"

    def word(self, attestation: Attestation) -> Saying:
        """That it rests on a person's word."""
        key = "assess.ev_attested" if attestation.ok else "assess.ev_attested_not"
        return say(key, by=attestation.by, date=self.day(attestation.at), note=attestation.note or "–")

    def examples(self, files: Iterable[Held]) -> tuple[Saying, ...]:
        """The worst few of some files, masked: most persons first."""
        worst = sorted(files, key=lambda file: (-file.persons, file.path))[:SHOWN]
        return tuple(
            say(
                "assess.ev_file", path=self.agent.mask(file.path.decode("utf-8", "replace")),
                persons=file.persons, days=int(file.age_days(self.now)),
            )
            for file in worst
        )  # fmt: skip
