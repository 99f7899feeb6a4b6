"""Who holds which role of the emergency plan, and who answers for whom.

People come from the settings (head office's list wins once enrolled). A *person* is a name there; an account on this
server or a mailbox that a code went to is how a person is known. Root without such an entry is nobody: a two-person
rule means two people, not two passwords.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from config.officers import IT_ROLES
from config.schema import Person, Role

__all__ = ["IT_ROLES", "People"]


@dataclass(frozen=True)
class People:
    """Everybody with a role, in the order of the settings."""

    everybody: Sequence[Person]

    def named(self, name: str) -> Person | None:
        """The person of this name."""
        return next((person for person in self.everybody if person.name == name), None)

    def of_account(self, user: str) -> Person | None:
        """The person whose account on this server this is."""
        return next((person for person in self.everybody if user and person.user == user), None)

    def holding(self, roles: Iterable[Role]) -> list[Person]:
        """Everybody who holds one of the roles."""
        wanted = frozenset(roles)
        return [person for person in self.everybody if wanted.intersection(person.roles)]

    def substitute_of(self, person: Person) -> Person | None:
        """Who takes over for a person, if anybody is named and it is not the person."""
        found = self.named(person.substitute)
        return None if found is None or found.name == person.name else found

    @staticmethod
    def is_from_it(person: Person) -> bool:
        """From IT, by the roles."""
        return not IT_ROLES.isdisjoint(person.roles)
