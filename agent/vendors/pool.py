"""Canaries: numbers and mailboxes that the chain itself owns, each used for one package and never again.

They come from `[vendors]` of the settings and from nowhere else: a made-up number would be a stranger's. What went out
stays used up, whatever became of the package, or two vendors would share a canary.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from agent.vendors.columns import Canary
from agent.vendors.records import Planting
from agent.vendors.searching import mail_key, phone_key
from agent.vendors.store import vendors
from config.errors import RefusedError
from config.vendors import CATCH_ALL

if TYPE_CHECKING:
    from agent.wiring import Agent

_LOCAL: Final = ("zhao", "qian", "sun", "li", "zhou", "wu", "zheng", "wang", "feng", "chen", "xu", "yang", "lin", "he")


def canary_values(agent: Agent) -> frozenset[str]:
    """Every number and mailbox of the pool, used or not, in the form in which one is compared."""
    settings = agent.settings.vendors
    used = vendors(agent).plantings()
    phones = {phone_key(phone) for phone in settings.canary_phones} | {phone_key(p.phone) for p in used if p.phone}
    mails = {mail_key(mail) for mail in settings.canary_emails} | {mail_key(p.email) for p in used if p.email}
    return frozenset(phones | mails) - {""}


def take_canaries(agent: Agent, count: int) -> list[Canary]:
    """Choose `count` canaries that no package has had. Nothing is reserved: `begin_share` does.

    Raises:
        RefusedError: none are configured, or too few are left; the message says how many of what.
    """
    settings = agent.settings.vendors
    if not settings.canary_phones or not settings.canary_names:
        raise RefusedError(agent.text("vendor.no_canaries_configured"))
    used = vendors(agent).plantings()
    phones_used = {phone_key(planting.phone) for planting in used if planting.phone}
    mails_used = {planting.email for planting in used if planting.email}
    phones = [phone for phone in settings.canary_phones if phone_key(phone) not in phones_used]
    if len(phones) < count:
        raise RefusedError(
            agent.text("vendor.canaries_exhausted", left=len(phones), needed=count, what="canary_phones")
        )
    secrets.SystemRandom().shuffle(phones)
    mails = _mails(settings.canary_emails, mails_used, count)
    if settings.canary_emails and len(mails) < count:
        raise RefusedError(agent.text("vendor.canaries_exhausted", left=len(mails), needed=count, what="canary_emails"))
    return [
        Canary(
            name=secrets.choice(settings.canary_names),
            phone=_national(phones[number]),
            email=mails[number] if mails else "",
            address=secrets.choice(settings.canary_addresses) if settings.canary_addresses else "",
        )
        for number in range(count)
    ]


def _national(phone: str) -> str:
    """A mobile of China as people write it: without +86."""
    key = phone_key(phone)
    return key if len(key) == 11 and key.startswith("1") else phone


def plantings_of(share: str, canaries: list[Canary]) -> list[Planting]:
    """Canaries as the database keeps them."""
    return [
        Planting(
            id=f"{share}/{number}",
            share=share,
            name=canary.name,
            phone=canary.phone or None,
            email=canary.email or None,
        )
        for number, canary in enumerate(canaries, 1)
    ]


def _mails(pool: tuple[str, ...], used: set[str], count: int) -> list[str]:
    """Free mailboxes; of a catch-all domain as many as are wanted."""
    found = [mail for mail in pool if not mail.startswith(CATCH_ALL) and mail not in used]
    domains = [mail.removeprefix(CATCH_ALL) for mail in pool if mail.startswith(CATCH_ALL)]
    while domains and len(found) < count:
        local = f"{secrets.choice(_LOCAL)}{secrets.choice(_LOCAL)}{secrets.randbelow(9000) + 1000}"
        mail = f"{local}@{secrets.choice(domains)}"
        if mail not in used and mail not in found:
            found.append(mail)
    return found
