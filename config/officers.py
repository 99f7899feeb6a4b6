"""Officers: the people without whose signatures a store does not destroy, release, loosen or cut off.

A *policy* lists their public keys; a store pins one at enrolment and replaces it only by one that two officers of the
pinned one have signed. Two officers are two people, however many keys each has; for a purge one of them is not from
IT (plan.md: in the plan both groups have the same leader, who also holds root).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from config.schema import Role
from config.section import Section

SCHEMA: Final = "cloche.officers/1"
NEEDED: Final = 2
MOST_KEYS: Final = 64
IT_ROLES: Final[frozenset[Role]] = frozenset({"security_lead", "security_member", "tech_support"})
"""Whoever holds one of these is from IT, whatever else they hold (顾客信息保护预案 三)."""

Lacking = Literal["", "people", "not_it"]


class Officer(Section):
    """One key of one person. `key` is a raw Ed25519 public key, base64url without padding."""

    person: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
    it: bool


class OfficerPolicy(Section):
    """Who the officers are. Version 0 without officers is the one of a head office that has named none yet."""

    schema_: Literal["cloche.officers/1"] = Field(SCHEMA, alias="schema")
    version: Annotated[int, Field(ge=0, le=2**31)] = 0
    needed: Literal[2] = NEEDED
    officers: Annotated[tuple[Officer, ...], Field(max_length=MOST_KEYS)] = ()

    @model_validator(mode="after")
    def _one_key_one_person(self) -> Self:
        """A key speaks for one person, and a person is from IT or not.

        Raises:
            ValueError: a key stands twice, or a person is both.
        """
        if len({officer.key for officer in self.officers}) != len(self.officers):
            raise ValueError("a key stands there twice")
        kinds = {(officer.person, officer.it) for officer in self.officers}
        if len(kinds) != len({officer.person for officer in self.officers}):
            raise ValueError("a person is from IT and is not")
        return self

    @property
    def can_sign(self) -> bool:
        """Whether there are two people at all."""
        return len({officer.person for officer in self.officers}) >= self.needed

    def keys_of(self, person: str) -> list[str]:
        """The keys of a person."""
        return [officer.key for officer in self.officers if officer.person == person]

    def lacks(self, signers: Iterable[str], *, not_it: bool) -> Lacking:
        """What is missing after these persons have signed; '' when it is enough.

        Args:
            signers: persons whose signature was verified with a key of this policy.
            not_it: whether one of them must not be from IT.
        """
        signed = [officer for officer in self.officers if officer.person in set(signers)]
        if len({officer.person for officer in signed}) < self.needed:
            return "people"
        return "not_it" if not_it and all(officer.it for officer in signed) else ""


EMPTY: Final = OfficerPolicy()
