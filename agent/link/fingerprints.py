"""Fingerprints of affected persons on their way to head office: the chain's key for them, and how they are sealed.

The key comes through the link, which may be anybody's: the answer is sealed to a key that this process made in memory,
and signed by the order key that was pinned at enrolment, for whoever put in a key of his own could read off every
mobile number. Fingerprints leave sealed to the key of head office's that was pinned with it.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidTag

from agent.link import errands
from agent.link.letters import SUITE, LinkKey, make_key
from agent.link.trust import Trust
from central.wire import (
    GROUP_KEY_SCHEMA,
    decode,
    group_key_answer_message,
    group_key_info,
    is_signed,
    persons_info,
)  # fmt: skip
from config.identity import public_key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agent.wiring import Agent

    Prints = NDArray[np.uint8]

ERRAND: Final = "group-key"
PATH: Final = "/v1/group-key"
KEY_BYTES: Final = 32
PART: Final = 150_000
"""Persons of one report: 2.4 MB, which base64 and an envelope bring to 3.2."""


@dataclass(frozen=True, kw_only=True)
class GroupKey:
    """Makes fingerprints of persons that are the same on every store of the chain. In memory only."""

    id: str
    key: bytes = field(repr=False)


def ask_key(agent: Agent) -> LinkKey:
    """Ask head office for the key; what opens the answer.

    Raises:
        ClocheError: the disk refused it.
    """
    made = make_key()
    body = {"schema": GROUP_KEY_SCHEMA, "key": b64encode(made.public).decode()}
    errands.ask(agent, ERRAND, PATH, body)
    return made


def answered(agent: Agent) -> dict[str, Any] | None:
    """Head office's answer, once; None while there is none."""
    return errands.answer(agent, ERRAND)


def read_key(trust: Trust, asked: LinkKey, said: dict[str, Any]) -> GroupKey | None:
    """The key in an answer; None where it is not head office's, not for us, or not for this process."""
    try:
        body = str(said["body"])
        if not is_signed(trust.order_key, group_key_answer_message(body.encode()), decode(str(said["signature"]))):
            return None
        document = json.loads(body)
        if document["store"] != trust.store or document["asked"] != hashlib.sha256(asked.public).hexdigest():
            return None
        sealed = b64decode(str(document["sealed"]), validate=True)
        key = SUITE.decrypt(sealed, asked.private, group_key_info(trust.store))
        name = str(document["id"])
    except (InvalidTag, ValueError, KeyError, TypeError, RecursionError):
        return None
    return GroupKey(id=name[:40], key=key) if len(key) == KEY_BYTES else None


def parts_of(trust: Trust, group: GroupKey, incident: str, round_: int, persons: Persons) -> Iterator[dict[str, Any]]:
    """The reports that tell these persons, sealed: sensitive ones first, no part with both.

    Raises:
        UsageError: the pinned key is none.
    """
    from central.persons.sketch import Sketch

    if trust.persons_key is None:
        return
    public = public_key(trust.persons_key)
    pieces = [(piece, True) for piece in _pieces(persons.sensitive)]
    pieces += [(piece, False) for piece in _pieces(persons.others)]
    if not pieces:
        pieces = [(persons.others, False)]
    for part, (prints, is_sensitive) in enumerate(pieces):
        sketch = Sketch()
        sketch.add(prints)
        info = persons_info(trust.store, incident, round_, part)
        yield {
            "incident": incident, "round": round_, "part": part, "parts": len(pieces), "count": len(prints),
            "sensitive": len(prints) if is_sensitive else 0, "key": group.id,
            "sealed": b64encode(SUITE.encrypt(prints.tobytes(), public, info)).decode(),
            "sketch": b64encode(sketch.pack()).decode(),
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Persons:
    """Fingerprints, 16 bytes a row, sorted: of persons with sensitive information, and of the others."""

    sensitive: Prints = field(repr=False)
    others: Prints = field(repr=False)


def _pieces(prints: Prints) -> Iterator[Prints]:
    for low in range(0, len(prints), PART):
        yield prints[low : low + PART]
