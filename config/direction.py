"""What this store lets head office order, and what head office has set here: settings, people, data packs.

Head office's part lies in a folder of the store's state, apart from the store's own file, and is laid over it when the
settings are read. Nothing in that folder is taken that an order did not bring (`agent.direction`); whoever may not
read it has the store's own file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import Field

from config.errors import UsageError
from config.section import Section

OrderKind = Literal[
    "report", "declare", "dismiss", "direct", "note", "advance", "grade", "submit", "isolate_on", "isolate_off",
    "rescan", "policy", "pack", "drill", "people", "officers", "release", "purge", "seal", "approve", "fill", "ack",
]  # fmt: skip
KINDS: Final[tuple[OrderKind, ...]] = get_args(OrderKind)
OVERLAY: Final = "settings.json"
PEOPLE: Final = "people.json"
PACKS: Final = "packs"
MOST: Final = 4 << 20


class DirectionSettings(Section):
    """What head office may order here. Taking a kind off the list is the store's right, and a franchise's."""

    accept: tuple[OrderKind, ...] = Field(
        KINDS, description="Kinds of orders that are carried out; any other is refused and head office is told."
    )


def with_own_accounts(
    people: Iterable[Mapping[str, Any]], own: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:  # fmt: skip
    """Head office's list of people with the accounts (`user`) that the store's own file gives to the same names: which
    account on this machine is whose is the store's affair alone, whatever the list says."""
    accounts = {str(one.get("name", "")): str(one.get("user", "")) for one in own}
    return [{**one, "user": accounts.get(str(one.get("name", "")), "")} for one in people]


def read_direction(folder: Path, name: str) -> dict[str, Any]:
    """A file of that folder; empty where it is absent or not ours to read.

    Raises:
        UsageError: it is damaged.
    """
    file = folder / name
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        document = json.loads(content)
    except ValueError as error:
        raise UsageError(f"{file}: damaged: remove it, and head office sets it again") from error
    if not isinstance(document, dict):
        raise UsageError(f"{file}: damaged: remove it, and head office sets it again")
    return document
