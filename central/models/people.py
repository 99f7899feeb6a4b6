"""People of the plan, their accounts and what they may do where."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from central.models.base import Base


class Person(Base):
    """Somebody with a role of the plan. With a `login` they may come in; `passphrase` is an Argon2id PHC string."""

    __tablename__ = "people"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    login: Mapped[str | None] = mapped_column(String(80), unique=True)
    passphrase: Mapped[str | None] = mapped_column(String(200))
    must_change: Mapped[bool] = mapped_column(default=False)
    totp: Mapped[bytes | None]
    """The TOTP secret, encrypted under a key that is not in the database."""
    totp_step: Mapped[int] = mapped_column(default=0)
    """Last time step used: a code works once (RFC 6238, section 5.2)."""
    subject: Mapped[str | None] = mapped_column(String(200), unique=True)
    """`issuer subject` at the chain's own identity provider (OIDC)."""
    mail: Mapped[str] = mapped_column(String(200), default="")
    mobile: Mapped[str] = mapped_column(String(40), default="")
    language: Mapped[str] = mapped_column(String(8), default="zh-CN")
    substitute_id: Mapped[str | None] = mapped_column(String(40))
    confirmed_at: Mapped[datetime | None]
    """When they last said that their contacts are right."""
    made_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    """Gone: no right, no login; what they did stays theirs."""


class Grant(Base):
    """A role somebody holds somewhere. `scope` is all, entity, region or store; `scope_id` says which ('' for all)."""

    __tablename__ = "grants"
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(30), primary_key=True)
    scope: Mapped[str] = mapped_column(String(10), primary_key=True)
    scope_id: Mapped[str] = mapped_column(String(40), primary_key=True, default="")
    since: Mapped[datetime]


class Substitution(Base):
    """Somebody stands in for somebody else for some days (or a hand-over, without end)."""

    __tablename__ = "substitutions"
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    substitute_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    first: Mapped[date] = mapped_column(primary_key=True)
    last: Mapped[date | None]


class Login(Base):
    """A browser that is logged in, by the digest of its cookie."""

    __tablename__ = "logins"
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    form_token: Mapped[str] = mapped_column(String(64))
    begun_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    second_at: Mapped[datetime | None]
    """When the second factor was last given; None: not yet."""
    by_provider: Mapped[bool] = mapped_column(default=False)
    """The chain's identity provider sent them, and asks for a second factor itself."""
    address: Mapped[str] = mapped_column(String(60), default="")
    agent: Mapped[str] = mapped_column(String(120), default="")
    """What the browser calls itself, for the list of one's own logins."""
    __table_args__ = (Index("logins_person", "person_id"),)


class RecoveryCode(Base):
    """A one-use stand-in for a lost second factor; the code itself is not stored."""

    __tablename__ = "recovery_codes"
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    used_at: Mapped[datetime | None]


class Invitation(Base):
    """A one-use right to take over an account that somebody made for a person; the code itself is not stored."""

    __tablename__ = "invitations"
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class ProviderRequest(Base):
    """A browser that was sent to the chain's identity provider, until it comes back: once."""

    __tablename__ = "provider_requests"
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    """SHA-256 of the `state`, which the browser also holds as a cookie."""
    nonce: Mapped[str] = mapped_column(String(64))
    verifier: Mapped[bytes]
    """PKCE's secret, encrypted under a key that is not in the database."""
    purpose: Mapped[str] = mapped_column(String(10))  # login | invited | again
    subject: Mapped[str] = mapped_column(String(80), default="")
    """Of `invited` the person invited, of `again` the person who is logged in."""
    onward: Mapped[str] = mapped_column(String(300), default="")
    made_at: Mapped[datetime]


class Attempt(Base):
    """Failed logins of a name or from an address; `since` is the time of the last one."""

    __tablename__ = "attempts"
    subject: Mapped[str] = mapped_column(String(120), primary_key=True)
    count: Mapped[int]
    since: Mapped[datetime]


class ApiToken(Base):
    """A program's right to ask the API in somebody's name; the secret itself is not stored."""

    __tablename__ = "api_tokens"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    name: Mapped[str] = mapped_column(String(80))
    digest: Mapped[bytes]
    writes: Mapped[bool] = mapped_column(default=False)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class PeoplePush(Base):
    """The list of people that a store was last sent."""

    __tablename__ = "people_pushes"
    store_id: Mapped[str] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    version: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    order_id: Mapped[str] = mapped_column(String(40), default="")
    pushed_at: Mapped[datetime]
