"""When an approval is enough: how many people, and who of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from agent.people import People
from config.schema import Person, Role

Act = Literal["notice", "persons", "purge", "originals", "report", "share", "let_in"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`needed` different people, each with one of `roles`; with `not_it` one of them not from IT."""

    needed: int
    roles: tuple[Role, ...]
    not_it: bool = False

    def may(self, person: Person) -> bool:
        """Whether this person's word counts."""
        return not frozenset(self.roles).isdisjoint(person.roles)

    def lacks(self, people: Collection[Person], *, single_handed: bool) -> Literal["", "people", "not_it"]:
        """What is still missing after these people have approved; '' when it is enough.

        `single_handed`: the shop said on record that there is nobody for a second approval.
        """
        counted = {person.name: person for person in people if self.may(person)}
        if single_handed:
            return "" if counted else "people"
        if len(counted) < self.needed:
            return "people"
        if self.not_it and all(People.is_from_it(person) for person in counted.values()):
            return "not_it"
        return ""


_LEADERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "response_lead", "legal", "privacy_officer", "store_manager",
)  # fmt: skip
RULES: Final[dict[Act, Rule]] = {
    "notice": Rule(needed=2, roles=(*_LEADERS, "customer_service", "department_head", "area_manager")),
    "persons": Rule(needed=2, roles=(*_LEADERS, "customer_service")),
    "purge": Rule(needed=2, roles=(*_LEADERS, "department_head", "area_manager"), not_it=True),
    "originals": Rule(needed=1, roles=("legal",)),
    "report": Rule(needed=1, roles=("security_lead", "response_lead", "legal")),
    "share": Rule(needed=1, roles=(*_LEADERS, "area_manager", "franchisee")),
    "let_in": Rule(needed=1, roles=("store_manager", "security_lead", "area_manager", "franchisee")),
}
