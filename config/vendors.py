"""Settings of what is shared with vendors: canaries that the chain owns, terms, and how long somebody is let in."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from config.section import Section

CATCH_ALL: Final = "*@"
_PHONE: Final = re.compile(r"\+?[0-9]{7,15}")
_MAIL: Final = re.compile(r"[a-z0-9._%+-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_DOMAIN: Final = re.compile(r"\*@[a-z0-9-]+(?:\.[a-z0-9-]+)+")


def own_phones(numbers: tuple[str, ...]) -> tuple[str, ...]:
    """Numbers in one written form: digits, a `+` before them where it was given.

    Raises:
        ValueError: one is no telephone number, or stands there twice. Numbers are counted, not quoted.
    """
    found = []
    for place, number in enumerate(numbers, 1):
        plain = re.sub(r"[\s\-().]", "", unicodedata.normalize("NFKC", number))
        if not _PHONE.fullmatch(plain):
            raise ValueError(f"entry {place} is no telephone number")
        found.append(plain)
    return _once(found)


def own_mails(mails: tuple[str, ...]) -> tuple[str, ...]:
    """Mailboxes in lower case; `*@domain` is a domain of the chain's where every address arrives.

    Raises:
        ValueError: one is no mailbox, or stands there twice.
    """
    found = []
    for place, mail in enumerate(mails, 1):
        plain = unicodedata.normalize("NFKC", mail).strip().lower()
        if not (_MAIL.fullmatch(plain) or _DOMAIN.fullmatch(plain)):
            raise ValueError(f"entry {place} is no mailbox and no *@domain")
        found.append(plain)
    return _once(found)


def _once(found: list[str]) -> tuple[str, ...]:
    for place, entry in enumerate(found, 1):
        if entry in found[: place - 1]:
            raise ValueError(f"entry {place} stands there twice")
    return tuple(found)


class VendorSettings(Section):
    """What is shared with vendors, and on what terms."""

    canary_phones: Annotated[tuple[str, ...], AfterValidator(own_phones)] = Field(
        (),
        description="Numbers that the chain itself owns, never a stranger's: each goes into one package only.",
    )
    canary_emails: Annotated[tuple[str, ...], AfterValidator(own_mails)] = Field(
        (), description="Mailboxes of the chain's own; `*@domain` where every address of a domain arrives at the chain."
    )
    canary_names: tuple[str, ...] = Field(
        (), description="Invented names for canary records; they may be used more than once."
    )
    canary_addresses: tuple[str, ...] = Field(
        (), description="Addresses of the chain's own for canary records, such as its offices; else the cell is empty."
    )
    canaries: int = Field(5, ge=1, le=50, description="Canary records of a package.")
    days: int = Field(30, ge=1, le=3650, description="Days until a package expires, unless it is said otherwise.")
    remind_days: int = Field(7, ge=1, le=365, description="Days between reminders of what is overdue.")
    contract_notice_days: int = Field(30, ge=0, le=365, description="Days before a contract's end that it is told.")
    most_minutes: int = Field(240, ge=1, le=1440, description="Longest time a vendor is let in at a stretch.")
