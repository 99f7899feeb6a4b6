"""Head office's order key at work: what it signs, and how a session of the database comes to have it.

An order is signed the moment it is given, by the process that has the key, never when it is sent: whoever can write
to the database alone puts nothing there that a store would take. The key goes with the sessions of the office
(`Session.info`), so that whoever gives an order needs nothing but the session it is given in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from central.home import HeadOfficeHome
from central.office_keys import read_order_key
from central.wire import encode, order_message, time_message
from config.errors import ClocheError

HQ: Final = "hq"
"""Whose signature head office's own is, among those of an order."""
_INFO: Final = "cloche.order_key"


@dataclass(frozen=True)
class OrderKey:
    """Signs orders and the time."""

    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> bytes:
        """Raw public key, 32 bytes: stores pin it at enrolment."""
        return self.private.public_key().public_bytes_raw()

    def sign_order(self, body: str) -> dict[str, str]:
        """Head office's entry among an order's signatures."""
        return {"key": HQ, "signature": encode(self.private.sign(order_message(body.encode())))}

    def tell_time(self, moment: datetime, challenge: str) -> dict[str, str]:
        """What time it is, for the one who sent this challenge: an old answer fits no new one."""
        body = json.dumps({"now": moment.isoformat(timespec="milliseconds"), "challenge": challenge})
        return {"body": body, "signature": encode(self.private.sign(time_message(body.encode())))}


def sessions_with_key(home: HeadOfficeHome, engine: Engine) -> sessionmaker[Session]:
    """Sessions in which orders can be given.

    Raises:
        ClocheError: the key's file is missing or damaged.
    """
    return sessionmaker(engine, expire_on_commit=False, info=with_key(OrderKey(read_order_key(home))))


def with_key(key: OrderKey) -> dict[Any, Any]:
    """What `Session.info` holds for it."""
    return {_INFO: key}


def key_of(session: Session) -> OrderKey:
    """The key that goes with a session.

    Raises:
        ClocheError: it has none: this session is not for giving orders.
    """
    key = session.info.get(_INFO)
    if not isinstance(key, OrderKey):
        raise ClocheError("no orders can be given here: the order key is missing")
    return key
