"""An order as it is carried out: its meaning, who gave it, and the caller in whose name an operation runs.

The caller is nobody of this machine: no account, no descriptors, never the owner, and of roles only the one that the
operation of this kind of order asks for. Head office has vouched for the person by its signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agent.operation import Answer, Caller, Request
from agent.operations import find_operation
from config.errors import ClocheError, RefusedError
from config.officers import Officer
from config.orders import IN_PERSON, OrderBody, OrderKind
from config.schema import Person, Role
from config.section import Section

if TYPE_CHECKING:
    from agent.wiring import Agent

NOBODY: Final = 65_534
ROLE_OF: Final[dict[OrderKind, Role]] = {
    "declare": "security_lead", "dismiss": "response_lead", "direct": "response_lead", "note": "response_lead",
    "advance": "response_lead", "grade": "legal", "submit": "legal", "isolate_on": "tech_support",
    "isolate_off": "tech_support", "rescan": "security_member", "drill": "security_member", "release": "response_lead",
    "purge": "privacy_officer", "seal": "security_member",
}  # fmt: skip
"""The one role that the operation of a kind asks for. `report` needs none, kinds in person (`config.orders`) have the
roles of their person here; the others call no operation."""


class HaltedError(ClocheError):
    """An act that ends because the process does: it is taken up again at the next start."""


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """One order with everything that its act may need."""

    agent: Agent
    order: OrderBody
    form: Section
    officers: tuple[Officer, ...]
    resumed: bool
    """It was begun before and cut off: what is done already must not be done twice."""

    @property
    def actor(self) -> str:
        """Who acts, as the records of this store say it."""
        return self.agent.text("direction.actor", name=self.order.by.name)

    @property
    def person(self) -> Person:
        """Who gave the order, as this store's own list of people knows them: by name, with the roles there.

        Raises:
            RefusedError: nobody of this name is on the list.
        """
        found = self.agent.people.named(self.order.by.name)
        if found is None:
            raise RefusedError(self.agent.text("direction.no_person", name=self.agent.mask(self.order.by.name)))
        return found

    @property
    def caller(self) -> Caller:
        """In whose name an operation runs here.

        Raises:
            RefusedError: of a kind in person: nobody of this name is on the list.
        """
        if self.order.kind in IN_PERSON:
            roles = frozenset(self.person.roles)
        else:
            roles = frozenset({role}) if (role := ROLE_OF.get(self.order.kind)) else frozenset()
        return Caller(uid=NOBODY, gid=NOBODY, pid=0, user=self.actor, roles=roles)

    def _go_on(self, _update: dict[str, Any]) -> None:
        """What takes long ends when the process does.

        Raises:
            HaltedError: it does.
        """
        if self.agent.orders.stopping.is_set():
            raise HaltedError("cut short: the daemon stops")

    def call(self, operation: str, arguments: dict[str, Any]) -> Answer:
        """Run an operation of this store in the name of who gave the order.

        Raises:
            ClocheError: as the operation.
        """
        listed = find_operation(operation)
        request = Request(arguments=arguments, caller=self.caller, progress=self._go_on)
        if listed.changes_files:
            with self.agent.exclusive:
                return listed.load()(self.agent, request)
        return listed.load()(self.agent, request)
