"""The on-site checklist of each kind of incident: data, `config/data/logistics/*.toml`, in both languages.

`common` holds for every kind; then the kind's own; then what belongs to bringing systems back.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from agent.incident.records import Kind
from agent.logistics.records import Line
from config.packs import read_pack
from config.text import LANGUAGES

FIRST: Final = "common"
LAST: Final = "recovery"


@cache
def checklist(kind: Kind) -> tuple[Line, ...]:
    """The lines for a kind of incident, in the order in which they are done."""
    found: list[Line] = []
    for pack in (FIRST, kind, LAST):
        found += [
            Line(
                code=entry["code"], stage="recovery" if pack == LAST else "scene",
                photo=bool(entry.get("photo")), texts={language: entry[language] for language in LANGUAGES},
            )
            for entry in read_pack("logistics", f"{pack}.toml")["line"]
        ]  # fmt: skip
    return tuple(found)
