"""What the evidence of an incident still says: who did what, and whom processes were talking to. Masked already."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agent.investigation.hypotheses import Connected
from agent.investigation.naming import actor_id, moment_of
from agent.investigation.people import SaidSoFar
from agent.investigation.records import LISTED_ACTORS, Actor, ProgramUse
from config.log import describe, get_logger

log = get_logger("investigation")


def actors_of(kept: Iterable[Path], said: SaidSoFar) -> list[Actor]:
    """Actors by the deeds that the last readable bundle holds. Its names are masked already."""
    for folder in reversed(list(kept)):
        try:
            rows: list[dict[str, Any]] = json.loads((folder / "deeds.json").read_bytes())
            return [_of_deed(row, said) for row in rows[:LISTED_ACTORS]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("a bundle of evidence cannot be read", bundle=folder.name, error=describe(error))
    return []


def connected_of(kept: Iterable[Path]) -> tuple[Connected, ...]:
    """Far ends that processes of the evidence were talking to, each once."""
    found: dict[tuple[str, str], Connected] = {}
    for folder in kept:
        try:
            rows: list[dict[str, Any]] = json.loads((folder / "processes.json").read_bytes())
            for row in rows:
                for end in row.get("connections", ()):
                    if end["remote"] and end["state"] == "established":
                        key = (str(row["program"]), str(end["remote"]))
                        found[key] = Connected(program=key[0], remote=key[1])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("a bundle of evidence cannot be read", bundle=folder.name, error=describe(error))
    return tuple(found.values())


def _of_deed(row: dict[str, Any], said: SaidSoFar) -> Actor:
    terminal = "" if row["client"] else row["session"]
    identity = actor_id((row["user"], -1, row["client"], "", terminal))
    word = said.persons.get(identity)
    first, last = moment_of(row["first"]), moment_of(row["last"])
    numbers = {"files": row["files"], "persons": row["persons"], "refused": row["refused"], "changed": 0}
    events = row["files"] + row["refused"]
    return Actor(
        id=identity, user=row["user"], client=row["client"], session=row["session"], sessions=1, first=first, last=last,
        size=0, events=events, suspect=bool(row["suspect"]), person=word.words if word else "",
        confirmed_by=word.by if word else "",
        programs=(
            ProgramUse(
                program=row["program"], command=row["command"], first=first, last=last, events=events, **numbers
            ),
        ),
        **numbers,
    )  # fmt: skip
