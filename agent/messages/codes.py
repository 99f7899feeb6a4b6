"""One-time codes and links: a person's word from outside this machine.

A code is eight digits, a link carries 128 random bits. Both are made at the moment a message is sealed for the link and
stand nowhere in clear; the database keeps scrypt (RFC 7914) of the code and SHA-256 of the link's token. Five wrong
codes within an hour close the way by code for that person and subject for the rest of the hour.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import func, select

from agent.messages import queue
from agent.messages.models import CodeRow, WrongCodeRow
from agent.messages.records import Answer, Delivery, How
from config.errors import RefusedError

if TYPE_CHECKING:
    from agent.wiring import Agent

DIGITS: Final = 8
VALID: Final = timedelta(hours=48)
MOST_WRONG: Final = 5
_COST: Final = 1 << 13


@dataclass(frozen=True)
class Secret:
    """What goes out: the code to type and the token of the link."""

    code: str = field(repr=False)
    token: str = field(repr=False)


def make_secret(agent: Agent, delivery: Delivery, about: str) -> Secret:
    """A fresh code and token for one message."""
    number = "".join(secrets.choice("0123456789") for _ in range(DIGITS))
    token, salt, now = secrets.token_urlsafe(16), secrets.token_bytes(16), agent.now()
    with agent.inventory.sessions.begin() as session:
        session.add(
            CodeRow(
                message=delivery.id, person=delivery.person, purpose=answer_purpose(delivery.purpose), about=about,
                subject=delivery.subject, text=delivery.text, salt=salt, code_digest=_stretched(number, salt),
                token_digest=digest_of(token), made_at=now, expires_at=now + VALID, used_at=None,
            )
        )  # fmt: skip
    return Secret(f"{number[:4]} {number[4:]}", token)


def answer_purpose(purpose: str) -> Literal["ack", "approval"]:
    """What a code of such a message says: yes to an approval, seen to everything else."""
    return "approval" if purpose == "approval" else "ack"


def redeem(agent: Agent, person: str, about: str, code: str) -> Answer:
    """Take a typed code. It works once; the person's other codes for the same subject end with it.

    Raises:
        RefusedError: wrong, used or expired, or there were too many wrong ones.
    """
    now, typed = agent.now(), "".join(letter for letter in code if letter.isdigit())
    with agent.inventory.sessions.begin() as session:
        since = now - timedelta(hours=1)
        wrong = session.scalar(
            select(func.count()).select_from(WrongCodeRow)
            .where(WrongCodeRow.person == person, WrongCodeRow.about == about, WrongCodeRow.at > since)
        )  # fmt: skip
        if (wrong or 0) >= MOST_WRONG:
            raise RefusedError(agent.text("messages.code_closed", count=MOST_WRONG))
        rows = session.scalars(
            select(CodeRow).where(
                CodeRow.person == person, CodeRow.about == about, CodeRow.used_at.is_(None), CodeRow.expires_at > now
            )
        )
        fits = [row for row in rows if hmac.compare_digest(row.code_digest, _stretched(typed, row.salt))]
        found = (fits[0].message, fits[0].purpose) if fits else None
        if found is None:
            session.add(WrongCodeRow(person=person, about=about, at=now))
    if found is None:
        agent.audit.append("messages.wrong_code", agent.mask(person), about=about)
        raise RefusedError(agent.text("messages.code_wrong"))
    answer = _use(agent, found[0], person, about, "code")
    queue.delivered(agent, answer.receipt)
    return answer


def redeem_token(agent: Agent, token: str) -> Answer | None:
    """Take the token of a link; None where it is none, used or expired."""
    now = agent.now()
    with agent.inventory.sessions() as session:
        row = session.scalars(select(CodeRow).where(CodeRow.token_digest == digest_of(token))).first()
        if row is None or row.used_at is not None or row.expires_at <= now:
            return None
        message, person, about = row.message, row.person, row.about
    return _use(agent, message, person, about, "link")


def is_known(agent: Agent, token: str) -> bool:
    """Whether a token was ever ours: one that was used or has expired is no forgery."""
    with agent.inventory.sessions() as session:
        return session.scalars(select(CodeRow.id).where(CodeRow.token_digest == digest_of(token))).first() is not None


def open_codes(agent: Agent) -> list[CodeRow]:
    """Codes that may still come back."""
    with agent.inventory.sessions() as session:
        rows = list(session.scalars(select(CodeRow).where(CodeRow.used_at.is_(None), CodeRow.expires_at > agent.now())))
        session.expunge_all()
    return rows


def digest_of(token: str) -> bytes:
    """SHA-256 of a token, which has 128 bits of its own."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _use(agent: Agent, message: str, person: str, about: str, how: How) -> Answer:
    now = agent.now()
    with agent.inventory.sessions.begin() as session:
        rows = list(
            session.scalars(
                select(CodeRow).where(CodeRow.person == person, CodeRow.about == about, CodeRow.used_at.is_(None))
            )
        )
        purpose = next((row.purpose for row in rows if row.message == message), "ack")
        for row in rows:
            row.used_at = now
    agent.post.tokens_stale = True
    kind: Literal["ack", "approval"] = "approval" if purpose == "approval" else "ack"
    return Answer(purpose=kind, about=about, person=person, how=how, at=now, receipt=message)


def _stretched(code: str, salt: bytes) -> bytes:
    return hashlib.scrypt(code.encode(), salt=salt, n=_COST, r=8, p=1)
