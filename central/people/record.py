"""The record of what was done at head office: append-only, each entry chained to the one before.

`digest` of an entry is SHA-256 over the digest before it and the entry's fields as JSON: an entry that was changed,
removed or put in between shows at the next one. Limit: whoever can write to the database can write a whole new chain;
its head is in every audit bundle that left the house.
"""

from __future__ import annotations

import hashlib
import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from central.models import Act, Fact
from central.moments import now


def note_act(session: Session, actor: str, act: str, detail: str = "", *, store_id: str | None = None) -> None:
    """Record what somebody did; `actor` is a person's id, an address or `cloche-hq`."""
    last = session.scalar(select(Act).order_by(Act.id.desc()).limit(1).with_for_update())
    entry = Act(
        id=last.id + 1 if last else 1, at=now(), actor=actor[:120], act=act, store_id=store_id, detail=detail[:300]
    )
    entry.digest = entry_digest(last.digest if last else "", entry)
    session.add(entry)
    session.flush()


def entry_digest(before: str, entry: Act) -> str:
    """The digest that belongs to an entry after one with digest `before`."""
    fields = [before, entry.id, entry.at.isoformat(), entry.actor, entry.act, entry.store_id, entry.detail]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def read_fact(session: Session, key: str, default: str) -> str:
    """A setting of this head office."""
    fact = session.get(Fact, key)
    return fact.value if fact else default
