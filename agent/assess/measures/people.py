"""三 机构和职责: every role held, everybody reached, somebody for whoever is absent, and a second person."""

from __future__ import annotations

from typing import ClassVar, Final

from agent.assess.look import SHOWN, Look
from agent.assess.records import Result, bad, good, partial, say
from agent.people import People
from config.schema import Person, Role

NEEDED: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "response_lead", "legal", "tech_support",
    "customer_service", "department_head", "logistics", "store_manager",
)  # fmt: skip
"""The roles of the plan and, from practice, the manager of the store. What is beyond them depends on the chain."""
LEADERS: Final[tuple[Role, ...]] = ("security_lead", "response_lead", "legal", "store_manager")
EDIT: Final = "cloche assess attest contacts"


class Roles:
    """Somebody holds each role of the plan."""

    id: ClassVar[str] = "roles"

    def measure(self, look: Look) -> Result:
        """See the class."""
        people = look.agent.people
        empty = [role for role in NEEDED if not people.holding([role])]
        evidence = say("assess.ev_roles", held=len(NEEDED) - len(empty), of=len(NEEDED), file=settings_file(look))
        if not empty:
            return good(evidence)
        named = tuple(say("assess.ev_role_empty", role=f"@incident.role_{role}") for role in empty)
        score = 1 - len(empty) / len(NEEDED)
        command = look.edit
        return partial(score, command, evidence, *named) if score else bad(command, evidence, *named)


class Contacts:
    """Everybody can be reached, and the contacts were confirmed within the month."""

    id: ClassVar[str] = "contacts"

    def measure(self, look: Look) -> Result:
        """See the class."""
        everybody = look.agent.people.everybody
        if not everybody:
            return bad(look.edit, say("assess.ev_nobody"))
        mute = [person for person in everybody if not is_reached(person)]
        evidence = say("assess.ev_contacts", reached=len(everybody) - len(mute), of=len(everybody))
        if mute:
            named = tuple(say("assess.ev_mute", name=person.name) for person in mute[:SHOWN])
            score = (1 - len(mute) / len(everybody)) * look.limit(self.id, "unconfirmed")
            return partial(score, look.edit, evidence, *named) if score else bad(look.edit, evidence, *named)
        word = look.attested("contacts")
        if word is None or not word.ok:
            return partial(look.limit(self.id, "unconfirmed"), EDIT, evidence, say("assess.ev_unconfirmed"))
        return good(evidence, look.word(word))


class Substitutes:
    """Whoever leads has somebody who takes over, and that somebody exists."""

    id: ClassVar[str] = "substitutes"

    def measure(self, look: Look) -> Result:
        """See the class."""
        people = look.agent.people
        leaders = people.holding(LEADERS)
        if not leaders:
            return bad(look.edit, say("assess.ev_nobody"))
        alone = [
            person for person in leaders
            if people.substitute_of(person) is None and not shares_role(people, person)
        ]  # fmt: skip
        evidence = say("assess.ev_substitutes", covered=len(leaders) - len(alone), of=len(leaders))
        if not alone:
            return good(evidence)
        named = tuple(say("assess.ev_no_substitute", name=person.name) for person in alone[:SHOWN])
        score = 1 - len(alone) / len(leaders)
        return partial(score, look.edit, evidence, *named) if score else bad(look.edit, evidence, *named)


class SecondPerson:
    """Two people for what needs two, one of them not from IT; a shop of one has said so on record."""

    id: ClassVar[str] = "second_person"

    def measure(self, look: Look) -> Result:
        """See the class."""
        from agent.approvals.rules import RULES

        people, rule = look.agent.people, RULES["purge"]
        able = [person for person in people.everybody if rule.may(person)]
        outside = [person for person in able if not People.is_from_it(person)]
        if len(able) >= rule.needed and outside:
            return good(say("assess.ev_two", count=len(able), outside=outside[0].name))
        reason = look.agent.settings.respond.single_handed
        if reason:
            return partial(look.limit(self.id, "single_handed"), look.edit,
                           say("assess.ev_single_handed", reason=look.agent.mask(reason)))  # fmt: skip
        return bad(look.edit, say("assess.ev_no_second", count=len(able)))


def is_reached(person: Person) -> bool:
    """Somehow: mail, SMS, or a contact that is written down."""
    return bool(person.email or person.phone or person.contact)


def shares_role(people: People, person: Person) -> bool:
    """Each of a leader's leading roles is held by somebody else as well."""
    return all(len(people.holding([role])) > 1 for role in person.roles if role in LEADERS)


def settings_file(look: Look) -> str:
    """Where people are entered."""
    return str(look.agent.home.settings_file)
