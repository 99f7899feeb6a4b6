"""Where the logistics of an incident stand: read off its timeline, which nobody changes afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

from agent.incident.records import Step
from agent.incident.store import incidents
from agent.logistics.lists import checklist
from agent.logistics.records import Chain, Checked, Handover, Logistics, Need, Photo, Reply

if TYPE_CHECKING:
    from agent.wiring import Agent

AREA: Final = "logistics."


def logistics_of(agent: Agent, incident_id: str) -> Logistics:
    """Needs, checklist, photos and custody of an incident.

    Raises:
        UsageError: there is no such incident.
        CorruptError: its timeline cannot be read.
    """
    incident = incidents(agent).get(incident_id)
    replay = _Replay()
    for step in incident.steps:
        replay.take(step)
    return Logistics(
        incident=incident.id, needs=tuple(replay.needs.values()), lines=checklist(incident.kind),
        checked=replay.checked, photos=tuple(replay.photos), chains=chains_of(replay.handovers),
    )  # fmt: skip


class _Replay:
    """Steps in their order, each on top of those before it."""

    def __init__(self) -> None:
        self.needs: dict[int, Need] = {}
        self.checked: dict[str, Checked] = {}
        self.photos: list[Photo] = []
        self.handovers: list[Handover] = []
        self._takers: dict[str, Callable[[Step, dict[str, Any]], None]] = {
            "need": self._need, "assign": self._assign, "done": self._done, "photo": self._photo,
            "custody": self._custody, "check_yes": self._check, "check_no": self._check, "check_na": self._check,
        }  # fmt: skip

    def take(self, step: Step) -> None:
        """One step; those of other rooms are passed over."""
        taker = self._takers.get(step.act.removeprefix(AREA)) if step.act.startswith(AREA) and step.ok else None
        if taker is not None:
            taker(step, step.details)

    def _need(self, step: Step, details: dict[str, Any]) -> None:
        self.needs[details["need"]] = Need(
            number=details["need"], kind=details["kind"], what=details["what"], quantity=details["quantity"],
            stage=details["stage"], where=details["where"], asked_at=step.time, asked_by=step.actor,
        )  # fmt: skip

    def _assign(self, _step: Step, details: dict[str, Any]) -> None:
        need = self.needs[details["need"]]
        self.needs[need.number] = replace(need, state="assigned", assigned_to=details["to"], due=details["due"])

    def _done(self, step: Step, details: dict[str, Any]) -> None:
        need = self.needs[details["need"]]
        self.needs[need.number] = replace(need, state="done", ended_at=step.time, note=details["note"])

    def _check(self, step: Step, details: dict[str, Any]) -> None:
        self.checked[details["line"]] = Checked(
            code=details["line"], reply=cast("Reply", step.act.rpartition("_")[2]),
            at=datetime.fromisoformat(details["at"]), by=step.actor, note=details["note"],
        )  # fmt: skip

    def _photo(self, step: Step, details: dict[str, Any]) -> None:
        self.photos.append(
            Photo(
                number=details["photo"], what=details["what"], by=details["by"], at=step.time,
                sha256=details["sha256"], size=details["size"], taken_at=details["taken_at"],
                bundle=details["bundle"], file=details["file"], line=details["line"],
            )
        )  # fmt: skip

    def _custody(self, step: Step, details: dict[str, Any]) -> None:
        self.handovers.append(
            Handover(
                item=details["item"], serial=details["serial"], giver=details["giver"], taker=details["taker"],
                given_at=datetime.fromisoformat(details["given_at"]), where=details["where"],
                condition=details["condition"], seal=details["seal"], gap=details["gap"], at=step.time, by=step.actor,
            )
        )  # fmt: skip


def chains_of(handovers: Iterable[Handover]) -> tuple[Chain, ...]:
    """The hands each item went through, in the order of the records, with what does not fit.

    An item is known by its serial number where it has one, else by its name.
    """
    items: dict[str, list[Handover]] = {}
    for handover in handovers:
        items.setdefault(key_of(handover.item, handover.serial), []).append(handover)
    return tuple(
        Chain(item=hands[0].item, serial=hands[0].serial, handovers=tuple(hands), problems=_problems(hands))
        for hands in items.values()
    )


def key_of(item: str, serial: str) -> str:
    """What makes two records speak of one thing."""
    return (serial or item).casefold().strip()


def _problems(hands: list[Handover]) -> tuple[str, ...]:
    found = []
    for before, after in pairwise(hands):
        if before.taker.casefold() != after.giver.casefold():
            found.append("gap_explained" if after.gap else "gap")
        if after.given_at < before.given_at:
            found.append("backwards")
        if before.seal and after.seal and before.seal != after.seal and not after.gap:
            found.append("seal_changed")
    return tuple(dict.fromkeys(found))
