"""Whom this store follows: pinned at enrolment in a file of root's that the link can neither read nor write.

The daemon checks orders by it (`agent.direction`). The officers' policy is replaced by an order that two of its own
officers signed, never by what comes over the link unsigned.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from central.wire import decode, encode
from config.errors import ClocheError
from config.home import Home
from config.identity import decode_public, encode_public
from config.officers import EMPTY, OfficerPolicy
from containment.atomic import write_file

TRUST_FILE: Final = "trust.json"
SCHEMA: Final = "cloche.trust/1"


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What was pinned: who we are there, whose signature an order needs, and to whom fingerprints are sealed.

    `order_key` is a raw Ed25519 key; `persons_key` an HPKE key, None where head office counts no persons.
    """

    store: str
    order_key: bytes
    officers: OfficerPolicy = EMPTY
    persons_key: bytes | None = None


def read_answer(answer: dict[str, Any]) -> Trust:
    """What an enrolment's answer asks to pin.

    Raises:
        ValueError: it does not fit.
    """
    try:
        order_key = decode(str(answer["order_key"]))
        if len(order_key) != 32:
            raise ValueError("order_key")
        return Trust(
            store=str(answer["store"])[:40], order_key=order_key,
            officers=OfficerPolicy.model_validate(answer["officers"]),
            persons_key=decode_public(answer["persons_key"]) if answer.get("persons_key") else None,
        )  # fmt: skip
    except (KeyError, TypeError, ValidationError, ClocheError) as error:
        raise ValueError("an answer that cannot be pinned") from error


def load(home: Home) -> Trust | None:
    """What is pinned, or None if this store is not enrolled (or was by a version that pinned nothing).

    Raises:
        ClocheError: the file is damaged.
    """
    path = _path(home)
    try:
        values = json.loads(path.read_bytes())
        return read_answer(values)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ClocheError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ClocheError(f"{path}: damaged: run cloche enrol again") from error


def save(home: Home, trust: Trust) -> None:
    """Pin it, durable on return.

    Raises:
        ClocheError: the disk refused it; what was pinned before stays.
    """
    document = {
        "schema": SCHEMA, "store": trust.store, "order_key": encode(trust.order_key),
        "officers": trust.officers.model_dump(mode="json", by_alias=True),
        "persons_key": encode_public(trust.persons_key) if trust.persons_key else None,
    }  # fmt: skip
    try:
        write_file(_path(home), json.dumps(document, ensure_ascii=False, indent=1).encode())
    except OSError as error:
        raise ClocheError(f"{_path(home)}: cannot be written: {error.strerror}") from error


def _path(home: Home) -> Path:
    return home.state / TRUST_FILE
