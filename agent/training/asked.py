"""What is asked of training: arguments that are checked, and people as whoever asks may see them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from agent.operation import Request
from agent.training.catalogue import role_name
from agent.training.importing import Sheet, parse_day
from agent.training.lent import borrow
from agent.training.records import Staff
from agent.training.standing import today_of
from agent.training.store import Register
from config.errors import UsageError
from config.schema import Role
from config.text import LANGUAGES, Text
from scanners.masking import mask_name, mask_number

if TYPE_CHECKING:
    from agent.wiring import Agent

KEEPERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "privacy_officer", "area_manager", "store_manager", "franchisee",
)  # fmt: skip
LONGEST_NAME: Final = 80


class Shown:
    """What this caller sees of staff."""

    def __init__(self, agent: Agent, request: Request) -> None:
        self._agent = agent
        self._whole = request.caller.is_owner or not request.caller.roles.isdisjoint(KEEPERS)

    def person(self, person: Staff) -> dict[str, Any]:
        """Somebody as a row."""
        mask = self._agent.mask
        return {
            "number": person.number if self._whole else mask(person.number),
            "name": person.name if self._whole else mask_name(person.name),
            "role": person.role, "role_name": role_name(person.role, self._agent.text), "title": mask(person.title),
            "store": person.store, "since": person.since.isoformat(),
            "left": person.left.isoformat() if person.left else None,
        }  # fmt: skip

    def phone(self, person: Staff, *, whole: bool) -> str:
        """The phone, masked unless it was asked for."""
        return person.phone if whole else mask_number(person.phone) if person.phone else ""


def asked_language(agent: Agent, request: Request) -> Text:
    """Texts in the language asked for, the store's by default.

    Raises:
        UsageError: there is none such.
    """
    given = given_text(request, "language") or agent.text.language
    if given not in LANGUAGES:
        raise UsageError(f"--language: {given!r} is none of {', '.join(LANGUAGES)}")
    return Text(given)


def asking_person(agent: Agent, register: Register, request: Request) -> Staff:
    """Whoever asks, as one of the staff.

    Raises:
        UsageError: the list knows nobody, or several, of that name.
    """
    person = agent.people.of_account(request.caller.user)
    found = [entry for entry in register.staff() if person is not None and entry.name == person.name]
    if len(found) != 1:
        raise UsageError(agent.text("training.not_on_list", user=request.caller.user))
    return found[0]


def lent_sheet(agent: Agent, request: Request) -> Sheet:
    """The list that came as a descriptor.

    Raises:
        UsageError: none came.
    """
    if not request.descriptors:
        raise UsageError("a list is needed")
    name = agent.mask(given_text(request, "name"))
    return Sheet(
        name=name, text=agent.text, lines=borrow(request.descriptors[0]), today=today_of(agent, agent.now())
    )  # fmt: skip


def given_day(agent: Agent, request: Request, name: str) -> date:
    """A day argument, today where it is absent.

    Raises:
        UsageError: it is none, or lies in the future.
    """
    today = today_of(agent, agent.now())
    given = given_text(request, name)
    day = parse_day(given) if given else today
    if day is None or day > today:
        raise UsageError(f"--{name}: {agent.text('training.bad_day' if day is None else 'training.in_future')}")
    return day


def given_name(agent: Agent, request: Request, name: str) -> str:
    """A person's name as it may be kept: what looks like more than a name is masked."""
    return agent.mask(given_text(request, name))[:LONGEST_NAME]


def given_text(request: Request, name: str) -> str:
    """A text argument, '' where it is absent.

    Raises:
        UsageError: it is none.
    """
    value = request.arguments.get(name) or ""
    if not isinstance(value, str):
        raise UsageError(f"{name}: must be text")
    return value


def given_texts(request: Request, name: str, *, needed: bool = True) -> list[str]:
    """Staff numbers.

    Raises:
        UsageError: they are no list of texts, or there is none though one is `needed`.
    """
    value = request.arguments.get(name) or []
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise UsageError(f"{name}: must be a list of texts")
    if needed and not value:
        raise UsageError("a staff number is needed")
    return value
