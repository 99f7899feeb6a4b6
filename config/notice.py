"""Settings of what customers are told after a leak: the chain's own number, hours of rest, how soon again."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from config.section import Section

_NUMBER: Final = re.compile(r"[0-9][0-9 -]{3,20}[0-9]")
_HOURS: Final = r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$"


def own_number(number: str) -> str:
    """A number to call, as people write it: digits, spaces and hyphens.

    Raises:
        ValueError: it is something else. It is not quoted.
    """
    if number and not _NUMBER.fullmatch(number):
        raise ValueError("must be digits, with spaces or hyphens between them")
    return number


class NoticeSettings(Section):
    """What customers are told after a leak, and when."""

    brand: str = Field("", max_length=20, description="The chain's name as customers know it; the store's if empty.")
    hotline: Annotated[str, AfterValidator(own_number)] = Field(
        "", description="The chain's own number for questions (a 400 number); every notice names it."
    )
    hotline_hours: str = Field("", max_length=40, description="When it is answered, as people say it.")
    mailbox: str = Field("", max_length=80, description="The chain's own mailbox for questions.")
    quiet_hours: Annotated[str, Field(pattern=_HOURS)] = Field(
        "21:00-08:00", description="HH:MM-HH:MM in the store's time zone in which nobody is sent a notice; empty: none."
    )
    again_after_days: int = Field(
        30, ge=0, le=3650,
        description="Who was told about another incident within so many days is not told again, unless a person asks.",
    )  # fmt: skip
    batch: int = Field(200, ge=1, le=500, description="Messages handed to the link at a time.")
    tries: int = Field(3, ge=1, le=10, description="Tries for one contact, where the gateway surely did not take it.")
