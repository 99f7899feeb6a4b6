"""Whose signature is over an order, and over head office's time: bytes in, persons out. Decides nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from central.wire import decode, is_signed, order_message, time_message
from config.officers import Officer, OfficerPolicy

HQ: Final = "hq"
MOST_SIGNATURES: Final = 20


def signed_by_office(order_key: bytes, body: str, signatures: Iterable[Any]) -> bool:
    """Whether head office's order key has signed exactly this text."""
    message = order_message(body.encode("utf-8", "surrogatepass"))
    return any(is_signed(order_key, message, raw) for name, raw in _read(signatures) if name == HQ)


def signing_officers(policy: OfficerPolicy, body: str, signatures: Iterable[Any]) -> list[Officer]:
    """The officers of a policy who have signed exactly this text, each person once."""
    message = order_message(body.encode("utf-8", "surrogatepass"))
    found: dict[str, Officer] = {}
    for person, raw in _read(signatures):
        for officer in policy.officers:
            if officer.person == person and is_signed(decode(officer.key), message, raw):
                found[person] = officer
    return list(found.values())


def is_time(order_key: bytes, body: str, signature: str) -> bool:
    """Whether head office's order key has signed this word about the time."""
    try:
        return is_signed(order_key, time_message(body.encode()), decode(signature))
    except ValueError:
        return False


def _read(signatures: Iterable[Any]) -> list[tuple[str, bytes]]:
    found = []
    for entry in list(signatures)[:MOST_SIGNATURES]:
        try:
            found.append((str(entry["key"]), decode(str(entry["signature"]))))
        except (ValueError, KeyError, TypeError):
            continue
    return found
