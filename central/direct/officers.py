"""Officers' keys at head office: shown, confirmed by a second person, taken back; and the policy that stores pin.

Head office keeps public halves only. A key counts once a second person has confirmed it, and for enrolled stores once
two officers of the policy *before* have signed the order that brings the new one: head office alone can put nobody in.
The first policy needs nobody's signature, for there is nobody: stores that enrol before it have to enrol once more.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from central.models import OfficerKey, OfficerVersion, Person
from central.moments import now
from central.people.record import note_act
from central.people.rights import ACTS_OF_ROLE, viewer_of
from central.wire import decode, encode
from config.errors import RefusedError, UsageError
from config.officers import EMPTY, IT_ROLES, Officer, OfficerPolicy

MOST_KEYS_OF_ONE: Final = 3
WORDS: Final = 6


def current_policy(session: Session) -> dict[str, object]:
    """The policy that is in force, as a document: what a store pins when it enrols."""
    return document_of(policy_in_force(session))


def policy_in_force(session: Session) -> OfficerPolicy:
    """The newest version that is in force; version 0 without officers where there is none."""
    query = (
        select(OfficerVersion).where(OfficerVersion.in_force_at.is_not(None)).order_by(OfficerVersion.version.desc())
    )
    row = session.scalars(query.limit(1)).first()
    return OfficerPolicy.model_validate(row.document) if row else EMPTY


def document_of(policy: OfficerPolicy) -> dict[str, object]:
    """As it travels."""
    document: dict[str, object] = policy.model_dump(mode="json", by_alias=True)
    return document


def key_words(public_key: bytes) -> str:
    """What two people compare: six groups of four hexadecimal digits of the key's SHA-256 (96 bits)."""
    digest = hashlib.sha256(public_key).hexdigest()
    return " ".join(digest[place * 4 : place * 4 + 4] for place in range(WORDS))


def register_key(session: Session, person: Person, public_key: bytes, label: str) -> OfficerKey:
    """Put an officer's public key down; it counts for nothing until somebody else has confirmed it.

    Raises:
        UsageError: it is no key, or somebody's already.
        RefusedError: the person has left, may release nothing anyway, or has three keys.
    """
    if len(public_key) != 32:
        raise UsageError("key: an Ed25519 public key has 32 bytes")
    if person.left_at is not None or not may_be_officer(session, person):
        raise RefusedError("officer")
    if session.scalar(select(OfficerKey.person_id).where(OfficerKey.public_key == public_key)):
        raise UsageError("key: is known already")
    own = select(OfficerKey).where(OfficerKey.person_id == person.id, OfficerKey.revoked_at.is_(None))
    if len(session.scalars(own).all()) >= MOST_KEYS_OF_ONE:
        raise RefusedError(f"{person.name} has {MOST_KEYS_OF_ONE} keys: take one back first")
    key = OfficerKey(
        person_id=person.id, public_key=public_key, label=label[:80], made_at=now(), confirmed_at=None,
        confirmed_by=None, revoked_at=None,
    )  # fmt: skip
    session.add(key)
    note_act(session, person.id, "officer.key", key_words(public_key))
    session.flush()
    return key


def confirm_key(session: Session, by: Person, person_id: str, public_key: bytes, words: str) -> None:
    """A second person has compared the words with the officer's own screen.

    Raises:
        RefusedError: it is their own key, or they may not.
        UsageError: there is no such key, or other words.
    """
    if by.id == person_id or by.left_at is not None or not may_be_officer(session, by):
        raise RefusedError("officer")
    key = session.get(OfficerKey, (person_id, public_key))
    if key is None or key.revoked_at is not None:
        raise UsageError("key: there is none to confirm")
    if "".join(words.lower().split()) != key_words(public_key).replace(" ", ""):
        raise UsageError("words: they are not the ones of this key")
    if key.confirmed_at is None:
        key.confirmed_at, key.confirmed_by = now(), by.id
        note_act(session, by.id, "officer.confirmed", f"{person_id} {key_words(public_key)}")
        session.flush()
        begin_first_policy(session)


def revoke_key(session: Session, by: str, person_id: str, public_key: bytes) -> None:
    """Take a key back. At head office it stops to count at once; at stores with the next policy.

    Raises:
        UsageError: there is no such key.
    """
    key = session.get(OfficerKey, (person_id, public_key))
    if key is None or key.revoked_at is not None:
        raise UsageError("key: there is none to take back")
    key.revoked_at = now()
    note_act(session, by, "officer.revoked", f"{person_id} {key_words(public_key)}")
    session.flush()


def may_be_officer(session: Session, person: Person) -> bool:
    """Whoever may release or purge somewhere may be an officer."""
    viewer = viewer_of(session, person, date.today())  # noqa: DTZ011  the day decides only about substitutes
    return any({"release", "purge"} & ACTS_OF_ROLE[right.role] for right in viewer.rights)


def wanted_policy(session: Session) -> OfficerPolicy:
    """The policy that the confirmed keys of people still there make, one version after the newest one made."""
    newest = session.scalar(select(OfficerVersion.version).order_by(OfficerVersion.version.desc()).limit(1)) or 0
    officers = []
    query = (
        select(OfficerKey, Person)
        .join(Person, Person.id == OfficerKey.person_id)
        .where(OfficerKey.confirmed_at.is_not(None), OfficerKey.revoked_at.is_(None), Person.left_at.is_(None))
        .order_by(OfficerKey.person_id, OfficerKey.public_key)
    )
    for key, person in session.execute(query):
        roles = {right.role for right in viewer_of(session, person, date.min).rights}
        officers.append(
            Officer(person=person.id, name=person.name[:80], key=encode(key.public_key), it=bool(roles & IT_ROLES))
        )
    return OfficerPolicy(schema="cloche.officers/1", version=newest + 1, officers=tuple(officers))


def is_policy_stale(session: Session) -> bool:
    """Whether keys, people or roles are no longer those of the policy in force."""
    return wanted_policy(session).officers != policy_in_force(session).officers


def begin_first_policy(session: Session) -> bool:
    """Where there is no policy, the first two people with confirmed keys make one; whether they did."""
    if policy_in_force(session).version:
        return False
    policy = wanted_policy(session)
    if not policy.can_sign:
        return False
    keep_version(session, policy, order_id=None)
    put_in_force(session, policy.version)
    return True


def keep_version(session: Session, policy: OfficerPolicy, *, order_id: str | None) -> None:
    """Put a version down; it is in force later."""
    session.merge(
        OfficerVersion(
            version=policy.version, document=document_of(policy), made_at=now(), order_id=order_id, in_force_at=None
        )
    )
    session.flush()


def put_in_force(session: Session, version: int) -> None:
    """From now on stores that enrol pin this one, and its officers' signatures count."""
    session.get_one(OfficerVersion, version).in_force_at = now()
    note_act(session, "cloche-hq", "officer.policy", f"version {version}")
    session.flush()


def keys_that_count(session: Session, person_id: str) -> list[bytes]:
    """A person's keys with which an order can be signed now: of the policy in force, and not taken back since."""
    person = session.get(Person, person_id)
    if person is None or person.left_at is not None:
        return []
    revoked = set(
        session.scalars(
            select(OfficerKey.public_key).where(OfficerKey.person_id == person_id, OfficerKey.revoked_at.is_not(None))
        )
    )
    pinned = [decode(key) for key in policy_in_force(session).keys_of(person_id)]
    return [key for key in pinned if key not in revoked]


def canonical(document: dict[str, object]) -> str:
    """A document as text that is the same every time."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
