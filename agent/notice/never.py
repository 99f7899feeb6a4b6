"""Whom a notice never reaches as a customer: people of the plan, the chain's own numbers, canaries, what is allowed.

Canaries are contacts that the chain owns (`vendors.canary_phones`, `vendors.canary_emails`; docs on vendors): they
stand in packages for vendors and come back in leaked files. Neither counted nor told. A pattern `*@domain` covers
every mailbox of that domain, which is seen where the mailbox itself is at hand: in the list, not in the count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from agent.vendors.store import vendors
from config.vendors import CATCH_ALL
from scanners.masking import by_entity
from scanners.written import to_plain

if TYPE_CHECKING:
    from agent.wiring import Agent

PHONE: Final = "PHONE_NUMBER"
MAIL: Final = "EMAIL_ADDRESS"
_NUMBERS: Final = re.compile(r"\+?[0-9][0-9 -]{5,20}[0-9]")


@dataclass(frozen=True, kw_only=True)
class Never:
    """Contacts in their normal form, by entity; `domains` are whole mail domains."""

    contacts: frozenset[tuple[str, str]] = field(repr=False)
    domains: frozenset[str] = field(repr=False)

    def covers(self, entity: str, normal: str) -> bool:
        """Whether this contact, in its normal form, is one of them."""
        if (entity, normal) in self.contacts:
            return True
        return entity == MAIL and normal.rpartition("@")[2].lower() in self.domains


def never_of(agent: Agent) -> Never:
    """All of them, by the settings as they are now."""
    settings = agent.settings
    phones = [settings.notice.hotline, settings.page.emergency_phone, *settings.vendors.canary_phones]
    mails = [settings.notice.mailbox, settings.senders.smtp_from]
    domains = set()
    for address in settings.vendors.canary_emails:
        if address.startswith(CATCH_ALL):
            domains.add(address.removeprefix(CATCH_ALL).lower())
        else:
            mails.append(address)
    for person in settings.people:
        phones += [person.phone, *_NUMBERS.findall(person.contact)]
        mails += [person.email, person.contact if "@" in person.contact else ""]
    for value in settings.detect.allow:
        (mails if "@" in value else phones).append(value)
    for planted in vendors(agent).plantings():  # also what the settings no longer name
        phones.append(planted.phone or "")
        mails.append(planted.email or "")
    found = {(PHONE, normal(PHONE, phone)) for phone in phones if phone.strip()}
    found |= {(MAIL, normal(MAIL, mail)) for mail in mails if mail.strip()}
    return Never(contacts=frozenset(found), domains=frozenset(domains))


def normal(entity: str, value: str) -> str:
    """The one form of a contact, as the scan has it."""
    return by_entity()[entity].normalise(to_plain(value).text.strip())
